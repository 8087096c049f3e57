"""Candidates become neighbors: exact distances, merged into sorted lists."""

import numpy as np

from daskid.kernels import lists as sorted_lists
from daskid.kernels._jit import inlined, jit
from daskid.kernels._simd import LANES, fetch_row, row_squares
from daskid.kernels.metrics import HALF_SQUARE, SQUARE, distance_of
from daskid.kernels.neighbors.pairs import SPARE, Near, lower_limit
from daskid.kernels.neighbors.panels import Panels
from daskid.typing import Array, Floats, Ints

LEAST_AT_ONCE = 8
"""Distances that are computed at a time, at the least."""
SAME_ROOT = 1 + 4 * float(np.finfo("f8").eps)
"""Squares of up to so many times a square have the same root."""


@jit
def merge_near(
    distance: Floats,
    location: Ints,
    x: Panels,
    near: Near,
    growth: float,
    x_rows: Array,
    y: Panels,
    y_rows: Array,
    combine: int,
    period: Floats,
    weight: Floats,
) -> None:
    """Compute the distances of the candidates and merge them into the lists of their rows.

    Parameters
    ----------
    distance, location
        (N, k) lists of the block that the rows of ``x`` are from, updated in place; those of
        rows with a count of -1 are left as they are, and those whose limit was too low get one.
    x, near, growth
        The rows, their candidates, and how their upper bounds grow.
    x_rows, y, y_rows
        The rows of the block; the panels that candidates are from, and the rows of their block.
    combine, period, weight
        As in :func:`daskid.kernels.metrics.reduced_distance`.
    """
    # taken out of tuples within a loop, arrays are counted each time
    _, bound, positions, held, due, total, _, slack = near
    x_order, y_order, y_who, limits = x.order, y.order, y.who, near.limit
    k, most = location.shape[1], positions.shape[1]
    spare, spare_where = np.empty(most), np.empty(most, np.int64)
    values, where, lanes = np.empty(most), np.empty(most, np.int64), np.empty(LANES)
    for row in range(x_order.size):
        if held[row] < 0:
            continue
        limit = lower_limit(
            bound[row], positions[row], held, due, row, k, limits[row], slack[row], growth
        )
        n, i = held[row], x_order[row]
        doubtful = n >= 0 and total[row] > 0 and limit < np.inf
        if doubtful and reached(bound[row, :n], slack[row], growth, limit) < k:
            held[row] = n = -1
        if n <= 0:
            continue
        for c in range(n):
            where[c] = y_order[positions[row, c]]
        distances_to(x_rows, i, y_rows, where[:n], combine, period, weight, lanes, values)
        for c in range(n):
            where[c] = y_who[0, positions[row, c]]
        sorted_lists.sort_entries(values[:n], where[:n], spare, spare_where)
        sorted_lists.merge_entries(
            distance[i], location[i], values[:n], where[:n], spare, spare_where
        )


