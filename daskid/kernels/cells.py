"""Rows against the cells nearest to them: what an approximate search compares.

Cells are seen in a few coordinates whose distances never exceed those of rows (:mod:`daskid.
kernels.axes`), all of a coordinate after each other, so that a row is compared with a whole cell at
a time; what may be a neighbor is compared again, exactly. What is found are the nearest rows of
the cells that are looked at, in whichever order that is done.
"""

from typing import Any, NamedTuple

import numpy as np

from daskid.kernels._jit import inlined, jit
from daskid.kernels._simd import LANES, STRIDE, lowest_bit, up_to, without_lowest
from daskid.kernels.lists import merge_entries, sort_entries
from daskid.kernels.metrics import SQUARE
from daskid.kernels.neighbors.merge import SAME_ROOT, distances_to
from daskid.kernels.selection import kth_smallest, no_neighbor
from daskid.kernels.trees.bounds import squares_to_point
from daskid.kernels.trees.view import Rule
from daskid.kernels.trees.visits import raised
from daskid.typing import Array, Floats, Ints

ROOM = 2048
"""Rows that are noted before the nearest are compared exactly, at the least."""


class Cells(NamedTuple):
    """The rows of cell c are those from ``start[c]`` to ``start[c + 1]``.

    ``rows`` (n, d) as compared and ``who`` (3, n); ``columns`` flat: for each cell from ``q *
    at[c]`` on its q coordinates, one after another, each ``at[c + 1] - at[c]`` long: whole strides,
    beyond its last row NaN; ``center`` (q, cells) and ``radius`` (cells,), a sphere
    around all rows of each; ``error`` (1,), how far the coordinates of a row may be off.
    """

    rows: Array
    who: Ints
    start: Ints
    at: Ints
    columns: Array
    center: Array
    radius: Floats
    error: Floats


