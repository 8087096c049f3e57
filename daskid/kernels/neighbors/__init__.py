"""The k nearest locations of rows, exact, block of rows against block of rows.

Candidates are selected by bounds of reduced distances (register tiles of products or
differences; of many features first those in few coordinates), then their distances are computed
by differences in float64.
Lists are sorted by distance, then by location; free slots hold ``(inf, -1)``: the
result does not depend on the order, size or number of blocks.
"""

import numpy as np

from daskid.kernels import bits
from daskid.kernels.metrics import DIFFERENT, largest_reduced
from daskid.kernels.neighbors.given import (
    BEATEN_BY_ALL,
    Block,
    Lists,
    Space,
    compared,
    empty_lists,
    seeded_lists,
    unit_of,
)
from daskid.kernels.neighbors.merge import compare_all, merge_near
from daskid.kernels.neighbors.pairs import Near, nobody_near, nothing_near, sweep
from daskid.kernels.neighbors.panels import Bounds, Panels, bounds_of, form_of, panels_of
from daskid.kernels.neighbors.pilot import is_worth_it
from daskid.kernels.neighbors.projected import (
    projection_of,
    update_pair_projected,
    update_projected,
    with_axes,
    work_left,
)
from daskid.typing import Floats, Ints

__all__ = [
    "BEATEN_BY_ALL",
    "Block",
    "Lists",
    "Space",
    "compared",
    "empty_lists",
    "is_worth_it",
    "part_rows",
    "seeded_lists",
    "update",
    "update_pair",
    "update_self",
    "with_axes",
    "work_left",
]

MOST_ROWS, PART_BYTES, LEAST_PART = 2048, 16 << 20, 32
"""Rows of ``x`` that are in panels at a time: as many as fit, or so few at the least."""
DIFFERENCES_BELOW = 3
"""Up to so many features, sums of squared differences are as fast as products, and exacter."""
LARGEST_FLOAT32 = 1 << 20
"""From so many features on, rounding in float32 is as large as distances."""


def update(lists: Lists, x: Block, y: Block, space: Space) -> None:
    """Bring the lists of the rows of ``x`` up to date with the rows of ``y``, in place.

    Rows whose candidates overflow in float32 are selected again in float64, and
    those that overflow there too (hundreds of equal distances) are compared
    with every row of ``y``.
    """
    if space.combine == DIFFERENT:
        columns = np.ascontiguousarray(y.rows.T)
        bits.update_lists(
            *lists, x.rows, x.who, columns, y.who, space.weight, space.scale, space.exclude
        )
        return
    first, left = _first_bounds(x, space), np.arange(x.rows.shape[0])
    if first is not None:
        seen = projection_of(lists, x, y, space, part_rows(x.rows.shape[1]), both=False)
        if seen is not None:
            left = update_projected(lists, x, y, space, seen)
    _update_part(lists, x, left, y, space, first)


def update_pair(x_lists: Lists, y_lists: Lists, x: Block, y: Block, space: Space) -> None:
    """Bring the lists of both blocks up to date with the rows of the other one, in place.

    Each pair of rows is evaluated once where one product serves both, as in :func:`update`
    where it does not. The blocks are different ones.
    """
    first = _first_bounds(x, space)
    if first is None:
        update(x_lists, x, y, space)
        update(y_lists, y, x, space)
        return
    k = x_lists.distance.shape[1]
    seen = projection_of(x_lists, x, y, space, part_rows(x.rows.shape[1]), both=True)
    if seen is not None:
        x_left, y_left = update_pair_projected(x_lists, y_lists, x, y, space, seen)
        _update_part(x_lists, x, x_left, y, space, first)
        _update_part(y_lists, y, y_left, x, space, first)
        return
    a, b = (panels_of(z, space, np.float32, first, np.arange(z.rows.shape[0])) for z in (x, y))
    x_near = nothing_near(a, k, _limits(x_lists, a, space), b.order.size)
    y_near = nothing_near(b, k, _limits(y_lists, b, space), a.order.size)
    sweep(a, b, x_near, y_near, first, k, space.exclude)
    x_left = _merge(x_lists, x, a, x_near, y, b, first, space)
    y_left = _merge(y_lists, y, b, y_near, x, a, first, space)
    _update_part(x_lists, x, x_left, y, space, None)
    _update_part(y_lists, y, y_left, x, space, None)


