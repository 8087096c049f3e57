"""The z at which 5 % of single Gaussians show a second peak, by simulation.

    PYTHONPATH=. python tests/benchmarks/peaks_calibration.py table N [N ...]
    PYTHONPATH=. python tests/benchmarks/peaks_calibration.py check

``table`` draws single Gaussians of N samples in ``DIMENSIONS`` dimensions (seeds 0, 1, ...,
``REPLICAS`` of them), finds their nearest neighbors, k*, both densities with the true
dimension, and the raw peaks, and prints for each the 95 % quantile of the largest z at which
two peaks survive: the numbers of ``daskid/kernels/peaks/calibration.py``. ``check`` draws
others (seeds from 10,000 on) and prints how many show a second peak at the calibrated z and at
1.65, with the two-sided 95 % binomial band of 5 %.
"""

import sys
import time

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import binom, chi2

from daskid.kernels import density, peaks

DIMENSIONS = (1, 2, 3, 5, 10, 20)
LENGTHS = (25, 50, 100, 200)
REPLICAS = {1000: 400, 3000: 200, 10_000: 100}
ALPHA = 1e-6
GRID = np.arange(0.0, 12.0, 0.05)


def neighbors(x, k):
    """The k nearest others of every row, exactly."""
    n, d = x.shape
    if d <= 3:
        distance, index = cKDTree(x).query(x, k + 1)
        return distance[:, 1:], index[:, 1:]
    distance, index = np.empty((n, k)), np.empty((n, k), np.int64)
    square = (x * x).sum(axis=1)
    for a in range(0, n, 500):
        rows = square[a : a + 500, None] + square - 2 * x[a : a + 500] @ x.T
        rows[np.arange(len(rows)), np.arange(a, a + len(rows))] = np.inf
        near = np.argpartition(rows, k, axis=1)[:, :k]
        exact = np.sqrt(((x[a : a + 500, None] - x[near]) ** 2).sum(axis=2))
        order = np.argsort(exact, axis=1)
        distance[a : a + 500] = np.take_along_axis(exact, order, axis=1)
        index[a : a + 500] = np.take_along_axis(near, order, axis=1)
    return distance, index


def neighborhoods(distance, index, d):
    """k* of every sample; with shorter lists it is the same, or their length less one."""
    n, k = distance.shape
    log_radius = np.log(distance)
    threshold = chi2.isf(ALPHA, 1)
    kstar = np.full(n, k - 1)
    going = np.arange(n)
    for rank in range(3, k - 1):
        own, other = log_radius[going, rank - 1], log_radius[index[going, rank], rank - 1]
        x = np.abs(d * (own - other))
        stops = 4 * rank * (x / 2 + np.log1p(np.exp(-x)) - np.log(2)) > threshold
        kstar[going[stops]] = rank
        going = going[~stops]
    return kstar


def raw_peaks(index, kstar, log_density, error):
    """The table of raw peaks, in one chunk."""
    g, own = log_density - error, np.arange(len(index))
    parent = peaks.first_higher(index, kstar, own, own, g)
    removed = peaks.strongest(peaks.removals(index, kstar, own, own, g, parent))
    center = peaks.climb(parent, removed)
    across = peaks.borders(index, kstar, own, own, center)
    members = np.flatnonzero(across >= 0)
    border = peaks.highest(peaks.join(index, 0, members, across, center, g))
    return peaks.compact(center, border, log_density, error)


def densities(distance, kstar, d):
    k = kstar.astype(float)
    yield "kstar", density.knn_log_density(distance, kstar, float(d)), 1 / np.sqrt(k)
    error = np.sqrt((4 * k + 2) / (k * (k - 1)))
    yield "pak", density.pak_log_density(distance, kstar, float(d)), error


def tables(n, d, seed, lengths=LENGTHS):
    """(method, K) to raw peaks of one Gaussian."""
    x = np.random.default_rng([seed, n, d]).standard_normal((n, d))
    distance, index = neighbors(x, max(lengths))
    longest = neighborhoods(distance, index, d)
    for k in lengths:
        own, kstar = np.ascontiguousarray(index[:, :k]), np.minimum(longest, k - 1)
        for method, log_density, error in densities(distance, kstar, d):
            yield (method, k), raw_peaks(own, kstar, log_density, error)


def last_z(raw):
    """Where two peaks last survive, halfway to the next z, bisected as if there were one place."""
    low, high = -1, GRID.size
    while high - low > 1:
        middle = (low + high) // 2
        if peaks.survivors(raw, GRID[middle : middle + 1])[0] > 1:
            low = middle
        else:
            high = middle
    return GRID[low] + 0.025 if low >= 0 else 0.0


def table(n):
    for d in DIMENSIONS:
        started, found = time.process_time(), {}
        for seed in range(REPLICAS[n]):
            for key, raw in tables(n, d, seed):
                found.setdefault(key, []).append(last_z(raw))
        for (method, k), z in sorted(found.items()):
            q = np.quantile(z, [0.5, 0.9, 0.95, 0.99]).round(2).tolist()
            at = np.mean(np.array(z) >= 1.65)
            print(f"{method} N={n} d={d} K={k} quantiles {q} second peak at 1.65: {at:.3f}")
        print(f"# {time.process_time() - started:.0f} CPU-s", flush=True)


def check(n=10_000, replicas=200, k=100):
    low, high = binom.ppf([0.025, 0.975], replicas, 0.05) / replicas
    print(f"band of 5 % in {replicas} replicas: {low:.3f} to {high:.3f}")
    for d in (2, 5, 10):
        found = {}
        for seed in range(10_000, 10_000 + replicas):
            for (method, _), raw in tables(n, d, seed, (k,)):
                z = np.array([peaks.calibrated(method, n, d, k), 1.65])
                found.setdefault(method, []).append([z[0], *(peaks.survivors(raw, z) > 1)])
        for method, rows in found.items():
            z, calibrated, fixed = np.mean(rows, axis=0)
            print(f"{method} N={n} d={d} K={k} z={z:.2f}: {calibrated:.3f}; 1.65: {fixed:.3f}")


if __name__ == "__main__":
    if sys.argv[1] == "table":
        for n in sys.argv[2:]:
            table(int(n))
    else:
        check()
