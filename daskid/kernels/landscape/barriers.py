"""Heights of peaks and saddles, their scatter over halves of the data, and the best paths.

A half of the samples (or of blocks of them) has lost the other one from every neighbor list.
In balls of fixed radius the counts of two halves are two independent draws, each with twice the
variance of the whole, so half of the difference of what both say scatters as the whole does,
and what is chosen in one half can be judged by the other.
"""

import math

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Array, Floats, Ints


@jit
def averages(index: Array, kstar: Array, row: Ints, values: Floats) -> Floats:
    """Return the mean of ``values`` over each sample and its ``kstar`` neighbors: (m,).

    Parameters
    ----------
    index, kstar
        (m, k) lists, and how many of them count.
    row
        (m,) places of the samples themselves in ``values``.
    values
        (n,) of all that the lists point to.
    """
    out = np.empty(row.size)
    for r in range(row.size):
        k = min(kstar[r], index.shape[1])
        total = values[row[r]]
        for c in range(k):
            total += values[index[r, c]]
        out[r] = total / (k + 1.0)
    return out


@jit
def intercept_weights(distance: Array, kstar: Array) -> Floats:
    """Return weights with which values in a ball give the one at its center: (m, k + 1).

    The values are regressed on the squared distance from the center, by least squares: the
    intercept is free of what a quadratic surface adds to their mean. Weights are of the sample
    itself, then of its neighbors, 0 beyond ``kstar``; they sum to 1.

    Parameters
    ----------
    distance, kstar
        (m, k) sorted distances, and how many of them count.
    """
    out = np.zeros((kstar.size, distance.shape[1] + 1))
    for r in range(kstar.size):
        k = min(kstar[r], distance.shape[1])
        far = np.float64(distance[r, k - 1]) if k > 0 else 0.0
        mean, square = 0.0, 0.0
        for c in range(k):
            x = (distance[r, c] / far) ** 2 if far > 0.0 else 0.0
            mean += x / (k + 1.0)
            square += x * x
        spread = square - (k + 1.0) * mean * mean
        tilt = mean / spread if spread > 0.0 else 0.0
        out[r, 0] = 1.0 / (k + 1.0) + tilt * mean
        for c in range(k):
            x = (distance[r, c] / far) ** 2 if far > 0.0 else 0.0
            out[r, c + 1] = 1.0 / (k + 1.0) - tilt * (x - mean)
    return out


@jit
def weighted(index: Array, kstar: Array, row: Ints, weight: Floats, values: Floats) -> Floats:
    """Return sums of ``values`` over each sample and its neighbors, with weights: (m,).

    Parameters
    ----------
    index, kstar, row, values
        As of :func:`averages`.
    weight
        (m, k + 1) of :func:`intercept_weights`.
    """
    out = np.empty(row.size)
    for r in range(row.size):
        total = weight[r, 0] * values[row[r]]
        for c in range(min(kstar[r], index.shape[1])):
            total += weight[r, c + 1] * values[index[r, c]]
        out[r] = total
    return out


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
    out, there = np.empty((2, kstar.size)), half.view(np.uint8)
    for r in range(kstar.size):
        k = min(kstar[r], index.shape[1])
        inside, ranks = 0, 0
        for c in range(k):  # without a branch, which would be wrong every other time
            inside += there[index[r, c]]
            ranks += c * there[index[r, c]]
        sloped = 2.0 * inside - (4.0 * ranks + 2.0 * inside) / max(k, 1)
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


