"""Microstates: cells around centers spread over the data by k-means."""

import numpy as np

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
        square = np.minimum(square, ((x - center[m - 1]) ** 2).sum(axis=1))
        if not square.any():
            center = center[:m]
            break
        center[m] = x[np.searchsorted(np.cumsum(square), rng.random() * square.sum())]
    for _ in range(ROUNDS):
        own = nearest(x, center)
        size = np.bincount(own, minlength=len(center))
        for d in range(x.shape[1]):
            total = np.bincount(own, x[:, d], minlength=len(center))
            center[size > 0, d] = total[size > 0] / size[size > 0]
    return center


def nearest(x: Floats, center: Floats) -> Ints:
    """Return the nearest center of each row: (n,)."""
    from scipy.spatial import cKDTree  # slow to import

    return np.asarray(cKDTree(center).query(x)[1], np.int64)
