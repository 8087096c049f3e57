"""What everything after the neighbor search takes, step by step, in CPU seconds of one process.

``python tests/benchmarks/landscape_speed.py [--samples 200000] [--neighbors 50] [--z 4]`` draws
trajectories of the triple well (frames 0.2 apart, eight members), finds neighbors with scipy's
cKDTree, and runs each step of :func:`daskid.analyze` after that, then ``committor`` and ``pmf``.
Kernels are compiled in these seconds, as in a new process; what is lazy is computed with its step.
"""

import argparse
import time
import warnings

import dask
import dask.array as da
import xarray as xr
from scipy.spatial import cKDTree

import daskid
from daskid import datasets

ROWS = 1 << 16
MEMBERS = 8


def searched(samples, k):
    """Return the frames with their neighbors, in chunks."""
    ds = datasets.triple_well(samples // MEMBERS, step=0.2, members=MEMBERS, seed=0).load()
    distance, index = cKDTree(ds.rows.values).query(ds.rows.values, k=k + 1)
    dims = ("sample", "neighbor")
    lists = {
        "neighbor_distance": (dims, da.from_array(distance[:, 1:].copy(), (ROWS, -1))),
        "neighbor_index": (dims, da.from_array(index[:, 1:].copy(), (ROWS, -1))),
    }
    return ds.chunk(sample=ROWS).assign(lists)


def steps(z):
    yield "kstar", daskid.kstar
    yield "density", daskid.density
    yield "peaks", lambda ds: daskid.peaks(ds, z=z)
    yield "persistence", daskid.persistence
    for step in ("free_energy", "barriers", "transitions", "markov", "committor"):
        yield step, getattr(daskid, step)
    yield "irreversibility", daskid.irreversibility
    yield "pmf", lambda ds: daskid.pmf(ds, features="0, 1")


def computed(ds, known):
    """Return the dataset with what is lazy and new in memory."""
    new = [name for name in ds.data_vars if name not in known]
    return ds.assign(xr.Dataset({name: ds[name] for name in new}).compute().data_vars)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--neighbors", type=int, default=50)
    parser.add_argument("--z", type=float, default=4.0)
    given = parser.parse_args()
    started = time.process_time()
    ds, total = searched(given.samples, given.neighbors), 0.0
    print(f"{'search':>16} {time.process_time() - started:7.1f}", flush=True)
    for name, step in steps(given.z):
        started, known = time.process_time(), set(ds.data_vars)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # 50 neighbors are few
            ds = computed(step(ds), known)
        spent = time.process_time() - started
        total += spent
        print(f"{name:>16} {spent:7.1f}", flush=True)
    raw = ds.sizes.get("raw_peak", 0)
    print(f"{'after the search':>16} {total:7.1f}; {raw:,} raw peaks, {ds.sizes['peak']} peaks")


if __name__ == "__main__":
    with dask.config.set(scheduler="synchronous"):
        main()
