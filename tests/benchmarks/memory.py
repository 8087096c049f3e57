"""Larger than memory: a search through one worker with a memory limit, its resident set watched.

    python tests/benchmarks/memory.py [--samples 75000] [--features 10000] [--dimension 10]
                                      [--k 10] [--limit 600MB] [--folder /tmp] [--format zarr]
                                      [--method tiles]

Rows of a flat torus are written to a scratch folder (3 GB by default) and searched
by ``daskid.knn(store=)`` in a worker process of one thread. Its memory is sampled every
50 ms; the lists of a few rows are compared with brute force in float64. ``--method approximate``
is ``daskid.knn_approximate``, whose lists miss some neighbors.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import psutil
import zarr
from dask.utils import format_bytes, parse_bytes

import daskid

METHODS = ("auto", "strips", "tiles", "pruned", "approximate")
CHUNK_BYTES = 8 << 20
SECONDS = 0.05
CHECKED = 20


class Watch(threading.Thread):
    """Samples the resident set of processes; ``peak`` is the largest of a single one."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.processes = [psutil.Process(pid) for pid in pids]
        self.peak, self.stopped = 0, threading.Event()

    def run(self):
        while not self.stopped.wait(SECONDS):
            self.peak = max(self.peak, *(p.memory_info().rss for p in self.processes))

    def __enter__(self):
        self.idle = max(p.memory_info().rss for p in self.processes)
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.join()


def write_rows(path, samples, features, dimension):
    """Write rows of a flat torus chunk by chunk, to Zarr or ``.npy`` by the name of the path."""
    step = min(samples, max(1, CHUNK_BYTES // (4 * features)))
    rows = daskid.datasets.flat_torus(samples, dimension, features, chunks=step).rows.data
    if path.endswith(".npy"):
        out = np.lib.format.open_memmap(path, "w+", "f4", (samples, features))
    else:
        out = zarr.create_array(
            path, shape=rows.shape, chunks=(step, features), dtype="f4", compressors=None
        )
    with dask.config.set(scheduler="threads"):
        da.store(rows, out, lock=False)


def worst(path, rows, out):
    """Return the largest relative error of the distances of some rows."""
    reader = daskid.storage.rows.recall(daskid.open_rows(path).rows.data.name)
    n, features = reader.shape
    wanted = np.stack([reader.read(i, i + 1)[0] for i in rows]).astype("f8")
    exact = np.empty((rows.size, n))
    step = max(1, CHUNK_BYTES // (8 * features))
    for a in range(0, n, step):
        block = reader.read(a, min(a + step, n)).astype("f8")
        for i, row in enumerate(wanted):
            exact[i, a : a + step] = np.sqrt(((block - row) ** 2).sum(axis=1))
    exact[np.arange(rows.size), rows] = np.inf
    k = out.sizes["neighbor"]
    found = out.neighbor_distance[rows].values
    return float(np.abs(found / np.sort(exact, axis=1)[:, :k] - 1).max())


def measure(folder, *, samples, features, dimension, k, limit, format="zarr", method="auto"):
    """Return the plan, the memory of the idle and of the busy worker, seconds, and the run."""
    path, store = str(Path(folder, f"rows.{format}")), str(Path(folder, "run.zarr"))
    write_rows(path, samples, features, dimension)
    with daskid.connect("local", workers=1, memory=limit) as client:
        pids = [*client.run(lambda: __import__("os").getpid()).values()]
        ds = daskid.open_rows(path)
        approximate = method == "approximate"  # is planned as cells of leaves are
        planned = daskid.plan(ds, k=k, method="pruned" if approximate else method, probe=False)
        start = time.monotonic()
        with Watch(pids) as watch:
            if approximate:
                out = daskid.knn_approximate(ds, k=k, store=store)
            else:
                out = daskid.knn(ds, k=k, method=method, store=store)
        seconds = time.monotonic() - start
        same = pids == [*client.run(lambda: __import__("os").getpid()).values()]
    assert same, "the worker was killed on the way"
    return planned, watch, seconds, out, path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=75_000)
    parser.add_argument("--features", type=int, default=10_000)
    parser.add_argument("--dimension", type=int, default=10)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--limit", type=parse_bytes, default=parse_bytes("600MB"))
    parser.add_argument("--folder")
    parser.add_argument("--format", choices=["zarr", "npy"], default="zarr")
    parser.add_argument("--method", choices=[*METHODS], default="auto")
    given = vars(parser.parse_args())
    with tempfile.TemporaryDirectory(dir=given.pop("folder")) as folder:
        planned, watch, seconds, out, path = measure(folder, **given)
        rows = np.random.default_rng(0).choice(given["samples"], CHECKED, replace=False)
        error = worst(path, np.sort(rows), out)
    size = 4 * given["samples"] * given["features"]
    for name, value in (
        ("source", f"{format_bytes(size)}: {given['samples']:,} x {given['features']:,} float32"),
        ("limit", f"{format_bytes(given['limit'])}, 1/{size / given['limit']:.1f} of the source"),
        ("idle worker", format_bytes(watch.idle)),
        ("planned", format_bytes(planned.worker_bytes)),
        ("tasks", f"{planned.tasks} of {planned.method}"),
        ("measured peak", format_bytes(watch.peak)),
        ("measured / planned", f"{watch.peak / planned.worker_bytes:.2f}"),
        ("largest error", f"{error:.1e} in {CHECKED} rows against brute force in float64"),
        ("seconds", f"{seconds:.0f}"),
    ):
        print(f"{name:<20}{value}")


if __name__ == "__main__":
    main()
