"""What approximate neighbors do to estimates, and what they cost: two tables.

``python tests/benchmarks/approximate.py --samples 20000`` prints, for a Gaussian in 5 and 10
dimensions, the bias of TwoNN, MLE and the density (PAk) against exact neighbors at several
recalls; ``--speed 200000`` the CPU time against that of the exact search, of one thread.
"""

import argparse
import time

import dask
import numpy as np
import xarray as xr

import daskid
from daskid.blockwise import search
from daskid.blockwise.search import approximate
from daskid.blockwise.search.source import source_of
from daskid.estimators.neighbors.approximate import knn_approximate
from daskid.estimators.neighbors.checks import rule_of

RECALLS = (0.80, 0.90, 0.95, 0.99, 0.998)
K = 31


def rows(n, d, seed):
    x = np.random.default_rng(seed).standard_normal((n, d)).astype("f4")
    return xr.Dataset({"rows": (("sample", "feature"), x)})


def estimates(ds):
    """TwoNN, MLE at k=30, and the mean log density where the dimension is given."""
    dimension = ds.sizes["feature"]
    dense = daskid.density(daskid.kstar(ds, dimension=float(dimension)))
    out = daskid.mle(daskid.twonn(ds), k=30)
    return np.array([float(out.id_twonn), float(out.id_mle), float(dense.log_density.mean())])


def biases(samples, seed):
    print(f"N = {samples:,}, k = {K}; asked is the lower end of the interval")
    print("D   asked   recall [95 %]             TwoNN     MLE k=30   log density (PAk, D given)")
    for d in (5, 10):
        ds = rows(samples, d, seed)
        exact = estimates(daskid.knn(ds, k=K))
        for recall in RECALLS:
            found = knn_approximate(ds, k=K, recall=recall)
            change = estimates(found) - exact
            mean, low, high = (
                float(found[f"neighbor_recall{end}"]) for end in ("", "_low", "_high")
            )
            print(
                f"{d:<4}{recall:<8}{mean:.4f} [{low:.4f}, {high:.4f}]  "
                f"{change[0] / exact[0]:+9.2%} {change[1] / exact[1]:+11.2%} {change[2]:+14.4f}"
            )


def spent(call):
    start = time.process_time()
    out = call()
    return time.process_time() - start, out


def speed(samples, k, recall, seed):
    print(f"N = {samples:,}, k = {k}, recall {recall}: CPU seconds of one thread")
    for d in (10, 5, 20):
        ds = rows(samples, d, seed)
        rule = rule_of(ds, k, "euclidean", 0, "merge")
        few = search.prepare(source_of(ds.rows[:999].chunk().data), rule, None, None)
        job = search.prepare(source_of(ds.rows.chunk().data), rule, None, None)
        for one in (few, job):  # the first one compiles
            ours, found = spent(lambda: approximate.search_approximate(one, recall, 0))
            theirs, _ = spent(lambda: search.search(one))
        print(
            f"D = {d:<4} approximate {ours:8.1f}  exact {theirs:8.1f}  ratio {theirs / ours:6.2f}  "
            f"recall {found.recall.mean:.4f}  pairs {found.cost['pairs'] / samples**2:.4f} N^2",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--speed", type=int, default=0)
    parser.add_argument("--k", type=int, default=30)
    parser.add_argument("--recall", type=float, default=0.99)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with dask.config.set({"scheduler": "synchronous", "daskid.progress": "none"}):
        if given.samples:
            biases(given.samples, given.seed)
        if given.speed:
            speed(given.speed, given.k, given.recall, given.seed)
