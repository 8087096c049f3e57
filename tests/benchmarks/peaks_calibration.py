"""The z at which 5 % of single Gaussians show a second peak, by simulation.

    PYTHONPATH=tests python tests/benchmarks/peaks_calibration.py simulate FILE
        [--samples 300 1000 3000 10000] [--dimensions 1 2 ...] [--seeds FIRST LAST]
    PYTHONPATH=tests python tests/benchmarks/peaks_calibration.py fit FILE
    PYTHONPATH=tests python tests/benchmarks/peaks_calibration.py check
        [--samples 10000] [--dimensions 2 5 10] [--neighbors 100] [--replicas 200]

``simulate`` draws single Gaussians, finds their nearest neighbors, k*, both densities with the
true dimension, and the raw peaks, and adds a line to FILE for each: the largest z at
which two peaks survive where parts without a border are connected, as z="calibrated" does
it, whether there were such parts, whether any stayed apart, and whether there is a second
peak at 1.65 where they are not connected. ``fit`` prints the 95 % quantiles of these z and
their errors, the numbers of ``daskid/kernels/peaks/calibration.py``, and the share with a
second peak at 1.65. ``check`` draws others (seeds from 10,000 on) and prints how many show a
second peak at the calibrated z and at 1.65, and the two-sided 95 % binomial band of 5 %.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.spatial import cKDTree
from scipy.stats import binom, chi2

from daskid.kernels import density, peaks
from daskid.kernels.peaks import parts

SAMPLES = (300, 1000, 3000, 10_000)
DIMENSIONS = (1, 2, 3, 5, 7, 10, 14, 20)
LENGTHS = (25, 50, 100, 200)
ALPHA = 1e-6
LARGEST, STEP = 12.0, 0.01
TIGHT = {"maxfev": 4000, "xatol": 1e-4, "fatol": 1e-4}
FIELDS = ("samples", "dimension", "seed", "method", "neighbors", "z", "parts", "apart", "fixed")


def neighbors(x, k):
    """The k nearest others of every row, exactly."""
    n, d = x.shape
    if d <= 5:
        distance, index = cKDTree(x).query(x, k + 1)
        return distance[:, 1:], index[:, 1:]
    distance, index = np.empty((n, k)), np.empty((n, k), np.int64)
    square = (x * x).sum(axis=1)
    some = np.random.default_rng(0).choice(n, min(n, 800), replace=False)
    rank = k * some.size / n
    rank = min(int(rank + 4 * np.sqrt(rank)) + 4, some.size - 1)
    for a in range(0, n, 250):
        own = x[a : a + 250]
        bound = np.partition(square[some] - 2 * own @ x[some].T, rank, axis=1)[:, rank]
        row, column = np.nonzero(square - 2 * own @ x.T <= bound[:, None])
        found = np.bincount(row, minlength=len(own))
        assert (found > k).all()
        place = np.arange(row.size) - np.repeat(np.cumsum(found) - found, found)
        near = np.full((len(own), found.max()), np.inf)
        near[row, place] = ((own[row] - x[column]) ** 2).sum(axis=1)
        who = np.zeros(near.shape, np.int64)
        who[row, place] = column
        order = np.argsort(near, axis=1)[:, 1 : k + 1]
        distance[a : a + 250] = np.sqrt(np.take_along_axis(near, order, axis=1))
        index[a : a + 250] = np.take_along_axis(who, order, axis=1)
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
    """The table of raw peaks, in one chunk, and the one in which parts are connected."""
    g, own = log_density - error, np.arange(len(index))
    parent = peaks.first_higher(index, kstar, own, own, g)
    root = peaks.climb(parent, np.zeros(0, peaks.REMOVAL))
    removed, near, inside = peaks.contacts(index, kstar, own, own, g, root, index.shape[1])
    center = peaks.climb(parent, peaks.strongest(removed))
    across = peaks.borders(near, inside, own, own, center)
    members = np.flatnonzero(across >= 0)
    border = peaks.highest(peaks.join(near, 0, members, across, center, g))
    raw = peaks.compact(center, border, log_density, error)
    part = parts.parts(raw)
    if not part.any():
        return raw, raw
    part = part[np.searchsorted(raw.sample, center)]
    crossing = peaks.highest(parts.crossings(index, kstar, own, own, g, center, part))
    return raw, parts.link(raw, crossing, log_density, error)


def densities(distance, kstar, d):
    k = kstar.astype(float)
    yield "kstar", density.knn_log_density(distance, kstar, float(d)), 1 / np.sqrt(k)
    error = np.sqrt((4 * k + 2) / (k * (k - 1)))
    yield "pak", density.pak_log_density(distance, kstar, float(d)), error


def tables(n, d, seed, lengths=LENGTHS):
    """(method, K) to raw peaks of one Gaussian, as they are and connected."""
    x = np.random.default_rng([seed, n, d]).standard_normal((n, d))
    distance, index = neighbors(x, max(lengths))
    longest = neighborhoods(distance, index, d)
    for k in lengths:
        own, kstar = np.ascontiguousarray(index[:, :k]), np.minimum(longest, k - 1)
        for method, log_density, error in densities(distance, kstar, d):
            yield (method, k), *raw_peaks(own, kstar, log_density, error)


def second(raw, z):
    """Whether two peaks survive."""
    return peaks.survivors(raw, np.array([z]))[0] > 1


def last_z(raw):
    """Where two peaks last survive, halfway to the next z, bisected as if there were one place."""
    low, high = -1, round(LARGEST / STEP)
    while high - low > 1 and raw.sample.size > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if second(raw, middle * STEP) else (low, middle)
    return (low + 0.5) * STEP if low >= 0 else 0.0


def simulate(path, samples, dimensions, first, last):
    """A few seeds of every size and dimension at a time, so that one may stop anywhere."""
    for start in range(first, last, 10):
        for n in samples:
            for d in dimensions:
                lines = []
                for seed in range(start, min(start + 10, last)):
                    for (method, k), raw, linked in tables(n, d, seed):
                        left = int(parts.parts(linked).any())
                        own = int(linked is not raw), left, int(second(raw, 1.65))
                        cells = n, d, seed, method, k, f"{last_z(linked):.4f}", *own
                        lines.append(",".join(map(str, cells)) + "\n")
                with Path(path).open("a") as file:
                    file.writelines(lines)
        print(f"seeds to {start + 10}: {time.process_time():.0f} CPU-s", flush=True)


def check(n, dimensions, k, replicas):
    low, high = binom.ppf([0.025, 0.975], replicas, 0.05) / replicas
    print(f"band of 5 % in {replicas} replicas: {low:.3f} to {high:.3f}")
    for d in dimensions:
        found = {}
        for seed in range(10_000, 10_000 + replicas):
            for (method, _), raw, linked in tables(n, d, seed, (k,)):
                z, error = peaks.calibrated(method, n, d, k)
                line = z, error, second(linked, z), second(raw, 1.65)
                found.setdefault(method, []).append(line)
        for method, rows in found.items():
            z, error, calibrated, fixed = np.mean(rows, axis=0)
            print(
                f"{method} N={n} d={d} K={k} z={z:.2f} +- {error:.2f}: {calibrated:.3f}; "
                f"1.65: {fixed:.3f}",
                flush=True,
            )


def surprise(p, z, group, x, lowest):
    """Minus the log likelihood of extreme values; those below ``lowest`` are only known as such.

    One location for each group, then the log of the scale at x = 0 and its slope, and the shape;
    weak priors keep slope and shape finite where little is known.
    """
    scale, shape = np.exp(p[-3] + p[-2] * x), p[-1]
    inside = 1 + shape * (np.maximum(z, lowest) - p[group]) / scale
    if (inside <= 1e-9).any():
        return 1e10
    tail = -np.log(inside) / shape
    terms = np.where(z <= lowest, 0.0, np.log(scale) - (1 + shape) * tail)
    return (np.exp(tail) + terms).sum() + 0.5 * ((p[-2] / 0.3) ** 2 + (shape / 0.2) ** 2)


def quantile(p, group, x):
    """Where 5 % are beyond."""
    return p[group] + np.exp(p[-3] + p[-2] * x) * ((-np.log(0.95)) ** -p[-1] - 1) / p[-1]


def quantiles(z, group, size):
    """The 95 % quantile of each group and its error, from a fit to the upper halves."""
    numbers = np.arange(len(size))
    x = np.log(size / size[-1])
    middle = np.array([max(np.median(z[group == g]), 0.1) for g in numbers])
    data = z, group, x[group], middle[group]
    start = np.r_[middle, np.log(z.std() + 0.05), 0.0, 0.01]
    for _ in range(3):
        start = minimize(surprise, start, data, "Nelder-Mead", options=TIGHT).x
    step = 1e-3 * np.eye(start.size)
    curved = np.array([[
        sum(a * b * surprise(start + a * u + b * v, *data) for a in (1, -1) for b in (1, -1))
        for u in step] for v in step]) / 4e-6  # fmt: skip
    slope = np.array([(quantile(start + u, numbers, x) - quantile(start - u, numbers, x)) / 2e-3
                      for u in step])  # fmt: skip
    error = np.sqrt((slope * np.linalg.solve(curved, slope)).sum(axis=0))
    return np.maximum(quantile(start, numbers, x), 0.0), error


def fit(path):
    found = np.unique(np.genfromtxt(path, delimiter=",", dtype=None, encoding=None, names=FIELDS))
    assert not found["apart"].any()
    shape = len(SAMPLES), len(DIMENSIONS), len(LENGTHS)
    for method in ("pak", "kstar"):
        z, error, fixed, beyond = np.zeros((4, *shape))
        for d, k in np.ndindex(shape[1:]):
            one = found[(found["method"] == method) & (found["dimension"] == DIMENSIONS[d])
                        & (found["neighbors"] == LENGTHS[k])]  # fmt: skip
            for sizes in (SAMPLES[:1], SAMPLES[1:]):
                some = one[np.isin(one["samples"], sizes)]
                at = np.searchsorted(SAMPLES, sizes)
                z[at, d, k], error[at, d, k] = quantiles(
                    some["z"], np.searchsorted(sizes, some["samples"]), np.array(sizes)
                )
            for n, size in enumerate(SAMPLES):
                fixed[n, d, k] = one["fixed"][one["samples"] == size].mean()
                beyond[n, d, k] = (one["z"] > z[n, d, k])[one["samples"] == size].mean()
        replicas = [np.unique(found["seed"][found["samples"] == n]).size for n in SAMPLES]
        for name, table in (("Z", z), ("ERROR", error), ("1.65", fixed), ("beyond Z", beyond)):
            print(f"{method} {name}, of {replicas} replicas")
            print(np.array2string(table, separator=", ", precision=2, floatmode="fixed"))


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["simulate", "fit", "check"])
    parser.add_argument("file", nargs="?")
    parser.add_argument("--samples", type=int, nargs="+")
    parser.add_argument("--dimensions", type=int, nargs="+")
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 300))
    parser.add_argument("--neighbors", type=int, default=100)
    parser.add_argument("--replicas", type=int, default=200)
    return parser.parse_args()


if __name__ == "__main__":
    given = options()
    if given.what == "simulate":
        sizes, dimensions = given.samples or SAMPLES, given.dimensions or DIMENSIONS
        simulate(given.file, sizes, dimensions, *given.seeds)
    elif given.what == "fit":
        fit(given.file)
    else:
        for size in given.samples or (10_000,):
            check(size, given.dimensions or (2, 5, 10), given.neighbors, given.replicas)
