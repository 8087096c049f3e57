"""Growth of the CPU time of a search with the number of rows: the exponent.

    DASKID_NUMBA_CACHE=1 python tests/benchmarks/growth.py [--samples 50000 200000 1000000]
                                                           [--dimensions 2 5 20] [--method auto]

Rows of 50 features on a curved manifold of each dimension; one thread. The exponent is that of
the last two sizes, and over all of them; what the planner takes the time for is in it.
"""

import argparse
import math
import time

import dask
import numpy as np
from threadpoolctl import threadpool_limits

from daskid.blockwise import search as job
from daskid.storage.rows import MemoryRows

NONE = np.zeros(0)


def manifold(n, features, dimension, seed=0):
    """Latent Gaussian of ``dimension`` in a smooth embedding, with a little noise."""
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((n, dimension))
    mixed = np.tanh(latent @ rng.standard_normal((dimension, features)) / dimension**0.5)
    return (mixed + 1e-3 * rng.standard_normal((n, features))).astype("f4")


def seconds(rows, k, method):
    """CPU seconds of a search, its scan left out, the share of pairs that is left, the method."""
    rule = job.Rule(k, "euclidean", NONE, NONE, 0, False)
    made = job.prepare(MemoryRows(rows), rule, None, None)
    start = time.process_time()
    cost = job.search(made, method=method).cost
    return time.process_time() - start, cost["pairs"] / len(rows) ** 2, cost["method"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, nargs="+", default=[25_000, 50_000])
    parser.add_argument("--dimensions", type=int, nargs="+", default=[2, 5])
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--neighbors", type=int, nargs="+", default=[2, 100])
    parser.add_argument("--method", choices=["auto", *job.METHODS], default="auto")
    args = parser.parse_args()
    print("  d    k         N  method    CPU s    left  exponent  over all")
    with (
        threadpool_limits(1),
        dask.config.set({"scheduler": "synchronous", "daskid.progress": "none"}),
    ):
        for dimension in args.dimensions:
            rows = manifold(max(args.samples), args.features, dimension)
            for k in args.neighbors:
                seconds(rows[: min(args.samples)], k, args.method)  # compiles
                used = []
                for n in args.samples:
                    spent, left, taken = seconds(rows[:n], k, args.method)
                    used.append(spent)
                    said = ""
                    if len(used) > 1:
                        steps = (
                            (used[-2], args.samples[len(used) - 2]),
                            (used[0], args.samples[0]),
                        )
                        said = " ".join(
                            f"{math.log(spent / a) / math.log(n / m):>9.2f}" for a, m in steps
                        )
                    row = f"{dimension:>3} {k:>4} {n:>9} {taken:>7} {spent:>8.2f} {left:>7.2%}"
                    print(row, said, flush=True)


if __name__ == "__main__":
    main()
