"""Rows as register tiles take them: centered, scaled, in random order, side by side in panels.

A tile gives lower bounds of reduced distances, in units of the scale or its square. What is added
up over features, products or differences, comes with a rounding error; the shrunk norms that are
added make up for it.
"""

from typing import NamedTuple

import numpy as np

from daskid.kernels._jit import jit
from daskid.kernels._simd import (
    ABSOLUTES,
    LANES,
    LARGESTS,
    PRODUCTS,
    SQUARES,
    WRAPPED,
    panel_rows,
    squares,
)
from daskid.kernels.metrics import ABSOLUTE, HALF_SQUARE, LARGEST
from daskid.kernels.neighbors.given import Block, Space, factor_of
from daskid.typing import Array, Floats, Ints

SLACK = 2.0**-10
"""What bounds by differences are loose by, relative to the distance, so that norms count less."""


FORMS = {ABSOLUTE: ABSOLUTES, LARGEST: LARGESTS}


class Bounds(NamedTuple):
    """How a sum over features becomes a lower bound, and that an upper one.

    The lower bound is ``factor`` times the sum, plus of both rows ``keep`` times the norm less
    ``floor``. The upper bound is ``(low + spread * norm + 4 * floor) * growth``, with the norm of
    either row: squared where squares are added up, else the sum or the largest of its values.
    """

    form: int
    factor: float
    keep: float
    spread: float
    growth: float
    floor: float


class Panels(NamedTuple):
    """Rows in panels: all of a feature of a panel, then those of the next one.

    ``values`` is flat; row p is ``order[p]`` of its block and ``who[:, p]``; ``add`` is what its
    bounds are raised by, NaN behind the last row; ``slack`` what its upper bounds are raised by.
    ``period`` (d,) is infinite where there is none, empty without any.
    """

    values: Array
    features: int
    period: Array
    order: Ints
    who: Ints
    add: Array
    slack: Floats


def form_of(space: Space, few: bool) -> int:
    """Return what is added up over the features of rows, of which there are ``few`` or not."""
    if space.combine <= HALF_SQUARE and not space.period.size:
        return SQUARES if few else PRODUCTS
    form = SQUARES if space.combine <= HALF_SQUARE else FORMS[space.combine]
    return form + WRAPPED * (space.period.size > 0)


def bounds_of(features: int, dtype: type, form: int) -> Bounds:
    """Return the bounds of reduced distances of rows with norms of about one.

    With the unit roundoffs u of ``dtype`` and v of float64. *Products*: the sum loses d u,
    relative to the sum of the squared norms; the cast, the shrunk norms and their sum 11 u;
    centering 12 v, norms (d + 1) v, the reduced distance and its root (d / 16 + 28) v; the rest
    of e is for second order. A squared norm is at most twice the other one and the squared
    distance D, so that D <= low + 2 e (3 norm + 2 D). *Squares*: with s the distance of the
    rows as rounded, q = u times the sum of both norms and any a, D <= (1 + a) s s + (1 + 1 / a) q q
    and the other way round; sums of positive terms lose (d + 3) u, less than a. *Absolutes,
    largests*: differences are off by u times the sum of both values, sums lose (d + 3) u, and a
    norm is at most the other one and the distance. With periods, what is left of one is off by u
    times the period as well: it counts as twice as much in norms, of all rows alike.
    """
    u, v = float(np.finfo(dtype).eps) / 2, float(np.finfo("f8").eps) / 2
    floor = 16 * (features + 32) * float(np.finfo(dtype).tiny)
    if form == PRODUCTS:
        product = (features + 32) * u
        error = 1.01 * (product / (1 - product) + (2 * features + 64) * v)
        return Bounds(form, -2.0, 1 - error, 6 * error, 1 / (1 - 4 * error), floor)
    wide = 4 * (features + 32) * u
    if form in (SQUARES, SQUARES + WRAPPED):
        wide += SLACK
        error = 4 * (1 + 1 / SLACK) * (u + 16 * v) ** 2
    else:
        error = 4 * (u + 16 * v)
    return Bounds(form, 1 - 2 * wide, -error, 8 * error, 1 + 8 * wide, floor)


def panels_of(block: Block, space: Space, dtype: type, bounds: Bounds, rows: Ints) -> Panels:
    """Return some rows of a block as panels, shuffled, always the same way."""
    n, features = rows.size, block.rows.shape[1]
    width = panel_rows(dtype)
    order = rows[np.random.default_rng(0).permutation(n)]
    held = -(-n // width) * width
    factor = factor_of(features, space)
    values: Array = np.empty(held * features, dtype)
    norm = np.full(held, np.nan)
    write_panels(block.rows, order, space.center, factor, width, space.combine, values, norm)
    period = _periods(space, factor)
    counted = 2 * period[np.isfinite(period)]
    if space.combine == LARGEST:
        norm = np.maximum(norm, counted.max(initial=0.0))
    else:
        norm += (counted**2 if space.combine <= HALF_SQUARE else counted).sum()
    add: Array = (bounds.keep * norm - bounds.floor).astype(dtype)
    slack = bounds.spread * norm + 4 * bounds.floor
    who = np.take(block.who, order, axis=1)
    return Panels(values, features, period.astype(dtype), order, who, add, slack)


def _periods(space: Space, factor: Floats) -> Floats:
    """Return the periods in the units of panels; values up to one are never nearer beyond four."""
    period = space.period * factor if space.period.size else space.period
    return np.where((space.period > 0) & (period < 4), period, np.inf)


@jit
def write_panels(
    rows: Array, order: Ints, center: Floats, factor: Floats, width: int, combine: int, out: Array,
    norm: Floats,
) -> None:  # fmt: skip
    """Write centered ``rows[order]`` times ``factor`` (d,) in panels, and their norms."""
    features = rows.shape[1]
    lanes, row, origin = np.empty(LANES), np.zeros(features), np.zeros(features)
    row, origin = row.astype(out.dtype), origin.astype(out.dtype)
    for p in range(order.size):
        given = rows[order[p]]
        for f in range(features):
            row[f] = (np.float64(given[f]) - center[f]) * factor[f]
        start = p // width * width * features + p % width
        for f in range(features):
            out[start + f * width] = row[f]
        if combine <= HALF_SQUARE:
            norm[p] = squares(row, origin, lanes)
        else:
            total = 0.0
            for f in range(features):
                size = abs(np.float64(row[f]))
                total = max(total, size) if combine == LARGEST else total + size
            norm[p] = total
    for p in range(order.size, norm.size):
        start = p // width * width * features + p % width
        for f in range(features):
            out[start + f * width] = 0.0
