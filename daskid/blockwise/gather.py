"""What is looked up at the neighbors of each sample, chunk by chunk of the lists.

A neighbor may be anywhere: what is looked up travels to every task as a single chunk,
8 bytes a sample for a vector, and for distances at several ranks of all samples
a panel of some of the ranks at a time. Lists stay where they are.
"""

from collections.abc import Iterator

import dask.array as da
import numpy as np

from daskid.typing import Array, Floats, Ints

LEAST = 8
"""Ranks in a panel of however many samples."""
PANEL_BYTES = 64 << 20
"""What a panel of more ranks may hold."""


def whole(values: da.Array) -> da.Array:
    """Return ``values`` in a single chunk."""
    return values.rechunk(-1, method="tasks") if values.npartitions > 1 else values


def panels(samples: int, first: int, stop: int) -> Iterator[tuple[int, int]]:
    """Return the ranges of ranks, from ``first`` up to ``stop``, that panels hold."""
    width = max(LEAST, PANEL_BYTES // 8 // max(samples, 1))
    for a in range(first, stop, width):
        yield a, min(a + width, stop)


def panel(distance: da.Array, first: int, stop: int) -> da.Array:
    """Return the distances of all samples at ranks ``first`` up to ``stop``, in a single chunk.

    Parameters
    ----------
    distance
        (N, k) distances.
    first, stop
        Ranks, counted from 1.
    """
    return whole(distance[:, first - 1 : stop - 1])


def rows_at(rows: da.Array, sample: da.Array) -> da.Array:
    """Return the rows at these positions from whichever chunks hold them, -inf for none: (p, d)."""
    if sample.shape[0] == 0:
        none: da.Array = da.zeros((0, rows.shape[1]))
        return none
    place = da.arange(rows.shape[0], chunks=(rows.chunks[0],))
    # i: rows, f: features, p: positions
    found = da.blockwise(
        _pick, "ipf", rows, "if", place, "i", sample.rechunk(-1), "p",
        adjust_chunks={"i": 1}, dtype=np.float64, meta=np.empty((0, 0, 0)),
    )  # fmt: skip
    picked: da.Array = found.max(axis=0)
    return picked


def _pick(rows: Array, place: Ints, sample: Ints) -> Floats:
    out = np.full((1, sample.size, rows.shape[1]), -np.inf)
    here = (sample >= place[0]) & (sample <= place[-1])
    out[0, here] = rows[sample[here] - place[0]]
    return out


def check(index: Ints, n: int) -> None:
    """Refuse neighbors that are not among ``n`` samples.

    Raises
    ------
    ValueError
        If there are any.
    """
    if (outside := (index < 0) | (index >= n)).any():
        raise ValueError(
            f"neighbor_index: expected positions 0 to {n - 1} along sample, "
            f"got {index[outside][0]}: if samples were selected after knn, run knn on the selection"
        )
