"""Errors of imbalance and overlap against independent replicas, and the cost beside the search.

Errors: for each pair of sets of rows, how many standard errors make a standard deviation of
replicas (1 is right; 0.8 to 1.25 is asked for). Cost: CPU seconds of the neighbor search of both
sets, of both passes of the imbalance, their ratio, and the peak memory of the process.

    python tests/benchmarks/imbalance.py errors --replicas 200 --samples 300
    python tests/benchmarks/imbalance.py cost --samples 20000 --features 50
"""

import argparse
import resource
import time

import dask
import numpy as np
import xarray as xr

import daskid
from daskid.estimators.comparison import information_imbalance, label_overlap, overlap


def nested(random, n):
    x = random.normal(size=(n, 3)) * [1, 1, 0.3]
    return x, x[:, :2]


def one_of_three(random, n):
    x = random.normal(size=(n, 3))
    return x[:, :1], x


def noisy(random, n):
    x = random.normal(size=(n, 5))
    return x, x + 0.5 * random.normal(size=(n, 5))


def independent(random, n):
    return random.normal(size=(n, 2)), random.normal(size=(n, 2))


def curved(random, n):
    x = random.random((n, 2))
    return x, np.stack([x[:, 0] ** 2, np.sin(7 * x[:, 1])], axis=1)


def lattice(random, n):
    x = random.normal(size=(n, 3))
    return np.round(2 * x[:, :2]), x


SETS = (nested, one_of_three, noisy, independent, curved, lattice)


def layer(x, k=25, **coords):
    ds = xr.Dataset({"rows": (("sample", "feature"), x)}, coords=coords)
    return daskid.knn(ds, k=k, duplicates="keep")


def estimates(made, seed, n, k, near):
    x, y = made(np.random.default_rng(seed), n)
    kind = (np.asarray(y)[:, -1] > 0.1).astype(int)
    a, b = layer(x, kind=("sample", kind)), layer(y)
    out = [information_imbalance(a, b, k=k), overlap(a, b, k=near)]
    out.append(label_overlap(a, labels="kind", k=near))
    names = (("imbalance_ab", 0), ("imbalance_ba", 0), ("overlap", 1), ("label_overlap", 2))
    return {m: [float(out[i][m]), float(out[i][f"{m}_error"])] for m, i in names}


def errors(args):
    print(f"{'rows':<14}{'k':>3} {'measure':<14}{'mean':>9}{'sd':>9}{'se':>9}{'se/sd':>7}")
    ratios = []
    for made in SETS:
        for k, near in ((1, 10), (5, 20)):
            found = [estimates(made, seed, args.samples, k, near) for seed in range(args.replicas)]
            for measure in found[0]:
                value, error = np.array([f[measure] for f in found]).T
                sd, se = value.std(ddof=1), error.mean()
                ratios.append(se / sd)
                used = k if measure.startswith("imbalance") else near
                line = f"{made.__name__:<14}{used:>3} {measure:<14}{value.mean():>9.4f}"
                print(f"{line}{sd:>9.5f}{se:>9.5f}{se / sd:>7.2f}", flush=True)
    inside = np.mean([0.8 <= r <= 1.25 for r in ratios])
    print(
        f"{inside:.0%} of {len(ratios)} within 0.8-1.25, all in {min(ratios):.2f}-{max(ratios):.2f}"
    )


def cost(args):
    n, d = args.samples, args.features
    random = np.random.default_rng(0)
    x = random.normal(size=(n, d)).astype("f4")
    sets = x, x + 0.5 * random.normal(size=(n, d)).astype("f4")
    for _ in range(2):  # kernels compile in the first round
        start = time.process_time()
        a, b = (layer(z, 20) for z in sets)
        search = time.process_time() - start
        start = time.process_time()
        out = information_imbalance(a, b)
        passes = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"N={n} D={d}: search of both {search:.2f} CPU-s, both passes {passes:.2f} CPU-s")
    print(f"ratio {passes / search:.2f}, peak {peak:.0f} MB, imbalance {out.imbalance_ab:.5f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["errors", "cost"], nargs="?", default="cost")
    parser.add_argument("--samples", type=int)
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--replicas", type=int, default=20)
    args = parser.parse_args()
    args.samples = args.samples or {"errors": 200, "cost": 5000}[args.what]
    with dask.config.set({"scheduler": "synchronous", "daskid.progress": "none"}):
        {"errors": errors, "cost": cost}[args.what](args)


if __name__ == "__main__":
    main()
