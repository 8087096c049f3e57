"""What rows of a leaf have found: lists of few entries, sorted; of many, first in buffers.

A row's limit is not below the reduced distance of its k-th neighbor so far, squares that
have the same root included.
"""

from typing import Any, NamedTuple

import numpy as np

from daskid.kernels._jit import inlined, jit
from daskid.kernels._simd import LANES, ONE, STRIDE, ones, up_to
from daskid.kernels.lists import comes_before, merge_entries, sort_entries
from daskid.kernels.metrics import HALF_SQUARE, SQUARE
from daskid.kernels.trees.view import Numbers
from daskid.typing import Array, Floats, Ints

FEW = 12
"""Lists up to this length are kept sorted."""
SPARE = 24
BISECTIONS = 24
SAME_ROOT = 1 + 4 * float(np.finfo("f8").eps)


class Desk(NamedTuple):
    """Scratch of the rows of a leaf, and what they have found so far.

    ``limit`` (leaf,) of reduced distances, ``reach`` (leaf,) the same in units of coordinates
    (squares where the rule is exact); ``value`` and ``place`` (leaf, room) reduced distances
    and locations that are not in lists yet, ``held`` (leaf,) of them; ``counts`` (2,) pairs of
    rows, and of those the ones whose distance was needed.
    """

    limit: Floats
    reach: Floats
    value: Floats
    place: Ints
    held: Ints
    bound: Array
    near: Array
    point: Array
    lanes: Floats
    found: Ints
    reduced: Floats
    counts: Ints


