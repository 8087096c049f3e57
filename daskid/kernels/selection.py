"""Which of many bounds are the smallest, and which rows are no neighbors of each other."""

from typing import Any

import numpy as np

from daskid.kernels._jit import inlined, jit
from daskid.kernels._simd import (
    EVERY,
    ONE,
    STRIDE,
    ones,
    up_to,
)
from daskid.kernels.metrics import HALF_SQUARE, LARGEST
from daskid.typing import Array, Floats

BISECTIONS = 24


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
def rank_among(k: int, seen: int, total: int) -> int:
    """Return how many of the k nearest of ``total`` columns are among ``seen`` random ones at most.

    Four standard deviations and four above the mean: one row in 100,000 has more.
    """
    if total == 0:
        return k
    share = min(1.0, seen / total)
    return min(k, int(k * share + 4 * np.sqrt(k * share * (1 - share)) + 4))


@inlined
def no_neighbor(x_self: Array, i: int, y_self: Array, j: int, exclude: int) -> bool:
    """Return whether ``j`` is the same location as ``i``, or a frame too near in time.

    Parameters
    ----------
    x_self, i, y_self, j
        (3, n) location, frame and trajectory of rows, and which of them.
    exclude
        Frames of the same trajectory up to so many apart are none.
    """
    if x_self[0, i] == y_self[0, j]:
        return True
    if exclude <= 0 or x_self[2, i] != y_self[2, j]:
        return False
    return bool(abs(x_self[1, i] - y_self[1, j]) <= exclude)


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
