"""Ratios of neighbor distances, and the estimates of the dimension made of them.

A vector of log ratios holds one entry per sample, NaN where the sample has no
ratio: a copy of another sample, ``r = 0``, or a list with free slots. With
``x = d ln mu`` nothing overflows, and ``mu = 1`` needs no special case but 0/0.
"""

import math

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Array, Floats, Ints


@jit
def _log_ratio(inner: float, outer: float) -> float:
    """Return ln(outer / inner), NaN unless ``0 < inner <= outer < inf``."""
    if not (0.0 < inner <= outer < np.inf):
        return np.nan
    if outer - inner < inner:
        return math.log1p((outer - inner) / inner)
    return math.log(outer) - math.log(inner)


@jit
def log_ratios(distance: Array, kept: Array, inner: Ints, outer: Ints) -> Floats:
    """Return ln(r_outer / r_inner) at each scale.

    Parameters
    ----------
    distance
        (n, k) sorted distances, any floating dtype.
    kept
        (n,) bool, False where the sample is a copy of another.
    inner, outer
        (s,) ranks, counted from 1.

    Returns
    -------
    (n, s) log ratios, NaN where there is none.
    """
    out = np.full((distance.shape[0], inner.size), np.nan)
    for i in range(distance.shape[0]):
        if kept[i]:
            for s in range(inner.size):
                near, far = distance[i, inner[s] - 1], distance[i, outer[s] - 1]
                out[i, s] = _log_ratio(np.float64(near), np.float64(far))
    return out


@jit
def midpoints(distance: Array, log_mu: Floats, inner: Ints, outer: Ints) -> Floats:
    """Return (r_inner + r_outer) / 2 at each scale: (n, s), 0 where there is no ratio."""
    out = np.zeros((distance.shape[0], inner.size))
    for i in range(out.shape[0]):
        for s in range(inner.size):
            if not np.isnan(log_mu[i, s]):
                near, far = distance[i, inner[s] - 1], distance[i, outer[s] - 1]
                out[i, s] = 0.5 * np.float64(near) + 0.5 * np.float64(far)
    return out


@jit
def mean_log_ratios(distance: Array, kept: Array, k: int) -> Floats:
    """Return the mean of ln(r_k / r_j), j = 1..k-1: (n,), NaN where one is missing."""
    out = np.full(distance.shape[0], np.nan)
    for i in range(out.size):
        if kept[i]:
            total = 0.0
            for j in range(k - 1):
                total += _log_ratio(np.float64(distance[i, j]), np.float64(distance[i, k - 1]))
            out[i] = total / (k - 1)
    return out


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
    n, total = _count_and_sum(score)
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


@jit
def _count_and_sum(values: Floats) -> tuple[int, float]:
    n, total = 0, 0.0
    for value in values:
        if not np.isnan(value):
            n += 1
            total += value
    return n, total


def rate(n: Array, total: Array, correction: int) -> Floats:
    """Return ``(n - correction) / total``, NaN for ``n < 2`` or nothing but ``mu = 1``."""
    n, total = np.asarray(n), np.asarray(total)
    out: Floats = np.full(total.shape, np.nan)
    np.divide(n - correction, total, out=out, where=(n > 1) & (total > 0))
    return out


def mean(n: Array, total: Array) -> Floats:
    """Return ``total / n``, NaN for ``n = 0``."""
    n, total = np.asarray(n), np.asarray(total)
    out: Floats = np.full(total.shape, np.nan)
    np.divide(total, n, out=out, where=n > 0)
    return out


def independent_error(d: Array, n: Array, ratios: int) -> Floats:
    """Return ``d / sqrt(n ratios)``, the error of independent ratios; NaN for ``n = 0``."""
    d, n = np.asarray(d), np.asarray(n)
    out: Floats = np.full(d.shape, np.nan)
    np.divide(d, np.sqrt(ratios * n), out=out, where=n > 0)
    return out


@jit
def rate_error(d: float, values: Floats, index: Ints) -> float:
    """Return the sandwich error of ``d = n / sum values``."""
    n, _ = _count_and_sum(values)
    return d * d * spread(values, index) / n if d > 0.0 else np.nan


def fit(log_mu: Floats, fraction: float) -> float:
    """Return the slope of -ln(1 - F) against ln mu, through the origin.

    Parameters
    ----------
    log_mu
        (n,) log ratios.
    fraction
        Share of the samples kept, those with the smallest ratios; the largest
        of all has F = 1 and is never kept.
    """
    x = np.sort(log_mu[~np.isnan(log_mu)])
    y = _minus_log_survival(x.size, fraction)
    x = x[: y.size]
    squares = (x * x).sum()
    return float((x * y).sum() / squares) if x.size > 1 and squares > 0.0 else math.nan


