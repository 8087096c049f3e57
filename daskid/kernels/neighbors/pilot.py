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
KNOWN = 8
"""Times fewer do where the axes are known: making them is what takes long."""
SHARE = 8
"""Rows for each in the sample: it takes less memory than panels with all features."""
CHOICES = (16, 32, 64)
"""Axes, of which there are at most half as many as features."""
PAIR, ENTRY, MERGE, CENTER, AXIS = 24, 20, 2500, 80, 2.5
"""In features of a pair: what comparing it takes, a feature of a candidate, and merging it; a
feature of a row that is seen along axes, and that for each axis."""
ALMOST_ALL = 0.9
CLEARLY = 0.8
"""A pilot only estimates: few coordinates have to be so much faster."""


class Pilot(NamedTuple):
    """``axes`` (d, p) along which rows are seen, and how many candidates rows keep."""

    axes: Floats
    rank: int


class Given(NamedTuple):
    """How rows are compared: centered at ``center`` (d,), times ``factor`` (d,).

    ``axes`` (d, p) are known, or empty; length ``k`` of the lists, and how many candidates rows
    keep at the ``most``; whether a pair serves ``both`` its rows.
    """

    center: Floats
    factor: Floats
    axes: Floats
    k: int
    most: int
    both: bool


def is_worth_it(n: int, m: int, features: int, *, known: bool) -> bool:
    """Return whether blocks of n and m rows are so large that a pilot pays; ``known`` its axes."""
    work = LEAST_WORK // (KNOWN if known else 1)
    return features >= LEAST_FEATURES and n * m * features >= work and min(n, m) > 1


def pilot_of(x: Block, y: Block, limit: Floats, given: Given) -> Pilot | None:
    """Return what is likely to be fastest; None if that is all features.

    Parameters
    ----------
    x, y
        Blocks of rows that are compared with each other.
    limit
        (n,) squares within which neighbors of the rows of ``x`` are, in units of ``factor``.
    given
        How they are compared.
    """
    n, m = x.rows.shape[0], y.rows.shape[0]
    held = n + m if given.both and x is not y else m
    if held < LEAST_ROWS // (KNOWN if given.axes.size else 1):
        return None
    rng, half = np.random.default_rng(0), max(2, min(SAMPLE, held // SHARE) // 2)
    own, other = (rng.permutation(b.rows.shape[0])[:half] for b in (x, y))
    a, b = ((z.rows[s] - given.center) * given.factor for z, s in ((x, own), (y, other)))
    same = x.who[0, own[:QUERIES], np.newaxis] == y.who[0, other]
    return _cheapest(a, b, same, limit[own[:QUERIES]], (n, m, 1), given)[0]


def share_of_work(rows: Array, size: tuple[int, int], blocks: int, given: Given) -> float:
    """Return which share of the work is left where pairs are seen in few coordinates first.

    Parameters
    ----------
    rows
        (m, d) random rows of those that are searched, the more the better.
    size
        How many rows are compared with how many.
    blocks
        In how many blocks the others come.
    given
        How they are compared.
    """
    half = min(SAMPLE // 2, rows.shape[0] // 2)
    if half < 2:
        return 1.0
    a, b = ((z - given.center) * given.factor for z in (rows[:half], rows[half : 2 * half]))
    queries = min(QUERIES, half)
    none, limit = np.zeros((queries, half), bool), np.full(queries, np.inf)
    return _cheapest(a, b, none, limit, (*size, blocks), given)[1]


def axes_of(rows: Array, center: Floats, factor: Floats) -> Floats:
    """Return (d, p) axes along which rows are seen, the more rows (m, d) the better ones."""
    y = (rows[: SAMPLE // 2] - center) * factor
    return principal_axes(y, min(CHOICES[-1], y.shape[1] // 2))[0]


def _cheapest(
    a: Floats, b: Floats, same: Array, limit: Floats, size: tuple[int, int, int], given: Given
) -> tuple[Pilot | None, float]:
    """Return what is likely to be fastest, and its share of the work with all features."""
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None, 1.0
    (n, m, blocks), features, k = size, a.shape[1], given.k
    axes = given.axes
    if not axes.size:
        axes, _ = principal_axes(np.concatenate([a, b]), min(CHOICES[-1], features // 2))
    square = _squares(a[:QUERIES], b)
    square[same] = np.inf
    few = min(max(1, round(k * len(b) / m)), len(b) - 1)
    sides = n + m if given.both else n
    entry = ENTRY * features + MERGE
    new = np.minimum(k, (square <= limit[:, np.newaxis]).sum(axis=1) * (m / len(b)))
    every = n * m * (features + PAIR) + sides * new.mean() * entry
    best, found = CLEARLY * every, None
    for p in CHOICES:
        if p > axes.shape[1]:
            break
        needed = _needed(a[:QUERIES], b, axes[:, :p], square, few, limit)
        needed *= np.where(np.isfinite(limit), m / len(b), k / few)
        rank = int(min(given.most, max(k + 8, 1.1 * np.quantile(needed, ALMOST_ALL) + 8)))
        again = float((needed > rank).mean()) * sides / n
        work = n * m * (p + 1 + PAIR) * (1 + again) + sides * needed.mean() * entry
        work += (n * blocks + m) * (CENTER + AXIS * p) * features
        if work < best:
            best, found = work, Pilot(np.ascontiguousarray(axes[:, :p]), rank)
    return found, 1.0 if found is None else float(best / every)


def _squares(a: Array, b: Array) -> Floats:
    """Return squared distances, about: none are below a rounding error."""
    norms = np.einsum("ij,ij->i", a, a)[:, np.newaxis] + np.einsum("ij,ij->i", b, b)
    out: Floats = np.maximum(norms - 2 * a @ b.T, 1e-12 * norms)
    return out


def _needed(
    a: Array, b: Array, axes: Floats, square: Floats, few: int, limit: Floats
) -> Floats:  # fmt: skip
    """Return how many rows seem as near as a limit, or as the ``few`` nearest in coordinates."""
    points = []
    for rows in (a, b):
        seen = rows @ axes
        left = np.einsum("ij,ij->i", rows, rows) - np.einsum("ij,ij->i", seen, seen)
        points.append(np.column_stack([seen, np.sqrt(np.maximum(left, 0))]))
    low = np.where(np.isfinite(square), _squares(*points), np.inf)
    nearest = np.argpartition(low, few, axis=1)[:, :few]
    reach = np.take_along_axis(square, nearest, axis=1).max(axis=1)
    reach = np.where(np.isfinite(limit), limit, reach)
    needed: Floats = (low <= reach[:, np.newaxis]).sum(axis=1).astype("f8")
    return needed
