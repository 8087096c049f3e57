"""Centers, basins and the borders between them, from neighbor lists in chunks.

A basin is named by the sample number of its center. Samples are ordered by ``g``, the log
density less its error, then by the smaller number: a total order, so that every rule has
one answer, whatever the chunks. Vectors are (n,) over all samples; lists are those of a
chunk of rows.
"""

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Array, Floats, Ints

REMOVAL = np.dtype([("candidate", "i8"), ("sample", "i8"), ("height", "f8")])
"""A candidate that is no center, a higher sample that holds it, and the g of that one."""
BORDER = np.dtype([("low", "i8"), ("high", "i8"), ("sample", "i8"), ("height", "f8")])
"""A pair of centers, the smaller number first, a sample on their border, and its g."""


@jit
def is_higher(g: Floats, i: int, j: int) -> bool:
    """Tell whether sample ``i`` comes before sample ``j``."""
    return g[i] > g[j] or (g[i] == g[j] and i < j)


@jit
def first_higher(index: Array, kstar: Array, position: Ints, location: Array, g: Floats) -> Ints:
    """Return the nearest higher neighbor of each sample of a chunk, or that there is none.

    Parameters
    ----------
    index
        (m, k) lists.
    kstar
        (m,) how many of a list count.
    position, location
        (m,) sample numbers, and those of the first samples at the same places.
    g
        (n,) heights of all samples.

    Returns
    -------
    (m,) the first ``j`` of the list that is higher. Where it is beyond ``kstar`` the sample
    is a candidate, and the answer is ``-2 - j``, or -1 if there is no such ``j``. Copies
    have their location.
    """
    out = np.empty(position.size, np.int64)
    for r in range(position.size):
        i = position[r]
        if location[r] != i:
            out[r] = location[r]
            continue
        out[r] = -1
        for c in range(index.shape[1]):
            j = index[r, c]
            if is_higher(g, j, i):
                out[r] = j if c < kstar[r] else -2 - j
                break
    return out


@jit
def removals(
    index: Array, kstar: Array, position: Ints, location: Array, g: Floats, parent: Array
) -> Array:
    """Return who of a chunk holds a lower candidate among its ``kstar``.

    Parameters
    ----------
    index, kstar, position, location, g
        As in :func:`first_higher`.
    parent
        (n,) of :func:`first_higher`, of all samples.

    Returns
    -------
    :data:`REMOVAL` records; a candidate may stand many times.
    """
    out = np.empty(16, REMOVAL)
    found = 0
    for r in range(position.size):
        i = position[r]
        if location[r] != i:
            continue
        for c in range(min(kstar[r], index.shape[1])):
            j = index[r, c]
            if parent[j] < 0 and is_higher(g, i, j):
                if found == out.size:
                    out = np.concatenate((out, np.empty_like(out)))
                out[found].candidate = j
                out[found].sample = i
                out[found].height = g[i]
                found += 1
    return out[:found].copy()


def strongest(removed: Array) -> Array:
    """Keep the highest remover of each candidate, by candidate."""
    order = np.lexsort((removed["sample"], -removed["height"], removed["candidate"]))
    removed = removed[order]
    return removed[_starts(removed["candidate"])]


def climb(parent: Array, removed: Array) -> Array:
    """Return the center above each sample: (n,) sample numbers.

    Parameters
    ----------
    parent
        (n,) of :func:`first_higher`.
    removed
        Of :func:`strongest`: candidates that are no centers. They follow their first
        higher neighbor, or, where their list has none, whoever removed them.
    """
    out = np.where(parent < 0, np.arange(parent.size, dtype=parent.dtype), parent)
    beyond = parent[removed["candidate"]]
    out[removed["candidate"]] = np.where(beyond < -1, -2 - beyond, removed["sample"])
    return _roots(out)


@jit
def _roots(parent: Array) -> Array:
    """Replace, in place, the parent of each sample by the root above it."""
    for i in range(parent.size):
        root = i
        while parent[root] != root:
            root = parent[root]
        j = i
        while parent[j] != root:
            above = parent[j]
            parent[j] = root
            j = above
    return parent


@jit
def borders(index: Array, kstar: Array, position: Ints, location: Array, center: Array) -> Ints:
    """Return the first neighbor of each sample of a chunk that is in another basin.

    Parameters
    ----------
    index, kstar, position, location
        As in :func:`first_higher`.
    center
        (n,) of :func:`climb`.

    Returns
    -------
    (m,) sample numbers; -1 where the basin holds all ``kstar``, for centers and for copies.
    """
    out = np.full(position.size, -1, np.int64)
    for r in range(position.size):
        i = position[r]
        if location[r] != i or center[i] == i:
            continue
        for c in range(min(kstar[r], index.shape[1])):
            if center[index[r, c]] != center[i]:
                out[r] = index[r, c]
                break
    return out


def group(across: Array, first: Ints) -> Array:
    """Sort samples by the chunk of their neighbor in another basin.

    Parameters
    ----------
    across
        (n,) of :func:`borders`.
    first
        (c,) first samples of the chunks.

    Returns
    -------
    (c + 1 + b,) where the members of each chunk start and end, counted from here, then the b
    samples that have such a neighbor, by chunk, ascending within one.
    """
    member = np.flatnonzero(across >= 0)
    chunk = np.searchsorted(first, across[member], side="right") - 1
    if first.size < 2**16:
        chunk = chunk.astype(np.uint16)  # sorted by radix, in linear time
    order = np.argsort(chunk, kind="stable")
    start = np.r_[0, np.cumsum(np.bincount(chunk, minlength=first.size))] + first.size + 1
    return np.concatenate([start, member[order]]).astype(across.dtype)


@jit
def join(
    index: Array, start: int, members: Array, across: Array, center: Array, g: Floats
) -> Array:
    """Return the borders that the lists of the other side confirm.

    Sample ``p`` is on the border if no other sample of its basin comes before it in the
    list of its neighbor across; ``p`` itself may be beyond the list.

    Parameters
    ----------
    index, start
        (m, k) lists of a chunk, and its first sample number.
    members
        (b,) samples whose neighbor across is in the chunk.
    across, center
        (n,) of :func:`borders` and :func:`climb`.
    g
        (n,) heights.

    Returns
    -------
    :data:`BORDER` records.
    """
    out = np.empty(members.size, BORDER)
    found = 0
    for p in members:
        other = across[p]
        first = p
        for j in index[other - start]:
            if center[j] == center[p]:
                first = j
                break
        if first == p:
            out[found].low = min(center[p], center[other])
            out[found].high = max(center[p], center[other])
            out[found].sample = p
            out[found].height = g[p]
            found += 1
    return out[:found].copy()


def highest(border: Array) -> Array:
    """Keep the highest border sample of each pair of centers, by pair."""
    keys = border["sample"], -border["height"], border["high"], border["low"]
    border = border[np.lexsort(keys)]
    kept: Array = border[_starts(border["low"]) | _starts(border["high"])]
    return kept


def _starts(sorted_keys: Ints) -> Array:
    """Return where a run of equal keys starts."""
    change = sorted_keys[1:] != sorted_keys[:-1]
    first: Array = np.concatenate([np.ones(min(sorted_keys.size, 1), bool), change])
    return first
