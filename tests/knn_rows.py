"""Rows that are hard to search, and the space in which they are compared."""

import numpy as np

from daskid.kernels import neighbors as kernel
from daskid.kernels.metrics import METRICS

NONE = np.zeros(0)
N = 350
half = np.arange(N)[:, np.newaxis] < N // 2
rng = np.random.default_rng(5)


def space_of(x, metric="euclidean", period=NONE, weight=NONE, exclude=0):
    lowest, highest = x.min(axis=0).astype("f8"), x.max(axis=0).astype("f8")
    power = 1 if metric in ("euclidean", "cosine") else 2
    norm = np.sqrt(((highest - lowest) ** 2 * (weight**power if weight.size else 1)).sum())
    scale = 2.0 ** -np.ceil(np.log2(norm)) if norm else 1.0
    center = np.clip(x.mean(axis=0, dtype="f8"), lowest, highest)
    return kernel.Space(
        METRICS[metric].combine, period, weight, lowest, center, float(scale), exclude
    )


def block(x, rows):
    return kernel.Block(x[rows], np.stack([rows, rows, np.zeros(rows.size, np.int64)]))


def normal(d, n=N):
    return np.random.default_rng(d).standard_normal((n, d))


HARD = {
    "offset 1e4, float32": (1e4 + normal(12)).astype("f4"),
    "offset 1e8": 1e8 + normal(12),
    "two clusters 1000 apart": normal(8) + 1000 * half,
    "two clusters 1000 apart, spread 1e-3": 1e-3 * normal(8) + 1000 * half,
    "two clusters 1e9 apart": normal(8) + 1e9 * half,
    "an outlier at 1e6": np.r_[normal(8), [[1e6] * 8]],
    "outliers at 1e30": np.r_[normal(8), [[1e30] * 8], [[-1e30] * 8]],
    "Cauchy": normal(8) / normal(8, N)[:, :1] ** 3,
    "pairs 1e-6 apart": np.repeat(normal(9, N // 2), 2, axis=0) + 1e-6 * normal(9, N // 2 * 2),
    "scaled by 1e-30": 1e-30 * normal(6),
    "scaled by 1e30, float32": (1e30 * normal(6)).astype("f4"),
    "a constant column of 1e300": np.c_[normal(5), np.full(N, 1e300)],
    "one column counts": np.c_[normal(1), 1e-12 * normal(40)],
    "few distinct rows": normal(5, 7)[rng.integers(0, 7, N)],
    "a lattice": rng.integers(0, 3, (N, 6)).astype("f4"),
    "corners of a simplex": np.eye(150),
}
