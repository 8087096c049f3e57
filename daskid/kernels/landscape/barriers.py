"""Heights of peaks and saddles in halves of the data, and the best paths between peaks.

A half of the samples (or of blocks of them) has lost the other one from every neighbor list.
In balls of fixed radius the counts of two halves are two independent draws, each with twice the
variance of the whole. So the difference of what both halves say has the variance of
what the whole says, four times, and their mean, less the whole, is the bias that noise makes:
highest of noisy values, it grows with their variance.
"""

import math

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Array, Floats, Ints


def near_peaks(
    label: Array, log_density: Floats, error: Floats, peak: Ints, depth: float, most: int
) -> tuple[Ints, Ints]:
    """Return the samples that are nearly as high as their peak.

    Parameters
    ----------
    label, log_density, error
        (n,) basin, log density and its error.
    peak
        (p,) sample of each peak.
    depth
        By how many errors of the peak a sample may be lower.
    most
        Samples a peak; where there are more, every second, third, ... of them, and the peak.

    Returns
    -------
    The samples, peak by peak, and (p + 1,) where those of each start.
    """
    floor = log_density[peak] - depth * error[peak]
    row = np.flatnonzero(log_density >= floor[label])
    row = row[np.argsort(label[row], kind="stable")]
    start = np.searchsorted(label[row], np.arange(peak.size + 1))
    parts = []
    for top, a, b in zip(peak, start[:-1], start[1:], strict=True):
        step = max(-(-(b - a) // most), 1)
        parts.append(np.union1d(row[a:b:step], [top]))
    sizes = [part.size for part in parts]
    return np.concatenate([*parts, np.empty(0, np.int64)]), np.cumsum([0, *sizes])


@jit
def half_densities(
    index: Array, kstar: Array, log_density: Floats, error: Floats, half: Array
) -> Floats:
    """Return the log density in either half of the data: (2, m).

    That of a half in the ball of ``kstar`` neighbors is their number in it, doubled. A
    density that is linear in the rank, as its larger error says, has weights that fall along the
    list: as in :func:`daskid.kernels.peaks.shifts`.

    Parameters
    ----------
    index, kstar
        (m, k) lists, and how many of them count.
    log_density, error
        (m,) of the same samples.
    half
        (n,) whether each sample is in the first half.
    """
    out = np.empty((2, kstar.size))
    for r in range(kstar.size):
        k = min(kstar[r], index.shape[1])
        inside, sloped = 0, 0.0
        for c in range(k):
            if half[index[r, c]]:
                inside += 1
                sloped += 2.0 - (4.0 * c + 2.0) / k
        excess = error[r] * error[r] * k
        slope = 0.0
        if excess > 1.0 and k > 1:
            most = (4.0 * k + 2.0) / (k - 1.0)
            slope = math.sqrt((min(excess, most) - 1.0) * 3.0 / (1.0 - 1.0 / (k * k)))
        shrink = min(math.sqrt(excess), 1.0)
        for side in range(2):
            # one at least: a half that has nobody here still has a density
            total = max(2.0 * (inside if side == 0 else k - inside), 1.0)
            tilt = slope * sloped / total * (1.0 if side == 0 else -1.0)
            out[side, r] = log_density[r] + shrink * (math.log(total / k) + tilt)
    return out


@jit
def saddles(
    index: Array,
    kstar: Array,
    row: Ints,
    log_density: Floats,
    g: Floats,
    place: Array,
    label: Array,
    fixed: Floats,
    peak: Ints,
    pair: Ints,
) -> Floats:
    """Return the log density at which basins meet first, going down, found anew near borders.

    Samples near borders climb again, by new heights, until they leave the set: whoever is outside
    keeps height and basin. A sample that climbs nowhere is the peak of its basin, if that one
    is in the set and it is the highest of these, or else a part of its own, which joins whom
    it meets first. Basins meet at border samples as :func:`daskid.peaks` defines them.

    Parameters
    ----------
    index, kstar, row
        (m, k) lists of the set, (m,) how many count, and sample numbers, ascending.
    log_density, g
        (m,) log densities, and heights.
    place
        (n,) the place of each sample in the set, -1 for those outside.
    label, fixed
        (n,) basins and heights of all samples.
    peak, pair
        (p,) samples of the peaks and (s, 2) the basins that touch.

    Returns
    -------
    (s,) log densities, NaN for basins that do not meet.
    """
    node = _nodes(index, kstar, row, g, place, label, fixed, peak)
    border, other = _borders(index, kstar, row, node, place, label)
    order = np.argsort(-g[border], kind="mergesort")
    top = np.arange(peak.size + row.size)
    met = np.full((peak.size, peak.size), np.nan)
    for e in order:
        a, b = top[node[border[e]]], top[other[e]]
        while top[a] != a:
            a = top[a]
        while top[b] != b:
            b = top[b]
        if a >= peak.size or b >= peak.size:
            top[max(a, b)] = min(a, b)
        elif a != b and math.isnan(met[a, b]):
            met[a, b] = met[b, a] = log_density[border[e]]
    out = np.empty(len(pair))
    for s in range(len(pair)):
        out[s] = met[pair[s, 0], pair[s, 1]]
    return out


@jit
def _nodes(
    index: Array, kstar: Array, row: Ints, g: Floats, place: Array, label: Array, fixed: Floats,
    peak: Ints,
) -> Ints:  # fmt: skip
    """Return where each sample of the set climbs: a basin, or from p on a part of its own."""
    node, parts = np.full(row.size, -1), peak.size
    free = place[peak] >= 0
    for r in np.argsort(-g, kind="mergesort"):
        for c in range(min(kstar[r], index.shape[1])):
            j = index[r, c]
            q = place[j]
            if q >= 0 and node[q] >= 0:
                node[r] = node[q]
                break
            if q < 0 and fixed[j] > g[r]:
                node[r] = label[j]
                break
        if node[r] < 0 and free[label[row[r]]]:
            node[r], free[label[row[r]]] = label[row[r]], False
        elif node[r] < 0:
            node[r] = parts
            parts += 1
    return node


@jit
def _borders(
    index: Array, kstar: Array, row: Ints, node: Ints, place: Array, label: Array
) -> tuple[Ints, Ints]:
    """Return the places of the samples on borders, and the nodes across."""
    border, other = np.empty(row.size, np.int64), np.empty(row.size, np.int64)
    found = 0
    for r in range(row.size):
        across = -1
        for c in range(min(kstar[r], index.shape[1])):
            j = index[r, c]
            if (node[place[j]] if place[j] >= 0 else label[j]) != node[r]:
                across = place[j]
                break
        if across < 0:
            continue
        first = row[r]
        for j in index[across]:
            if (node[place[j]] if place[j] >= 0 else label[j]) == node[r]:
                first = j
                break
        if first == row[r]:
            border[found], other[found] = r, node[across]
            found += 1
    return border[:found], other[:found]


@jit
def highest(g: Floats, log_density: Floats, start: Ints) -> Floats:
    """Return the log density where ``g`` is greatest in each zone: (z,)."""
    out = np.empty(start.size - 1)
    for z in range(start.size - 1):
        best = start[z]
        for r in range(start[z], start[z + 1]):
            if g[r] > g[best]:
                best = r
        out[z] = log_density[best]
    return out


@jit
def bottlenecks(pair: Ints, level: Floats, peaks: int) -> Floats:
    """Return the lowest level on the best path between two peaks: (p, p), -inf for none.

    Parameters
    ----------
    pair, level
        (s, 2) peaks of the saddles, and their levels.
    peaks
        How many there are.
    """
    out = np.full((peaks, peaks), -np.inf)
    part = np.arange(peaks)
    for s in np.argsort(-level):
        a, b = part[pair[s, 0]], part[pair[s, 1]]
        if a == b:
            continue
        for i in np.flatnonzero(part == a):
            for j in np.flatnonzero(part == b):
                out[i, j] = out[j, i] = level[s]
        part[part == b] = a
    return out


@jit
def ascend(parent: Array, label: Array, start: int, peak: int) -> Ints:
    """Return the samples from ``start`` up to its peak, both included.

    Parameters
    ----------
    parent
        (n,) of :func:`daskid.kernels.peaks.first_higher`: also what is beyond ``kstar``.
    label
        (n,) basins.
    start, peak
        Samples of the same basin. Where the next higher sample is in another basin, or not in
        the list, the path goes on at the peak.
    """
    path = [start]
    while path[-1] != peak:
        following = int(parent[path[-1]])
        if following < -1:
            following = -2 - following
        if following < 0 or label[following] != label[start]:
            following = peak
        path.append(following)
    return np.array(path)
