"""Which columns of a tile can be among the k nearest of its rows.

A tile holds lower bounds of reduced distances. A row keeps candidates with a
bound up to its limit; a full row lowers the limit to its k-th smallest upper
bound. No true neighbour is lost: its lower bound is never above that limit.
Where columns come in random order and lists are empty, the limit of a part of them is
lower: fewer than k of the k nearest are among them. Whether it was too low is seen at the end.
"""

from typing import Any

import numpy as np

from daskid.kernels._jit import inlined, jit
from daskid.kernels._simd import (
    EVERY,
    LANES,
    ONE,
    STRIDE,
    lowest_bit,
    ones,
    squares,
    up_to,
    without_lowest,
)
from daskid.kernels.metrics import HALF_SQUARE, LARGEST
from daskid.typing import Array, Floats, Ints

BISECTIONS = 24


@jit
def center_rows(
    rows: Array, order: Ints, center: Floats, factor: Floats, out: Array, norm: Array
) -> None:
    """Write centered ``rows[order]`` times ``factor`` (d,), and their squared norms."""
    lanes, origin = np.empty(LANES), np.zeros(rows.shape[1], out.dtype)
    for i in range(order.size):
        row = rows[order[i]]
        for f in range(row.size):
            out[i, f] = (np.float64(row[f]) - center[f]) * factor[f]
        norm[i] = squares(out[i], origin, lanes)


@jit
def bounds_from_products(
    product: Array, x_norm: Array, y_norm: Array, shrink: float, floor: float
) -> None:
    """Turn a tile of inner products into lower bounds of squared distances, in place.

    Parameters
    ----------
    product
        (n, m) inner products of centered rows, overwritten.
    x_norm, y_norm
        (n,) and (m,) squared norms, same dtype as ``product``.
    shrink
        One minus the rounding error relative to the sum of the two norms.
    floor
        What underflow can take from a product or norm.
    """
    two = product.dtype.type(2.0)
    one = product.dtype.type(shrink)
    for i in range(product.shape[0]):
        a = one * x_norm[i] - product.dtype.type(floor)
        for j in range(product.shape[1]):
            product[i, j] = (a + one * y_norm[j]) - two * product[i, j]


@jit
def bounds_from_rows(
    x: Array,
    columns: Floats,
    combine: int,
    period: Floats,
    weight: Floats,
    shrink: float,
    low: Floats,
) -> None:
    """Write lower bounds of reduced distances, term by term, for any metric.

    Parameters
    ----------
    x
        (n, d) rows.
    columns
        (d, m) rows of the other block, transposed.
    combine, period, weight
        As in :func:`daskid.kernels.metrics.reduced_distance`.
    shrink
        One minus the relative rounding error.
    low
        (n, m) output.
    """
    for i in range(x.shape[0]):
        bounds = low[i]
        bounds[:] = 0.0
        for f in range(x.shape[1]):
            value = np.float64(x[i, f])
            span = period[f] if period.size else 0.0
            factor = weight[f] if weight.size else 1.0
            if span <= 0.0 and combine <= HALF_SQUARE:
                for j in range(bounds.size):
                    difference = value - columns[f, j]
                    bounds[j] += difference * difference * factor
            else:
                around = span if span > 0.0 else np.inf
                for j in range(bounds.size):
                    difference = abs(value - columns[f, j])
                    difference = min(difference, around - difference)
                    term = difference * difference if combine <= HALF_SQUARE else difference
                    term *= factor
                    bounds[j] = max(bounds[j], term) if combine == LARGEST else bounds[j] + term
        for j in range(bounds.size):
            bounds[j] *= shrink


@jit
def keep_candidates(
    low: Array, relative: float, x_slack: Array, y_slack: Array, x_self: Array, y_self: Array,
    exclude: int, first: int, total: int, k: int, limit: Floats, bound: Floats, column: Ints,
    count: Ints,
) -> None:  # fmt: skip
    """Append the columns of a tile that can be neighbours to the rows' candidates.

    Parameters
    ----------
    low
        (n, m) lower bounds of the reduced distances.
    relative, x_slack, y_slack
        The upper bound is ``low * (1 + relative) + x_slack[i] + y_slack[j]``.
    x_self, y_self
        (3, n) and (3, m): location, frame and trajectory of the rows. The own
        location is no neighbour, nor is a frame of the same trajectory within
        ``exclude`` frames.
    first
        Number of the first column of the tile.
    total
        How many columns there are in all tiles if they come in random order; 0 if they
        don't, or rows had neighbors before.
    k
        Length of the lists.
    limit
        (n,) largest lower bound that can still be a neighbour, lowered in place.
    bound, column
        (n, 2, capacity) lower and upper bounds of the candidates, and their
        (n, capacity) numbers.
    count
        (n,) number of candidates; -1 marks a row whose candidates overflowed.
    """
    n, m = low.shape
    capacity = column.shape[1]
    most = capacity - capacity // 8 - 1
    enough = 2 * rank_among(k, first + m, total) + capacity // 8
    found = np.empty(m, np.int64)
    for i in range(n):
        if count[i] < 0:
            continue
        # a lower bound is not above the limit when that is rounded to its dtype
        held = _columns_up_to(low[i], low.dtype.type(limit[i]), found)
        for hit in range(held):
            j = found[hit]
            value = np.float64(low[i, j])
            if value > limit[i] or no_neighbor(x_self, i, y_self, j, exclude):
                continue
            c = count[i]
            bound[i, 0, c] = value
            bound[i, 1, c] = value * (1.0 + relative) + x_slack[i] + y_slack[j]
            column[i, c] = first + j
            count[i] = c + 1
            if c + 1 == capacity:
                rank = rank_among(k, first + j + 1, total)
                limit[i] = compact(bound[i], column[i], count, i, rank, limit[i], most)
                if count[i] < 0:
                    break
        if count[i] > enough:
            rank = rank_among(k, first + m, total)
            limit[i] = compact(bound[i], column[i], count, i, rank, limit[i], most)


