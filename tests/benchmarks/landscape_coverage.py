"""Do the intervals of barriers and of passage times cover? On wells whose landscape is known.

``python tests/benchmarks/landscape_coverage.py barriers [--system triple | double | mueller]
[--samples 20000] [--first 0] [--seeds 200] [--k 550] [--z 1.65] [--dimension 2] [--analyze]`` draws
independent samples of the invariant density for each seed, finds neighbors, k*, PAk and peaks as
:func:`daskid.analyze` does (without ``--k`` as many neighbors as it would search, without
``--dimension`` that of k*), and prints for each barrier, direct and minimax: the truth,
the mean, the share of seeds whose 95 % interval holds the truth, the scatter over seeds, the mean
error over that scatter, and the mean bias that was taken off. Seeds that show another number of
peaks are counted and left out, those whose basins do not touch are left out of their line. In one
dimension z = 1.65 shows ten peaks and more: there the default is 4. With ``--analyze`` all is done
by :func:`daskid.analyze` itself.

``python tests/benchmarks/landscape_coverage.py passages [--sigma 0.5] [--samples 200000]
[--first 0] [--seeds 200]`` draws frames, 0.02 apart, of the double well with tilt 0.1, and does
so for mean first passage times between the very cores used; for the truth, edges are further in
by 0.58 sigma sqrt(0.02): what an edge is that is looked at every 0.02 (Broadie, Glasserman, Kou,
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
from daskid.kernels._jit import jit
from daskid.recipes import analyze

TILT, STEP = 0.1, 0.02
FIRST_K = 100
"""Neighbors that are searched first; then as many as k* asks for."""
MINIMA = {
    "triple": np.array([[1.0480550, -0.0420937], [-1.0480550, -0.0420937], [0.0, 1.5370820]]),
    "double": np.array([[-1.0], [1.0]]),
    "mueller": np.array([[-0.5582236, 1.4417258], [0.6234994, 0.0280378], [-0.0500108, 0.4666941]]),
}
DIRECT, MINIMAX = "direct", "minimax"
BARRIERS = {
    "triple": {
        (0, 1, DIRECT): 2.6102740, (0, 2, DIRECT): 2.3481731, (1, 2, DIRECT): 2.3481731,
        (2, 0, DIRECT): 0.5254662, (2, 1, DIRECT): 0.5254662, (0, 1, MINIMAX): 2.3481731,
        (1, 0, MINIMAX): 2.3481731,
    },
    "double": {(0, 1, DIRECT): 0.25, (1, 0, DIRECT): 0.25},
    "mueller": {(1, 0, MINIMAX): 67.5018806, (2, 1, DIRECT): 8.5188780},
}  # fmt: skip
"""In V, in the order of the minima."""
SIGMA = {"triple": 1.0, "double": 0.5, "mueller": 6.0}


def drawn(given, seed):
    makers = {"triple": "triple_well", "double": "double_well", "mueller": "mueller_brown"}
    return getattr(datasets, makers[given.system])(given.samples, sigma=given.sigma, seed=seed)


@jit
def along_a_line(x, k):
    """Return distances and numbers of the k neighbors of each of some sorted numbers."""
    distance, index = np.empty((x.size, k)), np.empty((x.size, k), np.int64)
    for i in range(x.size):
        a, b = i - 1, i + 1
        for c in range(k):
            left = a >= 0 and (b >= x.size or x[i] - x[a] <= x[b] - x[i])
            j = a if left else b
            a, b = (a - 1, b) if left else (a, b + 1)
            distance[i, c], index[i, c] = abs(x[i] - x[j]), j
    return distance, index


def searched(x, k):
    """Return the rows, in another order in one dimension, with their neighbors."""
    if x.shape[1] == 1:
        x = np.sort(x, axis=0)
        return x, *along_a_line(x[:, 0], k)
    return x, *cKDTree(x).query(x, k=np.arange(2, k + 2))


def dataset(x, distance, index):
    """Return rows with lists that are in memory: named by chance, which costs no time."""
    dims = ("sample", "neighbor")
    return xr.Dataset(
        {
            "rows": (("sample", "feature"), x),
            "neighbor_distance": (dims, da.from_array(distance, -1, name=False)),
            "neighbor_index": (dims, da.from_array(index, -1, name=False)),
        }
    )


def with_peaks(x, k, z, dimension):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # lists that are too short
        if k is None:
            few = dataset(*searched(x, FIRST_K))
            k = kstar(few).kstar_capped.attrs["enough"]
        ds = kstar(dataset(*searched(x, k)), dimension=dimension)
        dense = density(ds).persist()  # peaks would compute it, and the result once more
        return peaks(dense, z=z).compute()


def one_barriers(given, seed):
    """Return (value, error, bias) of each barrier, None for another number of peaks, and k."""
    ds, minima = drawn(given, seed), MINIMA[given.system]
    if given.analyze:
        ds = analyze(ds, k=given.k, z=given.z)
    else:
        ds = with_peaks(ds.rows.values, given.k, given.z, given.dimension)
    k = ds.sizes["neighbor"]
    if ds.sizes["peak"] != len(minima):
        return None, k
    top = ds.rows.values[ds.peak_sample.values]
    number = np.linalg.norm(minima[:, np.newaxis] - top, axis=-1).argmin(axis=1)
    out = ds if given.analyze else barriers(ds, replicates=given.replicates, seed=seed)
    return [
        [float(out[f"barrier_{which}{part}"][number[a], number[b]])
         for part in ("", "_error", "_bias")]
        for a, b, which in BARRIERS[given.system]
    ], k  # fmt: skip


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
    seeds = range(given.first, given.first + given.seeds)
    found, k = zip(*(one_barriers(given, seed) for seed in seeds), strict=True)
    kept = np.array([f for f in found if f is not None])
    other = len(found) - len(kept)
    print(f"{given.system}, sigma {given.sigma:g}, N = {given.samples}, k = {np.median(k):g}, "
          f"{other} of {len(found)} seeds with another number of peaks")  # fmt: skip
    print("      barrier   truth    mean  covers      sd   se/sd    bias")
    for (pair, climb), values in zip(
        BARRIERS[given.system].items(), kept.swapaxes(0, 1), strict=True
    ):
        truth = 2 * climb / given.sigma**2
        value, error, bias = values[np.isfinite(values).all(axis=1)].T
        covers = np.mean(abs(value - truth) < 1.96 * error)
        sd = value.std(ddof=1)
        print(f"{pair[0]} {pair[1]} {pair[2]:>9} {truth:7.3f} {value.mean():7.3f} {covers:7.1%} "
              f"{sd:7.3f} {error.mean() / sd:7.2f} {bias.mean():7.3f}")  # fmt: skip


def print_passages(given):
    seeds = range(given.first, given.first + given.seeds)
    found = np.array([one_passages(given, seed) for seed in seeds])
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
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--k", type=int)
    parser.add_argument("--z", type=float)
    parser.add_argument("--dimension", type=float)
    parser.add_argument("--replicates", type=int, default=50)
    parser.add_argument("--analyze", action="store_true")
    given = parser.parse_args()
    passages = given.what == "passages"
    given.samples = given.samples or (200_000 if passages else 20_000)
    given.sigma = given.sigma or (0.5 if passages else SIGMA[given.system])
    given.z = given.z or (4.0 if given.system == "double" else 1.65)
    with dask.config.set(scheduler="synchronous"):
        (print_passages if passages else print_barriers)(given)


if __name__ == "__main__":
    main()
