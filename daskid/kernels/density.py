"""The neighborhood over which density is constant, and the density in it.

Distances enter by their ratios only, and volumes by their logarithms: the results
do not depend on the unit of length, and nothing overflows in many dimensions.
"""

import math
from statistics import NormalDist

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Array, Floats, Ints

FIRST_RANK = 3
"""The first rank at which two samples are compared: smaller ones are never chosen."""
SHARE = 0.01
"""Share of samples whose lists may be too short before that is said."""
AIMED = 0.1 * SHARE
"""The share that is aimed at: distributions have longer tails than what is drawn through them."""
STEEPEST = 8.0
"""How steeply the share of samples that go on may be taken to fall."""
_CLOSE = 1e-6
"""A step of Newton over so small a change of the weights is exact to rounding."""
_STEPS = 200


def log_ball(d: float) -> float:
    """Return the log volume of the unit ball in ``d`` dimensions."""
    return 0.5 * d * math.log(math.pi) - math.lgamma(0.5 * d + 1.0)


def limits(dimensions: Floats, ranks: Ints, alpha: float) -> Floats:
    """Return by which factor two radii may differ: (dimensions, ranks).

    The likelihood ratio of two densities against one, for volumes that hold ``k``
    samples each, is ``D = 4 k ln cosh(x / 2)``, ``x`` the difference of the log
    volumes. It is chi-squared with one degree of freedom; ``alpha`` is the chance
    that it exceeds its threshold where densities are equal.
    """
    threshold = NormalDist().inv_cdf(alpha / 2) ** 2
    above = np.expm1(threshold / (4.0 * ranks))
    x = 2.0 * np.log1p(above + np.sqrt(above * (2.0 + above)))
    # no radius that is not 0 is e^600 times another
    factors: Floats = np.exp(np.minimum(x / dimensions[:, np.newaxis], 600.0))
    return factors


@jit
def advance(
    stopped: Array, distance: Array, index: Array, panel: Array, first: int, factor: Floats
) -> tuple[Array, int]:
    """Compare samples with their next neighbors, over the ranks of a panel.

    At rank k a sample is compared with its neighbor k + 1: by the radii of both
    that hold k neighbors.

    Parameters
    ----------
    stopped
        (n,) in how many of the d dimensions a sample has stopped already.
    distance, index
        (n, k) lists.
    panel
        (N, p) distances of all samples at the ranks from ``first`` on, contiguous.
    first
        First rank of the panel.
    factor
        (d, p) of :func:`limits`, of the largest dimension first: it stops first.

    Returns
    -------
    (n, d) ranks at which samples stop, 0 where that was before or is not here; and a
    sample one of whose neighbors is not there, -1 if there is none.
    """
    dimensions, width = factor.shape
    flat = panel.reshape(-1)
    out = np.zeros((stopped.size, dimensions), np.int32)
    for i in range(stopped.size):
        p = 0
        for c in range(np.int64(stopped[i]), dimensions):
            p = _stop(distance, index, i, flat, first, factor[c], p)
            if p < 0:
                return out, i
            if p == width:
                break
            out[i, c] = first + p
    return out, -1


@jit
def _stop(
    distance: Array, index: Array, i: int, panel: Array, first: int, factor: Floats, p: int
) -> int:
    """Return the first place from ``p`` on where radii differ too much, -1 for no neighbor."""
    # unsigned, so that nothing counts from the end: half the time
    width, size = np.uint64(factor.size), np.uint64(panel.size)
    for q in range(p, factor.size):
        k = np.uint64(first + q)
        if index[i, k] < 0:
            return -1
        at = np.uint64(index[i, k]) * width + np.uint64(q)
        if at >= size:
            return -1
        own, other = distance[i, k - np.uint64(1)], panel[at]
        if own > other * factor[q] or other > own * factor[q]:
            return q
    return factor.size


