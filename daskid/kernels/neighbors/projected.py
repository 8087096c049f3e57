"""Candidates first among few coordinates: most pairs of rows never need all features.

A pair is never further apart in coordinates than in all features (:mod:`daskid.kernels.axes`).
Rows keep more candidates than they have neighbors. Distances are computed in the order of these
bounds until what comes next is further than the k-th neighbor; where candidates run out before,
the row is looked at once more with the distance that it has found, and then with all features.
"""

from typing import NamedTuple

import numpy as np

from daskid.kernels import axes as principal
from daskid.kernels._simd import PRODUCTS
from daskid.kernels.metrics import largest_reduced
from daskid.kernels.neighbors.given import Block, Lists, Space, factor_of, is_direct
from daskid.kernels.neighbors.merge import merge_in_turn
from daskid.kernels.neighbors.pairs import SPARE, Near, nobody_near, nothing_near, sweep
from daskid.kernels.neighbors.panels import Bounds, Panels, bounds_of, panels_of
from daskid.kernels.neighbors.pilot import (
    Given,
    Pilot,
    axes_of,
    is_worth_it,
    pilot_of,
    share_of_work,
)
from daskid.typing import Array, Floats, Ints

NONE = np.zeros(0)
CODED = 8
"""Coordinates whose signs say which rows are near each other."""
AGAIN = 4
"""Candidates of rows that are looked at once more, for each one before."""


class Projection(NamedTuple):
    """How rows are seen: ``axes`` (d, p) of centered rows times ``factor`` (d,).

    ``error`` of coordinates relative to lengths, ``stretch`` of distances, ``bounds`` of products
    of coordinates; ``rank``, how many candidates a row keeps; ``step``, how many rows are taken
    at a time where a pair serves one of its rows.
    """

    axes: Floats
    center: Floats
    factor: Floats
    error: float
    stretch: float
    bounds: Bounds
    rank: int
    step: int


class Seen(NamedTuple):
    """Coordinates of rows in panels, their errors (n,), and the order in which rows take turns."""

    panels: Panels
    error: Floats
    turn: Ints


def projection_of(
    lists: Lists, x: Block, y: Block, space: Space, step: int, *, both: bool
) -> Projection | None:
    """Return how to see the rows of two blocks; None where all features are as fast.

    Parameters
    ----------
    lists
        Those of the rows of ``x``.
    x, y
        The blocks.
    space
        How rows are compared.
    step
        Rows of ``x`` that are taken at a time where a pair serves one of its rows.
    both
        Whether a pair serves both its rows.
    """
    (n, features), m = x.rows.shape, y.rows.shape[0]
    if is_direct(space) or not is_worth_it(n, m, features, known=space.axes.size > 0):
        return None
    given = _given(features, space, lists.distance.shape[1], both=both)
    limit = largest_reduced(lists.distance[:, -1], space.combine) * space.scale**2
    pilot = pilot_of(x, y, limit, given)
    return None if pilot is None else _projection(pilot, given, step)


def work_left(
    rows: Array, space: Space, k: int, size: tuple[int, int], blocks: int, *, both: bool
) -> float:
    """Return about which share of the work of all features a search of such rows takes.

    Parameters
    ----------
    rows
        (m, d) random rows in the form that is compared.
    space, both
        As in :func:`projection_of`.
    k, size, blocks
        Length of the lists; how many rows are compared with how many, in how many blocks.
    """
    features = rows.shape[1]
    if is_direct(space) or not is_worth_it(*size, features, known=True):
        return 1.0
    return share_of_work(rows, size, blocks, _given(features, space, k, both=both))


def with_axes(rows: Array, space: Space) -> Space:
    """Return a space that knows the axes of its rows, of which some random (m, d) are given."""
    factor = factor_of(rows.shape[1], space)
    return space._replace(axes=axes_of(rows, space.center, factor))


def _given(features: int, space: Space, k: int, *, both: bool) -> Given:
    return Given(
        space.center, factor_of(features, space), space.axes, k, most_rank(k), both
    )  # fmt: skip


def most_rank(k: int) -> int:
    """Return how many candidates have room among those of a list, and some new ones."""
    return (2 * k + SPARE) * 2 // 3


def _projection(pilot: Pilot, given: Given, step: int) -> Projection:
    features, p = pilot.axes.shape
    error = 4 * principal.U + principal.lost(pilot.axes)
    bounds = bounds_of(p + 1, np.float32, PRODUCTS)
    stretch = principal.stretch(features)
    return Projection(
        pilot.axes, given.center, given.factor, error, stretch, bounds, pilot.rank, step
    )


def update_projected(lists: Lists, x: Block, y: Block, space: Space, seen: Projection) -> Ints:
    """Update the lists of ``x`` with the rows of ``y``; return the rows that are left to do."""
    everyone = np.arange(x.rows.shape[0])
    b = _seen(y, np.arange(y.rows.shape[0]), seen)
    return _one_way(lists, x, everyone, y, b, space, seen, None)


