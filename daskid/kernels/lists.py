"""Sorted neighbour lists: (k,) distances and locations, by distance, then by location."""

import numpy as np

from daskid.kernels._jit import inlined, jit
from daskid.kernels._simd import EVERY, STRIDE, below, lowest_bit, ones, up_to, without_lowest
from daskid.kernels.selection import no_neighbor
from daskid.typing import Array, Floats, Ints


@inlined
def comes_before(a: float, a_location: int, b: float, b_location: int) -> bool:
    """Return whether an entry comes before another one of a list."""
    return a < b or (a == b and a_location < b_location)


@inlined
def _copy(distance: Floats, location: Ints, n: int, to: Floats, to_location: Ints) -> None:
    # one by one: for slices, numba compiles the text of an error
    for c in range(n):
        to[c], to_location[c] = distance[c], location[c]


@jit
def sort_entries(distance: Floats, location: Ints, spare: Floats, spare_location: Ints) -> None:
    """Sort the first ``distance.size`` entries, in place; the others are scratch as long."""
    n, run = distance.size, np.empty(STRIDE)
    for start in range(0, n, STRIDE):
        size = min(STRIDE, n - start)
        for c in range(STRIDE):
            run[c] = distance[start + c] if c < size else np.inf
        for c in range(size):
            spare_location[c] = location[start + c]
        for c in range(size):  # to the place that those before it leave
            before, ties = below(run, 0, run[c]), up_to(run, 0, run[c])
            ties, slot = ties ^ before, start + ones(before)
            if ones(ties) > 1:
                for other in range(size):
                    slot += run[other] == run[c] and spare_location[other] < spare_location[c]
            distance[slot], location[slot] = run[c], spare_location[c]
    width = STRIDE
    while width < n:
        _copy(distance, location, n, spare, spare_location)
        for start in range(0, n, 2 * width):
            middle, stop = min(start + width, n), min(start + 2 * width, n)
            a, b = start, middle
            for slot in range(start, stop):
                second = a == middle or (
                    b < stop
                    and comes_before(spare[b], spare_location[b], spare[a], spare_location[a])
                )
                c = b if second else a
                distance[slot], location[slot] = spare[c], spare_location[c]
                b += second
                a += not second
        width *= 2


@jit
def merge_entries(
    distance: Floats,
    location: Ints,
    new: Floats,
    new_location: Ints,
    spare: Floats,
    spare_location: Ints,
) -> None:
    """Merge sorted ``new`` entries into a sorted (k,) list, in place.

    ``spare`` and ``spare_location`` are scratch, ``k`` or longer.
    """
    k = distance.size
    _copy(distance, location, k, spare, spare_location)
    a, b = 0, 0
    for slot in range(k):
        # a free slot is infinitely far, and a new entry is not
        if b < new.size and comes_before(new[b], new_location[b], spare[a], spare_location[a]):
            distance[slot], location[slot] = new[b], new_location[b]
            b += 1
        else:
            distance[slot], location[slot] = spare[a], spare_location[a]
            a += 1


@jit
def merge_nearest(
    distance: Floats,
    location: Ints,
    values: Floats,
    x_who: Array,
    i: int,
    y_who: Array,
    exclude: int,
    new: Floats,
    new_location: Ints,
    spare: Floats,
    spare_location: Ints,
) -> None:
    """Merge columns at exact distances ``values`` (m,) into a sorted (k,) list, in place.

    Ties cost nothing: columns are in the order of their locations, so that one at the
    distance of the k-th of a full buffer comes too late.

    Parameters
    ----------
    distance, location
        The list of row ``i`` of ``x_who``.
    values
        Distances of the columns, whose locations ascend.
    x_who, y_who, exclude
        As in :func:`daskid.kernels.selection.no_neighbor`.
    new, new_location, spare, spare_location
        Scratch, longer than ``k``.
    """
    k, held, limit = distance.size, 0, distance[-1]
    whole = values.size - values.size % STRIDE
    for start in range(0, values.size, STRIDE):
        # the rest of the columns: one by one
        mask = up_to(values, start, limit) if start < whole else EVERY
        while mask:
            j = start + lowest_bit(mask)
            mask = without_lowest(mask)
            if j >= values.size or values[j] > limit or no_neighbor(x_who, i, y_who, j, exclude):
                continue
            new[held], new_location[held] = values[j], y_who[0, j]
            held += 1
            if held == new.size:
                sort_entries(new, new_location, spare, spare_location)
                held, limit = k, np.nextafter(new[k - 1], -np.inf)
    sort_entries(new[:held], new_location[:held], spare, spare_location)
    merge_entries(distance, location, new[:held], new_location[:held], spare, spare_location)