def update_self(lists: Lists, x: Block, space: Space) -> None:
    """Bring the lists of a block up to date with its own rows, in place, each pair once."""
    first = _first_bounds(x, space)
    if first is None:
        update(lists, x, x, space)
        return
    k, everyone = lists.distance.shape[1], np.arange(x.rows.shape[0])
    seen = projection_of(lists, x, x, space, part_rows(x.rows.shape[1]), both=True)
    if seen is not None:
        left, _ = update_pair_projected(lists, lists, x, x, space, seen)
        _update_part(lists, x, left, x, space, first)
        return
    panels = panels_of(x, space, np.float32, first, everyone)
    near = nothing_near(panels, k, _limits(lists, panels, space), everyone.size)
    sweep(panels, panels, near, near, first, k, space.exclude)
    left = _merge(lists, x, panels, near, x, panels, first, space)
    _update_part(lists, x, left, x, space, None)


def part_rows(features: int) -> int:
    """Return how many rows of ``x`` are taken at a time by :func:`update`."""
    return min(MOST_ROWS, max(LEAST_PART, PART_BYTES // (8 * features)))


def _first_bounds(x: Block, space: Space) -> Bounds | None:
    """Return the bounds in float32; None where there are none."""
    features = x.rows.shape[1]
    if space.combine == DIFFERENT or features >= LARGEST_FLOAT32:
        return None
    form = form_of(space, features <= DIFFERENCES_BELOW)
    return bounds_of(features, np.float32, form)


def _update_part(
    lists: Lists, x: Block, todo: Ints, y: Block, space: Space, first: Bounds | None
) -> None:
    """Update the lists of the rows ``todo``; ``first`` are bounds in float32 to begin with."""
    if todo.size == 0 or y.rows.shape[0] == 0:
        return
    if first is not None:
        todo = _update_rows(lists, x, todo, y, space, np.float32, first)
    if todo.size:
        last = bounds_of(x.rows.shape[1], np.float64, form_of(space, few=True))
        todo = _update_rows(lists, x, todo, y, space, np.float64, last)
    if todo.size:
        compare_all(
            lists.distance, lists.location, todo, x.rows, x.who, y.rows, y.who,
            space.combine, space.period, space.weight, space.exclude,
        )  # fmt: skip


def _update_rows(
    lists: Lists, x: Block, rows: Ints, y: Block, space: Space, dtype: type, bounds: Bounds
) -> Ints:
    """Update the lists of some rows of ``x``; return those that overflowed."""
    k, left = lists.distance.shape[1], [rows[:0]]
    b = panels_of(y, space, dtype, bounds, np.arange(y.rows.shape[0]))
    nobody = nobody_near(b)
    for part in np.array_split(rows, max(1, -(-rows.size // part_rows(x.rows.shape[1])))):
        a = panels_of(x, space, dtype, bounds, part)
        total = b.order.size if dtype == np.float32 else 0
        near = nothing_near(a, k, _limits(lists, a, space), total)
        sweep(a, b, near, nobody, bounds, k, space.exclude)
        left.append(_merge(lists, x, a, near, y, b, bounds, space))
    return np.concatenate(left)


def _limits(lists: Lists, panels: Panels, space: Space) -> Floats:
    return largest_reduced(lists.distance[panels.order, -1], space.combine) * unit_of(space)


def _merge(
    lists: Lists, x: Block, a: Panels, near: Near, y: Block, b: Panels, bounds: Bounds, space: Space
) -> Ints:
    """Merge the candidates into the lists; return the rows that overflowed."""
    merge_near(
        *lists, a, near, bounds.growth, x.rows, b, y.rows, space.combine, space.period, space.weight
    )
    return a.order[near.held < 0]
