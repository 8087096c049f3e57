"""How many rows are nearer than given ones, exactly: tiles of bounds, then distances.

A tile holds reduced distances with a known error. What is further from a limit than that error is
counted where the tile lies, the rest by differences in float64, as in a search: the counts are
those of a sort of all distances, whole numbers that no order of blocks changes.
"""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from daskid.kernels import bits, selection
from daskid.kernels._simd import STRIDE
from daskid.kernels.comparison.counts import count_columns, count_rows, decide, leave_out
from daskid.kernels.metrics import DIFFERENT, HALF_SQUARE, largest_reduced
from daskid.kernels.neighbors import Block, Space
from daskid.typing import Array, Floats, Ints

TILE = 768
"""Rows and columns of a tile, which stays in the cache of a core."""
SIDE_VALUES = 1 << 15
"""Numbers that are centered at once, in the cache."""
DOUBTFUL = 64
"""A tile in float32 with more doubtful values than one in so many is made again in float64."""
EPS = float(np.finfo("f8").eps)


class Counts(NamedTuple):
    """Twice the numbers of nearer rows, plus those at the same distance.

    ``x_rank`` (t, n) and ``y_rank`` (t, m): of the other block, within each limit. ``x_column``
    (s, n) and ``y_column`` (s, m): the limits of each set in the other block that hold the row.
    """

    x_rank: Ints
    x_column: Ints
    y_rank: Ints
    y_column: Ints


class Tile(NamedTuple):
    """Values (n, w), and the bounds of what is in doubt: (t, n) of rows, (t, w) of columns."""

    values: Array
    x_under: Array
    x_over: Array
    y_under: Array
    y_over: Array


Tiles = Callable[[slice, slice], Tile]


def count_nearer(
    x: Block, y: Block, x_limit: Floats, y_limit: Floats, sets: int, space: Space
) -> Counts:
    """Count the rows of either block that are nearer to a row of the other than its limits.

    Parameters
    ----------
    x, y
        Rows as compared, and who they are: number, frame and trajectory. A row is not
        compared with the same number, nor with frames within ``space.exclude`` of it.
    x_limit, y_limit
        (t, n) and (t, m) distances; minus infinity for none.
    sets
        Into how many sets of equal size the limits are dealt, one after another.
    space
        How rows are compared.

    Returns
    -------
    Counts; of ``x`` alone if that is ``y``: those of ``y`` are then 0.
    """
    (limits, n), m = x_limit.shape, y_limit.shape[1]
    found = _nothing(limits, sets, n, m)
    ways = _ways(x, y, x_limit, y_limit, space)
    tiles = next(ways)
    for a in _slices(n):
        for b in _slices(m):
            near = _may_meet(x.who[:, a], y.who[:, b], space.exclude)
            own, other = (Block(z.rows[s], z.who[:, s]) for z, s in ((x, a), (y, b)))
            within = np.array(x_limit[:, a]), np.array(y_limit[:, b])
            for way in chain((tiles,), ways):
                tiles = way  # and of what follows: it is as doubtful
                tile = tiles(a, b)
                if near:
                    leave_out(tile.values, own.who, other.who, space.exclude)
                part = _tile_counts(tile, own, other, *within, sets, space, both=x is not y)
                if part is not None:
                    break
            else:
                part = _row_counts(tile, own, other, *within, sets, space, both=x is not y)
            for whole, counts, where in zip(found, part, (a, a, b, b), strict=True):
                whole[:, where] += counts
    return found


def _nothing(limits: int, sets: int, n: int, m: int) -> Counts:
    sizes = ((limits, n), (sets, n), (limits, m), (sets, m))
    return Counts(*(np.zeros(size, np.int64) for size in sizes))


