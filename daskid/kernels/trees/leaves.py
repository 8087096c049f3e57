"""Rows in leaves: in tree order, with the coordinates that bounds are made of, and boxes."""

from typing import NamedTuple

import numpy as np

from daskid.kernels._jit import jit
from daskid.kernels.neighbors import Block
from daskid.kernels.trees.growth import grow
from daskid.kernels.trees.view import View, coordinates
from daskid.typing import Array, Floats, Ints

SPAN = 16
"""Leaves that share a wide box."""


class Leaves(NamedTuple):
    """Rows in the order of their tree, and what bounds need of them.

    ``rows`` (n, d) as compared and ``who`` (3, n), in tree order; ``seen`` (leaves, q,
    leaf) their coordinates, the last leaf filled up with NaN; ``low``, ``high`` (q, leaves)
    boxes of leaves, ``wide_low``, ``wide_high`` (q, wide) boxes of ``SPAN`` leaves each;
    ``error`` (leaves,) how far the coordinates of a row may be off.
    """

    rows: Array
    who: Ints
    seen: Array
    low: Array
    high: Array
    wide_low: Array
    wide_high: Array
    error: Floats


def leaves_of(block: Block, view: View) -> tuple[Leaves, Ints]:
    """Return rows in leaves, and the order that they are in: positions in the block."""
    points, length = coordinates(block.rows, view)
    order = grow(points, view.leaf, not view.rule.exact)
    (n, q), leaf = points.shape, view.leaf
    number = -(-n // leaf)
    seen = np.empty((number, q, leaf), points.dtype)
    low, high = np.empty((q, number), points.dtype), np.empty((q, number), points.dtype)
    fill_leaves(points, order, seen, low, high)
    first = np.arange(0, number, SPAN)
    wide = np.minimum.reduceat(low, first, axis=1), np.maximum.reduceat(high, first, axis=1)
    error = view.error * np.maximum.reduceat(length[order], np.arange(0, n, leaf))
    who = np.ascontiguousarray(block.who[:, order])
    return Leaves(block.rows[order], who, seen, low, high, *wide, error), order


@jit
def fill_leaves(points: Array, order: Ints, seen: Array, low: Array, high: Array) -> None:
    """Write points (n, q) in their order to leaves, and their boxes."""
    leaf = seen.shape[2]
    for g in range(seen.shape[0]):
        low[:, g], high[:, g] = np.inf, -np.inf
        for j in range(leaf):
            if g * leaf + j >= order.size:
                seen[g, :, j] = np.nan
                continue
            row = points[order[g * leaf + j]]
            for f in range(row.size):
                value = row[f]
                seen[g, f, j] = value
                low[f, g], high[f, g] = min(low[f, g], value), max(high[f, g], value)
