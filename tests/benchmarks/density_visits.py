"""Errors of log densities of correlated frames against their scatter.

    PYTHONPATH=tests python tests/benchmarks/density_visits.py [--replicas 40] [--frames 4000]

Frames of an Ornstein-Uhlenbeck process with a known density, a standard Gaussian, remember
each other over ``memory`` frames (the time in which correlations fall to 1/e); neighbors
within ``window`` frames are left out. Over all replicas, and samples within sqrt(d) of
the center, it prints the mean error over the standard deviation of the log
density about the true one: with the errors of independent frames ("alone"), and times
sqrt(k / k_eff) ("inflated").
"""

import argparse
import json

import numpy as np
import xarray as xr
from scipy.signal import lfilter
from scipy.spatial import cKDTree

import daskid

DIMS = ("sample", "neighbor")


def process(frames, dimension, memory, rng):
    """Frames of an Ornstein-Uhlenbeck process in equilibrium, or independent ones."""
    decay = np.exp(-1 / memory) if memory else 0.0
    noise = rng.standard_normal((frames, dimension)) * np.sqrt(1 - decay**2)
    noise[0] = rng.standard_normal(dimension)
    return lfilter([1.0], [1.0, -decay], noise, axis=0)


def searched(x, k, window):
    """Lists of the nearest frames outside of a window, all of which count."""
    distance, index = cKDTree(x).query(x, k + 2 * window + 1)
    outside = abs(index - np.arange(len(x))[:, np.newaxis]) > window
    place = np.argsort(~outside, axis=1, kind="stable")[:, :k]
    ds = xr.Dataset(
        {
            "neighbor_distance": (DIMS, np.take_along_axis(distance, place, axis=1)),
            "neighbor_index": (DIMS, np.take_along_axis(index, place, axis=1)),
            "kstar": ("sample", np.full(len(x), k, np.int32)),
            "kstar_dimension": float(x.shape[1]),
        }
    )
    ds["neighbor_distance"].attrs["parameters"] = json.dumps({"exclude": window})
    return ds.chunk()


def ratios(frames, dimension, memory, window, replicas, k):
    """(method, kind) to mean error over scatter."""
    off, errors = {}, {}
    for seed in range(replicas):
        x = process(frames, dimension, memory, np.random.default_rng([seed, frames, dimension]))
        near = np.flatnonzero((x**2).sum(axis=1) < dimension)
        true = -0.5 * (x[near] ** 2).sum(axis=1) - 0.5 * dimension * np.log(2 * np.pi)
        ds = searched(x, k, window)
        for method in ("pak", "kstar"):
            for kind, block in (("alone", 0), ("inflated", window)):
                out = daskid.density(ds, method=method, block=block).compute()
                key = method, kind
                off.setdefault(key, []).append(out.log_density.values[near] - true)
                errors.setdefault(key, []).append(out.log_density_error.values[near])
    return {
        key: np.concatenate(errors[key]).mean() / np.concatenate(off[key]).std() for key in errors
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicas", type=int, default=40)
    parser.add_argument("--frames", type=int, default=4000)
    parser.add_argument("--neighbors", type=int, default=100)
    given = parser.parse_args()
    for d in (1, 2, 3):
        for memory, window in ((0, 10), (5, 20), (10, 20), (10, 40), (20, 80)):
            found = ratios(given.frames, d, memory, window, given.replicas, given.neighbors)
            numbers = ", ".join(f"{' '.join(key)} {x:.2f}" for key, x in found.items())
            print(f"d={d} memory {memory} window {window}: {numbers}", flush=True)
