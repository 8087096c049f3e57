"""Densities of a resampled data set, on the neighbor lists of the one at hand."""

import math

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Array, Floats, Ints


def weights(unit: Ints, seed: int, replicate: int) -> Floats:
    """Return how often each sample counts in a replicate: (n,), 1 in the mean.

    The Bayesian bootstrap: weights of independent units are exponential.

    Parameters
    ----------
    unit
        (n,) what is drawn as one: samples of the same unit have the same weight.
    seed, replicate
        Which weights; they depend on these and the number of the unit alone.
    """
    state = np.random.SeedSequence([seed, replicate]).generate_state(1, np.uint64)[0]
    return _weights(unit, state)


@jit
def _weights(unit: Ints, state: Array) -> Floats:
    """Return exponential weights, from splitmix64 at the place ``unit`` of its stream."""
    out = np.empty(unit.size)
    for i in range(unit.size):
        x = np.uint64(state) + np.uint64(unit[i] + 1) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
        out[i] = -math.log((np.float64(x >> np.uint64(11)) + 0.5) / 9007199254740992.0)
    return out


@jit
def shifts(index: Array, kstar: Array, error: Floats, weight: Floats) -> Floats:
    """Return by how much the log densities of a chunk move when neighbors are weighted.

    In a ball of fixed radius the density is the weight of what is inside: the log of the
    mean weight of the ``k`` neighbors, with the error 1 / sqrt(k). A larger error, up to
    that of a density linear in the rank, is put down to such a slope: to first order, weights
    that fall along the list, whose spread gives just this error (4 - 6 l/k for PAk, which has
    2 / sqrt(k)). A smaller error shrinks the shift.

    Parameters
    ----------
    index, kstar, error
        (m, k) lists of a chunk, (m,) how many count, and the errors of the log densities.
    weight
        (n,) of :func:`weights`.

    Returns
    -------
    (m,) shifts.
    """
    out = np.empty(kstar.size)
    for r in range(kstar.size):
        k = kstar[r]
        total, sloped = 0.0, 0.0
        for c in range(k):
            w = weight[index[r, c]]
            total += w
            sloped += w * (1.0 - (2.0 * c + 1.0) / k)
        excess = error[r] * error[r] * k
        slope = 0.0
        if excess > 1.0 and k > 1:
            most = (4.0 * k + 2.0) / (k - 1.0)
            slope = math.sqrt((min(excess, most) - 1.0) * 3.0 / (1.0 - 1.0 / (k * k)))
        out[r] = math.log(total / k) + slope * sloped / total
        if excess < 1.0:
            out[r] *= math.sqrt(excess)
    return out
