"""Do the intervals of barriers and of passage times cover? On wells whose landscape is known.

``python tests/benchmarks/landscape_coverage.py barriers [--system triple] [--samples 20000]
[--seeds 200] [--k 400] [--z 1.65] [--dimension 2]`` draws independent samples of the invariant
density for each seed, finds neighbors, k*, PAk and peaks as :func:`daskid.analyze` does (without
``--dimension`` k* finds it), and prints for each barrier: the truth, the mean, the share of
seeds whose 95 % interval holds the truth, the scatter over seeds, the mean error over that
scatter, and the mean bias that the error holds. Seeds that show another number of peaks are
counted and left out.

``python tests/benchmarks/landscape_coverage.py passages [--sigma 0.5] [--samples 200000]
[--seeds 200]`` draws frames, 0.02 apart, of the double well with tilt 0.1, and does so for mean
first passage times between the very cores used; for the truth, edges are further in by
0.58 sigma sqrt(0.02): what an edge is that is looked at every 0.02 (Broadie, Glasserman, Kou,
Math. Finance 7, 325 (1997)). With 200 seeds a share of 95 % is known to 1.5 %.
"""

import argparse
import warnings

import dask
import dask.array as da
import numpy as np
import xarray as xr
from scipy.spatial import cKDTree

from daskid import datasets
from daskid.estimators.density import density, kstar
from daskid.estimators.landscape import barriers, transitions
from daskid.estimators.peaks import peaks

TILT, STEP = 0.1, 0.02
TRIPLE = np.array([[1.0480550, -0.0420937], [-1.0480550, -0.0420937], [0.0, 1.5370820]])
BARRIERS = {
    "triple": {
        (0, 1): 2.6102740, (0, 2): 2.3481731, (1, 2): 2.3481731, (2, 0): 0.5254662,
        (2, 1): 0.5254662,
    },
    "double": {(0, 1): 0.25, (1, 0): 0.25},
}  # fmt: skip
"""In V, in the order of the minima."""


def rows(system, samples, sigma, seed):
    make = datasets.triple_well if system == "triple" else datasets.double_well
    return make(samples, sigma=sigma, seed=seed).rows.values


def with_peaks(x, k, z, dimension):
    distance, index = cKDTree(x).query(x, k=k + 1)
    dims = ("sample", "neighbor")
    ds = xr.Dataset(
        {
            "neighbor_distance": (dims, da.from_array(distance[:, 1:], -1)),
            "neighbor_index": (dims, da.from_array(index[:, 1:], -1)),
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # lists that are too short
        return peaks(density(kstar(ds, dimension=dimension)), z=z).compute()


def one_barriers(given, seed):
    """Return (value, error, bias) of each barrier, None for another number of peaks."""
    x = rows(given.system, given.samples, given.sigma, seed)
    minima = TRIPLE if given.system == "triple" else np.array([[-1.0], [1.0]])
    ds = with_peaks(x, given.k, given.z, given.dimension)
    if ds.sizes["peak"] != len(minima):
        return None
    apart = np.linalg.norm(minima[:, np.newaxis] - x[ds.peak_sample.values], axis=-1)
    number = apart.argmin(axis=1)
    out = barriers(ds, replicates=given.replicates, seed=seed)
    parts = out.barrier_direct, out.barrier_direct_error, out.barrier_direct_bias
    return [
        [float(part[number[a], number[b]]) for part in parts] for a, b in BARRIERS[given.system]
    ]


def log_density(x, sigma):
    return -2 / sigma**2 * datasets.systems.wells.double_well_potential(x[:, np.newaxis], TILT)


def one_passages(given, seed):
    """Return (value, low, high, truth) of both passage times."""
    sigma, saddle = given.sigma, 0.1010312579
    minima = np.array([-1.0466805318, 0.9456492739])
    ds = datasets.double_well(given.samples, c=TILT, sigma=sigma, step=STEP, seed=seed)
    x, height = ds.rows.values[:, 0], log_density(minima, sigma)
    out = transitions(
        ds.assign(
            peak_label=("sample", (x > saddle).astype("i4")),
            log_density=("sample", log_density(x, sigma)),
            peak_log_density=("peak", height),
            merge_peak=(("merge", "side"), [[0, 1]]),
            merge_log_density=("merge", log_density(np.array([saddle]), sigma)),
        )
    )
    line, shift = np.linspace(*minima, 20_001), 0.5826 * sigma * STEP**0.5
    inside = log_density(line, sigma) > (height - out.core_depth.values)[:, np.newaxis]
    low = line[inside[0] & (line < saddle)].max() - shift
    high = line[inside[1] & (line > saddle)].min() + shift
    cores = (-3.0, low), (high, 3.0)
    truth = [datasets.double_well_mfpt(TILT, sigma, *c) for c in (cores, cores[::-1])]
    names = (
        "mean_first_passage_time", "mean_first_passage_time_low", "mean_first_passage_time_high",
    )  # fmt: skip
    values = [out[name].values[[0, 1], [1, 0]] for name in names]
    return np.array([*values, truth]).T.tolist()


def print_barriers(given):
    found = [one_barriers(given, seed) for seed in range(given.seeds)]
    kept = np.array([f for f in found if f is not None])
    other = len(found) - len(kept)
    print(f"{given.system} well, sigma {given.sigma:g}, N = {given.samples}, k = {given.k}, "
          f"{other} of {len(found)} seeds with another number of peaks")  # fmt: skip
    print(" barrier   truth    mean  covers      sd   se/sd    bias")
    for (pair, climb), values in zip(
        BARRIERS[given.system].items(), kept.swapaxes(0, 1), strict=True
    ):
        truth = 2 * climb / given.sigma**2
        value, error, bias = values.T
        covers = np.mean(abs(value - truth) < 1.96 * error)
        sd = value.std(ddof=1)
        print(f"{pair!s:>8} {truth:7.3f} {value.mean():7.3f} {covers:7.1%} {sd:7.3f} "
              f"{error.mean() / sd:7.2f} {bias.mean():7.3f}")  # fmt: skip


def print_passages(given):
    found = np.array([one_passages(given, seed) for seed in range(given.seeds)])
    print(f"double well, c = {TILT}, sigma {given.sigma:g}, {given.samples} frames, "
          f"{given.seeds} seeds")  # fmt: skip
    print(" passage   truth    mean  covers      sd   se/sd")
    for name, values in zip(("0 -> 1", "1 -> 0"), found.swapaxes(0, 1), strict=True):
        value, low, high, truth = values.T
        sd = value.std(ddof=1)
        print(f"{name:>8} {truth[0]:7.2f} {value.mean():7.2f} "
              f"{np.mean((low < truth) & (truth < high)):7.1%} {sd:7.2f} "
              f"{np.mean(high - low) / 3.92 / sd:7.2f}")  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["barriers", "passages"])
    parser.add_argument("--system", choices=[*BARRIERS], default="triple")
    parser.add_argument("--samples", type=int)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--sigma", type=float)
    parser.add_argument("--k", type=int, default=400)
    parser.add_argument("--z", type=float, default=1.65)
    parser.add_argument("--dimension", type=float)
    parser.add_argument("--replicates", type=int, default=50)
    given = parser.parse_args()
    passages = given.what == "passages"
    given.samples = given.samples or (200_000 if passages else 20_000)
    alone = 1.0 if given.system == "triple" and not passages else 0.5
    given.sigma = given.sigma or alone
    with dask.config.set(scheduler="synchronous"):
        (print_passages if passages else print_barriers)(given)


if __name__ == "__main__":
    main()
