"""Rows against the cells nearest to them: what an approximate search compares.

Coordinates are centered, weighted and scaled to norms of at most one. Cells hold theirs in
float32, all of a feature after each other, so that a row is compared with a whole cell at a
time; what may be a neighbor is compared again, exactly.
"""

from typing import Any, NamedTuple

import numpy as np

from daskid.kernels._jit import inlined, jit
from daskid.kernels._simd import LANES
from daskid.kernels.metrics import HALF_SQUARE, distance_of
from daskid.typing import Array, Floats, Ints

NONE = np.zeros(0)
U1, U2, U3 = np.uint64(1), np.uint64(2), np.uint64(3)
STRIDE = 32
"""Rows of a cell are compared so many at a time; behind its last row are others, far away."""


class Cells(NamedTuple):
    """The rows of cell c are those from ``start[c]`` to ``start[c + 1]``.

    ``columns`` (d * m,) float32: for each cell from ``d * at[c]`` on the coordinates of its rows,
    feature by feature, in whole strides of ``STRIDE`` rows; ``center`` (d, cells) and ``radius``
    (cells,), a sphere around all rows of each.
    """

    start: Ints
    at: Ints
    columns: Array
    center: Floats
    radius: Floats


class Rows(NamedTuple):
    """(n, d) rows in the order of the cells, (3, n) who they are, (n,) cells they are in.

    A coordinate is the value less ``middle`` times ``factor``, both (d,); lengths are
    ``scale`` times those of the metric.
    """

    values: Array
    who: Ints
    cell: Ints
    middle: Floats
    factor: Floats
    scale: float


@jit
def nearest_centers(coordinates: Floats, center: Floats, label: Ints) -> None:
    """Write for each of (n, d) rows the nearest of (d, cells) centers."""
    square = np.empty(center.shape[1])
    for i in range(coordinates.shape[0]):
        _squares_to(coordinates[i], center, square)
        label[i] = np.argmin(square)


@jit
def _squares_to(row: Floats, center: Floats, square: Floats) -> None:
    """Write the squared distances of a row from all centers."""
    square[:] = 0.0
    for f in range(row.size):
        value, column = row[f], center[f]
        for c in range(square.size):
            difference = value - column[c]
            square[c] += difference * difference


@jit
def ranks_of(wanted: Ints, cell: Ints, coordinates: Floats, center: Floats, rank: Ints) -> None:
    """Write how many cells are nearer to a row than the ones wanted; its own one is the nearest.

    Parameters
    ----------
    wanted, rank
        (n, k) cells, and the output.
    cell, coordinates
        (n,) cells that the rows are in, and (n, d) rows.
    center
        (d, cells) centers.
    """
    square = np.empty(center.shape[1])
    for i in range(wanted.shape[0]):
        _squares_to(coordinates[i], center, square)
        square[cell[i]] = -1.0
        ordered = np.sort(square)
        for j in range(wanted.shape[1]):
            rank[i, j] = np.searchsorted(ordered, square[wanted[i, j]])


@jit
def search_cells(
    first: int,
    values: Array,
    who: Ints,
    cell: Ints,
    middle: Floats,
    factor: Floats,
    scale: float,
    start: Ints,
    at: Ints,
    columns: Array,
    center: Floats,
    radius: Floats,
    probes: int,
    combine: int,
    weight: Floats,
    exclude: int,
    distance: Floats,
    location: Ints,
    certified: Array,
) -> int:
    """Write the lists of the rows from ``first`` on, found in the cells nearest to each.

    Parameters
    ----------
    first
        Number of the first row; there are as many as lists.
    values, who, cell, middle, factor, scale
        See :class:`Rows`.
    start, at, columns, center, radius
        See :class:`Cells`.
    probes
        Cells of each row; all of them where these hold fewer than k neighbors.
    combine, weight, exclude
        As in :func:`daskid.kernels.metrics.reduced_distance`, and in frames.
    distance, location
        (m, k) output, of free slots.
    certified
        (m,) output: whether no row of another cell can be nearer.

    Returns
    -------
    The number of pairs that were compared.
    """
    n_cells, pairs, lanes = radius.size, 0, np.empty(LANES)
    square, taken = np.empty(n_cells), np.empty(n_cells, np.bool_)
    some_cells, guess = np.empty(n_cells + 1, np.int64), np.inf
    row, row4 = np.empty(middle.size), np.empty(middle.size, np.float32)
    some = np.empty((at[1:] - at[:-1]).max(), np.float32)
    for r in range(distance.shape[0]):
        i = first + r
        for f in range(row.size):
            row[f] = (np.float64(values[i, f]) - middle[f]) * factor[f]
            row4[f] = np.float32(row[f])
        _squares_to(row, center, square)
        order = _nearest_cells(square, cell[i], probes, guess, some_cells)
        guess = 1.2 * square[order[min(probes, order.size) - 1]]  # the next row is a near one
        taken[:] = False
        for step in range(n_cells):
            if step == order.size:
                if location[r, -1] >= 0:
                    break
                order = np.argsort(square)  # too few neighbors: all cells
            c = order[step]
            if taken[c]:
                continue
            taken[c] = True
            pairs += start[c + 1] - start[c]
            _squares_in(row4, columns, at[c] * row4.size, some, at[c + 1] - at[c])
            limit = _limit(distance[r, -1], combine, scale, row4.size)
            if not _any_up_to(some, start[c + 1] - start[c], limit):
                continue
            _search_cell(
                i, values, who, some[: start[c + 1] - start[c]], start[c], scale, combine, weight,
                exclude, distance[r], location[r], lanes,
            )  # fmt: skip
        last = _length(distance[r, -1], combine) * scale * (1 + 1e-9)
        certified[r] = _is_certain(last, square, taken, radius)
    return pairs