def cells_of(rows: Array, who: Ints, points: Array, error: float, parts: list[Ints]) -> Cells:
    """Return rows in the order of their cells.

    Parameters
    ----------
    rows, who, points
        (n, d), (3, n), and (n, q) coordinates.
    error
        How far these may be off.
    parts
        The rows of each cell.
    """
    order, sizes = np.concatenate(parts), np.array([own.size for own in parts])
    start, q = np.r_[0, np.cumsum(sizes)], points.shape[1]
    at = np.r_[0, np.cumsum(-(-sizes // STRIDE) * STRIDE)]
    columns = np.full(at[-1] * q, np.nan, points.dtype)
    center, radius = np.empty((q, sizes.size), points.dtype), np.empty(sizes.size)
    for c, own in enumerate(parts):
        here = points[own]
        columns[at[c] * q : at[c + 1] * q].reshape(q, -1)[:, : own.size] = here.T
        center[:, c] = here.mean(axis=0, dtype="f8")
        gaps = here.astype("f8") - center[:, c]
        radius[c] = np.sqrt((gaps**2).sum(axis=1).max()) * (1 + 1e-9)
    mine = np.ascontiguousarray(who[:, order])
    return Cells(rows[order], mine, start, at, columns, center, radius, np.array([error]))


def in_blocks(center: Array) -> Array:
    """Return (q, cells) centers as (blocks, q, 64): beyond the last one is NaN."""
    q, cells = center.shape
    blocks = -(-cells // STRIDE)
    out = np.full((q, blocks * STRIDE), np.nan, center.dtype)
    out[:, :cells] = center
    return np.ascontiguousarray(out.reshape(q, blocks, STRIDE).transpose(1, 0, 2))


@jit
def squares_to_blocks(point: Array, blocks: Array, square: Array) -> None:
    """Write the squared distances of a (q,) point to centers in blocks."""
    for b in range(blocks.shape[0]):
        squares_to_point(point, blocks[b], square[b * STRIDE : (b + 1) * STRIDE])


@jit
def nearest_centers(points: Array, blocks: Array, label: Ints) -> None:
    """Write for each of (n, q) points the nearest of the centers in blocks."""
    square = np.empty(blocks.shape[0] * STRIDE, points.dtype)
    for i in range(points.shape[0]):
        squares_to_blocks(points[i], blocks, square)
        best = 0
        for c in range(1, square.size):
            best = c if square[c] < square[best] else best
        label[i] = best


@inlined
def take_point(columns: Array, first: int, width: int, row: int, point: Array) -> None:
    """Copy the coordinates of a row of the cell whose columns begin at ``first``."""
    for f in range(point.size):
        point[f] = columns[first + f * width + row]


@jit
def nearest_cells(
    x: Cells, first: int, blocks: Array, part: Ints, probes: int, reach: Array, wanted: Array
) -> None:
    """Write how far cells are looked at, for each row, and in which parts of the cells some are.

    Parameters
    ----------
    x, first
        The rows, and the number of their first cell.
    blocks, part
        The centers of all cells in blocks, and (cells,) the part that each is of.
    probes
        How many cells a row is compared with, its own among them.
    reach
        (n,) output: squared distances to centers; a few more than ``probes`` may be within.
    wanted
        (parts,) booleans: set where one of these cells is.
    """
    at, columns, start = x.at, x.columns, x.start
    zero, top = reach.dtype.type(0.0), reach.dtype.type(np.inf)
    square = np.empty(blocks.shape[0] * STRIDE, reach.dtype)
    point = np.empty(blocks.shape[1], reach.dtype)
    for c in range(start.size - 1):
        for i in range(start[c], start[c + 1]):
            take_point(columns, at[c] * point.size, at[c + 1] - at[c], i - start[c], point)
            squares_to_blocks(point, blocks, square)
            square[first + c] = zero
            reach[i] = kth_smallest(square, part.size, probes, zero, top)
            for s in range(0, square.size, STRIDE):
                mask = up_to(square, s, reach[i])
                while mask:
                    other = s + lowest_bit(mask)
                    mask = without_lowest(mask)
                    wanted[part[other]] = True


@jit
def ranks_of(points: Array, own: Ints, wanted: Ints, blocks: Array, rank: Ints) -> None:
    """Write how many cells are nearer to a row than others are; its own one is the nearest.

    Parameters
    ----------
    points, own
        (n, q) rows, and the cells that they are in.
    wanted, rank
        (n, k) cells, and the output.
    blocks
        The centers of all cells in blocks.
    """
    square = np.empty(blocks.shape[0] * STRIDE, points.dtype)
    point = np.empty(blocks.shape[1], points.dtype)
    for i in range(own.size):
        point[:] = points[i]
        squares_to_blocks(point, blocks, square)
        square[own[i]] = 0.0
        for j in range(wanted.shape[1]):
            count = 0
            if wanted[i, j] != own[i]:
                for value in square:
                    count += value < square[wanted[i, j]]
            rank[i, j] = count


@inlined
def ceiling_within(distance: float, rule: Rule, error: float) -> float:
    """Return what the squared distance of coordinates does not exceed within a distance."""
    reduced = distance * distance * SAME_ROOT if rule.combine == SQUARE else 2 * distance
    root = np.sqrt(reduced) * rule.scale * rule.stretch + error
    return float(root * root * rule.rounding * (1 + 1e-12))


@inlined
def beyond(square: float, radius: float, ceiling: float, q: int) -> bool:
    """Return whether all rows of a cell are certainly further than a squared distance."""
    gap = np.sqrt(np.float64(square)) * (1 - (q + 16) * 2.0**-23) - radius
    return bool(gap > 0 and gap * gap > ceiling)


@jit
def search_cells(
    distance: Floats, location: Ints, x: Cells, y: Cells, same: bool, reach: Array, taken: Array,
    rule: Rule, blocks: Array,
) -> int:  # fmt: skip
    """Bring the lists of the rows of ``x`` up to date with the cells of ``y`` within reach.

    Parameters
    ----------
    distance, location
        (n, k) lists.
    x, y, same
        The rows, and others; whether they are the same.
    reach, taken
        (n,) squared distances up to which centers are near; instead of these, where ``taken``
        (n,), cells that are further, for a row that has seen the others.
    rule
        How rows are compared.
    blocks
        The centers of ``y`` in blocks.

    Returns
    -------
    The number of pairs that were compared.
    """
    at, columns, start, y_at, y_start = x.at, x.columns, x.start, y.at, y.start
    q, pairs, error, radius = blocks.shape[1], 0, x.error[0] + y.error[0], y.radius
    most = (y_at[1:] - y_at[:-1]).max()
    room = -(-max(ROOM, 4 * distance.shape[1]) // STRIDE) * STRIDE + most
    square, point = np.empty(blocks.shape[0] * STRIDE, columns.dtype), np.empty(q, columns.dtype)
    near, key = np.empty(radius.size, np.int64), np.empty(radius.size, columns.dtype)
    some, bound = np.empty(most, columns.dtype), np.empty(room, columns.dtype)
    place, values, where = np.empty(room, np.int64), np.empty(room), np.empty(room, np.int64)
    none: Any = np.int64(0)  # for a constant, what it is passed to is compiled once more
    last = distance.shape[1] - 1
    for c in range(start.size - 1):
        for i in range(start[c], start[c + 1]):
            take_point(columns, at[c] * q, at[c + 1] - at[c], i - start[c], point)
            squares_to_blocks(point, blocks, square)
            if same:
                square[c] = 0.0
            held, ceiling = none, ceiling_within(distance[i, last], rule, error)
            for step in range(choose(square, radius.size, reach[i], taken[i], near, key)):
                other = near[step]
                if beyond(square[other], radius[other], ceiling, q):
                    continue
                pairs += y_start[other + 1] - y_start[other]
                size = y_at[other + 1] - y_at[other]
                squares_in(point, y.columns, y_at[other] * q, some, size)
                held = note(some, size, ceiling, y_start[other], bound, place, held)
                if held > room - most:
                    enter(distance, location, x, i, y, bound, place, held, rule, values, where)
                    held, ceiling = none, ceiling_within(distance[i, last], rule, error)
            if held > 0:
                enter(distance, location, x, i, y, bound, place, held, rule, values, where)
    return pairs


@jit
def choose(square: Array, size: int, reach: float, further: bool, near: Ints, key: Array) -> int:
    """Write the cells within reach, or those that are further, near ones first; return how many."""
    held = 0
    for c in range(size):
        if (square[c] <= reach) != further:
            slot = held
            while slot > 0 and key[slot - 1] > square[c]:
                near[slot], key[slot] = near[slot - 1], key[slot - 1]
                slot -= 1
            near[slot], key[slot] = c, square[c]
            held += 1
    return held


@inlined
def squares_in(point: Array, columns: Array, first: int, near: Array, size: int) -> None:
    """Write the squared distances of a point from those of a cell.

    Columns of the cell begin at ``first`` and are ``size`` long. Numbers without a sign need no
    look at which end they count from, so that loops become vector instructions.
    """
    m, start, q, one = np.uint64(size), np.uint64(first), np.uint64(point.size), np.uint64(1)
    f, two, three, four = np.uint64(0), np.uint64(2), np.uint64(3), np.uint64(4)
    for j in range(m):
        near[j] = 0.0
    while f + four <= q:  # four at a time: sums are read and written less often
        a, b, c, e = point[f], point[f + one], point[f + two], point[f + three]
        of_b, of_c, of_e = start + m, start + m + m, start + m + m + m
        for j in range(m):
            x, y = a - columns[start + j], b - columns[of_b + j]
            z, w = c - columns[of_c + j], e - columns[of_e + j]
            near[j] += (x * x + y * y) + (z * z + w * w)
        start, f = of_e + m, f + four
    while f < q:
        a = point[f]
        for j in range(m):
            x = a - columns[start + j]
            near[j] += x * x
        start, f = start + m, f + one


@inlined
def note(
    near: Array, size: int, ceiling: float, first: int, bound: Array, place: Ints, held: int
) -> int:
    """Append the rows of a cell whose bounds are up to a ceiling; return how many there are."""
    top = raised(ceiling, near)
    for s in range(0, size, STRIDE):
        mask = up_to(near, s, top)
        while mask:
            j = s + lowest_bit(mask)
            mask = without_lowest(mask)
            bound[held], place[held] = near[j], first + j
            held += 1
    return held


@jit
def enter(
    distance: Floats, location: Ints, x: Cells, i: int, y: Cells, bound: Array, place: Ints,
    held: int, rule: Rule, values: Floats, where: Ints,
) -> None:  # fmt: skip
    """Merge the nearest of what was noted into list ``i``: first those that are likely to be."""
    k, zero, infinite = distance.shape[1], bound.dtype.type(0.0), bound.dtype.type(np.inf)
    spare, spare_where, lanes = (
        np.empty(bound.size),
        np.empty(bound.size, np.int64),
        np.empty(LANES),
    )
    error, above = x.error[0] + y.error[0], -np.inf
    top = raised(ceiling_within(distance[i, k - 1], rule, error), bound)
    if top == np.inf and held > k + 1:
        top = kth_smallest(bound, held, k + 1, zero, infinite)
    while True:
        n = 0
        for c in range(held):
            if above < bound[c] <= top and not no_neighbor(x.who, i, y.who, place[c], rule.exclude):
                where[n] = place[c]
                n += 1
        distances_to(
            x.rows, i, y.rows, where[:n], rule.combine, rule.period, rule.weight, lanes, values
        )
        for c in range(n):
            where[c] = y.who[0, where[c]]
        sort_entries(values[:n], where[:n], spare, spare_where)
        merge_entries(distance[i], location[i], values[:n], where[:n], spare, spare_where)
        above = top
        top = raised(ceiling_within(distance[i, k - 1], rule, error), bound)
        if top <= above:
            return


@jit
def certify(
    distance: Floats, x: Cells, first: int, blocks: Array, radius: Floats, reach: Array,
    error: float, rule: Rule, certified: Array,
) -> None:  # fmt: skip
    """Write for each row whether no cell out of reach can hold a neighbor.

    Parameters
    ----------
    distance
        (n, k) distances of the rows.
    x, first, reach, rule
        As in :func:`nearest_cells` and :func:`search_cells`.
    blocks, radius, error
        Of all cells: centers in blocks, radii, and the largest error of coordinates.
    certified
        (n,) output.
    """
    at, columns, start, k = x.at, x.columns, x.start, distance.shape[1]
    square, point = np.empty(STRIDE, columns.dtype), np.empty(blocks.shape[1], columns.dtype)
    for c in range(start.size - 1):
        for i in range(start[c], start[c + 1]):
            take_point(columns, at[c] * point.size, at[c + 1] - at[c], i - start[c], point)
            ceiling, b = ceiling_within(distance[i, k - 1], rule, x.error[0] + error), 0
            certified[i] = True
            while certified[i] and b < blocks.shape[0]:
                squares_to_point(point, blocks[b], square)
                for j in range(min(STRIDE, radius.size - b * STRIDE)):
                    other = b * STRIDE + j
                    if square[j] > reach[i] and other != first + c:
                        out = beyond(square[j], radius[other], ceiling, point.size)
                        certified[i] = certified[i] and out
                b += 1
