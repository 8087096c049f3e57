"""Slow, obvious versions of k* and of densities, written from the papers alone."""

import math

import numpy as np
from scipy.optimize import minimize
from scipy.stats import chi2


def kstar(distance, index, d, alpha=1e-6):
    """Rodriguez 2018, with the last step of DADApy 0.3.4: volumes of k neighbors, two by two."""
    threshold = chi2.isf(alpha, 1)
    stored = distance.shape[1]
    found = []
    for i in range(len(distance)):
        k = 3
        while k < stored - 1:
            j = index[i, k]  # the neighbor k + 1
            own, other = distance[i, k - 1] ** d, distance[j, k - 1] ** d
            if own != other:
                one = 2 * math.log(own + other) if min(own, other) > 0 else math.inf
                two = math.log(own) + math.log(other) if min(own, other) > 0 else 0
                if 2 * k * (one - two - math.log(4)) > threshold:
                    break
            k += 1
        found.append(k)
    return np.array(found)


def log_volume(r, d):
    return d / 2 * math.log(math.pi) - math.lgamma(d / 2 + 1) + d * math.log(r)


def knn_log_density(distance, k, d, n):
    """k neighbors in a ball, of n samples."""
    return np.array(
        [math.log(m / n) - log_volume(r[m - 1], d) for r, m in zip(distance, k, strict=True)]
    )


def shells(radii, d):
    """Volumes between radii, in units of the ball that holds one of the k neighbors."""
    volume = np.r_[0, (np.asarray(radii, "f8") / radii[-1]) ** d]
    return len(radii) * np.diff(volume)


def pak_log_likelihood(f, a, u):
    """Rodriguez 2018 for shells u; f is above the density of the ball."""
    rank = np.arange(1, len(u) + 1)
    return f * len(u) + a * rank.sum() - (u * np.exp(f + a * rank)).sum()


def pak_profile(f, u):
    """The greatest likelihood for a given f: one unknown, concave."""
    rank = np.arange(1, len(u) + 1)
    a = 0.0
    for _ in range(200):
        weight = u * np.exp(np.clip(f + a * rank, -700, 700))
        step = (rank.sum() - (rank * weight).sum()) / (rank**2 * weight).sum()
        a += float(np.clip(step, -2 / len(u), 2 / len(u)))
        if abs(step) < 1e-13:
            break
    return pak_log_likelihood(f, a, u)


def pak_log_density(distance, k, d, n):
    """The greatest likelihood in two unknowns, by a general optimizer."""
    ball = knn_log_density(distance, k, d, n)
    out = []
    for r, m, start in zip(distance, k, ball, strict=True):
        u = shells(r[:m], d)
        rank = np.arange(1, m + 1)

        def loss(x, u=u, m=m):
            return -pak_log_likelihood(x[0], x[1] / m, u)

        def slope(x, u=u, m=m, rank=rank):
            weight = u * np.exp(x[0] + x[1] / m * rank)
            return -np.array([m - weight.sum(), (rank.sum() - (rank * weight).sum()) / m])

        best = minimize(loss, [0.0, 0.0], jac=slope, method="BFGS", options={"gtol": 1e-9})
        out.append(start + best.x[0])
    return np.array(out)


def admissible(location, frame, trajectory, window):
    """Count, for every sample, its own location and those outside the window around it."""
    own = sorted(set(location))
    return np.array(
        [
            1
            + sum(
                j != i and (trajectory[j] != trajectory[i] or abs(frame[j] - frame[i]) > window)
                for j in own
            )
            for i in location
        ]
    )
