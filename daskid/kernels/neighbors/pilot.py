"""Whether few coordinates tell enough about neighbors, and how many do: from some rows."""

from typing import NamedTuple

import numpy as np

from daskid.kernels.axes import principal_axes
from daskid.kernels.neighbors.given import Block
from daskid.typing import Array, Floats

LEAST_FEATURES, LEAST_WORK = 40, 1 << 34
"""Features, and products of pairs and features, from which on it is worth to find out."""
LEAST_ROWS, SAMPLE, QUERIES = 1536, 1024, 64
"""Rows of the blocks at least, of their sample at most, and of those that see the others."""
SHARE = 8
"""Rows for each in the sample: it takes less memory than panels with all features."""
CHOICES = (16, 32, 64)
"""Axes, of which there are at most half as many as features."""
PAIR, ENTRY, MERGE = 24, 20, 2500
"""In features of a pair: what comparing it takes, a feature of a candidate, and merging it."""
ALMOST_ALL = 0.9
CLEARLY = 0.8
"""A pilot only estimates: few coordinates have to be so much faster."""


class Pilot(NamedTuple):
    """``axes`` (d, p) along which rows are seen, and how many candidates rows keep."""

    axes: Floats
    rank: int


def pilot_of(
    x: Block, y: Block, center: Floats, factor: Floats, k: int, most: int, *, both: bool
) -> Pilot | None:
    """Return what is likely to be fastest; None if that is all features.

    Parameters
    ----------
    x, y
        Blocks of rows that are compared with each other.
    center, factor
        (d,) what is taken from rows, and what they are multiplied by.
    k, most
        Length of the lists, and how many candidates rows keep at the most.
    both
        Whether a pair serves both its rows.
    """
    (n, features), m = x.rows.shape, y.rows.shape[0]
    held = n + m if both and x is not y else m
    if held < LEAST_ROWS:
        return None
    rng, half = np.random.default_rng(0), max(2, min(SAMPLE, held // SHARE) // 2)
    own, other = (rng.permutation(b.rows.shape[0])[:half] for b in (x, y))
    a, b = ((z.rows[s] - center) * factor for z, s in ((x, own), (y, other)))
    every = np.concatenate([a, b])
    if not np.isfinite(every).all():
        return None
    axes, _ = principal_axes(every, min(CHOICES[-1], features // 2))
    square = _squares(a[:QUERIES], b)
    square[x.who[0, own[:QUERIES], np.newaxis] == y.who[0, other]] = np.inf
    few = min(max(1, round(k * other.size / m)), other.size - 1)
    sides = n + m if both else n
    entry = ENTRY * features + MERGE
    best = CLEARLY * (n * m * (features + PAIR) + sides * k * entry)
    found = None
    for p in CHOICES:
        if p > axes.shape[1]:
            break
        needed = _needed(a[:QUERIES], b, axes[:, :p], square, few) * (k / few)
        rank = int(min(most, max(k + 8, 1.1 * np.quantile(needed, ALMOST_ALL) + 8)))
        again = float((needed > rank).mean()) * sides / n
        work = n * m * (p + 1 + PAIR) * (1 + again) + sides * needed.mean() * entry
        work += (n + m) * 4 * p * features
        if work < best:
            best, found = work, Pilot(np.ascontiguousarray(axes[:, :p]), rank)
    return found


def _squares(a: Array, b: Array) -> Floats:
    """Return squared distances, about: none are below a rounding error."""
    norms = np.einsum("ij,ij->i", a, a)[:, np.newaxis] + np.einsum("ij,ij->i", b, b)
    out: Floats = np.maximum(norms - 2 * a @ b.T, 1e-12 * norms)
    return out


def _needed(a: Array, b: Array, axes: Floats, square: Floats, few: int) -> Floats:
    """Return how many rows seem as near as the ``few`` that are nearest in coordinates."""
    points = []
    for rows in (a, b):
        seen = rows @ axes
        left = np.einsum("ij,ij->i", rows, rows) - np.einsum("ij,ij->i", seen, seen)
        points.append(np.column_stack([seen, np.sqrt(np.maximum(left, 0))]))
    low = np.where(np.isfinite(square), _squares(*points), np.inf)
    nearest = np.argpartition(low, few, axis=1)[:, :few]
    reach = np.take_along_axis(square, nearest, axis=1).max(axis=1)
    needed: Floats = (low <= reach[:, np.newaxis]).sum(axis=1).astype("f8")
    return needed
