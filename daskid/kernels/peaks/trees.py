"""The merge tree of the surviving peaks, as a table, as a scipy linkage, as Newick text."""

from heapq import heappop, heappush

import numpy as np

from daskid.typing import Floats, Ints


def merge_tree(pair: Ints, level: Floats, peaks: int) -> tuple[Ints, Ints]:
    """Join peaks at their saddles, from the highest down (elder rule).

    Parameters
    ----------
    pair
        (s, 2) peaks, numbered by decreasing density, the smaller first.
    level
        (s,) log densities of the saddles.
    peaks
        How many there are.

    Returns
    -------
    (m, 2) the highest peak of each of two branches, the higher first, and (m,) the saddles at
    which they join; ties by pair. Parts that no saddle connects stay apart, so m is less than
    ``peaks`` by the number of parts.
    """
    top = list(range(peaks))

    def find(a: int) -> int:
        while top[a] != a:
            top[a] = top[top[a]]
            a = top[a]
        return a

    joined, at = [], []
    for s in np.lexsort((pair[:, 1], pair[:, 0], -level)).tolist():
        elder, younger = sorted(find(int(c)) for c in pair[s])
        if elder != younger:
            top[younger] = elder
            joined.append((elder, younger))
            at.append(s)
    return np.array(joined, dtype=np.int64).reshape(-1, 2), np.array(at, dtype=np.int64)


def merge_sizes(joined: Ints, size: Ints) -> Ints:
    """Return the number of samples below each merge: (m,)."""
    below, out = size.copy(), np.empty(len(joined), np.int64)
    for m, (elder, younger) in enumerate(joined):
        below[elder] += below[younger]
        out[m] = below[elder]
    return out


def members(joined: Ints, peaks: int) -> list[frozenset[int]]:
    """Return the peaks below each merge."""
    below = [frozenset([c]) for c in range(peaks)]
    out = []
    for elder, younger in joined.tolist():
        below[elder] |= below[younger]
        out.append(below[elder])
    return out


def elders(pair: Ints, level: Floats, peaks: int) -> tuple[Ints, Floats]:
    """Return the merges of :func:`merge_tree`, and their log densities."""
    joined, at = merge_tree(pair, level, peaks)
    return joined, level[at]


def averages(pair: Ints, level: Floats, peaks: int) -> tuple[Ints, Floats]:
    """Join the two branches of the highest mean saddle (WPGMA), ties by pair.

    The saddle of a joined branch to a third one is the plain mean of those of its two
    parts; of two peaks it is the lowest on the best path between them.

    Parameters, and what is returned, are those of :func:`elders`.
    """
    saddle = best_paths(*elders(pair, level, peaks), peaks)
    joined, at = [], []
    while peaks and (top := saddle.max()) > -np.inf:
        elder, younger = divmod(int(saddle.argmax()), peaks)  # the first: elder < younger
        joined.append((elder, younger))
        at.append(top)
        mean = 0.5 * (saddle[elder] + saddle[younger])
        saddle[elder] = saddle[:, elder] = mean
        saddle[elder, elder] = -np.inf
        saddle[younger] = saddle[:, younger] = -np.inf
    return np.array(joined, dtype=np.int64).reshape(-1, 2), np.array(at, dtype=np.float64)


def best_paths(joined: Ints, at: Floats, peaks: int) -> Floats:
    """Return the lowest saddle on the best path between two peaks: (p, p), -inf for none."""
    saddle = np.full((peaks, peaks), -np.inf)
    below = [[c] for c in range(peaks)]
    for (elder, younger), level in zip(joined.tolist(), at, strict=True):
        saddle[np.ix_(below[elder], below[younger])] = level
        saddle[np.ix_(below[younger], below[elder])] = level
        below[elder] += below[younger]
    return saddle


def chain(pair: Ints, level: Floats, peaks: int) -> tuple[Ints, Floats]:
    """Start at the densest peak of each part and join the one behind the highest saddle.

    Parameters, and what is returned, are those of :func:`elders`.
    """
    near: list[list[tuple[float, int, int]]] = [[] for _ in range(peaks)]
    for (a, b), at in zip(pair.tolist(), level.tolist(), strict=True):
        near[a].append((-at, a, b))
        near[b].append((-at, b, a))
    reached, joined, levels = [False] * peaks, [], []
    for start in range(peaks):
        if reached[start]:
            continue
        reached[start], heap = True, sorted(near[start])
        while heap:
            minus, _, other = heappop(heap)
            if not reached[other]:
                reached[other] = True
                joined.append((start, other))
                levels.append(-minus)
                for edge in near[other]:
                    heappush(heap, edge)
    return np.array(joined, dtype=np.int64).reshape(-1, 2), np.array(levels, dtype=np.float64)


def linkage(joined: Ints, height: Floats, peaks: int) -> Floats:
    """Return merges in scipy's form, (peaks - 1, 4): two nodes, their distance, their peaks.

    Parameters
    ----------
    joined, height
        (m, 2) and (m,), in ascending order: the highest peaks of two branches, their distance.
    peaks
        How many there are; parts that stay apart are joined last, at an infinite distance.
    """
    node, count = list(range(peaks)), [1] * peaks
    roots = sorted(set(range(peaks)) - {int(younger) for _, younger in joined})
    apart = [(roots[0], root, np.inf) for root in roots[1:]]
    lines = [(int(a), int(b), float(h)) for (a, b), h in zip(joined, height, strict=True)]
    out = np.empty((max(peaks - 1, 0), 4))
    for m, (elder, younger, h) in enumerate(lines + apart):
        count[elder] += count[younger]
        out[m] = *sorted((node[elder], node[younger])), h, count[elder]
        node[elder] = peaks + m
    return out


def newick(
    joined: Ints, level: Floats, peak: Floats, names: list[str], support: Floats | None
) -> str:
    """Return the merges as Newick text, one tree a line for each part.

    Parameters
    ----------
    joined, level
        (m, 2) and (m,) of :func:`merge_tree`, with the log density of each merge.
    peak
        (p,) log densities of the peaks; a branch is as long as the drop of log density.
    names
        Of the peaks.
    support
        (m,) written at the merges, or None.
    """
    text, top = list(names), peak.astype(float).tolist()
    for m, (elder, younger) in enumerate(joined.tolist()):
        at = float(level[m])
        ends = (f"{text[c]}:{top[c] - at:.6g}" for c in (elder, younger))
        text[elder] = f"({','.join(ends)}){'' if support is None else f'{support[m]:.3g}'}"
        top[elder] = at
    roots = sorted(set(range(len(names))) - {int(younger) for _, younger in joined})
    return "\n".join(f"{text[root]};" for root in roots)
