"""Neighbour search against scikit-learn's brute force: CPU seconds and ratios, one thread each.

    python tests/benchmarks/search.py [--samples 20000] [--features 3 20 45 128 784]

Runs are interleaved in one process; the ratio is the median over rounds of
scikit-learn's CPU time over daskid's, the exact re-rank included. Distances of
a few rows are compared with differences in float64.
"""

import argparse
import statistics
import time

import dask
import numpy as np
import xarray as xr
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

import daskid


def ours(rows, k):
    ds = xr.Dataset({"rows": (("sample", "feature"), rows)})
    return daskid.knn(ds, k=k).neighbor_distance.values


def theirs(rows, k):
    return (
        NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(rows).kneighbors(rows)[0][:, 1:]
    )


def seconds(function, *arguments):
    start = time.process_time()
    out = function(*arguments)
    return time.process_time() - start, out


def worst(rows, k, distance, chosen):
    exact = rows.astype("f8")
    error = 0.0
    for i in chosen:
        d = np.sqrt(((exact - exact[i]) ** 2).sum(axis=1))
        d[i] = np.inf
        want = np.sort(d)[:k]
        error = max(error, float(np.abs(distance[i] / want - 1).max()))
    return error


def sample(n, features, dimension, seed):
    """Latent Gaussian of ``dimension`` in a smooth embedding, with a little noise."""
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((n, dimension))
    if dimension == features:
        return latent.astype("f4")
    mixed = np.tanh(latent @ rng.standard_normal((dimension, features)) / dimension**0.5)
    return (mixed + 1e-3 * rng.standard_normal((n, features))).astype("f4")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--features", type=int, nargs="+", default=[3, 20, 45, 128])
    parser.add_argument("--neighbors", type=int, nargs="+", default=[2, 100])
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print(
        f"{'D':>5} {'k':>4} {'daskid':>8} {'sklearn':>8} {'ratio':>6} {'worst relative error':>21}"
    )
    with (
        threadpool_limits(1),
        dask.config.set({"scheduler": "synchronous", "daskid.progress": "none"}),
    ):
        for features in args.features:
            rows = sample(args.samples, features, min(features, 10), seed=0)
            ours(rows[:2000], 2)  # compile
            for k in args.neighbors:
                a, b = [], []
                for _ in range(args.rounds):
                    used, distance = seconds(ours, rows, k)
                    a.append(used)
                    b.append(seconds(theirs, rows, k)[0])
                ratio = statistics.median(y / x for x, y in zip(a, b, strict=True))
                error = worst(rows, k, distance, range(0, len(rows), len(rows) // 20))
                print(
                    f"{features:>5} {k:>4} {statistics.median(a):>8.2f} "
                    f"{statistics.median(b):>8.2f} {ratio:>6.2f} {error:>12.1e}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
