"""Bounds by direct sums in float64: any metric, periods included."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from daskid.kernels import lists as sorted_lists
from daskid.kernels import selection
from daskid.kernels._jit import jit
from daskid.kernels._simd import LANES
from daskid.kernels.metrics import distance_of, largest_reduced
from daskid.kernels.neighbors.given import Block, Lists, Space
from daskid.kernels.neighbors.pairs import SPARE
from daskid.typing import Array, Floats, Ints

X_TILE, Y_TILE = 256, 512


class Tile(NamedTuple):
    """Lower bounds (n, m); ``low * (1 + relative)`` are upper ones."""

    low: Array
    relative: float


def update_direct(lists: Lists, x: Block, part: Ints, y: Block, space: Space) -> Ints:
    """Update the lists of some rows of ``x``; return those that overflowed."""
    left = []
    order = np.random.default_rng(0).permutation(y.rows.shape[0])
    for start in range(0, part.size, X_TILE):
        left.append(_update_rows(lists, x, part[start : start + X_TILE], y, space, order))
    return np.concatenate([part[:0], *left])


def _tiles(rows: Array, y: Block, space: Space, order: Ints) -> Iterator[Tile]:
    # sums of at most d positive terms, in float64
    error = (y.rows.shape[1] + 32) * float(np.finfo("f8").eps)
    for first in range(0, order.size, Y_TILE):
        columns = np.ascontiguousarray(y.rows[order[first : first + Y_TILE]].T, dtype="f8")
        low = np.empty((rows.shape[0], columns.shape[1]))
        rule = space.combine, space.period, space.weight
        selection.bounds_from_rows(rows, columns, *rule, 1 - error, low)
        yield Tile(low, 4 * error)


def _update_rows(lists: Lists, x: Block, part: Ints, y: Block, space: Space, order: Ints) -> Ints:
    k = lists.location.shape[1]
    capacity = 2 * k + SPARE
    rows, who = x.rows[part], np.ascontiguousarray(x.who[:, part])
    bound, column = np.empty((part.size, 2, capacity)), np.empty((part.size, capacity), np.int64)
    count = np.zeros(part.size, np.int64)
    limit = largest_reduced(lists.distance[part, k - 1], space.combine)
    total = 0 if np.isfinite(limit).any() else order.size
    zeros = np.zeros(max(X_TILE, Y_TILE))
    first = 0
    for tile in _tiles(rows, y, space, order):
        y_who = np.take(y.who, order[first : first + tile.low.shape[1]], axis=1)
        selection.keep_candidates(
            *tile, zeros, zeros, who, y_who, space.exclude, first, total, k, limit, bound, column,
            count,
        )  # fmt: skip
        first += y_who.shape[1]
    merge_candidates(
        lists.distance, lists.location, part, bound, column, count, limit,
        order, rows, y.rows, y.who, space.combine, space.period, space.weight,
    )  # fmt: skip
    return part[count < 0]


@jit
def merge_candidates(
    distance: Floats,
    location: Ints,
    part: Ints,
    bound: Floats,
    column: Ints,
    count: Ints,
    limit: Floats,
    order: Ints,
    x: Array,
    y: Array,
    y_who: Ints,
    combine: int,
    period: Floats,
    weight: Floats,
) -> None:
    """Compute the distances of the candidates and merge them into lists ``part``.

    Parameters
    ----------
    distance, location
        (N, k) lists, updated in place in the rows ``part``.
    bound, column, count, limit
        As in :func:`daskid.kernels.selection.keep_candidates`; rows with a count
        of -1 are left as they are, and those whose limit was too low get one.
    order, x, y, y_who
        The rows of ``y`` that columns are, the rows that belong to ``part``, the
        block, and who its rows are.
    combine, period, weight
        As in :func:`daskid.kernels.metrics.reduced_distance`.
    """
    k, most = location.shape[1], column.shape[1]
    lanes, values, spare = np.empty(LANES), np.empty(most), np.empty(most)
    where, spare_where = np.empty(most, np.int64), np.empty(most, np.int64)
    for i in range(part.size):
        if count[i] < 0:
            continue
        limit[i] = selection.compact(bound[i], column[i], count, i, k, limit[i], most)
        if selection.too_low(bound[i, 1, : count[i]], limit[i], k, distance[part[i], -1]):
            count[i] = -1
            continue
        n = count[i]
        for c in range(n):
            j = order[column[i, c]]
            values[c] = distance_of(x[i], y[j], combine, period, weight, lanes)
            where[c] = y_who[0, j]
        sorted_lists.sort_entries(values[:n], where[:n], spare, spare_where)
        sorted_lists.merge_entries(
            distance[part[i]], location[part[i]], values[:n], where[:n], spare, spare_where
        )
