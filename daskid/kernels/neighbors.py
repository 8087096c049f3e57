"""The k nearest locations of rows, exact, block of rows against block of rows.

Candidates are selected by bounds of reduced distances (one matrix product a tile,
or direct sums), then their distances are computed by differences in float64.
Lists are sorted by distance, then by location; free slots hold ``(inf, -1)``: the
result does not depend on the order, size or number of blocks.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from daskid.kernels import bits, selection
from daskid.kernels import lists as sorted_lists
from daskid.kernels._jit import jit
from daskid.kernels._simd import LANES
from daskid.kernels.locations import canonical
from daskid.kernels.metrics import DIFFERENT, HALF_SQUARE, distance_of, largest_reduced
from daskid.typing import Array, Floats, Ints

NONE = np.zeros(0)
X_TILE, Y_TILE = 256, 512
PART_BYTES, LEAST_PART = 16 << 20, 32
"""Rows of ``x`` that are centered at a time: as many as fit, or so few at the least."""
DIRECT_BELOW = 3
"""Up to so many features, direct sums are faster than a matrix product."""
SPARE = 64
"""Candidates of a row beside twice its list: room for what rounding can't tell apart."""
LARGEST_FLOAT32 = 1 << 20
"""From so many features on, rounding in float32 is as large as distances."""


class Space(NamedTuple):
    """How rows are compared: all that the kernels need beside the rows.

    ``combine`` as in ``METRICS``; ``period`` and ``weight`` (d,) or empty; values
    of periodic features from ``lowest`` (d,) to less than a period above it;
    ``center`` (d,), between the values; ``scale``, a power of two that brings
    centered and weighted rows to norms of at most one; ``exclude``, in frames.
    All of rows in the form that ``prepare`` gives them (None: as they are). Of bits,
    ``weight`` (words,) and ``scale``, which the sum of weighted bits is divided by.
    """

    combine: int
    period: Floats
    weight: Floats
    lowest: Floats
    center: Floats
    scale: float
    exclude: int
    prepare: Callable[[Array], Array] | None = None


class Block(NamedTuple):
    """(n, d) rows, and (3, n) what they are: location (ascending), frame, trajectory."""

    rows: Array
    who: Ints


class Lists(NamedTuple):
    """Neighbour lists, both (n, k): distances and location numbers."""

    distance: Floats
    location: Ints


class Tile(NamedTuple):
    """Lower bounds (n, m); ``low * (1 + relative) + x_slack + y_slack`` are upper ones."""

    low: Array
    relative: float
    x_slack: Floats
    y_slack: Floats


class Tiles(NamedTuple):
    """The tiles of some rows against a block, in ``units`` times reduced distances.

    Columns are the rows of the block in this ``order``.
    """

    units: float
    order: Ints
    of: Callable[[Array], Iterator[Tile]]


def empty_lists(n: int, k: int) -> Lists:
    """Return ``n`` lists of ``k`` free slots."""
    return Lists(np.full((n, k), np.inf), np.full((n, k), -1, np.int64))


