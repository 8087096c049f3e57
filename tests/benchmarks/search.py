"""Exact search against other libraries: CPU seconds, and ratios to them.

    python tests/benchmarks/search.py [--samples 20000] [--rows D3 D20 D128] [--neighbors 2 100]
                                      [--threads 1] [--rounds 3] [--peers faiss sklearn ...]
                                      [--trajectory coordinates.npy]
                                      [--metrics cityblock chebyshev cosine hamming periodic]

Every method searches the same float32 rows for their k nearest others, in a process of its own
that has the settings that suit it best (daskid keeps its compiled kernels, so that the planner
need not fear to compile what is used once); rounds are interleaved. Printed are medians of CPU
seconds, and of the ratios of a round to daskid's kernels and to its public step in that round.
*pairs*: the kernels, blocks against blocks, each pair of rows once. *knn*: ``daskid.knn``. With
more than one thread on a busy machine, wall seconds say nothing. Distances of
some rows are compared with differences in float64: the largest relative error, and the share of
neighbors found (a distance up to that of the k-th counts). Peers that are not installed are left
out, and named. Approximate ones only run when they are asked for. ``--metrics``: other distances,
against scikit-learn's and scipy's brute force (``cdist`` and a partition, some rows at a time) on
those of ``METRIC_ROWS`` that are asked for; hamming on random bits, periodic on angles, which only
a loop over the features of ``cdist``'s rows in numpy can compare.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROWS = {
    "D3": (3, 3, 1.0), "D20": (20, 20, 1.0), "D128": (128, 10, 1.0), "D784": (784, 10, 0.4),
    "D4096": (4096, 10, 0.4), "D784d5": (784, 5, 1.0),
}  # fmt: skip
"""Features, intrinsic dimension, and the share of the samples that the issue asks for."""
METRICS = ["cityblock", "chebyshev", "cosine", "hamming", "periodic"]
METRIC_ROWS = {"cityblock": (3, 20, 128), "chebyshev": (20, 128), "cosine": (20, 128),
               "hamming": (64, 1024), "periodic": (2, 20)}  # fmt: skip
EXACT = ["pairs", "knn", "faiss", "sklearn", "scipy", "pykdtree"]
APPROXIMATE = ["pynndescent", "hnswlib"]
TREES, MOST_FEATURES = {"scipy", "pykdtree"}, 20
CHECKED, BLOCK = 20, 32768


def sample(n, features, dimension, seed=0):
    """Return a latent Gaussian of ``dimension`` in a smooth embedding, with a little noise."""
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((n, dimension))
    if dimension == features:
        return latent.astype("f4")
    mixed = np.tanh(latent @ rng.standard_normal((dimension, features)) / dimension**0.5)
    return (mixed + 1e-3 * rng.standard_normal((n, features))).astype("f4")


def pairs(rows, k, threads):
    """Search with the kernels alone: a tournament of blocks, each pair once."""
    from concurrent.futures import ThreadPoolExecutor

    from daskid.kernels import neighbors as kernel
    from daskid.kernels.metrics import SQUARE

    lowest, highest, none = (
        rows.min(axis=0).astype("f8"),
        rows.max(axis=0).astype("f8"),
        np.zeros(0),
    )
    scale = 2.0 ** -np.ceil(np.log2(np.sqrt(((highest - lowest) ** 2).sum())))
    center = rows.mean(axis=0, dtype="f8")
    space = kernel.Space(SQUARE, none, none, lowest, center, float(scale), 0)
    lists = kernel.empty_lists(len(rows), k)
    number = np.arange(len(rows))
    count = max(2 * (threads > 1) * threads, -(-len(rows) // BLOCK))
    parts = np.array_split(number, count)
    blocks = [kernel.Block(rows[p], np.stack([p, p, 0 * p])) for p in parts]
    held = [
        kernel.Lists(lists.distance[p[0] : p[-1] + 1], lists.location[p[0] : p[-1] + 1])
        for p in parts
    ]

    def compare(pair):
        i, j = pair
        if i == j:
            kernel.update_self(held[i], blocks[i], space)
        else:
            kernel.update_pair(held[i], held[j], blocks[i], blocks[j], space)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(compare, [(i, i) for i in range(count)]))
        for turn in tournament(count):
            list(pool.map(compare, turn))
    return lists.distance


def tournament(n):
    """Yield rounds of disjoint pairs of n parts; all pairs in all."""
    players = list(range(n + n % 2))
    for _ in range(len(players) - 1):
        couples = zip(players[: len(players) // 2], reversed(players), strict=False)
        yield [(i, j) for i, j in couples if max(i, j) < n]
        players = [players[0], players[-1], *players[1:-1]]


def knn(rows, k, threads):
    """Search with the public step."""
    import dask
    import xarray as xr

    import daskid

    scheduler = "synchronous" if threads == 1 else "threads"
    ds = xr.Dataset({"rows": (("sample", "feature"), rows)})
    with dask.config.set(
        {"scheduler": scheduler, "num_workers": threads, "daskid.progress": "none"}
    ):
        return daskid.knn(ds, k=k, duplicates="keep").neighbor_distance.values


def faiss(rows, k, threads):
    """Search a flat index."""
    import faiss

    faiss.omp_set_num_threads(threads)
    index = faiss.IndexFlatL2(rows.shape[1])
    index.add(rows)
    return np.sqrt(index.search(rows, k + 1)[0][:, 1:])


def sklearn(rows, k, threads):
    """Search by brute force."""
    from sklearn.neighbors import NearestNeighbors
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads):
        search = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(rows)
        return search.kneighbors(rows)[0][:, 1:]


def scipy(rows, k, threads):
    """Search a k-d tree."""
    from scipy.spatial import cKDTree

    return cKDTree(rows).query(rows, k + 1, workers=threads)[0][:, 1:]


def pykdtree(rows, k, threads):
    """Search a k-d tree; its threads are those of OpenMP."""
    from pykdtree.kdtree import KDTree

    return KDTree(rows).query(rows, k=k + 1)[0][:, 1:]


def pynndescent(rows, k, threads):
    """Build a neighbor graph."""
    from pynndescent import NNDescent

    return NNDescent(rows, n_neighbors=k + 1, n_jobs=threads).neighbor_graph[1][:, 1:]


def hnswlib(rows, k, threads):
    """Build and search a hierarchy of graphs."""
    import hnswlib

    index = hnswlib.Index(space="l2", dim=rows.shape[1])
    index.init_index(max_elements=len(rows), ef_construction=200, M=16)
    index.set_num_threads(threads)
    index.add_items(rows)
    index.set_ef(max(2 * k, 100))
    return np.sqrt(index.knn_query(rows, k + 1)[1][:, 1:])


def other_rows(metric, n, features):
    """Return rows for a metric: a Gaussian, bits or angles."""
    rng = np.random.default_rng(0)
    if metric == "periodic":
        return (2 * np.pi * rng.random((n, features))).astype("f4")
    x = rng.standard_normal((n, features)).astype("f4")
    return (x > 0).astype("f4") if metric == "hamming" else x


def other_knn(metric, rows, k):
    """Search with the public step by another metric."""
    import dask
    import xarray as xr

    import daskid

    ds = xr.Dataset({"rows": (("sample", "feature"), rows)})
    if metric == "periodic":
        ds = ds.assign_coords(period=("feature", np.full(rows.shape[1], 2 * np.pi)))
    name = "euclidean" if metric == "periodic" else metric
    with dask.config.set({"scheduler": "synchronous", "daskid.progress": "none"}):
        return daskid.knn(ds, k=k, metric=name, duplicates="keep").neighbor_distance.values


def other_sklearn(metric, rows, k):
    """Search by brute force."""
    from sklearn.neighbors import NearestNeighbors

    metric = "manhattan" if metric == "cityblock" else metric
    search = NearestNeighbors(n_neighbors=k + 1, algorithm="brute", metric=metric).fit(rows)
    return search.kneighbors(rows)[0][:, 1:]


def other_scipy(metric, rows, k):
    """Compare some rows at a time with all."""
    from scipy.spatial.distance import cdist

    out = np.empty((len(rows), k))
    for a in range(0, len(rows), 256):
        if metric == "periodic":
            square = np.zeros((len(rows[a : a + 256]), len(rows)))
            for f in range(rows.shape[1]):
                difference = np.abs(rows[a : a + 256, f, np.newaxis] - rows[:, f])
                square += np.minimum(difference, 2 * np.pi - difference) ** 2
            distance = np.sqrt(square)
        else:
            distance = cdist(rows[a : a + 256], rows, metric)
        distance.partition(k, axis=1)
        out[a : a + 256] = np.sort(distance[:, : k + 1], axis=1)[:, 1:]
    return out


def measure_metric(metric, rows, args):
    """Measure one of the other metrics, all in this process, and print a line for each k."""
    from threadpoolctl import threadpool_limits

    peers = {"knn": other_knn, "sklearn": other_sklearn, "cdist": other_scipy}
    if metric == "periodic":
        del peers["sklearn"]
    for k in args.neighbors:
        spent, found = {name: [] for name in peers}, {}
        with threadpool_limits(1):
            for name, search in peers.items():
                search(metric, rows[: 20 * k + 1000], k)
            for _ in range(args.rounds):
                for name, search in peers.items():
                    start = time.process_time()
                    found[name] = search(metric, rows, k)
                    spent[name].append(time.process_time() - start)
        for name in peers:
            ratios = [a / b for a, b in zip(spent[name], spent["knn"], strict=True)]
            error = np.abs(found[name] - found["cdist"]).max() / found["cdist"].max()
            print(
                f"{metric:<10}{rows.shape[1]:>5}{len(rows):>7}{k:>5} {name:<8}"
                f"{statistics.median(spent[name]):>8.2f}{statistics.median(ratios):>7.2f}"
                f"{error:>10.1e}", flush=True,
            )  # fmt: skip


METHODS = {
    f.__name__: f for f in (pairs, knn, faiss, sklearn, scipy, pykdtree, pynndescent, hnswlib)
}


def serve(method, path, threads):
    """Run searches as they are asked for, a line each; the first ones of a k are not timed."""
    rows, search, warm = np.load(path), METHODS[method], set()
    for line in sys.stdin:
        k = int(line)
        if k not in warm:
            own = method in ("pairs", "knn")  # what is compiled may depend on the size
            search(rows if own else rows[: 20 * k + 1000], k, threads)
            warm.add(k)
        start, wall = time.process_time(), time.perf_counter()
        distance = search(rows, k, threads)
        used = time.process_time() - start, time.perf_counter() - wall
        chosen = np.linspace(0, len(rows) - 1, CHECKED).astype(int)
        print(json.dumps([*used, distance[chosen].astype("f8").tolist()]), flush=True)


def start(method, path, threads):
    """Start the process of a method, with what it is fastest with; None if there is none."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
    if method == "faiss" and "avx512f" in flags:
        environment["OPENBLAS_CORETYPE"] = "SkylakeX"  # its wheel picks slower kernels by itself
    if method in ("pairs", "knn"):
        environment["DASKID_NUMBA_CACHE"] = "1"
    command = [sys.executable, __file__, "--serve", method, path, "--threads", str(threads)]
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def ask(process, k):
    """Return CPU seconds, wall seconds and some distances of one search."""
    process.stdin.write(f"{k}\n")
    process.stdin.flush()
    cpu, wall, distance = json.loads(process.stdout.readline())
    return cpu, wall, np.array(distance)