@jit
def merge_in_turn(
    distance: Floats, location: Ints, turn: Ints, order: Ints, near: Near, error: Floats,
    worst: float, stretch: float, x_rows: Array, y: Panels, y_rows: Array, combine: int,
    period: Floats, weight: Floats, reach: Floats,
) -> None:  # fmt: skip
    """Compute distances in the order of their bounds, and merge them into the lists.

    Parameters
    ----------
    distance, location
        (N, k) lists of the block, updated in place but for rows that are left to do.
    turn, order
        Which rows come first, and where in the block they are.
    near, error, worst, stretch
        Their candidates, by the squared distances of coordinates: no further than ``stretch``
        times distances, plus the ``error`` (n,) of the row and the ``worst`` of the others.
    x_rows, y, y_rows, combine, period, weight
        As in :func:`merge_near`.
    reach
        (n,) of -1; of rows that are left to do, the reduced distance that neighbors are within.
    """
    limits, bound, positions, held, _, _, _, _ = near
    y_order, y_who = y.order, y.who
    k, most = location.shape[1], positions.shape[1]
    low, which = np.empty(most), np.empty(most, np.int64)
    values, where, lanes = np.empty(most), np.empty(most, np.int64), np.empty(LANES)
    spare, spare_where = np.empty(most), np.empty(most, np.int64)
    own, own_where = np.empty(k), np.empty(k, np.int64)
    for row in turn:
        n, i, off = held[row], order[row], error[row] + worst
        if n < 0:
            reach[row] = np.inf
            continue
        for c in range(n):
            low[c], which[c] = bound[row, c], positions[row, c]
        sorted_lists.sort_entries(low[:n], which[:n], spare, spare_where)
        put_list(distance[i], location[i], own, own_where)
        first, size = 0, max(k, LEAST_AT_ONCE)
        ceiling = ceiling_of(own[k - 1], combine, stretch, off)
        while first < n and low[first] <= ceiling:
            stop = up_to_ceiling(low, first, min(n, first + size), ceiling)
            for c in range(first, stop):
                where[c] = y_order[which[c]]
            some, places = values[first:stop], where[first:stop]
            distances_to(x_rows, i, y_rows, places, combine, period, weight, lanes, some)
            for c in range(first, stop):
                where[c] = y_who[0, which[c]]
            sorted_lists.sort_entries(some, places, spare, spare_where)
            sorted_lists.merge_entries(own, own_where, some, places, spare, spare_where)
            ceiling = ceiling_of(own[k - 1], combine, stretch, off)
            first, size = stop, max(k // 4, LEAST_AT_ONCE)
        if first == n and ceiling > limits[row]:
            reach[row] = reduced_of(own[k - 1], combine)
        else:
            put_list(own, own_where, distance[i], location[i])


@inlined
def put_list(distance: Floats, location: Ints, to: Floats, to_location: Ints) -> None:
    """Copy a list."""
    for c in range(distance.size):
        to[c], to_location[c] = distance[c], location[c]


@inlined
def up_to_ceiling(low: Floats, first: int, last: int, ceiling: float) -> int:
    """Return where, between two places of sorted bounds, those above a ceiling begin."""
    stop = first + 1
    while stop < last and low[stop] <= ceiling:
        stop += 1
    return stop


@inlined
def reduced_of(distance: float, combine: int) -> float:
    """Return what :func:`daskid.kernels.metrics.largest_reduced` does."""
    return distance * distance * SAME_ROOT if combine == SQUARE else 2 * distance


@inlined
def ceiling_of(distance: float, combine: int, stretch: float, error: float) -> float:
    """Return what the squared distance of coordinates does not exceed."""
    root = np.sqrt(reduced_of(distance, combine)) * stretch + error
    return float(root * root * (1 + 1e-12))


@inlined
def reached(bound: Array, slack: float, growth: float, limit: float) -> int:
    """Return how many upper bounds do not exceed a limit."""
    count = 0
    for low in bound:
        count += bool((np.float64(low) + slack) * growth <= limit)
    return count


@jit
def distances_to(
    x: Array,
    i: int,
    y: Array,
    others: Ints,
    combine: int,
    period: Floats,
    weight: Floats,
    lanes: Floats,
    out: Floats,
) -> None:
    """Write the distances of row i of ``x`` from the rows ``others`` of ``y`` to ``out``."""
    plain = combine <= HALF_SQUARE and period.size == 0 and weight.size == 0
    for c in range(others.size):
        if c + 1 < others.size:
            fetch_row(y, others[c + 1])
        if plain:
            reduced = row_squares(x, i, y, others[c], lanes)
            out[c] = np.sqrt(reduced) if combine == SQUARE else 0.5 * reduced
        else:
            out[c] = distance_of(x[i], y[others[c]], combine, period, weight, lanes)


@jit
def compare_all(
    distance: Floats,
    location: Ints,
    part: Ints,
    x: Array,
    x_who: Ints,
    y: Array,
    y_who: Ints,
    combine: int,
    period: Floats,
    weight: Floats,
    exclude: int,
) -> None:
    """Merge every row of ``y`` into the lists ``part``: no bounds.

    Parameters are those of :func:`merge_near`; ``x`` holds all rows, of which ``part`` are
    compared.
    """
    most = 2 * location.shape[1] + SPARE
    lanes, values = np.empty(LANES), np.empty(y.shape[0])
    new, spare = np.empty(most), np.empty(most)
    where, spare_where = np.empty(most, np.int64), np.empty(most, np.int64)
    for i in part:
        for j in range(values.size):
            values[j] = distance_of(x[i], y[j], combine, period, weight, lanes)
        sorted_lists.merge_nearest(
            distance[i], location[i], values, x_who, i, y_who, exclude,
            new, where, spare, spare_where,
        )  # fmt: skip
