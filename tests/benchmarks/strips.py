"""What a cluster costs: CPU seconds of a search on workers over those of the same tasks here.

    PYTHONPATH=. python tests/benchmarks/strips.py [--samples 40000] [--features 20 128] [--k 100]
                                                  [--workers 2] [--method strips]

The same rows at rest, written to a run by ``daskid.knn(store=)`` on the workers of
``daskid.connect("local")`` (CPU time of the workers, and of this process, in which scheduler,
nannies and driver run); and in this process: strips by ``strips._lists``, without a ledger, a run
or a scan; tiles by ``knn(store=)`` on one local thread. BLAS has one thread everywhere. Rounds are
interleaved; before the first one, which does not count, kernels are compiled and everything
imported, as are rows in the page cache: start, imports and compilation are left out of both. The
ratio is the median over rounds. Workers that run at a time share caches and memory, and take
more CPU time for the same work: ``--workers 1`` leaves that out.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import dask
import numpy as np
import psutil
import zarr
from threadpoolctl import threadpool_limits

import daskid
from daskid.blockwise import search as job
from daskid.blockwise.search import strips
from daskid.blockwise.search.plan import BLOCK_BYTES
from daskid.storage.rows import recall

CHUNK_BYTES = 8 << 20
NONE = np.zeros(0)


def write_rows(path, samples, features):
    """Write rows of a curved latent of ten dimensions, in chunks of 8 MB."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((samples, 10))
    rows = np.tanh(latent @ rng.standard_normal((10, features)) / 10**0.5).astype("f4")
    chunk = min(samples, CHUNK_BYTES // (4 * features))
    array = zarr.create_array(
        path, shape=rows.shape, chunks=(chunk, features), dtype="f4", compressors=None
    )
    array[:] = rows


def cpu(processes):
    """Return the CPU seconds that processes have used."""
    return sum(t.user + t.system for t in (p.cpu_times() for p in processes))


def alone(path, k, method, store):
    """Search in this process; return CPU seconds, the distances and the number of tiles."""
    if method == "tiles":
        ds, start = daskid.open_rows(path), time.process_time()
        with dask.config.set(scheduler="synchronous"):
            planned = daskid.plan(ds, k=k, method=method, probe=False)
            out = daskid.knn(ds, k=k, method=method, store=store)
        spent = time.process_time() - start
        return spent, out.neighbor_distance.values, planned.tasks
    source = recall(daskid.open_rows(path).rows.data.name)
    rule = job.Rule(k, "euclidean", NONE, NONE, 0, True)
    prepared = job.prepare(source, rule, None, None)
    n, features = source.shape
    step = job.strip_rows(n, features, k)
    start, parts = time.process_time(), []
    with threadpool_limits(1, user_api="blas"):
        for a in range(0, n, step):
            stop = min(a + step, n)
            parts.append(
                strips._lists(source, prepared.labels, prepared.space, k, a, stop, BLOCK_BYTES)[0]
            )
    return time.process_time() - start, np.concatenate(parts), len(parts)


def shared(client, path, store, k, method):
    """Search on the workers; return the CPU seconds of the workers and of this process."""
    ds = daskid.open_rows(path)
    workers = [
        psutil.Process(pid) for pid in client.run(lambda: __import__("os").getpid()).values()
    ]
    before = cpu(workers), time.process_time()
    out = daskid.knn(ds, k=k, method=method, store=store)
    spent = cpu(workers) - before[0], time.process_time() - before[1]
    return *spent, out.neighbor_distance.values


def measure(folder, client, samples, features, k, rounds, method):
    """Return a line of the table."""
    path = str(Path(folder, f"rows{features}.zarr"))
    write_rows(path, samples, features)
    lines = []
    for number in range(rounds + 1):
        stores = [str(Path(folder, f"{who}{features}-{number}.zarr")) for who in ("one", "run")]
        here, want, tiles = alone(path, k, method, stores[0])
        workers, driver, found = shared(client, path, stores[1], k, method)
        assert np.array_equal(want, found)
        lines.append((here, workers, driver, (workers + driver) / here))
    return tiles, *(statistics.median(column) for column in zip(*lines[1:], strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=40_000)
    parser.add_argument("--features", type=int, nargs="+", default=[20, 128])
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)  # 1: without what they cost each other
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--method", choices=["strips", "tiles"], default="strips")
    given = parser.parse_args()
    print(f"{'D':>5} {'tiles':>6} {'alone s':>8} {'workers s':>10} {'driver s':>9} {'ratio':>6}")
    with (
        tempfile.TemporaryDirectory() as folder,
        dask.config.set({"daskid.progress": "none"}),
        daskid.connect("local", workers=given.workers) as client,
    ):
        for features in given.features:
            line = measure(
                folder, client, given.samples, features, given.k, given.rounds, given.method
            )
            form = "{:>5} {:>6} {:>8.2f} {:>10.2f} {:>9.2f} {:>6.2f}"
            print(form.format(features, *line), flush=True)


if __name__ == "__main__":
    main()
