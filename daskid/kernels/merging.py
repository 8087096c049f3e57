"""Sparse lists: what is new of some lists, and how it is merged into others.

The new entries of n rows are ``count`` (n,), how many each row has, and row after
row their distances and locations, each row's sorted as in a list.
"""

import numpy as np

from daskid.kernels._jit import jit
from daskid.kernels.lists import comes_before
from daskid.kernels.neighbors import BEATEN_BY_ALL
from daskid.typing import Array, Floats, Ints


def new_entries(distance: Floats, location: Ints) -> tuple[Ints, Floats, Ints]:
    """Return what (n, k) lists hold beside free slots and bounds: counts, distances, locations."""
    new = (location >= 0) & (location != BEATEN_BY_ALL)
    return new.sum(axis=1), distance[new], location[new]


@jit
def merge_new(distance: Floats, location: Ints, count: Array, new: Floats, where: Array) -> None:
    """Merge new entries into (n, k) sorted lists, in place; entries that are there are dropped.

    Parameters
    ----------
    distance, location
        The lists.
    count, new, where
        The entries of each row: how many, their distances and locations.
    """
    k, first = distance.shape[1], 0
    spare, spare_location = np.empty(k), np.empty(k, np.int64)
    for i in range(count.size):
        stop = first + count[i]
        if first < stop and new[first] <= distance[i, -1]:
            spare[:], spare_location[:] = distance[i], location[i]
            a, b = 0, first
            for slot in range(k):
                # a free slot is infinitely far, and a new entry is not
                if b < stop and comes_before(new[b], where[b], spare[a], spare_location[a]):
                    distance[i, slot], location[i, slot] = new[b], where[b]
                    b += 1
                    continue
                distance[i, slot], location[i, slot] = spare[a], spare_location[a]
                b += b < stop and new[b] == spare[a] and where[b] == spare_location[a]
                a += 1
        first = stop