@jit
def rank_among(k: int, seen: int, total: int) -> int:
    """Return how many of the k nearest of ``total`` columns are among ``seen`` random ones at most.

    Four standard deviations and four above the mean: one row in 100,000 has more.
    """
    if total == 0:
        return k
    share = min(1.0, seen / total)
    return min(k, int(k * share + 4 * np.sqrt(k * share * (1 - share)) + 4))


@inlined
def _columns_up_to(row: Array, ceiling: float, found: Ints) -> int:
    """Write the columns with values up to ``ceiling`` to ``found``; return their number."""
    held = 0
    whole = row.size - row.size % STRIDE
    for start in range(0, whole, STRIDE):
        mask = up_to(row, start, ceiling)
        while mask:
            found[held] = start + lowest_bit(mask)
            held += 1
            mask = without_lowest(mask)
    for j in range(whole, row.size):
        found[held] = j
        held += row[j] <= ceiling
    return held


@inlined
def no_neighbor(x_self: Array, i: int, y_self: Array, j: int, exclude: int) -> bool:
    """Return whether ``j`` is the same location as ``i``, or a frame too near in time."""
    if x_self[0, i] == y_self[0, j]:
        return True
    if exclude <= 0 or x_self[2, i] != y_self[2, j]:
        return False
    return bool(abs(x_self[1, i] - y_self[1, j]) <= exclude)


@jit
def too_low(high: Floats, limit: float, k: int, last: float) -> bool:
    """Return whether a list with room may lack neighbors: fewer than k bounds reach the limit.

    Parameters
    ----------
    high, limit
        Upper bounds of the candidates of a row, and its limit.
    k, last
        Length of the list, and the distance of its last entry so far.
    """
    if np.isfinite(last) or limit == np.inf:
        return False
    held = 0
    for value in high:
        held += value <= limit
    return held < k


@jit
def compact(
    bound: Floats, column: Ints, count: Ints, i: int, k: int, limit: float, most: int
) -> float:
    """Drop the candidates of row ``i`` that are none any more; return the new limit.

    A row that keeps more than ``most`` is marked with a count of -1.
    """
    held = count[i]
    limit = _kth_bound(bound[1, :held], k, limit)
    kept = 0
    for c in range(held):
        keep = bound[0, c] <= limit
        bound[0, kept] = bound[0, c]
        bound[1, kept] = bound[1, c]
        column[kept] = column[c]
        kept += keep
    count[i] = -1 if kept > most else kept
    return limit


@jit
def _kth_bound(values: Floats, k: int, limit: float) -> float:
    """Return a value not above ``limit`` that at least ``k`` of ``values`` do not exceed.

    By bisection: a count is a SIMD loop, where a partition mispredicts its
    branches. Within a sixteenth of the rank of the k-th smallest, or that itself
    where bisection can't tell values apart (equal ones, many magnitudes).
    """
    low, high, held = np.inf, -np.inf, 0
    for value in values:
        low, high = min(low, value), max(high, value)
        held += value <= limit
    if held < k:
        return limit
    high = min(high, limit)
    for _ in range(BISECTIONS):
        if held <= k + k // 16:
            return high
        middle = low + (high - low) / 2
        count = 0
        for value in values:
            count += value <= middle
        if count >= k:
            high, held = middle, count
        else:
            low = middle
    return float(min(high, np.sort(values)[k - 1]))


@jit
def kth_smallest(values: Array, held: int, k: int, low: float, high: float) -> float:
    """Return a value that at least ``k`` of the first ``held`` do not exceed, and few more than k.

    By bisection between ``low`` and ``high``, in their dtype: a count is a few instructions,
    where a partition mispredicts its branches. Infinite if there are fewer.

    Parameters
    ----------
    values
        (n,) values, n a multiple of 64; those behind ``held`` are not looked at.
    held, k
        How many there are, and the rank.
    low, high
        Where it is looked for, without being wrong if it is elsewhere.
    """
    half = values.dtype.type(0.5)
    if held < k:
        return np.inf
    if not np.isfinite(high) or count_up_to(values, held, high) < k:
        high = values[0]
        for value in values[1:held]:
            high = max(high, value)
    for _ in range(BISECTIONS):
        middle = low + (high - low) * half
        count = count_up_to(values, held, middle)
        if count >= k:
            high = middle
            if count <= k + k // 16:
                return high
        else:
            low = middle
    for value in values[:held]:
        if value < high and count_up_to(values, held, value) >= k:
            high = value
    return float(high)


@inlined
def count_up_to(values: Array, held: int, limit: float) -> int:
    """Return how many of the first ``held`` of 64 n values are not above a limit."""
    count = 0
    for start in range(0, held, STRIDE):
        count += ones(up_to(values, start, limit) & first_bits(held - start))
    return count


@inlined
def first_bits(n: int) -> Any:
    """Return a mask of the first ``n`` bits, of all if there are not so many."""
    return EVERY if n >= STRIDE else (ONE << np.uint64(n)) - ONE
