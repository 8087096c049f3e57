"""Join peaks that do not stand out of their saddles, from the highest saddle down.

Saddles are found by their peaks in a table with open addressing (linear probing; what is
deleted moves later entries back), and by each of their peaks in a linked list, so that a merge
costs as much as the peak that is lost has saddles.
"""

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Array, Floats, Ints

SPREAD = 663608941
"""2^30 over the golden ratio, odd: products with it are spread by their middle bits."""


@jit
def joined(
    peak: Floats,
    width: Floats,
    pair: Ints,
    level: Floats,
    spread: Floats,
    sample: Ints,
    z: float,
    failing: Ints,
) -> tuple[Ints, Ints]:
    """Join peaks until all stand out of their saddles by ``z`` errors.

    Parameters
    ----------
    peak, width
        (p,) log densities of centers, and their errors.
    pair, level, spread, sample
        (s, 2) centers of each saddle, the smaller first, and (s,) log densities of the saddles,
        their errors and their samples.
    z
        How far peaks stand out.
    failing
        (m, 3) both centers and the number of each saddle to join, in this order; overwritten.

    Returns
    -------
    (p,) the center that each joins, itself if it stays, and (s, 2) the centers of each saddle at
    the end, -1 for saddles that are gone.
    """
    end, at, p = np.arange(peak.size), pair.copy(), peak.size
    first, following = _lists(pair, p)
    key, found = _table(pair, p)
    heap, filled = failing, len(failing)  # in ascending order, so a heap
    while filled > 0:
        a, b, s = heap[0, 0], heap[0, 1], heap[0, 2]
        filled = _pop(heap, filled, level)
        if at[s, 0] != a or at[s, 1] != b:
            continue  # joined, or replaced by a higher saddle, since it was pushed
        one = _margin(peak[a] - level[s], width[a] + spread[s])
        other = _margin(peak[b] - level[s], width[b] + spread[s])
        kept, lost = (b, a) if one < other else (a, b)
        end[lost] = kept
        at[s, 0] = at[s, 1] = -1
        _delete(key, found, a * p + b)
        half = first[lost]
        while half >= 0:
            t, later = half // 2, following[half]
            if at[t, 0] >= 0 and _moved(key, found, at, t, kept, lost, level, sample, p):
                following[half], first[kept] = first[kept], half
                if _fails(peak, width, at[t], level[t], spread[t], z):
                    heap, filled = _push(heap, filled, level, at[t, 0], at[t, 1], t)
            half = later
    return end, at


@jit
def _before(level: Floats, one: Array, other: Array) -> bool:
    """Return whether one entry of the heap, two peaks and their saddle, comes before another."""
    high, low = level[one[2]], level[other[2]]
    if high != low:
        return bool(high > low)
    if one[0] != other[0]:
        return bool(one[0] < other[0])
    return bool(one[1] < other[1])


@jit
def _push(
    heap: Ints, filled: int, level: Floats, a: int, b: int, saddle: int
) -> tuple[Ints, int]:  # fmt: skip
    """Put a saddle of two peaks on a heap, which may move to a larger array."""
    if filled == len(heap):
        larger = np.empty((2 * filled + 1, 3), np.int64)
        for e in range(filled):
            for c in range(3):
                larger[e, c] = heap[e, c]
        heap = larger
    heap[filled, 0], heap[filled, 1], heap[filled, 2] = a, b, saddle
    place = filled
    while place > 0 and _before(level, heap[place], heap[(place - 1) // 2]):
        _swap(heap, place, (place - 1) // 2)
        place = (place - 1) // 2
    return heap, filled + 1


@jit
def _pop(heap: Ints, filled: int, level: Floats) -> int:
    """Take the first entry off a heap."""
    filled -= 1
    for c in range(3):
        heap[0, c] = heap[filled, c]
    place = 0
    while True:
        best = place
        for below in range(2 * place + 1, min(2 * place + 3, filled)):
            if _before(level, heap[below], heap[best]):
                best = below
        if best == place:
            return filled
        _swap(heap, place, best)
        place = best


@jit
def _swap(heap: Ints, one: int, other: int) -> None:
    for c in range(3):
        heap[one, c], heap[other, c] = heap[other, c], heap[one, c]


@jit
def _fails(
    peak: Floats, width: Floats, pair: Ints, level: float, spread: float, z: float
) -> bool:  # fmt: skip
    a, b = pair[0], pair[1]
    return bool(
        peak[a] - level < z * (width[a] + spread) or peak[b] - level < z * (width[b] + spread)
    )


@jit
def _margin(height: float, width: float) -> float:
    """Return a height in units of its error, where there is one."""
    if width > 0.0:
        return height / width
    return 0.0 if height == 0.0 else height * np.inf


@jit
def _moved(
    key: Array, found: Ints, at: Ints, saddle: int, kept: int, lost: int, level: Floats,
    sample: Ints, peaks: int,
) -> bool:  # fmt: skip
    """Give a saddle of a lost peak to the kept one; False if that has a higher one there."""
    third = at[saddle, 0] + at[saddle, 1] - lost
    _delete(key, found, min(lost, third) * peaks + max(lost, third))
    low, high = min(kept, third), max(kept, third)
    slot = _slot(key, low * peaks + high)
    if key[slot] >= 0:
        own = found[slot]
        if level[own] > level[saddle] or (
            level[own] == level[saddle] and sample[own] < sample[saddle]
        ):
            at[saddle, 0] = at[saddle, 1] = -1
            return False
        at[own, 0] = at[own, 1] = -1
    key[slot], found[slot] = low * peaks + high, saddle
    at[saddle, 0], at[saddle, 1] = low, high
    return True


@jit
def _lists(pair: Ints, peaks: int) -> tuple[Ints, Ints]:
    """Return (p,) the first half saddle of each peak and (2 s,) the one that follows it, or -1."""
    first, following = np.full(peaks, -1), np.full(2 * len(pair), -1)
    for s in range(len(pair)):
        for side in range(2):
            following[2 * s + side] = first[pair[s, side]]
            first[pair[s, side]] = 2 * s + side
    return first, following


@jit
def _table(pair: Ints, peaks: int) -> tuple[Ints, Ints]:
    """Return a table of saddles by pair: keys, -1 where free, and saddles."""
    size = 4
    while size < 2 * len(pair):
        size *= 2
    key, found = np.full(size, -1), np.full(size, -1)
    for s in range(len(pair)):
        slot = _slot(key, pair[s, 0] * peaks + pair[s, 1])
        key[slot], found[slot] = pair[s, 0] * peaks + pair[s, 1], s
    return key, found


@jit
def _home(key: Array, wanted: int) -> int:
    """Return where a key is first looked for."""
    folded = (wanted & 0xFFFFFFFF) ^ (wanted >> 32)
    return ((folded * SPREAD) >> 16) & (key.size - 1)


@jit
def _slot(key: Array, wanted: int) -> int:
    """Return the place of a key, or the free one where it belongs."""
    slot = _home(key, wanted)
    while key[slot] >= 0 and key[slot] != wanted:
        slot = (slot + 1) & (key.size - 1)
    return slot


@jit
def _delete(key: Array, found: Ints, gone: int) -> None:
    """Take a key out, and move those back that were looked for past it."""
    last = key.size - 1
    free = _slot(key, gone)
    slot = (free + 1) & last
    while key[slot] >= 0:
        if (slot - _home(key, key[slot])) & last >= (slot - free) & last:
            key[free], found[free] = key[slot], found[slot]
            free = slot
        slot = (slot + 1) & last
    key[free] = -1
