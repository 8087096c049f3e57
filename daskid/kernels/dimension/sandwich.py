"""The scatter of a sum of scores whose neighborhoods share samples.

Scores are NaN where a sample has none.
"""

import math

import numpy as np

from daskid.kernels._jit import jit
from daskid.kernels.dimension.ratios import count_and_sum
from daskid.typing import Floats, Ints


@jit
def spread(score: Floats, index: Ints) -> float:
    """Return the standard deviation of the sum of scores that share samples.

    The sandwich: centered scores, multiplied over every pair whose neighborhoods
    share a sample. Centering removes the part ``pairs / n**2`` of it, which is
    put back; below the sum of squares it is noise, and the sum of squares stands.

    Parameters
    ----------
    score, index
        As in :func:`pair_sum`; the scores need not be centered.

    Returns
    -------
    The deviation, NaN of fewer than two scores or of scores all alike.
    """
    n, total = count_and_sum(score)
    if n < 2:
        return np.nan
    centered = score - total / n
    squares, products, pairs = pair_sum(centered, index)
    share = pairs / n**2
    variance = max(squares, products / (1.0 - share)) if share < 1.0 else squares
    return math.sqrt(variance) if variance > 0.0 else np.nan


@jit
def pair_sum(score: Floats, index: Ints) -> tuple[float, float, float]:
    """Sum ``score_i score_j`` over pairs whose neighborhoods share a sample.

    The neighborhood of ``i`` is ``i`` itself and ``index[i]``. The inverted
    index says who holds a sample; a stamp keeps a pair from counting twice.

    Parameters
    ----------
    score
        (n,) scores, NaN where a sample has none.
    index
        (n, m) samples in the neighborhoods, read where there is a score.

    Returns
    -------
    The sum over ``i = j``, the sum over all ordered pairs, and how many these are.
    """
    start, holder = _holders(score, index)
    stamp = np.full(score.size, -1, index.dtype)
    squares, products, pairs = 0.0, 0.0, 0.0
    for i in range(score.size):
        if np.isnan(score[i]):
            continue
        before = 0.0
        for c in range(-1, index.shape[1]):
            shared = i if c < 0 else index[i, c]
            for h in range(start[shared], start[shared + 1]):
                j = holder[h]
                if j >= i:
                    break
                if stamp[j] != i:
                    stamp[j] = i
                    before += score[j]
                    pairs += 2.0
        pairs += 1.0
        squares += score[i] * score[i]
        products += score[i] * (score[i] + 2.0 * before)
    return squares, products, pairs


@jit
def _holders(score: Floats, index: Ints) -> tuple[Ints, Ints]:
    """Return the neighborhoods that hold each sample, ascending, as (start, holder)."""
    n, m = index.shape
    start = np.zeros(n + 2, np.int64)
    for i in range(n):
        if not np.isnan(score[i]):
            start[i + 2] += 1
            for c in range(m):
                start[index[i, c] + 2] += 1
    start = np.cumsum(start)
    holder = np.empty(start[n + 1], index.dtype)
    for i in range(n):
        if not np.isnan(score[i]):
            holder[start[i + 1]] = i
            start[i + 1] += 1
            for c in range(m):
                p = index[i, c]
                holder[start[p + 1]] = i
                start[p + 1] += 1
    return start, holder