def enough(kstar: Array, stored: int, most: int) -> int:
    """Return how long lists should be for less than 1 % of samples to be capped: extrapolated.

    The share of samples that go on beyond k is taken as exp(-(k / scale)^shape), drawn
    through what it is at half of the lists and at their end; shapes between 1 and 8. A tenth of
    1 % is aimed at.

    Parameters
    ----------
    kstar
        (n,) ranks, ``stored - 1`` where lists were too short.
    stored
        Length of the lists.
    most
        The longest lists that there are.

    Returns
    -------
    A multiple of ten, or ``most``; ``stored`` where that is enough; ten times that at most.
    """
    last = stored - 1
    half = max(last // 2, 1)
    beyond, capped = float((kstar > half).mean()), float((kstar >= last).mean())
    if capped <= SHARE:
        return stored
    longest = min(10 * stored, most)
    if capped == 1.0:
        return longest
    fell, fallen = -math.log(beyond), -math.log(capped)
    shape = STEEPEST
    if fell > 0.0:
        shape = math.log(fallen / fell) / math.log(last / half)
    power = 1.0 / min(max(shape, 1.0), STEEPEST)
    wanted = last * math.pow(-math.log(AIMED) / fallen, power)
    return min(max(10 * math.ceil(wanted / 10), stored + 1), longest)


@jit
def knn_log_density(distance: Array, k: Array, d: float) -> Floats:
    """Return ln k - d ln r_k: the log density times N and the volume of the unit ball.

    Parameters
    ----------
    distance
        (n, stored) sorted distances.
    k
        (n,) ranks, counted from 1.
    d
        Intrinsic dimension.

    Returns
    -------
    (n,) values, infinite where r_k is 0.
    """
    out = np.empty(k.size)
    for i in range(k.size):
        radius = np.float64(distance[i, k[i] - 1])
        out[i] = math.log(k[i]) - d * np.log(radius) if radius > 0.0 else np.inf
    return out


@jit
def pak_log_density(distance: Array, k: Array, d: float) -> Floats:
    """Return :func:`knn_log_density` with the density linear in the rank, at its center.

    Parameters, and what is returned, are those of :func:`knn_log_density`.
    """
    out = knn_log_density(distance, k, d)
    shell = np.empty(k.max() if k.size else 0)
    for i in range(k.size):
        radii = distance[i, : k[i]]
        if 0.0 < radii[-1] < np.inf:
            log_shells(radii, d, shell)
            out[i] += tilt(shell[: k[i]])[0]
    return out


@jit
def log_shells(radii: Array, d: float, out: Floats) -> None:
    """Write the log volumes of shells between (k,) sorted ``radii`` to ``out``: they sum to 1.

    Volumes of shells without a thickness are 0, their logarithms minus infinity.
    """
    below = 0.0  # log of the volume inside the outer radius, of that inside all of them
    for s in range(radii.size - 1, -1, -1):
        inner = np.float64(radii[s - 1]) if s > 0 else 0.0
        outer = np.float64(radii[s])
        if inner == outer:
            out[s] = -np.inf
        elif inner == 0.0:
            out[s] = below
            out[:s] = -np.inf
            return
        else:
            growth = d * math.log1p((outer - inner) / inner)
            out[s] = below + math.log(-math.expm1(-growth))
            below -= growth


@jit
def tilt(shell: Floats) -> tuple[float, float]:
    """Return F and a where ``F k + a k (k + 1) / 2 - k sum u_l e^(F + a l)`` is greatest.

    At its best F for a given a, this is a function of a alone, concave, whose
    derivative is k times the difference between (k + 1) / 2 and the mean of l, with
    weights u_l e^(a l). Newton's rule for its root, kept within the bracket that the
    signs have shown so far.

    Parameters
    ----------
    shell
        (k,) logs of u, which sum to 1.

    Returns
    -------
    F and a; 0 and 0 where nothing is greatest, as all shells but those on one side of
    the middle are empty.
    """
    k = shell.size
    center = 0.5 * (k + 1)
    if not _has_maximum(shell):
        return 0.0, 0.0
    a, low, high = _start(shell), -np.inf, np.inf
    for _ in range(_STEPS):
        log_sum, mean, variance = _moments(shell, a)
        if mean > 0.0:
            high = a
        else:
            low = a
        step = -mean / variance if variance > 0.0 else math.copysign(np.inf, -mean)
        if abs(step) * k <= _CLOSE:
            # of the second order: the sum at the end of the step
            return -(log_sum + 0.5 * mean * step) - (a + step) * center, a + step
        longest = 2.0 * abs(a) + 8.0 / k
        following = a + min(max(step, -longest), longest)
        if not low < following < high:
            following = 0.5 * (low + high)
        if following == a:
            break
        a = following
    log_sum, _, _ = _moments(shell, a)
    return -log_sum - a * center, a


@jit
def _has_maximum(shell: Floats) -> bool:
    below, above = False, False
    for s in range(shell.size):
        if shell[s] > -np.inf:
            below |= 2 * s < shell.size - 1
            above |= 2 * s > shell.size - 1
    return below and above


@jit
def _start(shell: Floats) -> float:
    """Return the a of shells that grow as e^(-a l), from the volume of half of them."""
    half = shell.size // 2
    inside, outside = 0.0, 0.0
    for s in range(shell.size):
        if s < half:
            inside += math.exp(shell[s])
        else:
            outside += math.exp(shell[s])
    return math.log(inside / outside) / half if inside > 0.0 and outside > 0.0 else 0.0


@jit
def _moments(shell: Floats, a: float) -> tuple[float, float, float]:
    """Return ln sum e^(shell + a x), x = l - (k + 1) / 2, and mean and variance of x."""
    center = 0.5 * (shell.size - 1)
    top = -np.inf
    for s in range(shell.size):
        top = max(top, shell[s] + a * (s - center))
    total, first, second = 0.0, 0.0, 0.0
    for s in range(shell.size):
        x = s - center
        weight = math.exp(shell[s] + a * x - top)
        total += weight
        first += weight * x
        second += weight * x * x
    mean = first / total
    return top + math.log(total), mean, second / total - mean * mean


def admissible(location: Ints, frame: Ints, trajectory: Ints, window: int) -> Ints:
    """Return how many locations each sample could have had in its list, itself counted.

    Parameters
    ----------
    location
        (n,) first sample at the same place.
    frame, trajectory
        (n,) frame numbers, and codes from 0 on of the trajectories they are in.
    window
        Locations within as many frames of the same trajectory were left out.

    Returns
    -------
    (n,) numbers.
    """
    first = location == np.arange(location.size)
    frame = frame - frame.min(initial=0)
    window = min(window, int(frame.max(initial=0)))
    # one axis, on which trajectories are further apart than the window
    place = (frame + trajectory * (int(frame.max(initial=0)) + window + 1))[location]
    there = np.sort(place[first])
    near = np.searchsorted(there, place + window, side="right")
    near -= np.searchsorted(there, place - window, side="left")
    number: Ints = there.size - near + 1
    return number
