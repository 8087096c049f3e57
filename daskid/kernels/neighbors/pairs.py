"""Every row of some panels against every row of others: which of them can be neighbors.

A pair is looked at once, for both of its rows. A row keeps the pairs with a lower bound up to its
limit, and lowers the limit to an upper bound of its k-th smallest ones when it has collected some
more. No neighbor is lost: its lower bound is never above the limit. Rows come in random order, so
that while few of them were seen, the limit of a list that was empty may be that of fewer than k:
whether it was too low is seen at the end.
"""

from typing import Any, NamedTuple

import numpy as np

from daskid.kernels._jit import inlined, jit
from daskid.kernels._simd import (
    STRIDE,
    TILE,
    compare_tile,
    lowest_bit,
    panel_rows,
    up_to,
    without_lowest,
)
from daskid.kernels.neighbors.panels import Bounds, Panels
from daskid.kernels.selection import first_bits, kth_smallest, no_neighbor, rank_among
from daskid.typing import Array, Floats, Ints

SPARE = 64
"""Candidates of a row beside twice its list: room for what rounding can't tell apart."""
COLLECTED = 8
"""Candidates that a row collects at least before it lowers its limit."""
GROUP_BYTES = 384 << 10
"""Panels that are compared in turn with each other panel: they stay in the cache of a core."""


HITS = 1024
"""Pairs that are noted before they are looked at one by one."""


class Near(NamedTuple):
    """What rows in panels keep: the bounds (n, capacity) and positions of their candidates.

    ``limit`` is the largest lower bound that can be one of a neighbor, in the dtype of the
    bounds; ``held`` how many candidates there are, -1 where they overflowed; ``due`` the number
    at which the limit is lowered; ``total`` how many rows are compared with an empty list in all,
    0 for other lists; ``who`` and ``slack`` those of the panels.
    """

    limit: Array
    bound: Array
    position: Array
    held: Ints
    due: Ints
    total: Ints
    who: Ints
    slack: Floats