def exact(rows, k):
    """Return the distances of the rows that are looked at."""
    chosen = np.linspace(0, len(rows) - 1, CHECKED).astype(int)
    out = []
    for i in chosen:
        d = np.sqrt(((rows.astype("f8") - rows[i].astype("f8")) ** 2).sum(axis=1))
        d[i] = np.inf
        out.append(np.sort(d)[:k])
    return np.array(out)


def installed(method):
    """Return whether the module of a method can be imported."""
    from importlib.util import find_spec

    return method in ("pairs", "knn") or find_spec(method) is not None


def measure(name, rows, args):
    """Measure one row of the table, and print it for each k."""
    methods = [m for m in args.peers if installed(m)]
    methods = [m for m in methods if m not in TREES or rows.shape[1] <= MOST_FEATURES]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "rows.npy"))
        np.save(path, rows)
        processes = {m: start(m, path, args.threads) for m in methods}
        for k in args.neighbors:
            rounds = [{m: ask(p, k) for m, p in processes.items()} for _ in range(args.rounds)]
            truth = exact(rows, k)
            for m in methods:
                cpu = statistics.median(r[m][0] for r in rounds)
                wall = statistics.median(r[m][1] for r in rounds)
                ratios = [
                    statistics.median(r[m][0] / r[own][0] for r in rounds) if own in methods else 0
                    for own in ("pairs", "knn")
                ]
                found = rounds[0][m][2]
                error = np.abs(found / truth - 1).max()
                recall = (found <= truth[:, -1:] * (1 + 1e-5)).mean()
                print(
                    f"{name:<8}{len(rows):>7}{k:>5} {m:<12}{cpu:>8.2f}{wall:>8.2f}"
                    f"{ratios[0]:>7.2f}{ratios[1]:>7.2f}"
                    f"{error:>10.1e}{recall:>8.3f}", flush=True,
                )  # fmt: skip
        for process in processes.values():
            process.stdin.close()
            process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--rows", nargs="*", default=["D3", "D20", "D128"], choices=ROWS)
    parser.add_argument("--neighbors", type=int, nargs="+", default=[2, 100])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="+", default=EXACT, choices=METHODS)
    parser.add_argument("--approximate", action="store_true", help="pynndescent and hnswlib, too")
    parser.add_argument("--trajectory", help="an .npy file of (frame, coordinate) rows")
    parser.add_argument("--metrics", nargs="*", default=[], choices=METRICS)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(*args.serve, args.threads)
        return
    if args.metrics:
        print("metric       D      N    k method     CPU s   /knn     error")
        for metric in args.metrics:
            for features in METRIC_ROWS[metric]:
                measure_metric(metric, other_rows(metric, args.samples, features), args)
        return
    args.peers = list(dict.fromkeys(["pairs", *args.peers, *APPROXIMATE * args.approximate]))
    missing = [m for m in args.peers if not installed(m)]
    if missing:
        print(f"not installed, left out: {', '.join(missing)}")
    print(f"{platform.processor() or platform.machine()}, {args.threads} thread(s)")
    print("rows        N    k method      CPU s  wall s /pairs   /knn     error  recall")
    for name in args.rows:
        features, dimension, share = ROWS[name]
        measure(name, sample(int(args.samples * share), features, dimension), args)
    if args.trajectory:
        measure("frames", np.load(args.trajectory).astype("f4"), args)


if __name__ == "__main__":
    main()