def _tile_counts(
    tile: Tile, x: Block, y: Block, x_limit: Floats, y_limit: Floats, sets: int, space: Space,
    *, both: bool,
) -> Counts | None:  # fmt: skip
    """Return the counts of a tile, None if too many pairs are in doubt."""
    (limits, n), m = x_limit.shape, y_limit.shape[1]
    part, per = _nothing(limits, sets, n, m), limits // sets
    width = tile.values.shape[1]
    doubt = np.empty((3, limits * max(n // DOUBTFUL, 1) * width), np.int64)
    sides: list[tuple[Any, ...]] = [
        (count_rows, tile.x_under, tile.x_over, x_limit, part.x_rank, part.y_column)
    ]
    if both:
        sides.append(
            (count_columns, tile.y_under, tile.y_over, y_limit, part.y_rank, part.x_column)
        )
    for count, under, over, limit, rank, column in sides:
        held = count(tile.values, under, over, limit, per, rank, column, doubt)
        if held < 0:
            return None
        of_rows, pairs = count is count_rows, doubt[:, :held]
        if space.combine == DIFFERENT:  # values are distances: these are at the limit
            t, own, other = pairs if of_rows else pairs[[0, 2, 1]]
            np.add.at(rank, (t, own), 1)
            np.add.at(column, (t // per, other), 1)
            continue
        rule = space.combine, space.period, space.weight
        decide(pairs, of_rows, x.rows, y.rows, limit, per, *rule, rank, column)
    return part


def _row_counts(
    tile: Tile, x: Block, y: Block, x_limit: Floats, y_limit: Floats, sets: int, space: Space,
    *, both: bool,
) -> Counts:  # fmt: skip
    """Return the counts of a tile row by row: there is room for all pairs of a row."""
    (limits, n), m = x_limit.shape, y_limit.shape[1]
    whole = _nothing(limits, sets, n, m)
    for i in range(n):
        one = slice(i, i + 1)
        own = Block(x.rows[one], x.who[:, one])
        under, over = (np.ascontiguousarray(z[:, one]) for z in (tile.x_under, tile.x_over))
        row = Tile(tile.values[one], under, over, tile.y_under, tile.y_over)
        part = _tile_counts(row, own, y, x_limit[:, one].copy(), y_limit, sets, space, both=both)
        assert part is not None
        for counts, few, where in zip(whole, part, (one, one, slice(m), slice(m)), strict=True):
            counts[:, where] += few
    return whole


def _slices(n: int) -> list[slice]:
    return [slice(a, min(a + TILE, n)) for a in range(0, n, TILE)]


def _may_meet(x_who: Ints, y_who: Ints, exclude: int) -> bool:
    """Return whether a sample may be in both, or two of them too near in time."""
    if x_who[0].max() >= y_who[0].min() and y_who[0].max() >= x_who[0].min():
        return True
    apart = max(y_who[1].min() - x_who[1].max(), x_who[1].min() - y_who[1].max())
    return bool(exclude > 0 and apart <= exclude)


def _ways(x: Block, y: Block, x_limit: Floats, y_limit: Floats, space: Space) -> Iterator[Tiles]:
    """Yield how tiles are made, the fastest way first, the last as good as it gets."""
    if space.combine == DIFFERENT:
        yield _bits(x, y, x_limit, y_limit, space)
    elif space.combine > HALF_SQUARE or space.period.size:
        yield _sums(x, y, x_limit, y_limit, space)
    else:
        for kind in (np.float32, np.float64):
            yield _products(x, y, x_limit, y_limit, space, kind)


def _products(
    x: Block, y: Block, x_limit: Floats, y_limit: Floats, space: Space, kind: type
) -> Tiles:
    """Return tiles of squared distances, times the square of the scale, by one product each.

    With the unit roundoff u of the dtype, a value is wrong by (2 d + 32) u times the sum of both
    squared norms at most: sums of d + 2 products for 2 (d + 2) of these, in whatever order,
    rounded rows and norms for 12, in norms of which a half is left for what is of second order.
    """
    features = x.rows.shape[1]
    unit = float(np.finfo(kind).eps) / 2
    error = (2 * features + 32) * unit + (2 * features + 64) * EPS
    floor = 16 * (features + 32) * float(np.finfo(kind).tiny)
    x_sides, x_norm = _sides(x.rows, space, kind)
    y_sides, y_norm = _sides(y.rows, space, kind)
    x_sides[:, :features] *= -2
    x_slack = error * (x_norm + y_norm.max(initial=0.0)) + floor
    y_slack = error * (y_norm + x_norm.max(initial=0.0)) + floor
    y_sides[:, features:] = y_sides[:, [features + 1, features]]  # one, norm: those of x cross them
    bounds = [
        *_bounds(x_limit, space, 4 * EPS, x_slack, kind),
        *_bounds(y_limit, space, 4 * EPS, y_slack, kind),
    ]

    room: Array = np.empty(TILE * TILE, kind)

    def tile(a: slice, b: slice) -> Tile:
        values = _values(room, a, b)
        width = b.stop - b.start
        if values.shape[1] == width:
            np.matmul(x_sides[a], y_sides[b].T, out=values)
        else:
            values[:, :width] = x_sides[a] @ y_sides[b].T
        return _tile(values, bounds, a, b)

    return tile


def _sides(rows: Array, space: Space, kind: type) -> tuple[Array, Floats]:
    """Return centered and scaled rows with their squared norm and a one behind, and the norms."""
    factor = np.full(rows.shape[1], space.scale)
    if space.weight.size:
        factor *= np.sqrt(space.weight)
    out = np.empty((len(rows), rows.shape[1] + 2), kind)
    norm = np.empty(len(rows))
    few = max(1, SIDE_VALUES // max(1, rows.shape[1]))
    for a in range(0, len(rows), few):
        part = slice(a, a + few)
        y = (rows[part] - space.center) * factor
        norm[part] = np.einsum("ij,ij->i", y, y)
        out[part, :-2] = y
    out[:, -2], out[:, -1] = norm, 1.0
    return out, norm


def _sums(x: Block, y: Block, x_limit: Floats, y_limit: Floats, space: Space) -> Tiles:
    """Return tiles of reduced distances by sums over features: any metric, periods included."""
    wide = (x.rows.shape[1] + 32) * EPS  # sums of at most d positive terms
    rule = space.combine, space.period, space.weight
    bounds = [
        bound for limit in (x_limit, y_limit)
        for bound in _bounds(limit, space._replace(scale=1.0), 4 * wide, 0.0, np.float64)
    ]  # fmt: skip

    room = np.empty(TILE * TILE)

    def tile(a: slice, b: slice) -> Tile:
        values = _values(room, a, b)
        held = np.empty((len(values), b.stop - b.start))
        columns = np.ascontiguousarray(y.rows[b].T, dtype="f8")
        selection.bounds_from_rows(x.rows[a], columns, *rule, 1.0, held)
        values[:, : held.shape[1]] = held
        return _tile(values, bounds, a, b)

    return tile


def _bits(x: Block, y: Block, x_limit: Floats, y_limit: Floats, space: Space) -> Tiles:
    """Return tiles of distances of bits, which are exact."""
    bounds = [x_limit, x_limit, y_limit, y_limit]

    room = np.empty(TILE * TILE)

    def tile(a: slice, b: slice) -> Tile:
        values = _values(room, a, b)
        columns = np.ascontiguousarray(y.rows[b].T)
        for i, row in enumerate(x.rows[a]):
            own = values[i, : columns.shape[1]]
            bits.write_distances(row, columns, space.weight, space.scale, own)
        return _tile(values, bounds, a, b)

    return tile


def _bounds(
    limit: Floats, space: Space, relative: float, slack: Floats | float, kind: type
) -> tuple[Array, Array]:
    """Return what values are not below if they are not nearer than a limit, and so on."""
    with np.errstate(invalid="ignore"):
        reduced = np.where(
            limit < 0, -np.inf, largest_reduced(np.maximum(limit, 0.0), space.combine)
        )
        reduced *= space.scale**2
        under = reduced * (1 - 3 * relative) - slack
        over = reduced * (1 + relative) + slack
    return (
        np.nextafter(under.astype(kind), -np.inf, dtype=kind),
        np.nextafter(over.astype(kind), np.inf, dtype=kind),
    )


def _values(room: Array, a: slice, b: slice) -> Array:
    """Return room for the values of a tile, infinite behind its columns."""
    rows, width = a.stop - a.start, b.stop - b.start
    strides = -(-width // STRIDE) * STRIDE
    values = room[: rows * strides].reshape(rows, strides)
    values[:, width:] = np.inf
    return values


def _tile(values: Array, bounds: list[Array], a: slice, b: slice) -> Tile:
    rows = [np.ascontiguousarray(z[:, a]) for z in bounds[:2]]
    columns = [np.full((len(z), values.shape[1]), -np.inf, z.dtype) for z in bounds[2:]]
    for column, z in zip(columns, bounds[2:], strict=True):
        column[:, : b.stop - b.start] = z[:, b]
    return Tile(values, *rows, *columns)