def compared(rows: Array, space: Space) -> Array:
    """Return rows as read in the form that :func:`update` compares."""
    if space.prepare is not None:
        return space.prepare(rows)
    return canonical(rows, space.lowest, space.period, NONE) if space.period.size else rows


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
    todo = np.arange(x.rows.shape[0])
    for dtype in _dtypes(space, x.rows.shape[1]):
        tiles = product_tiles(y, space, dtype) if dtype else direct_tiles(y, space)
        parts = np.array_split(todo, max(1, -(-todo.size // part_rows(x.rows.shape[1]))))
        todo = np.concatenate([_update_rows(lists, x, part, y, space, tiles) for part in parts])
        if todo.size == 0:
            return
    compare_all(lists.distance, lists.location, todo, x.rows, x.who, y.rows, y.who, *_rule(space))


def part_rows(features: int) -> int:
    """Return how many rows of ``x`` are taken at a time."""
    return min(X_TILE, max(LEAST_PART, PART_BYTES // (8 * features)))


def _dtypes(space: Space, features: int) -> list[type | None]:
    if space.combine > HALF_SQUARE or space.period.size or features <= DIRECT_BELOW:
        return [None]
    return [np.float32, np.float64] if features < LARGEST_FLOAT32 else [np.float64]


def _rule(space: Space) -> tuple[int, Floats, Floats, int]:
    return space.combine, space.period, space.weight, space.exclude


def rounding(features: int, dtype: type) -> tuple[float, float]:
    """Return the rounding error of a tile of products, and what underflow adds to it.

    The first is relative to the sum of the two squared norms. With the unit
    roundoffs u of ``dtype`` and v of float64, the product loses d u; the cast, the
    shrunk norms and their sum 11 u; centering 12 v, the norms (d + 1) v and the
    reduced distance and its root (d / 16 + 28) v; the rest is for second order.
    """
    u, v = float(np.finfo(dtype).eps) / 2, float(np.finfo("f8").eps) / 2
    product = (features + 32) * u
    error = product / (1 - product) + (2 * features + 64) * v
    return error, 16 * (features + 32) * float(np.finfo(dtype).tiny)


def product_tiles(y: Block, space: Space, dtype: type) -> Tiles:
    """Return bounds of squared distances by a matrix product in ``dtype``."""
    error, floor = rounding(y.rows.shape[1], dtype)
    slack = 2 * error * (1 + float(np.finfo(dtype).eps))
    factor = np.full(y.rows.shape[1], space.scale)
    if space.weight.size:
        factor *= np.sqrt(space.weight)

    def centered(rows: Array, order: Ints) -> tuple[Array, Array, Floats]:
        out: Array = np.empty((order.size, rows.shape[1]), dtype)
        norm: Array = np.empty(order.size, dtype)
        selection.center_rows(rows, order, space.center, factor, out, norm)
        return out, norm, slack * norm.astype("f8") + floor

    order = shuffled(y.rows.shape[0])
    columns = []
    for part in _parts(order):
        y_rows, *y_norms = centered(y.rows, part)
        columns.append((np.ascontiguousarray(y_rows.T), *y_norms))
    tile: Array = np.empty(X_TILE * Y_TILE, dtype)

    def tiles(rows: Array) -> Iterator[Tile]:
        x_rows, x_norm, x_slack = centered(rows, np.arange(rows.shape[0]))
        for y_rows, y_norm, y_slack in columns:
            low = _shaped(tile, rows.shape[0], y_norm.size)
            np.matmul(x_rows, y_rows, out=low)
            selection.bounds_from_products(low, x_norm, y_norm, 1 - error, floor)
            yield Tile(low, 0.0, x_slack, y_slack)

    return Tiles(space.scale**2, order, tiles)


def _parts(order: Ints) -> list[Ints]:
    return [order[first : first + Y_TILE] for first in range(0, order.size, Y_TILE)]


def shuffled(n: int) -> Ints:
    """Return ``n`` row numbers in random order, always the same."""
    return np.random.default_rng(0).permutation(n)


def _shaped(tile: Array, n: int, m: int) -> Array:
    # contiguous whatever the size: other layouts would be compiled again, without SIMD
    return tile[: n * m].reshape(n, m)


def direct_tiles(y: Block, space: Space) -> Tiles:
    """Return bounds of reduced distances, term by term in float64."""
    # sums of at most d positive terms, in float64
    error = (y.rows.shape[1] + 32) * float(np.finfo("f8").eps)
    order = shuffled(y.rows.shape[0])
    columns = [np.ascontiguousarray(y.rows[part].T, dtype="f8") for part in _parts(order)]
    tile = np.empty(X_TILE * Y_TILE)
    zeros = np.zeros(max(X_TILE, Y_TILE))

    def tiles(rows: Array) -> Iterator[Tile]:
        for part in columns:
            low = _shaped(tile, rows.shape[0], part.shape[1])
            selection.bounds_from_rows(rows, part, *_rule(space)[:3], 1 - error, low)
            yield Tile(low, 4 * error, zeros, zeros)

    return Tiles(1.0, order, tiles)


def _update_rows(lists: Lists, x: Block, part: Ints, y: Block, space: Space, tiles: Tiles) -> Ints:
    """Update the lists of some rows of ``x``; return those that overflowed."""
    k = lists.location.shape[1]
    capacity = 2 * k + SPARE
    rows, who = x.rows[part], np.ascontiguousarray(x.who[:, part])
    bound, column = np.empty((part.size, 2, capacity)), np.empty((part.size, capacity), np.int64)
    count = np.zeros(part.size, np.int64)
    limit = largest_reduced(lists.distance[part, k - 1], space.combine) * tiles.units
    total = 0 if np.isfinite(limit).any() else tiles.order.size
    first = 0
    for tile in tiles.of(rows):
        y_who = np.take(y.who, tiles.order[first : first + tile.low.shape[1]], axis=1)
        selection.keep_candidates(
            *tile, who, y_who, space.exclude, first, total, k, limit, bound, column, count,
        )  # fmt: skip
        first += y_who.shape[1]
    merge_candidates(
        lists.distance, lists.location, part, bound, column, count, limit,
        tiles.order, rows, y.rows, y.who, *_rule(space)[:3],
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

    Parameters are those of :func:`merge_candidates`; ``x`` holds all rows, of
    which ``part`` are compared.
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
