"""Rows of a tile that are nearer than limits: counted by bounds, in doubt by distances."""

import numpy as np

from daskid.kernels._jit import jit
from daskid.kernels._simd import (
    LANES,
    STRIDE,
    below,
    lowest_bit,
    ones,
    up_to,
    without_lowest,
)
from daskid.kernels.bits import write_distances
from daskid.kernels.metrics import distance_of
from daskid.typing import Array, Floats, Ints


@jit
def count_rows(
    low: Array, under: Array, over: Array, limit: Floats, per: int, rank: Ints, column: Ints,
    doubt: Ints,
) -> int:  # fmt: skip
    """Count the columns of a tile that are within the limits of its rows beyond doubt.

    Parameters
    ----------
    low
        (n, w) values, w a multiple of 64; infinite where a pair does not count.
    under, over
        (t, n) what is below ``under`` is nearer than the limit, above ``over`` it is further.
    limit, per
        (t, n) distances, and how many follow each other as one set.
    rank, column
        (t, n) and (s, m) counts, raised by 2 for each.
    doubt
        (3, most) limit, row and column of the pairs in doubt, written.

    Returns
    -------
    How many pairs are in doubt; -1 if there is no room for them: counts are then of no use.
    """
    n, held = low.shape[0], 0
    inside = np.zeros(low.shape[1], np.int32)
    for t in range(limit.shape[0]):
        inside[:] = 0
        for i in range(n):
            if limit[t, i] < 0:
                continue
            least, largest, row = under[t, i], over[t, i], low[i]
            count = 0
            for start in range(0, row.size, STRIDE):
                sure = below(row, start, least)
                mask = up_to(row, start, largest) ^ sure
                count += ones(sure)
                while mask:
                    if held == doubt.shape[1]:
                        return -1
                    doubt[0, held], doubt[1, held] = t, i
                    doubt[2, held] = start + lowest_bit(mask)
                    mask = without_lowest(mask)
                    held += 1
            rank[t, i] += 2 * count
            for j in range(row.size):
                inside[j] += row[j] < least
        for j in range(column.shape[1]):
            column[t // per, j] += 2 * inside[j]
    return held


@jit
def count_columns(
    low: Array, under: Array, over: Array, limit: Floats, per: int, rank: Ints, column: Ints,
    doubt: Ints,
) -> int:  # fmt: skip
    """Count the rows of a tile that are within the limits of its columns; see :func:`count_rows`.

    ``under`` and ``over`` (t, w), ``limit`` and ``rank`` (t, m), ``column`` (s, n).
    """
    held, m = 0, limit.shape[1]
    inside = np.zeros(low.shape[1], np.int32)
    for t in range(limit.shape[0]):
        inside[:] = 0
        least, largest = under[t], over[t]
        for i in range(low.shape[0]):
            row = low[i]
            sure, reached = 0, 0
            for j in range(row.size):
                nearer = row[j] < least[j]
                inside[j] += nearer
                sure += nearer
                reached += row[j] <= largest[j]
            column[t // per, i] += 2 * sure
            if reached == sure:
                continue
            for j in range(m):
                if row[j] < least[j] or not row[j] <= largest[j]:
                    continue
                if held == doubt.shape[1]:
                    return -1
                doubt[0, held], doubt[1, held], doubt[2, held] = t, i, j
                held += 1
        for j in range(m):
            rank[t, j] += 2 * inside[j]
    return held


@jit
def decide(
    doubt: Ints, of_rows: bool, x: Array, y: Array, limit: Floats, per: int, combine: int,
    period: Floats, weight: Floats, rank: Ints, column: Ints,
) -> None:  # fmt: skip
    """Count pairs that are in doubt by their distances: 2 if nearer than a limit, 1 if at it.

    Parameters
    ----------
    doubt
        (3, n) limit, row and column.
    of_rows
        Whether the limits are those of rows.
    x, y
        Rows and columns, as compared.
    limit, per, rank, column
        As in :func:`count_rows` or :func:`count_columns`.
    combine, period, weight
        As in :func:`daskid.kernels.metrics.reduced_distance`.
    """
    lanes = np.empty(LANES)
    for h in range(doubt.shape[1]):
        t, i, j = doubt[0, h], doubt[1, h], doubt[2, h]
        distance = distance_of(x[i], y[j], combine, period, weight, lanes)
        own, other = (i, j) if of_rows else (j, i)
        count = 2 if distance < limit[t, own] else int(distance == limit[t, own])
        rank[t, own] += count
        column[t // per, other] += count


@jit
def leave_out(low: Array, x_who: Ints, y_who: Ints, exclude: int) -> None:
    """Make values of a tile infinite that are of one sample, or of frames too near in time.

    ``x_who`` (3, n) and ``y_who`` (3, m): number, frame and trajectory.
    """
    for i in range(x_who.shape[1]):
        for j in range(y_who.shape[1]):
            near = x_who[2, i] == y_who[2, j] and abs(x_who[1, i] - y_who[1, j]) <= exclude
            if x_who[0, i] == y_who[0, j] or (exclude > 0 and near):
                low[i, j] = np.inf


@jit
def pair_distances(
    x: Array, y: Array, of: Ints, combine: int, period: Floats, weight: Floats, out: Floats
) -> None:
    """Write the distance of ``x[i]`` and ``y[of[i, t]]`` to ``out`` (n, t); -inf for -1."""
    lanes = np.empty(LANES)
    for i in range(of.shape[0]):
        for t in range(of.shape[1]):
            j = of[i, t]
            out[i, t] = (
                distance_of(x[i], y[j], combine, period, weight, lanes) if j >= 0 else -np.inf
            )


@jit
def pair_bits(
    x: Array, columns: Array, of: Ints, weight: Floats, total: float, out: Floats
) -> None:
    """Write distances of rows of bits, as :func:`pair_distances`; ``columns`` (words, m)."""
    for i in range(of.shape[0]):
        for t in range(of.shape[1]):
            j = of[i, t]
            out[i, t] = -np.inf
            if j >= 0:
                write_distances(x[i], columns[:, j : j + 1], weight, total, out[i, t : t + 1])