def nothing_near(panels: Panels, k: int, limit: Floats, total: int) -> Near:
    """Return no candidates.

    Parameters
    ----------
    panels, k
        The rows, and the length of their lists.
    limit
        (n,) largest reduced distances that are of interest, in the units of the panels.
    total
        How many rows these are compared with.
    """
    n, capacity = panels.order.size, -(-(2 * k + SPARE) // STRIDE) * STRIDE
    dtype = panels.values.dtype
    start = np.full(panels.add.size, -np.inf, dtype)
    with np.errstate(over="ignore"):  # infinite is right
        start[:n] = np.nextafter(limit.astype(dtype), np.inf, dtype=dtype)
    return Near(
        start,
        np.empty((n, capacity), dtype),
        np.empty((n, capacity), np.int32),
        np.zeros(n, np.int64),
        np.full(n, min(capacity, 2 * COLLECTED)),
        np.where(np.isfinite(limit), 0, total),
        panels.who,
        panels.slack,
    )


def nobody_near(panels: Panels) -> Near:
    """Return candidates of rows that want none."""
    dtype, none = panels.values.dtype, np.zeros(0, np.int64)
    limit = np.full(panels.add.size, -np.inf, dtype)
    bound, position = np.empty((0, 0), dtype), np.empty((0, 0), np.int32)
    return Near(limit, bound, position, none, none, none, panels.who, panels.slack)


def sweep(
    x: Panels, y: Panels, x_near: Near, y_near: Near, bounds: Bounds, k: int, exclude: int
) -> None:
    """Collect the candidates among all pairs of rows; of ``x`` itself, if that is ``y``."""
    dtype = x.values.dtype
    width = panel_rows(dtype)
    group = max(1, GROUP_BYTES // (width * x.features * dtype.itemsize))
    room = HITS + TILE * width
    hits = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, dtype)
    rule = bounds.form, dtype.type(bounds.factor), bounds.growth
    compare_panels(
        x.values, y.values, x.features, x.period, x.add, y.add, x.who, y.who,
        x_near, y_near, *rule, k, exclude, x is y, group, *hits,
        np.empty(TILE * width, dtype), np.empty(TILE, np.uint64),
    )  # fmt: skip


@jit
def compare_panels(
    x: Array, y: Array, features: int, period: Array, x_add: Array, y_add: Array, x_who: Ints,
    y_who: Ints, x_near: Near, y_near: Near, form: int, factor: float, growth: float, k: int,
    exclude: int, same: bool, group: int, row: Array, column: Array, value: Array, low: Array,
    masks: Array,
) -> None:  # fmt: skip
    """Compare panels with panels; with themselves and those behind them, if both are the same.

    Parameters
    ----------
    x, y, features, period, x_add, y_add, x_who, y_who
        As in :class:`daskid.kernels.neighbors.panels.Panels`.
    x_near, y_near
        The candidates of the rows, which are collected.
    form, factor, growth
        As in :class:`daskid.kernels.neighbors.panels.Bounds`.
    k, exclude
        Length of the lists, and frames of a trajectory that are no neighbors.
    same, group
        Whether ``x`` is ``y``, and how many of its panels stay in the cache.
    row, column, value, low, masks
        Scratch: pairs that reached a limit, and a tile.
    """
    x_limit, y_limit = x_near.limit, y_near.limit
    width = low.size // TILE
    hits: Any = np.int64(0)  # for a constant, what it is passed to is compiled once more
    size = width * features
    x_panels, y_panels = x_add.size // width, y_add.size // width
    for start in range(0, y_panels, group):
        stop = min(start + group, y_panels)
        for a in range(stop if same else x_panels):
            for b in range(max(a, start) if same else start, stop):
                j = b * width
                for r in range(0, width, TILE):
                    i = a * width + r
                    if compare_tile(
                        form, x, a * size + r, y, b * size, features, period, factor,
                        x_add, i, y_add, j, x_limit, y_limit, low, masks,
                    ):  # fmt: skip
                        hits = _note(i, j, width, same, low, masks, row, column, value, hits)
                        if hits > HITS:
                            _collect(row, column, value, hits, y_who, exclude, k, growth, x_near)
                            _collect(column, row, value, hits, x_who, exclude, k, growth, y_near)
                            hits = 0
    _collect(row, column, value, hits, y_who, exclude, k, growth, x_near)
    _collect(column, row, value, hits, x_who, exclude, k, growth, y_near)


@inlined
def _note(
    i: int,
    j: int,
    width: int,
    same: bool,
    low: Array,
    masks: Array,
    row: Array,
    column: Array,
    value: Array,
    hits: int,
) -> int:
    """Note the pairs of a tile that reached a limit; return how many are noted by now."""
    for r in range(TILE):
        mask = masks[r]
        while mask:
            c = lowest_bit(mask)
            mask = without_lowest(mask)
            row[hits], column[hits], value[hits] = i + r, j + c, low[r * width + c]
            hits += not same or j + c > i + r
    return hits


@jit
def _collect(
    rows: Array,
    others: Array,
    values: Array,
    hits: int,
    other_who: Ints,
    exclude: int,
    k: int,
    growth: float,
    near: Near,
) -> None:
    """Append pairs to the candidates of one of their rows, where they are any."""
    # taken out of the tuple within the loop, arrays are counted, which takes longer than all else
    limit, bound, position, held, due, total, who, slack = near
    for h in range(hits):
        row: Any = np.int64(rows[h])  # one kind of numbers: one compilation of what takes them
        other, value = others[h], values[h]
        if value > limit[row] or no_neighbor(who, row, other_who, other, exclude):
            continue
        count = held[row]
        bound[row, count] = value
        position[row, count] = other
        held[row] = count + 1
        if count + 1 == due[row]:
            # others come in order
            rank = rank_among(k, other + 1, total[row])
            limit[row] = lower_limit(
                bound[row], position[row], held, due, row, rank, limit[row], slack[row], growth
            )


@jit
def lower_limit(
    bound: Array,
    position: Array,
    count: Ints,
    due: Ints,
    row: int,
    rank: int,
    limit: float,
    slack: float,
    growth: float,
) -> float:
    """Drop the candidates that are none any more; return the new limit.

    A row that keeps almost as many as it can hold gets a count of -1, and collects no more.

    Parameters
    ----------
    bound, position
        (capacity,) candidates of the row.
    count, due, row
        How many candidates rows have, at which count it is this function's turn, and the row.
    rank
        How many of them the limit leaves room for.
    limit, slack, growth
        The limit so far, and what an upper bound is made from.
    """
    held, none = count[row], bound.dtype.type(-slack)
    low = kth_smallest(bound, held, rank, none, limit)
    new = limit
    if np.isfinite(low):
        # one more rounding: to the dtype of the bounds
        high = (np.float64(low) + slack) * growth * (1 + 2.0**-22)
        new = min(limit, bound.dtype.type(high))
    kept = 0
    for start in range(0, held, STRIDE):
        mask = up_to(bound, start, new) & first_bits(held - start)
        while mask:
            c = start + lowest_bit(mask)
            mask = without_lowest(mask)
            bound[kept] = bound[c]
            position[kept] = position[c]
            kept += 1
    count[row] = kept
    due[row] = min(bound.size, kept + max(COLLECTED, kept // 2))
    if kept > bound.size - COLLECTED:
        count[row] = -1
        new = bound.dtype.type(-np.inf)
    return new
