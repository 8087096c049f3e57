"""Logarithms of ratios of neighbor distances.

A vector of log ratios holds one entry per sample, NaN where the sample has no
ratio: a copy of another sample, ``r = 0``, or a list with free slots.
"""

import math

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Array, Floats, Ints


@jit
def log_ratio(inner: float, outer: float) -> float:
    """Return ln(outer / inner), NaN unless ``0 < inner <= outer < inf``."""
    if not (0.0 < inner <= outer < np.inf):
        return np.nan
    if outer - inner < inner:
        return math.log1p((outer - inner) / inner)
    return math.log(outer) - math.log(inner)


@jit
def log_ratios(distance: Array, kept: Array, inner: Ints, outer: Ints) -> Floats:
    """Return ln(r_outer / r_inner) at each scale.

    Parameters
    ----------
    distance
        (n, k) sorted distances, any floating dtype.
    kept
        (n,) bool, False where the sample is a copy of another.
    inner, outer
        (s,) ranks, counted from 1.

    Returns
    -------
    (n, s) log ratios, NaN where there is none.
    """
    out = np.full((distance.shape[0], inner.size), np.nan)
    for i in range(distance.shape[0]):
        if kept[i]:
            for s in range(inner.size):
                near, far = distance[i, inner[s] - 1], distance[i, outer[s] - 1]
                out[i, s] = log_ratio(np.float64(near), np.float64(far))
    return out


@jit
def midpoints(distance: Array, log_mu: Floats, inner: Ints, outer: Ints) -> Floats:
    """Return (r_inner + r_outer) / 2 at each scale: (n, s), 0 where there is no ratio."""
    out = np.zeros((distance.shape[0], inner.size))
    for i in range(out.shape[0]):
        for s in range(inner.size):
            if not np.isnan(log_mu[i, s]):
                near, far = distance[i, inner[s] - 1], distance[i, outer[s] - 1]
                out[i, s] = 0.5 * np.float64(near) + 0.5 * np.float64(far)
    return out


@jit
def mean_log_ratios(distance: Array, kept: Array, k: int) -> Floats:
    """Return the mean of ln(r_k / r_j), j = 1..k-1: (n,), NaN where one is missing."""
    out = np.full(distance.shape[0], np.nan)
    for i in range(out.size):
        if kept[i]:
            out[i] = mean_log_ratio(distance[i], k)
    return out


@jit
def mean_log_ratio(distance: Array, k: int) -> float:
    """Return the mean of ln(r_k / r_j), j = 1..k-1, of one list."""
    total = 0.0
    for j in range(k - 1):
        total += log_ratio(np.float64(distance[j]), np.float64(distance[k - 1]))
    return total / (k - 1)


@jit
def count_and_sum(values: Floats) -> tuple[int, float]:
    """Return how many values there are, and their sum."""
    n, total = 0, 0.0
    for value in values:
        if not np.isnan(value):
            n += 1
            total += value
    return n, total
