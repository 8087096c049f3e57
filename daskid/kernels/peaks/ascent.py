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


def contacts(
    index: Array,
    kstar: Array,
    position: Ints,
    location: Array,
    g: Floats,
    root: Array,
    most: int,
) -> tuple[Array, Array | None, Ints]:
    """Return who of a chunk holds a lower candidate, and where the chunk sees other basins.

    Parameters
    ----------
    index, kstar, position, location, g
        As in :func:`first_higher`.
    root
        (n,) of :func:`climb` without removals: the candidate above each sample.
    most
        Neighbors of a sample that may be kept.

    Returns
    -------
    :data:`REMOVAL` records: samples that have a lower candidate among their ``kstar``; a
    candidate may stand many times. Then (m, w) lists, in order, of the first neighbor under
    each other candidate, filled up with the sample itself, and (m,) how many of them are among
    its ``kstar``; None for the lists if some sample has more than ``most``. Centers are
    unions of candidates, so whatever asks for the first neighbor in another basin, or in a
    certain one, finds the same in these lists as in the whole ones.
    """
    near = np.empty((position.size, min(most, index.shape[1])), root.dtype)
    inside = np.zeros(position.size, np.int64)
    seen = np.empty(near.shape[1], root.dtype)
    candidate, sample, found, width = _contacts(
        index, kstar, position, location, g, root, near, inside, seen
    )
    removed = np.empty(found, REMOVAL)
    removed["candidate"], removed["sample"] = candidate[:found], sample[:found]
    removed["height"] = g[sample[:found]]
    return removed, near[:, :width].copy() if width <= near.shape[1] else None, inside


@jit
def _contacts(
    index: Array,
    kstar: Array,
    position: Ints,
    location: Array,
    g: Floats,
    root: Array,
    near: Array,
    inside: Ints,
    seen: Array,
) -> tuple[Ints, Ints, int, int]:
    """Fill ``near`` and ``inside``; return candidates, removers, their number, and the width."""
    candidate, sample = np.empty(16, np.int64), np.empty(16, np.int64)
    found, width, most = 0, 0, seen.size
    above = np.empty(index.shape[1], root.dtype)
    for r in range(position.size):
        i, known, last = position[r], 0, root[position[r]]
        for c in range(above.size):  # on its own, so that many are fetched at once
            above[c] = root[np.uint64(index[r, c])]
        for c in range(above.size):
            j = index[r, c]
            if above[c] == j and c < kstar[r] and location[r] == i and is_higher(g, i, j):
                if found == candidate.size:
                    candidate, sample = _doubled(candidate), _doubled(sample)
                candidate[found], sample[found] = j, i
                found += 1
            if above[c] == last or above[c] == root[i]:
                continue
            last = above[c]
            s = _place(seen, known, last)
            if s == most:
                width = most + 1
            elif s == known:
                seen[s], near[r, s] = last, j
                known += 1
                inside[r] += c < kstar[r]
        width = max(width, known)
        for s in range(known, most):
            near[r, s] = i
    return candidate, sample, found, width


@jit
def _place(seen: Array, known: int, basin: int) -> int:
    """Return where a basin is among those known, or that it would be the next."""
    s = 0
    while s < known and seen[s] != basin:
        s += 1
    return s


@jit
def _doubled(values: Ints) -> Ints:
    out = np.empty(2 * values.size, np.int64)
    for i in range(values.size):
        out[i] = values[i]
    return out


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
        higher neighbor, or, where their list has none, whoever removed them. Where it is
        empty every candidate stays.
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
    p = members[_confirmed(index, start, members, across, center)]
    pair = np.sort(np.stack([center[p], center[across[p]]]), axis=0)
    out = np.empty(p.size, BORDER)
    out["low"], out["high"] = pair
    out["sample"], out["height"] = p, g[p]
    return out


@jit
def _confirmed(index: Array, start: int, members: Array, across: Array, center: Array) -> Array:
    out = np.ones(members.size, np.bool_)
    for b in range(members.size):
        p = members[b]
        for j in index[across[p] - start]:
            if center[j] == center[p]:
                out[b] = j == p
                break
    return out


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
