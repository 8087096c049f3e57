"""Peaks at large N: CPU seconds, memory, and what comes to the client.

    PYTHONPATH=. python tests/benchmarks/peaks.py [N ...]
    PYTHONPATH=. python tests/benchmarks/peaks.py workers [N ...]

Rows are 30 Gaussian blobs in 2-D; the 50 nearest neighbors come from scipy's cKDTree, k* stops
at 49 at the latest, the density is that of k* neighbors. Lists lie in a Zarr group, in chunks of
8 MB, and are read from there. Times are CPU seconds of this process, first with the compiling of
kernels and then without; memory is the peak of the process so far, above what it had at the
start (the lists are 400 bytes a sample, what may be in memory of each is 28, at most 32 or
64 MB in all of neighbors in other basins, and the density and its error, which come to the
client). With ``workers``: two workers of 1 GB with one thread each, their CPU seconds and peak
memory, and those of the client, first with imports and compiling and then without.
"""

import multiprocessing
import resource
import sys
import tempfile
import time
from contextlib import contextmanager

import dask
import dask.array as da
import numpy as np
import xarray as xr
from scipy.spatial import cKDTree
from scipy.stats import chi2

from daskid.estimators.peaks import peaks, persistence
from daskid.estimators.peaks.reading import find, read

NEIGHBORS, DIMENSION = 50, 2
SAMPLE = ("kstar", "log_density", "log_density_error")


def graph(n):
    """Lists and densities."""
    rng = np.random.default_rng(0)
    centers = 10 * rng.random((30, DIMENSION))
    x = centers[rng.integers(0, 30, n)] + 0.3 * rng.standard_normal((n, DIMENSION))
    distance, index = cKDTree(x).query(x, NEIGHBORS + 1)
    distance, index = distance[:, 1:], index[:, 1:]
    kstar = np.full(n, NEIGHBORS - 1)
    going = np.arange(n)
    for rank in range(3, NEIGHBORS - 1):
        ratio = distance[going, rank - 1] / distance[index[going, rank], rank - 1]
        stops = 4 * rank * np.log(np.cosh(DIMENSION / 2 * np.log(ratio))) > chi2.isf(1e-6, 1)
        kstar[going[stops]] = rank
        going = going[~stops]
    radius = distance[np.arange(n), kstar - 1]
    return index, kstar, np.log(kstar) - DIMENSION * np.log(radius), 1 / np.sqrt(kstar)


def store(folder, n):
    """Write the same to a Zarr group."""
    index, *sample = graph(n)
    rows = (8 << 20) // (8 * NEIGHBORS)
    da.from_array(index, (rows, -1)).to_zarr(f"{folder}/neighbor_index")
    for name, values in zip(SAMPLE, sample, strict=True):
        da.from_array(values, 8 * rows).to_zarr(f"{folder}/{name}")


def stored(folder):
    """Open it."""
    arrays = {name: ("sample", da.from_zarr(f"{folder}/{name}")) for name in SAMPLE}
    lists = {"neighbor_index": (("sample", "neighbor"), da.from_zarr(f"{folder}/neighbor_index"))}
    return xr.Dataset(lists | arrays)


def timed(words, n, function, at_start):
    started = time.process_time()
    out = function()
    cpu, peak = time.process_time() - started, memory() - at_start
    print(f"{n:>9,} {words:<32} {cpu:6.2f} CPU-s {peak:6.0f} MB", flush=True)
    return out


def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def made(n):
    """A folder with the lists, made in a process of its own, whose memory does not count."""
    with tempfile.TemporaryDirectory() as folder:
        maker = multiprocessing.get_context("spawn").Process(target=store, args=(folder, n))
        maker.start()
        maker.join()
        yield folder


def usage():
    """CPU seconds and peak memory of this process."""
    return time.process_time(), memory()


def on_workers(n):
    from distributed import Client, LocalCluster

    limits = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": "1GB"}
    with made(n) as folder, LocalCluster(**limits) as cluster, Client(cluster) as client:
        for words in ("compiling", "again"):
            before, own = client.run(usage), usage()
            out = peaks(stored(folder))
            for (cpu, held), (cpu_before, held_before) in zip(
                [*client.run(usage).values(), usage()], [*before.values(), own], strict=True
            ):
                spent = f"{cpu - cpu_before:6.2f} CPU-s, {held_before:.0f} -> {held:.0f} MB"
                print(f"{n:>9,} {words:<9} {spent}", flush=True)
        print(f"{n:>9,} workers, then client; {out.sizes['peak']} peaks", flush=True)


def measure(n):
    with made(n) as folder:
        ds, start = stored(folder), memory()
        with dask.config.set(scheduler="synchronous"):
            timed("peaks, one thread, compiling", n, lambda: peaks(ds), start)
            out = timed("peaks, one thread", n, lambda: peaks(ds), start)
        with dask.config.set(scheduler="threads", num_workers=2):
            two = timed("peaks, two threads", n, lambda: peaks(ds), start)
            all_z = timed("persistence", n, lambda: persistence(ds), start)
            raw = find(read(ds)).raw
        same = all((out[name].values == two[name].values).all() for name in out.data_vars)
        tables = sum(column.nbytes for column in raw)
        print(
            f"{n:>9,} {raw.sample.size} raw peaks, {len(raw.pair)} saddles, {out.sizes['peak']} "
            f"peaks at 1.65; same bits: {same}; tables to the client: {tables / 1e6:.2f} MB; "
            f"peaks at z = 0, 2, 4, 6: {all_z.surviving_peaks.values[::20].tolist()}",
            flush=True,
        )


if __name__ == "__main__":
    given = sys.argv[1:]
    run = on_workers if given[:1] == ["workers"] else measure
    for number in [x for x in given if x != "workers"] or ["100000"]:
        run(int(float(number)))
