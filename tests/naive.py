"""Slow, obvious versions of the algorithms, written from the papers alone."""

import math
from fractions import Fraction

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import betaln


def twonn_ml(distance):
    """Facco 2017: (n - 1) / sum ln(r_2 / r_1)."""
    log_mu = [math.log(r[1]) - math.log(r[0]) for r in distance]
    return (len(log_mu) - 1) / math.fsum(log_mu)


def twonn_fit(distance, fraction):
    """Facco 2017: a straight line through the origin, to (ln mu, -ln(1 - F))."""
    x = np.sort(np.log(distance[:, 1] / distance[:, 0]))
    n = min(int(x.size * fraction), x.size - 1)
    y = np.array([-math.log(1 - j / x.size) for j in range(1, n + 1)])
    return np.linalg.lstsq(x[:n, np.newaxis], y, rcond=None)[0][0]


def twonn_fit_of_weighted(log_mu, weight, fraction):
    """The fit of a distribution with the given weights, by integrals over p < fraction."""
    order = np.argsort(log_mu)
    end = np.minimum(np.cumsum(weight[order]) / weight.sum(), fraction)
    start = np.concatenate([[0], end[:-1]])
    integral = [(1 - p) * np.log(1 - p) - (1 - p) for p in (end, start)]
    x = log_mu[order]
    return np.sum(x * (integral[0] - integral[1])) / np.sum(x**2 * (end - start))


def spread(score, neighbors):
    """The sandwich: products of centered scores over neighborhoods that intersect."""
    used = [i for i in range(len(score)) if not math.isnan(score[i])]
    center = sum(score[i] for i in used) / len(used)
    squares = sum((score[i] - center) ** 2 for i in used)
    products = pairs = 0
    for i in used:
        for j in used:
            if {i, *neighbors[i]} & {j, *neighbors[j]}:
                products += (score[i] - center) * (score[j] - center)
                pairs += 1
    share = pairs / len(used) ** 2
    return math.sqrt(squares if share == 1 else max(squares, products / (1 - share)))


def gride_log_likelihood(d, mu, n1, n2):
    """Denti 2022, with n - 1 for n in front of ln d."""
    n = mu.size
    a = n2 - n1 - 1
    return (
        (n - 1) * np.log(d)
        + (a * np.log(mu**d - 1).sum() if a else 0)
        - ((n2 - 1) * d + 1) * np.log(mu).sum()
        - n * betaln(n2 - n1, n1)
    )


def gride(distance, n1, n2):
    """The maximum of the likelihood and its Fisher error, both from the likelihood."""
    mu = distance[:, n2 - 1] / distance[:, n1 - 1]
    found = minimize_scalar(
        lambda log_d: -gride_log_likelihood(np.exp(log_d), mu, n1, n2),
        bounds=np.log([1e-2, 1e3]),
        method="bounded",
        options={"xatol": 1e-10},
    )
    d, h = np.exp(found.x), 1e-3 * np.exp(found.x)
    low, middle, high = (gride_log_likelihood(d + s * h, mu, n1, n2) for s in (-1, 0, 1))
    # the information of all n ratios: one more than the n - 1 in the likelihood
    information = -(low - 2 * middle + high) / h**2 + 1 / d**2
    return d, 1 / np.sqrt(information)


def gride_scores(distance, d, n1, n2):
    """The derivative of each location's log likelihood, by differences."""
    mu = distance[:, n2 - 1] / distance[:, n1 - 1]
    h = 1e-5 * d
    one = [
        np.log(e) + (n2 - n1 - 1) * np.log(mu**e - 1) - (n2 - 1) * e * np.log(mu)
        for e in (d - h, d + h)
    ]
    return (one[1] - one[0]) / (2 * h)


def mle(distance, k):
    """Levina 2004 at each location; MacKay 2005: the mean is taken of the inverses."""
    local = [1 / (sum(math.log(r[k - 1] / r[j]) for j in range(k - 1)) / (k - 1)) for r in distance]
    return 1 / np.mean([1 / d for d in local])


def distances(x, metric="euclidean", period=None, weight=None):
    """The whole matrix, by differences in float64, the shorter way round each period."""
    x = np.asarray(x, "f8")
    if metric == "cosine":
        return cosine(x, weight)
    difference = np.abs(x[:, np.newaxis] - x)
    if period is not None:
        period = np.asarray(period, "f8")
        around = np.where(period > 0, np.abs(period - difference), np.inf)
        difference = np.minimum(difference, around)
    weight = np.ones(x.shape[1]) if weight is None else np.asarray(weight, "f8")
    if metric == "hamming":
        return (weight * (difference > 0)).sum(axis=-1) / weight.sum()
    if metric == "euclidean":
        return np.sqrt((weight * difference**2).sum(axis=-1))
    terms = weight * difference
    return terms.sum(axis=-1) if metric == "cityblock" else terms.max(axis=-1)


def cosine(x, weight=None):
    """One minus the cosine of the angle between each two rows, to 19 digits or so."""
    x = np.asarray(x, np.longdouble)
    products = x @ (x if weight is None else x * np.asarray(weight, np.longdouble)).T
    squares = np.diag(products)
    return (1 - products / np.sqrt(squares[:, np.newaxis] * squares)).astype("f8")


def locations(x, metric="euclidean", period=None, weight=None):
    """The first row at the same place, for every row."""
    if metric != "cosine":
        # copies are at distance 0 in every feature that counts
        return (distances(x, "chebyshev", period, weight) == 0).argmax(axis=1)
    counted = np.asarray(x, "f8") if weight is None else np.asarray(x, "f8")[:, weight > 0]
    exact = [[Fraction(v) for v in row] for row in counted.tolist()]
    directions = [tuple(v / max(map(abs, row)) for v in row) for row in exact]
    return np.array([directions.index(direction) for direction in directions])


def knn(
    x,
    k,
    metric="euclidean",
    period=None,
    weight=None,
    exclude=0,
    frame=None,
    trajectory=None,
    duplicates="merge",
):
    """Sort whole rows of the whole matrix; (distance, index, location) of every sample."""
    n = len(x)
    matrix = distances(x, metric, period, weight)
    merged = duplicates == "merge"
    location = locations(x, metric, period, weight) if merged else np.arange(n)
    frame = np.arange(n) if frame is None else np.asarray(frame)
    trajectory = np.zeros(n) if trajectory is None else np.asarray(trajectory)
    distance, index = np.empty((n, k)), np.empty((n, k), int)
    for i in range(n):
        own = location[i]
        allowed = [
            j
            for j in sorted(set(location))
            if j != own
            and (
                exclude == 0
                or trajectory[j] != trajectory[own]
                or abs(frame[j] - frame[own]) > exclude
            )
        ]
        if len(allowed) < k:
            raise LookupError(f"{len(allowed)} neighbors of sample {i}, not {k}")
        order = np.argsort(matrix[own, allowed], kind="stable")[:k]
        index[i] = np.array(allowed)[order]
        distance[i] = matrix[own, index[i]]
    return distance, index, location
