"""Cells of near rows: k-means in two levels, then the rows of a cell side by side.

All is done in one process, in fixed blocks: the cells do not depend on chunks or workers.
"""

import numpy as np

from daskid.kernels.cells import STRIDE, Cells, Rows, nearest_centers
from daskid.typing import Array, Floats, Ints

BLOCK_ROWS = 16_384
SAMPLE_A_CENTER = 64
"""Rows for each center that k-means looks at."""
ROUNDS = 6
FAR = 1e18
"""A coordinate beyond all others: they are at most one."""
ROUNDING = 1 + 1e-9
"""Radii are rounded; the spheres are not to be smaller than the cells."""


def coordinates(values: Array, middle: Floats, factor: Floats) -> Floats:
    """Return (n, d) rows in coordinates: centered, weighted, scaled, in float64."""
    out: Floats = (values.astype("f8") - middle) * factor
    return out


def split_rows(values: Array, middle: Floats, factor: Floats, size: int, seed: int) -> list[Ints]:
    """Return the numbers of the rows of each cell; cells have about ``size`` rows.

    Parameters
    ----------
    values, middle, factor
        (n, d) rows, and how they become coordinates.
    size, seed
        Rows of a cell, and what the random rows follow from that centers begin with.
    """
    n = values.shape[0]
    rng = np.random.default_rng([seed, n])
    coarse = max(1, round(float(np.sqrt(n / size))))
    label = _labels(values, np.arange(n), middle, factor, coarse, rng)
    parts: list[Ints] = []
    for own in _groups(np.arange(n), label):
        number = -(-own.size // size)
        parts += _groups(own, _labels(values, own, middle, factor, number, rng))
    return parts


def _groups(rows: Ints, label: Ints) -> list[Ints]:
    """Return the rows of each label that has some."""
    order = np.argsort(label, kind="stable")
    return np.split(rows[order], np.flatnonzero(np.diff(label[order])) + 1)


def _labels(
    values: Array,
    own: Ints,
    middle: Floats,
    factor: Floats,
    number: int,
    rng: np.random.Generator,
) -> Ints:
    """Return which of ``number`` centers each of the rows ``own`` is nearest to."""
    label = np.zeros(own.size, np.int64)
    if number < 2:
        return label
    some = np.sort(rng.permutation(own.size)[: number * SAMPLE_A_CENTER])
    center = _centers(coordinates(values[own[some]], middle, factor), number, rng)
    for a in range(0, own.size, BLOCK_ROWS):
        block = coordinates(values[own[a : a + BLOCK_ROWS]], middle, factor)
        nearest_centers(block, center, label[a : a + BLOCK_ROWS])
    return label


def _centers(rows: Floats, number: int, rng: np.random.Generator) -> Floats:
    """Return (d, number) centers of k-means."""
    center = rows[rng.permutation(rows.shape[0])[:number]]
    label = np.empty(rows.shape[0], np.int64)
    for _ in range(ROUNDS):
        nearest_centers(rows, np.ascontiguousarray(center.T), label)
        order, count = np.argsort(label, kind="stable"), np.bincount(label, minlength=len(center))
        held = np.flatnonzero(count)  # a center without rows stays where it is
        first = np.cumsum(count) - count
        center[held] = np.add.reduceat(rows[order], first[held]) / count[held, np.newaxis]
    return np.ascontiguousarray(center.T)


def arranged(
    values: Array, who: Ints, middle: Floats, factor: Floats, scale: float, parts: list[Ints]
) -> tuple[Rows, Cells]:
    """Return rows in the order of their cells, and the cells."""
    order, sizes = np.concatenate(parts), np.array([own.size for own in parts])
    start, d = np.r_[0, np.cumsum(sizes)], values.shape[1]
    at = np.r_[0, np.cumsum(-(-sizes // STRIDE) * STRIDE)]
    columns: Array = np.full(at[-1] * d, FAR, np.float32)
    center, radius = np.empty((d, sizes.size)), np.empty(sizes.size)
    for c, own in enumerate(parts):
        here = coordinates(values[own], middle, factor)
        columns[at[c] * d : at[c + 1] * d].reshape(d, -1)[:, : own.size] = here.T
        center[:, c] = here.mean(axis=0)
        radius[c] = np.sqrt(((here - center[:, c]) ** 2).sum(axis=1).max()) * ROUNDING
    cell = np.repeat(np.arange(sizes.size), sizes)
    mine = np.ascontiguousarray(who[:, order])
    rows = Rows(values[order], mine, cell, middle, factor, scale)
    return rows, Cells(start, at, columns, center, radius)