def saddles(
    index: Array,
    kstar: Array,
    row: Ints,
    g: Floats,
    place: Array,
    label: Array,
    fixed: Floats,
    peak: Ints,
    pair: Ints,
) -> Ints:
    """Return the samples at which basins meet first, going down, found anew near borders.

    Samples near borders climb again, by new heights, until they leave the set: whoever is outside
    keeps height and basin. A sample that climbs nowhere is the peak of its basin, if that one
    is in the set and it is the highest of these, or else a part of its own, which joins whom
    it meets first. Basins meet at border samples as :func:`daskid.peaks` defines them.

    Parameters
    ----------
    index, kstar, row
        (m, k) lists of the set, (m,) how many count, and sample numbers, ascending.
    g
        (m,) heights.
    place
        (n,) the place of each sample in the set, -1 for those outside.
    label, fixed
        (n,) basins and heights of all samples.
    peak, pair
        (p,) samples of the peaks and (s, 2) the basins that touch.

    Returns
    -------
    (s,) sample numbers, -1 for basins that do not meet.
    """
    down = np.argsort(-g, kind="stable")  # sorts take seconds to compile in a kernel
    node = _nodes(index, kstar, row, g, down, place, label, fixed, peak)
    border, other = _borders(index, kstar, row, node, place, label)
    order = np.argsort(-g[border], kind="stable")
    met = _met(node[border[order]], other[order], peak.size + row.size, peak.size)
    first = met[pair[:, 0], pair[:, 1]]
    out = np.full(len(pair), -1, np.int64)
    out[first >= 0] = row[border[order[first[first >= 0]]]]
    return out


@jit
def _met(node: Ints, other: Ints, nodes: int, peaks: int) -> Ints:
    """Return the first contact of two basins, of contacts in their order: (p, p), -1 for none."""
    top = np.arange(nodes)
    met = np.full((peaks, peaks), -1)
    for e in range(node.size):
        a, b = top[node[e]], top[other[e]]
        while top[a] != a:
            a = top[a]
        while top[b] != b:
            b = top[b]
        if a >= peaks or b >= peaks:
            top[max(a, b)] = min(a, b)
        elif a != b and met[a, b] < 0:
            met[a, b] = met[b, a] = e
    return met


@jit
def _nodes(
    index: Array, kstar: Array, row: Ints, g: Floats, down: Ints, place: Array, label: Array,
    fixed: Floats, peak: Ints,
) -> Ints:  # fmt: skip
    """Return where each sample of the set climbs: a basin, or from p on a part of its own."""
    node, parts = np.full(row.size, -1), peak.size
    free = place[peak] >= 0
    for r in down:
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


def tied(level: Floats, moved: Floats) -> Floats:
    """Return levels, equal to each other where they are less than an error apart: (s,).

    From the highest down, each takes those within the error of the difference, and all have their
    mean.

    Parameters
    ----------
    level, moved
        (s,) levels and (replicates, s) changes that scatter as they do.
    """
    out, left = level.copy(), np.argsort(-level, kind="stable")
    spread = np.sqrt((moved**2).mean(axis=0))
    left = left[np.isfinite(level + spread)[left]]
    while left.size:
        gap = level[left[0]] - level[left]
        near = gap <= spread[left[0]] + spread[left]  # as far as two errors can be apart
        apart = moved[:, left[near]] - moved[:, left[:1]]
        near[near] = gap[near] <= np.sqrt((apart**2).mean(axis=0))
        out[left[near]] = level[left[near]].mean()
        left = left[~near]
    return out


def bottlenecks(pair: Ints, level: Floats, peaks: int) -> Floats:
    """Return the lowest level on the best path between two peaks: (p, p), -inf for none.

    Parameters
    ----------
    pair, level
        (s, 2) peaks of the saddles, and their levels.
    peaks
        How many there are.
    """
    down = np.argsort(-level, kind="stable")
    return _best(pair[down], level[down], peaks)


@jit
def _best(pair: Ints, level: Floats, peaks: int) -> Floats:
    """Return what :func:`bottlenecks` does, of saddles from the highest down."""
    out = np.full((peaks, peaks), -np.inf)
    part, size = np.arange(peaks), np.ones(peaks, np.int64)
    following, last = np.full(peaks, -1), np.arange(peaks)  # members of a part, one after another
    for s in range(level.size):
        a, b = part[pair[s, 0]], part[pair[s, 1]]
        if a == b:
            continue
        if size[a] < size[b]:
            a, b = b, a
        j = b
        while j >= 0:
            i = a
            while i >= 0:
                out[i, j] = out[j, i] = level[s]
                i = following[i]
            part[j] = a
            j = following[j]
        following[last[a]], last[a] = b, last[b]
        size[a] += size[b]
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