@jit
def _is_certain(last: float, square: Floats, taken: Array, radius: Floats) -> bool:
    """Return whether all of the cells that were not taken are further than ``last``."""
    for c in range(square.size):
        if not taken[c] and np.sqrt(square[c]) * (1 - 1e-9) - radius[c] <= last:
            return False
    return True


@jit
def _nearest_cells(square: Floats, own: int, probes: int, guess: float, near: Ints) -> Ints:
    """Return the nearest cells, the own one first, then by distance; more if there are ties.

    ``guess`` is a squared distance within which they are likely to be, ``near`` scratch.
    """
    square[own] = -1.0
    if probes >= square.size:
        return np.argsort(square)
    held = 0
    for c in range(square.size):
        near[held] = c
        held += square[c] <= guess
    found = near[:held] if held >= probes else np.arange(square.size)
    some = square[found]
    found = found[some <= np.partition(some, probes - 1)[probes - 1]]
    ordered: Ints = found[np.argsort(square[found])]
    return ordered


@inlined
def _any_up_to(near: Array, size: int, limit: Any) -> Any:
    hits = np.int32(0)
    for j in range(np.uint64(size)):
        hits += np.int32(near[j] <= limit)
    return hits > 0


@inlined
def _squares_in(row: Array, columns: Array, first: int, near: Array, size: int) -> None:
    """Write the squared distances of a row from those of a cell, in float32.

    Columns of the cell begin at ``first`` and are ``size`` long. Numbers without a sign need no
    look at which end they count from, so that loops become vector instructions.
    """
    m, start, d = np.uint64(size), np.uint64(first), np.uint64(row.size)
    for j in range(m):
        near[j] = np.float32(0.0)
    four, f = np.uint64(4), np.uint64(0)
    while f + four <= d:  # four at a time: sums are read and written less often
        a, b, c, e = row[f], row[f + U1], row[f + U2], row[f + U3]
        of_b, of_c, of_e = start + m, start + m + m, start + m + m + m
        for j in range(m):
            x, y = a - columns[start + j], b - columns[of_b + j]
            z, w = c - columns[of_c + j], e - columns[of_e + j]
            near[j] += (x * x + y * y) + (z * z + w * w)
        start, f = of_e + m, f + four
    while f < d:
        a = row[f]
        for j in range(m):
            x = a - columns[start + j]
            near[j] += x * x
        start, f = start + m, f + U1


@jit
def _search_cell(
    i: int,
    values: Array,
    who: Ints,
    near: Array,
    start: int,
    scale: float,
    combine: int,
    weight: Floats,
    exclude: int,
    distance: Floats,
    location: Ints,
    lanes: Floats,
) -> None:
    """Bring one list up to date with the rows of a cell, whose squared distances are ``near``."""
    limit = _limit(distance[-1], combine, scale, values.shape[1])
    for j in range(near.size):
        if near[j] <= limit:
            other = start + j
            if who[0, i] == who[0, other] or (
                exclude > 0
                and who[2, i] == who[2, other]
                and abs(who[1, i] - who[1, other]) <= exclude
            ):
                continue
            found = distance_of(values[i], values[other], combine, NONE, weight, lanes)
            if _insert(distance, location, found, who[0, other]):
                limit = _limit(distance[-1], combine, scale, values.shape[1])


@jit
def _length(distance: float, combine: int) -> float:
    return np.sqrt(2 * distance) if combine == HALF_SQUARE else distance


@jit
def _limit(distance: float, combine: int, scale: float, features: int) -> Any:
    """Return what the squared distance in float32 does not exceed, if the distance does not.

    Both rows are rounded by 2^-24 of norms of at most one, sums by (d + 4) 2^-24.
    """
    length = _length(distance, combine) * scale * (1 + 1e-12) + 2.0**-22
    limit = length * length * (1 + (features + 16) * 2.0**-23)
    return np.float32(limit) if limit < 1e30 else np.float32(np.inf)


@jit
def _insert(distance: Floats, location: Ints, new: float, where: int) -> bool:
    """Put an entry into a sorted list; return whether it had a place there."""
    slot = distance.size
    while slot > 0 and (
        new < distance[slot - 1] or (new == distance[slot - 1] and where < location[slot - 1])
    ):
        slot -= 1
    if slot == distance.size:
        return False
    for s in range(distance.size - 1, slot, -1):
        distance[s], location[s] = distance[s - 1], location[s - 1]
    distance[slot], location[slot] = new, where
    return True
