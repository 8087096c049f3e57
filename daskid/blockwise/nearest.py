"""The nearest locations of new rows: every chunk of rows on its own, then a tree of merges.

A task holds a chunk of the rows, 4,096 new rows and their lists, or the lists of
``MERGED`` chunks.
"""

from typing import Any

import dask.array as da
import numpy as np
from dask.base import compute

from daskid.kernels.metrics import METRICS
from daskid.kernels.neighbors import Block, Space, compared, empty_lists, update
from daskid.typing import Array, Floats, Ints

NEW_ROWS = 4096
MERGED = 4


def nearest(
    rows: da.Array, kept: da.Array, new: Floats, k: int, metric: str, period: Floats, weight: Floats
) -> da.Array:
    """Return the ``k`` nearest locations of new rows: (m, k, 2), distances and positions.

    Computes the range of the rows as compared, and nothing else.

    Parameters
    ----------
    rows
        (N, d) rows.
    kept
        (N,) whether a row stands for its location; k of them or more.
    new
        (m, d) finite rows.
    k, metric
        How many, by which distance.
    period, weight
        (d,) or empty.
    """
    prepare = METRICS[metric].prepare
    if prepare is not None:
        rows = rows.rechunk({1: -1}).map_blocks(prepare, weight=weight, dtype=np.float64)
        new, weight = prepare(new, weight), np.zeros(0)
    lowest, highest = (x.astype("f8") for x in compute(rows.min(axis=0), rows.max(axis=0)))
    if period.size:  # only where it must be: rounding moves what is a copy
        outside = (period > 0) & ((new < lowest) | (new > lowest + period))
        around = lowest + np.mod(new - lowest, np.where(period > 0, period, 1.0))
        new = np.where(outside, around, new)
    space = _space(metric, period, weight, lowest, np.stack([highest, *new]).max(axis=0), new)
    position = da.arange(rows.shape[0], chunks=(rows.chunks[0],))
    # n: rows, d: features, m: new rows, k: neighbors, p: distance and position
    lists = da.blockwise(
        _lists, "nmkp",
        da.from_array(new, chunks=(NEW_ROWS, -1)), "md", rows.rechunk({1: -1}), "nd",
        kept.rechunk((rows.chunks[0],)), "n", position, "n",
        k=k, space=space, new_axes={"k": k, "p": 2}, adjust_chunks={"n": 1},
        concatenate=True, dtype=np.float64, meta=np.empty((0,) * 4),
    )  # fmt: skip
    merged: da.Array = da.reduction(
        lists, chunk=_keep, combine=_merge, aggregate=_merge, axis=0, keepdims=True,
        concatenate=True, split_every=MERGED, dtype=np.float64, meta=np.empty((0,) * 4),
    )[0]  # fmt: skip
    return merged


def _space(
    metric: str, period: Floats, weight: Floats, lowest: Floats, highest: Floats, new: Floats
) -> Space:
    span = highest - np.minimum(lowest, new.min(axis=0))
    norm = float(np.sqrt((span**2 * weight if weight.size else span**2).sum()))
    scale = float(2.0 ** -np.ceil(np.log2(norm))) if norm > 0 else 1.0
    center = highest - 0.5 * span
    return Space(METRICS[metric].combine, period, weight, lowest, center, scale, 0)


def _lists(
    new: Floats, rows: Array, kept: Array, position: Ints, *, k: int, space: Space
) -> Floats:
    x, y = np.ascontiguousarray(new), np.ascontiguousarray(rows[kept], "f8")
    x, y = compared(x, space), compared(y, space)
    lists = empty_lists(len(x), k)
    # no row is itself a new one
    update(lists, Block(x, _who(np.full(len(x), -2))), Block(y, _who(position[kept])), space)
    return np.stack([lists.distance, lists.location], axis=-1)[np.newaxis]


def _who(location: Ints) -> Ints:
    return np.stack([location, location, np.zeros_like(location)])


def _keep(lists: Floats, **_: Any) -> Floats:
    return lists


def _merge(lists: Floats, **_: Any) -> Floats:
    k = lists.shape[2]
    candidates = np.concatenate(list(lists), axis=1)
    # free slots are infinitely far
    order = np.lexsort((candidates[..., 1], candidates[..., 0]), axis=1)[:, :k]
    return np.take_along_axis(candidates, order[..., np.newaxis], axis=1)[np.newaxis]
