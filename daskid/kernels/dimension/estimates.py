"""The dimension made of log ratios, and its error.

With ``x = d ln mu`` nothing overflows, and ``mu = 1`` needs no special case but 0/0.
"""

import math

import numpy as np

from daskid.kernels._jit import jit
from daskid.kernels.dimension.ratios import count_and_sum
from daskid.kernels.dimension.sandwich import spread
from daskid.typing import Array, Floats, Ints


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
    n, _ = count_and_sum(values)
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
    n, total = count_and_sum(log_mu)
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
            one = gride_terms(d * value, n1, n2)
            score += one[0]
            information += one[1]
    return score, information


@jit
def gride_terms(x: float, n1: int, n2: int) -> tuple[float, float, float]:
    """Return one sample's part of F, the score times d, and of C, d^2 times the information.

    With ``h = x / (1 - e^-x)``, 1 at x = 0, and ``g = h^2 e^-x`` these are ``1 + a h - (n2 - 1) x``
    and ``1 + a g``. The third is the derivative of C by ln d; that of F is F - C.
    """
    fall = math.expm1(-x)
    h = x / -fall if x > 0.0 else 1.0
    g = h * h * (1.0 + fall)
    a = n2 - n1 - 1
    slope = 2.0 * h * (h - g) * (1.0 + fall) - x * g
    return 1.0 + a * h - (n2 - 1) * x, 1.0 + a * g, a * slope


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
        score[i] = gride_terms(d * log_mu[i], n1, n2)[0]
    return d * spread(score, index) / _gride_sums(log_mu, d, n1, n2)[1]
