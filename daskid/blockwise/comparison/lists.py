"""Neighbor lists of samples, gathered: 4 bytes for each neighbor of each sample."""

import dask.array as da
import numpy as np

from daskid.blockwise import gather
from daskid.blockwise.search import pool
from daskid.kernels.comparison import lists as kernels
from daskid.typing import Array, Floats, Ints

AROUND = 20
"""Neighbors whose values say what is usual around a sample."""
MORE = 2
"""Of lists that some neighbors are left out of, so many times as many are read."""


def gathered(
    index: da.Array,
    distance: da.Array,
    location: Ints,
    position: Ints,
    k: int,
    *,
    all_there: bool,
) -> tuple[Array, Array]:
    """Return the neighbors of samples by their numbers, and which lists tell the ``k`` nearest.

    Parameters
    ----------
    index, distance
        (N, stored) lists of locations, more than ``k`` of them.
    location
        (N,) locations of the rows.
    position
        (n,) the row of each sample.
    k
        How many neighbors must be known.
    all_there
        Whether there is a sample at every location.

    Returns
    -------
    (n, h) numbers, -1 behind the last, and (n,) booleans.
    """
    rows, stored = index.shape
    h = min(stored, max(k, AROUND))
    width = min(stored, max(k + 1, h) * (1 if all_there else MORE))
    number, members = np.full(rows, -1), np.bincount(location[position], minlength=rows)
    number[location[position][::-1]] = np.arange(position.size)[::-1]
    chunks = index.chunks[0]
    whole = [da.from_array(z, chunks=-1) for z in (number, members)]
    # i: rows, k: neighbors, n: all rows, h: neighbors that are kept
    found: da.Array = da.blockwise(
        _compress, "ih",
        index[:, :width].rechunk({1: -1}), "ik",
        distance[:, :width].rechunk({0: chunks, 1: -1}), "ik",
        da.from_array(location, chunks=(chunks,)), "i", *(z for w in whole for z in (w, "n")),
        k=k, h=h, new_axes={"h": h + 1}, concatenate=True, align_arrays=False,
        dtype=np.int32, meta=np.empty((0, 0), np.int32),
    )  # fmt: skip
    lists = pool.compute(found)[0][position]
    return np.ascontiguousarray(lists[:, :-1]), lists[:, -1] == 1


def _compress(
    index: Array, distance: Floats, location: Ints, number: Ints, members: Ints, *, k: int, h: int
) -> Array:
    gather.check(index, number.size)
    out = np.empty((len(index), h + 1), np.int32)
    given = index, distance, location, number, members
    a, b, c, d, e = (np.ascontiguousarray(z) for z in given)
    kernels.compress(a, b, c, d, e, k, out)
    return out
