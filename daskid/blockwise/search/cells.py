"""Cells of near rows: k-means of the rows of a part, in their coordinates."""

import numpy as np

from daskid.kernels import trees
from daskid.kernels.cells import Cells, cells_of, in_blocks, nearest_centers
from daskid.kernels.neighbors import Block
from daskid.typing import Array, Ints

SAMPLE_A_CENTER = 64
"""Rows for each center that k-means looks at."""
ROUNDS = 6


def arranged(block: Block, view: trees.View, size: int, seed: list[int]) -> Cells:
    """Return rows in cells of about ``size`` rows; ``seed`` is that of their first centers."""
    points, length = trees.coordinates(block.rows, view)
    label = labels(points, -(-len(points) // size), np.random.default_rng(seed))
    order = np.argsort(label, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    return cells_of(block.rows, block.who, points, view.error * length.max(), parts)


def labels(points: Array, number: int, rng: np.random.Generator) -> Ints:
    """Return which of ``number`` centers of k-means each of (n, q) points is nearest to."""
    label = np.zeros(len(points), np.int64)
    if number > 1:
        some = points[np.sort(rng.permutation(len(points))[: number * SAMPLE_A_CENTER])]
        nearest_centers(points, in_blocks(_centers(some, number, rng)), label)
    return label


def _centers(points: Array, number: int, rng: np.random.Generator) -> Array:
    """Return (q, number) centers of k-means."""
    center = points[rng.permutation(len(points))[:number]]
    label = np.empty(len(points), np.int64)
    for _ in range(ROUNDS):
        nearest_centers(points, in_blocks(np.ascontiguousarray(center.T)), label)
        order, count = np.argsort(label, kind="stable"), np.bincount(label, minlength=len(center))
        held = np.flatnonzero(count)  # a center without rows stays where it is
        first = np.cumsum(count) - count
        total = np.add.reduceat(points[order].astype("f8"), first[held])
        center[held] = total / count[held, np.newaxis]
    return np.ascontiguousarray(center.T)