def new_desk(seen: Array, k: int) -> Desk:
    """Return the scratch for leaves of coordinates ``seen`` (leaves, q, leaf)."""
    _, q, leaf = seen.shape
    room = STRIDE if k <= FEW else -(-(k + SPARE) // STRIDE) * STRIDE
    return Desk(
        np.empty(leaf), np.empty(leaf), np.empty((leaf, room)), np.empty((leaf, room), np.int64),
        np.zeros(leaf, np.int64), np.empty(leaf, seen.dtype), np.empty((LANES, leaf), seen.dtype),
        np.empty(q, seen.dtype), np.empty(LANES), np.empty(leaf, np.int64), np.empty(leaf),
        np.zeros(2, np.int64),
    )  # fmt: skip


@inlined
def open_lists(
    distance: Floats, start: int, size: int, rule: Numbers, limit: Floats, reach: Floats, held: Ints
) -> None:
    """Begin with the lists of ``size`` rows from ``start`` on."""
    for j in range(reach.size):
        held[j], reach[j] = 0, -np.inf
    for j in range(size):
        limit[j] = largest(distance[start + j, distance.shape[1] - 1], rule.combine)
        reach[j] = reach_of(limit[j], rule)


@inlined
def largest(last: float, combine: int) -> float:
    """Return the largest reduced distance of a distance."""
    if combine == SQUARE:
        return last * last * SAME_ROOT
    return 2 * last if combine == HALF_SQUARE else last


@inlined
def reach_of(limit: float, rule: Numbers) -> float:
    """Return a limit in units of coordinates."""
    return limit if rule.exact else np.sqrt(limit) * rule.scale * rule.stretch


@inlined
def distance_from(reduced: float, combine: int) -> float:
    """Return the distance, as :func:`daskid.kernels.metrics.distance_of` does."""
    if combine == SQUARE:
        return float(np.sqrt(reduced))
    return 0.5 * reduced if combine == HALF_SQUARE else reduced


@inlined
def enter(
    distance: Floats, location: Ints, i: int, j: int, reduced: Floats, found: Ints, number: int,
    who: Ints, first: int, combine: int, limit: Floats, value: Floats, place: Ints, held: Ints,
) -> None:  # fmt: skip
    """Enter neighbors of row ``j``: in the list ``i`` where that is short, or in its buffer.

    All of them at once: to pass arrays to a function counts references, also where it is inlined.
    """
    k, room = distance.shape[1], value.shape[1]
    for h in range(number):
        if reduced[h] > limit[j]:
            continue
        where = who[0, first + found[h]]
        if k > FEW:
            n = held[j]
            value[j, n], place[j, n], held[j] = reduced[h], where, n + 1
            if n + 1 == room or (n + 1 == k and limit[j] == np.inf):
                limit[j] = compact(distance, location, i, j, limit[j], combine, value, place, held)
        else:
            own, slot = distance_from(reduced[h], combine), k
            while slot > 0 and comes_before(
                own, where, distance[i, slot - 1], location[i, slot - 1]
            ):
                slot -= 1
                if slot + 1 < k:
                    distance[i, slot + 1] = distance[i, slot]
                    location[i, slot + 1] = location[i, slot]
            if slot < k:
                distance[i, slot], location[i, slot] = own, where
                limit[j] = largest(distance[i, k - 1], combine)


@jit
def compact(
    distance: Floats, location: Ints, i: int, j: int, limit: float, combine: int,
    value: Floats, place: Ints, held: Ints,
) -> float:  # fmt: skip
    """Lower the limit of row ``j``, and drop what is above it; return the new limit.

    Where that makes no room (equal distances), the list ``i`` takes what there is.
    """
    k, n = distance.shape[1], held[j]
    if n >= k:
        limit = min(kth_bound(value[j], n, k, limit) * SAME_ROOT, limit)
    kept = 0
    for c in range(n):
        reduced, where = value[j, c], place[j, c]
        value[j, kept], place[j, kept] = reduced, where
        kept += reduced <= limit
    held[j] = kept
    if kept > value.shape[1] - SPARE // 2:
        empty(distance, location, i, j, combine, value, place, held)
        limit = min(largest(distance[i, k - 1], combine), limit)
    return limit


@jit
def kth_bound(values: Array, n: int, rank: int, high: float) -> float:
    """Return a value, not above ``high``, that ``rank`` or more of the first n do not exceed.

    By bisection; within a sixteenth of the rank, or as near as the steps bring it.
    """
    low, held = values.dtype.type(0.0), n
    top = values.dtype.type(high)
    if high == np.inf:
        top = values[0]
        for c in range(1, n):
            top = max(top, values[c])
    for _ in range(BISECTIONS):
        if held <= rank + rank // 16:
            break
        middle, count = low + (top - low) * values.dtype.type(0.5), 0
        for s in range(0, n, STRIDE):
            mask = up_to(values, s, middle)
            if n - s < STRIDE:
                mask = first_bits(mask, n - s)
            count += ones(mask)
        if count >= rank:
            top, held = middle, count
        else:
            low = middle
    return float(top)


@inlined
def first_bits(mask: Any, number: int) -> Any:
    """Return a mask without the bits from ``number`` on."""
    return mask & ((ONE << np.uint64(number)) - ONE)


@jit
def empty(
    distance: Floats, location: Ints, i: int, j: int, combine: int,
    value: Floats, place: Ints, held: Ints,
) -> None:  # fmt: skip
    """Merge what row ``j`` has found into the list ``i``."""
    room = max(value.shape[1], distance.shape[1])
    spare, spare_place = np.empty(room), np.empty(room, np.int64)
    values, places = value[j, : held[j]], place[j, : held[j]]
    for c in range(held[j]):
        values[c] = distance_from(values[c], combine)
    sort_entries(values, places, spare, spare_place)
    merge_entries(distance[i], location[i], values, places, spare, spare_place)
    held[j] = 0


@inlined
def close_lists(
    distance: Floats, location: Ints, start: int, size: int, rule: Numbers, limit: Floats,
    value: Floats, place: Ints, held: Ints,
) -> None:  # fmt: skip
    """End with the lists of ``size`` rows from ``start`` on."""
    for j in range(size):
        if held[j] > 0:
            compact(distance, location, start + j, j, limit[j], rule.combine, value, place, held)
            empty(distance, location, start + j, j, rule.combine, value, place, held)