def update_pair_projected(
    x_lists: Lists, y_lists: Lists, x: Block, y: Block, space: Space, seen: Projection
) -> tuple[Ints, Ints]:
    """Update the lists of two blocks, or one; return the rows of each that are left to do."""
    same, k = x is y, x_lists.distance.shape[1]
    a = _seen(x, np.arange(x.rows.shape[0]), seen)
    b = a if same else _seen(y, np.arange(y.rows.shape[0]), seen)
    a_near = nothing_near(a.panels, k, _limits(x_lists, a, b, space, seen), b.panels.order.size)
    b_near = a_near
    if not same:
        b_near = nothing_near(b.panels, k, _limits(y_lists, b, a, space, seen), a.turn.size)
    sweep(a.panels, b.panels, a_near, b_near, seen.bounds, seen.rank, space.exclude)
    x_left = _finish(x_lists, x, a, a_near, y, b, space, seen)
    if same:
        return x_left, x_left
    return x_left, _finish(y_lists, y, b, b_near, x, a, space, seen)


def _seen(block: Block, rows: Ints, projection: Projection) -> Seen:
    """Return some rows of a block as they are seen."""
    axes, center, factor, error, _, bounds, *_ = projection
    own = block.rows if rows.size == block.rows.shape[0] else block.rows[rows]
    points, length = principal.along(own, axes, center, factor, "f4")
    q = points.shape[1]
    plain = Space(0, NONE, NONE, NONE, np.zeros(q), 1.0, 0)
    who = np.take(block.who, rows, axis=1)
    panels = panels_of(Block(points, who), plain, np.float32, bounds, np.arange(rows.size))
    order = panels.order
    above = points[:, :CODED] > np.median(points[:, :CODED], axis=0) if rows.size else points > 0
    code = above @ (1 << np.arange(above.shape[1]))
    turn = np.argsort(code[order], kind="stable")
    return Seen(panels._replace(order=rows[order]), error * length[order], turn)


def _limits(lists: Lists, a: Seen, b: Seen, space: Space, seen: Projection) -> Floats:
    """Return what bounds do not exceed, for rows of ``a`` that see those of ``b``."""
    last = largest_reduced(lists.distance[a.panels.order, -1], space.combine)
    return _ceilings(last, a, b, space, seen)


def _ceilings(reduced: Floats, a: Seen, b: Seen, space: Space, seen: Projection) -> Floats:
    root = np.sqrt(reduced) * space.scale * seen.stretch + a.error + b.error.max(initial=0.0)
    ceiling: Floats = root**2 * (1 + 1e-12)
    return ceiling


def _one_way(
    lists: Lists, x: Block, rows: Ints, y: Block, b: Seen, space: Space, seen: Projection,
    reach: Floats | None,
) -> Ints:  # fmt: skip
    """Update the lists of some rows of ``x``; return those that are left to do.

    ``reach``: reduced distances within which the neighbors of the rows are known to be.
    """
    left = [rows[:0]]
    for start in range(0, rows.size, seen.step):
        own = slice(start, start + seen.step)
        known = None if reach is None else reach[own]
        left.append(_part(lists, x, rows[own], y, b, space, seen, known))
    return np.concatenate(left)


def _part(
    lists: Lists, x: Block, rows: Ints, y: Block, b: Seen, space: Space, seen: Projection,
    reach: Floats | None,
) -> Ints:  # fmt: skip
    a, k, rank, total = _seen(x, rows, seen), lists.distance.shape[1], seen.rank, b.turn.size
    limits = _limits(lists, a, b, space, seen)
    if reach is not None:
        own = np.searchsorted(rows, a.panels.order)
        limits, total = np.minimum(limits, _ceilings(reach[own], a, b, space, seen)), 0
        k *= AGAIN
        rank = most_rank(k)
    near = nothing_near(a.panels, k, limits, total)
    sweep(a.panels, b.panels, near, nobody_near(b.panels), seen.bounds, rank, space.exclude)
    return _finish(lists, x, a, near, y, b, space, seen, last=reach is not None)


def _finish(
    lists: Lists, x: Block, a: Seen, near: Near, y: Block, b: Seen, space: Space,
    seen: Projection, *, last: bool = False,
) -> Ints:  # fmt: skip
    """Merge the candidates into the lists; return the rows that are left to do."""
    reach = np.full(a.turn.size, -1.0)
    worst, stretch = b.error.max(initial=0.0), space.scale * seen.stretch
    merge_in_turn(
        *lists, a.turn, a.panels.order, near, a.error, worst, stretch,
        x.rows, b.panels, y.rows, space.combine, space.period, space.weight, reach,
    )  # fmt: skip
    left = np.flatnonzero(reach >= 0)
    left = left[np.argsort(a.panels.order[left])]
    rows = a.panels.order[left]
    return rows if last else _one_way(lists, x, rows, y, b, space, seen, reach[left])
