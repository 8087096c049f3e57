"""The nearest row with each one of some more features: all of them in one pass."""

from typing import Any

import numpy as np

from daskid.kernels._jit import inlined, jit
from daskid.kernels._simd import STRIDE, lowest_bit, up_to, without_lowest
from daskid.kernels.metrics import HALF_SQUARE, LARGEST
from daskid.kernels.neighbors import Block, Space
from daskid.typing import Floats, Ints


def nearest_with_each(
    x: Block, y: Block, chosen: Ints, candidates: Ints, space: Space, best: Floats, nearest: Ints
) -> None:
    """Bring the nearest rows up to date with those of a block, for each candidate, in place.

    Parameters
    ----------
    x, y
        (n, d) and (m, d) rows, and who they are: number, frame and trajectory.
    chosen, candidates
        Features that all distances have, and those of which each has one more.
    space
        How rows are compared, by sums or maxima over features.
    best, nearest
        (c, n) reduced distances and numbers of the nearest rows so far. Of rows that are as far
        one is taken at random, always the same.
    """
    weight = space.weight if space.weight.size else np.ones(x.rows.shape[1])
    period = space.period if space.period.size else np.zeros(x.rows.shape[1])
    columns = np.ascontiguousarray(y.rows.T, dtype="f8")
    _update(
        np.asarray(x.rows, "f8"), columns, x.who, y.who, chosen, candidates, space.combine,
        period, weight, space.exclude, best, nearest,
    )  # fmt: skip


@jit
def _update(
    x: Floats, columns: Floats, x_who: Ints, y_who: Ints, chosen: Ints, candidates: Ints,
    combine: int, period: Floats, weight: Floats, exclude: int, best: Floats, nearest: Ints,
) -> None:  # fmt: skip
    m = columns.shape[1]
    wide = (m + STRIDE - 1) // STRIDE * STRIDE
    base, values = np.empty(wide), np.empty(wide)
    for i in range(x.shape[0]):
        base[:m] = 0.0
        base[m:] = np.inf
        for j in range(m):
            near = x_who[2, i] == y_who[2, j] and abs(x_who[1, i] - y_who[1, j]) <= exclude
            if x_who[0, i] == y_who[0, j] or (exclude > 0 and near):
                base[j] = np.inf
        for f in chosen:
            _add(base, base, x[i, f], columns[f], combine, period[f], weight[f])
        for c in range(candidates.size):
            f = candidates[c]
            values[m:] = np.inf
            _add(base, values, x[i, f], columns[f], combine, period[f], weight[f])
            limit = best[c, i]
            for start in range(0, wide, STRIDE):
                mask = up_to(values, start, limit)
                while mask:
                    j = start + lowest_bit(mask)
                    mask = without_lowest(mask)
                    if values[j] == np.inf or values[j] > limit:
                        continue
                    own, other = x_who[0, i], nearest[c, i]
                    if values[j] < limit or _draw(own, y_who[0, j]) < _draw(own, other):
                        limit, nearest[c, i] = values[j], y_who[0, j]
            best[c, i] = limit


@inlined
def _add(
    base: Floats, out: Floats, value: float, column: Floats, combine: int, period: float,
    weight: float,
) -> None:  # fmt: skip
    """Write ``base`` with the terms of one more feature."""
    around = period if period > 0.0 else np.inf
    for j in range(column.size):
        difference = abs(value - column[j])
        difference = min(difference, around - difference)
        term = weight * (difference * difference if combine <= HALF_SQUARE else difference)
        out[j] = max(base[j], term) if combine == LARGEST else base[j] + term


@inlined
def _draw(i: int, j: int) -> Any:
    """Return a number that is random for every pair of samples, and always the same."""
    state = np.uint64(i) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(j)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
