"""Histograms of a few columns of the rows, by block of frames, in a tree of merges.

A task holds a chunk of the columns, or the tables of a few chunks: as many entries as there are
pairs of a block and a cell with samples in it.
"""

from typing import Any, NamedTuple

import dask.array as da
import numpy as np
from dask.base import compute

from daskid.kernels.landscape import pmf as kernels
from daskid.typing import Array, Floats, Ints

SPLIT = 16
"""Tables merged in one task."""


class Extent(NamedTuple):
    """(f,) extremes of the values, the first and last frame, (t,) labels of trajectories."""

    low: Floats
    high: Floats
    first: int
    last: int
    labels: tuple[Any, ...]


def extent(values: da.Array, frame: da.Array, trajectory: da.Array | None) -> Extent:
    """Return between which values, frames and trajectories the samples are. Computes.

    Parameters
    ----------
    values, frame, trajectory
        (n, f) columns, (n,) frame numbers, (n,) labels or None.
    """
    asked = [values.min(axis=0), values.max(axis=0), frame.min(), frame.max()]
    if trajectory is not None:
        asked.append(da.map_blocks(_unique, trajectory, dtype=trajectory.dtype))
    low, high, first, last, *labels = compute(*asked)
    names = sorted(set(np.asarray(labels[0]).tolist())) if labels else []
    return Extent(
        np.asarray(low, "f8"), np.asarray(high, "f8"), int(first), int(last), tuple(names)
    )


def table(
    values: da.Array,
    frame: da.Array,
    trajectory: da.Array | None,
    *,
    of: kernels.Grid,
    spanned: Extent,
    length: int | None,
) -> Array:
    """Return how many samples of each block are in each cell, blocks numbered. Computes.

    Parameters
    ----------
    values, frame, trajectory
        As in :func:`extent`.
    of
        The cells.
    spanned
        Of :func:`extent`.
    length
        Frames of a block; None for whole trajectories. No block has frames of two trajectories.
    """
    chunks = values.chunks[0]
    labels = () if trajectory is None else (trajectory.rechunk((chunks,)), "i")
    # i: samples, f: features
    found: da.Array = da.blockwise(
        _table, "i", values, "if", frame.rechunk((chunks,)), "i", *labels,
        of=of, spanned=spanned, length=length, concatenate=True,
        dtype=kernels.TALLY, meta=np.empty(0, kernels.TALLY),
    )  # fmt: skip
    one = da.reduction(
        found, chunk=_merged, combine=_merged, aggregate=_merged, axis=0, keepdims=True,
        split_every=SPLIT, dtype=kernels.TALLY, meta=found._meta,
    )  # fmt: skip
    return kernels.renumbered(np.asarray(one.compute()))


def _unique(labels: Array) -> Array:
    return np.unique(labels)


def _table(
    values: Array,
    frame: Ints,
    trajectory: Array | None = None,
    *,
    of: kernels.Grid,
    spanned: Extent,
    length: int | None,
) -> Array:
    code = np.zeros(frame.size, np.int64)
    if trajectory is not None:
        places = {label: i for i, label in enumerate(spanned.labels)}
        own, inverse = np.unique(trajectory, return_inverse=True)
        code = np.array([places[label] for label in own.tolist()], np.int64)[inverse]
    block = code
    if length is not None:
        since = frame.astype(np.int64) - spanned.first
        block = code * ((spanned.last - spanned.first) // length + 1) + since // length
    return kernels.tally(block, kernels.cells(values, of))


def _merged(part: Array, **_: Any) -> Array:
    return kernels.merged(part)