def fit_error(d: float, log_mu: Floats, index: Ints, fraction: float) -> float:
    """Return the sandwich error of :func:`fit`."""
    influence = fit_influence(d, log_mu, fraction)
    n = int(np.isfinite(influence).sum())
    return spread(influence, index) / n if n > 1 else math.nan


def fit_influence(d: float, log_mu: Floats, fraction: float) -> Floats:
    """Return n times the change of :func:`fit` by the weight of each sample: (n,).

    The slope is A / B, A the integral of Q(p) (-ln(1 - p)) and B that of Q(p)^2
    over p < fraction, Q the quantile function. A sample at x moves F(t) by
    1{x <= t} - F(t), and the integral of J(p) h(Q(p)) by minus the integral of
    J(F) h'(t) (1{x <= t} - F) dt. F is constant between order statistics.
    """
    out = np.full(log_mu.shape, np.nan)
    used = np.flatnonzero(~np.isnan(log_mu))
    order = used[np.argsort(log_mu[used], kind="stable")]
    y = _minus_log_survival(order.size, fraction)
    if y.size < 2 or not np.isfinite(d):
        return out
    x = log_mu[order[: y.size]]
    # between x[j] and x[j + 1], F = (j + 1) / n: numerator minus d times denominator
    area = y[:-1] * np.diff(x) - d * np.diff(x * x)
    after = np.zeros(order.size)
    after[: area.size] = np.cumsum(area[::-1])[::-1]
    level = np.arange(1, y.size) / order.size
    out[order] = order.size * ((area * level).sum() - after) / (x * x).sum()
    return out


def _minus_log_survival(n: int, fraction: float) -> Floats:
    kept = max(min(int(n * fraction), n - 1), 0)
    return -np.log1p(-np.arange(1, kept + 1) / max(n, 1))


@jit
def gride(log_mu: Floats, n1: int, n2: int) -> float:
    """Return the d that maximizes the likelihood of the ratios r_n2 / r_n1.

    The score times d, ``F(d) = n - 1 + a sum h(x) - (n2 - 1) sum x`` with
    ``a = n2 - n1 - 1``, ``h(x) = x / (1 - e^-x)``, ``x = d ln mu``, is convex and
    falls. As ``1 <= h <= 1 + x`` its root lies between ``(n - 1 + a n) / sum ln mu``
    over n2 - 1 and over n1: Newton from the left end rises to the root and stops.

    Parameters
    ----------
    log_mu
        (n,) log ratios.
    n1, n2
        Ranks, counted from 1.

    Returns
    -------
    d, NaN of fewer than two ratios or nothing but ``mu = 1``.
    """
    n, total = _count_and_sum(log_mu)
    a = n2 - n1 - 1
    if n < 2 or not total > 0.0:
        return np.nan
    d = (n - 1 + a * n) / (n2 - 1) / total
    last = (n - 1 + a * n) / n1 / total
    if not last < np.inf:
        return np.nan
    while True:
        score, curvature = _gride_sums(log_mu, d, n1, n2)
        curvature -= 1.0  # the score of ln L(d) holds n - 1
        rise = min(d * curvature / (curvature - score), last)
        if not rise > d * (1.0 + 1e-15):
            return d
        d = rise


@jit
def _gride_sums(log_mu: Floats, d: float, n1: int, n2: int) -> tuple[float, float]:
    """Return F(d), and d^2 times the Fisher information: n + a sum h^2 e^-x."""
    score, information = -1.0, 0.0
    for value in log_mu:
        if not np.isnan(value):
            h, decay = _shape(d * value)
            score += 1.0 + (n2 - n1 - 1) * h - (n2 - 1) * d * value
            information += 1.0 + (n2 - n1 - 1) * h * h * decay
    return score, information


@jit
def _shape(x: float) -> tuple[float, float]:
    """Return x / (1 - e^-x), 1 at x = 0, and e^-x."""
    fall = math.expm1(-x)
    return (x / -fall if x > 0.0 else 1.0), 1.0 + fall


@jit
def gride_fisher_error(d: float, log_mu: Floats, n1: int, n2: int) -> float:
    """Return the Fisher error of :func:`gride`: that of independent ratios."""
    return d / math.sqrt(_gride_sums(log_mu, d, n1, n2)[1]) if d > 0.0 else np.nan


@jit
def gride_error(d: float, log_mu: Floats, index: Ints, n1: int, n2: int) -> float:
    """Return the sandwich error of :func:`gride`."""
    if not d > 0.0:
        return np.nan
    score = np.empty(log_mu.size)
    for i in range(score.size):
        h, _ = _shape(d * log_mu[i])
        score[i] = 1.0 + (n2 - n1 - 1) * h - (n2 - 1) * d * log_mu[i]
    return d * spread(score, index) / _gride_sums(log_mu, d, n1, n2)[1]
