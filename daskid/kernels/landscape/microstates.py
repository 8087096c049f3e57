"""Microstates: cells around centers spread over the data by k-means.

Sums are taken row after row, so that they are the same on any processor.
"""

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Array, Floats, Ints

ROUNDS = 20


def embedded(rows: Array, period: Floats, weight: Floats) -> Floats:
    """Return rows in which the Euclidean distance is that of the metric, nearby.

    A periodic feature becomes a circle.

    Parameters
    ----------
    rows
        (n, d).
    period, weight
        (d,) of the features, 0 for no period; either may be empty.
    """
    x = np.asarray(rows, np.float64)
    scale = np.sqrt(weight) if weight.size else np.ones(x.shape[1])
    if not period.size:
        return x * scale
    around = period > 0
    turn = 2 * np.pi / period[around]
    radius = scale[around] / turn
    angle = x[:, around] * turn
    return np.hstack([(x * scale)[:, ~around], radius * np.cos(angle), radius * np.sin(angle)])


def spread(x: Floats, number: int, seed: int) -> Floats:
    """Return so many centers: k-means++, then Lloyd's rounds.

    Parameters
    ----------
    x
        (n, d) embedded rows.
    number, seed
        How many, at most, and of the random numbers.
    """
    rng = np.random.default_rng(seed)
    center = np.empty((number, x.shape[1]))
    center[0] = x[rng.integers(len(x))]
    square = np.full(len(x), np.inf)
    for m in range(1, number):
        far = _approached(x, center[m - 1], square)
        if far[-1] == 0.0:
            center = center[:m]
            break
        center[m] = x[np.searchsorted(far, rng.random() * far[-1], side="right")]
    for _ in range(ROUNDS):
        _move(x, nearest(x, center), center)
    return center


@jit
def _approached(x: Floats, center: Floats, square: Floats) -> Floats:
    """Bring squared distances to the nearest center up to date; return their running sums."""
    far = np.empty(square.size)
    total = 0.0
    for i in range(square.size):
        new = 0.0
        for d in range(center.size):
            new += (x[i, d] - center[d]) ** 2
        square[i] = min(square[i], new)
        total += square[i]
        far[i] = total
    return far


@jit
def _move(x: Floats, own: Ints, center: Floats) -> None:
    """Move each center to the mean of its rows, added one after another."""
    size, total = np.zeros(center.shape[0]), np.zeros(center.shape)
    for i in range(own.size):
        size[own[i]] += 1.0
        for d in range(x.shape[1]):
            total[own[i], d] += x[i, d]
    for m in range(size.size):
        for d in range(x.shape[1]):
            if size[m] > 0.0:
                center[m, d] = total[m, d] / size[m]


def nearest(x: Floats, center: Floats) -> Ints:
    """Return the nearest center of each row: (n,)."""
    from scipy.spatial import cKDTree  # slow to import

    return np.asarray(cKDTree(center).query(x)[1], np.int64)
