"""Does the interval of the slope of ln tau against 2 Delta V / sigma^2 hold the true one?

``python tests/benchmarks/kramers.py [--seeds 200] [--frames 40000] [--tilt 0.1] [--sigma 0.45 0.55
0.7]`` draws frames of the tilted double well at each noise, counts transitions between its
cores, takes barriers that are true up to Gaussian errors of 0.1 kT, and prints for both
passages: the true slope (a line with the same weights through times by quadrature between
these cores, against true barriers), the mean, the share of seeds whose 95 % interval holds it,
the scatter over seeds and the mean error over that, and the same of the barrier at no noise.

With ``--measured`` barriers are those of :func:`daskid.barriers`, after neighbors, k*, PAk and
peaks of every fifth frame: slower, and with the bias of barriers that docs of it state.
"""

import argparse
import time
import warnings

import dask
import numpy as np
import xarray as xr
from scipy.spatial import cKDTree

from daskid import datasets
from daskid.estimators.density import density, kstar
from daskid.estimators.landscape import barriers, transitions
from daskid.estimators.landscape.kramers import kramers
from daskid.estimators.peaks import peaks

STEP, ERROR, SHIFT = 0.05, 0.1, 0.5826
"""Time between frames, errors of barriers, and how far an edge seen every step is further in."""
DIMS = ("peak", "other_peak")


def potential(x, tilt):
    return x**4 / 4 - x**2 / 2 + tilt * x


def ends(tilt):
    left, saddle, right = np.sort(np.roots([1.0, 0.0, -1.0, tilt]).real)
    return np.array([left, right]), saddle


def truth(sigma, tilt, depth):
    """Barriers in kT, and times between cores of these depths: (2,) each, from the left first."""
    minima, saddle = ends(tilt)
    climb = 2 / sigma**2 * (potential(saddle, tilt) - potential(minima, tilt))
    line = np.linspace(*minima, 20_001)
    above = 2 / sigma**2 * (potential(line, tilt) - potential(minima, tilt)[:, np.newaxis])
    inside = above < depth[:, np.newaxis]
    shift = SHIFT * sigma * STEP**0.5
    low = line[inside[0] & (line < saddle)].max() - shift
    high = line[inside[1] & (line > saddle)].min() + shift
    cores = (-3.0, low), (high, 3.0)
    return climb, [datasets.double_well_mfpt(tilt, sigma, *c) for c in (cores, cores[::-1])]


def table(ds, exponent, time_, width):
    """A run of which all is known: barriers and times of both passages, with their errors."""
    pairs = {"barrier_minimax": exponent, "barrier_minimax_error": np.full(2, ERROR),
             "barrier_dimension_slope": np.zeros(2)}  # fmt: skip
    if time_ is not None:
        pairs["mean_first_passage_time"] = np.asarray(time_)
        for name, sign in (("low", -1), ("high", 1)):
            pairs[f"mean_first_passage_time_{name}"] = time_ * np.exp(sign * 1.96 * width)
    matrix = {n: (DIMS, np.array([[np.nan, x[0]], [x[1], np.nan]])) for n, x in pairs.items()}
    return ds.assign(matrix)


def frames(given, sigma, seed):
    """Return frames with states, and transitions between them."""
    ds = datasets.double_well(given.frames, c=given.tilt, sigma=sigma, step=STEP, seed=seed)
    ds = ds.compute()
    x = ds.rows.values[:, 0]
    minima, saddle = ends(given.tilt)

    def height(z):
        return -2 / sigma**2 * potential(z, given.tilt)

    return transitions(
        ds.assign(
            peak_label=("sample", (x > saddle).astype("i4")),
            log_density=("sample", height(x)),
            peak_log_density=("peak", height(minima)),
            peak_sample=("peak", [int(abs(x - m).argmin()) for m in minima]),
            merge_peak=(("merge", "side"), [[0, 1]]),
            merge_log_density=("merge", [float(height(saddle))]),
        )
    )


def measured(given, ds, seed):
    """Return the run with barriers of its own frames; their peaks in the order of the minima."""
    few = ds.rows.values[::5]
    distance, index = cKDTree(few).query(few, k=min(400, len(few) // 20) + 1)
    lists = {"neighbor_distance": distance[:, 1:], "neighbor_index": index[:, 1:]}
    found = xr.Dataset({name: (("sample", "neighbor"), x) for name, x in lists.items()})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # lists that are too short
        found = peaks(density(kstar(found, dimension=1.0)), z=1.65).compute()
    if found.sizes["peak"] != 2:
        return None
    found = barriers(found, block=max(len(few) // 64, 1), replicates=20, seed=seed)
    order = np.argsort(few[found.peak_sample.values, 0])
    names = "barrier_minimax", "barrier_minimax_error", "barrier_dimension_slope"
    return ds.assign({n: found[n].isel(peak=order, other_peak=order) for n in names})


def one(given, seed):
    """Return slope, error, barrier at no noise and error of both passages, and true slopes."""
    rng, runs, true = np.random.default_rng(seed), [], []
    for level, sigma in enumerate(given.sigma):
        ds = frames(given, sigma, seed * len(given.sigma) + level)
        climb, times = truth(sigma, given.tilt, ds.core_depth.values)
        if given.measured:
            ds = measured(given, ds, seed)
            if ds is None:
                return None
        else:
            ds = table(ds, climb + ERROR * rng.normal(size=2), None, None)
        runs.append(ds)
        width = [
            np.log(ds[f"mean_first_passage_time_{e}"].values[[0, 1], [1, 0]])
            for e in ("low", "high")
        ]
        width = np.diff(width, axis=0)[0] / 3.92
        true.append(table(ds, climb, np.array(times), width))
    out, exact = kramers(runs, sigma=given.sigma), kramers(true, sigma=given.sigma)
    names = "kramers_slope", "kramers_slope_error", "zero_noise_barrier", "zero_noise_barrier_error"
    return [*(out[n].values for n in names), exact.kramers_slope.values]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--frames", type=int, default=40_000)
    parser.add_argument("--tilt", type=float, default=0.1)
    parser.add_argument("--sigma", type=float, nargs="+", default=[0.45, 0.55, 0.7])
    parser.add_argument("--measured", action="store_true")
    given = parser.parse_args()
    begin = time.process_time()
    with dask.config.set(scheduler="synchronous"):
        found = [one(given, seed) for seed in range(given.seeds)]
    kept = np.array([f for f in found if f is not None])
    minima, saddle = ends(given.tilt)
    climb = potential(saddle, given.tilt) - potential(minima, given.tilt)
    spent = time.process_time() - begin
    print(f"double well, c = {given.tilt:g}, sigma {given.sigma}, {given.frames} frames each, "
          f"{len(kept)} of {given.seeds} seeds, {spent:.0f} CPU-s")  # fmt: skip
    print("passage          what   truth    mean  covers      sd   se/sd")
    for a, name in enumerate(("0 -> 1", "1 -> 0")):
        slope, error, barrier, barrier_error, exact = kept[:, :, a].T
        for what, value, e, true in (
            ("slope", slope, error, exact), ("barrier", barrier, barrier_error, climb[a]),
        ):  # fmt: skip
            sd = (value - true).std(ddof=1)
            print(f"{name:>7} {what:>13} {np.mean(true):7.3f} {value.mean():7.3f} "
                  f"{np.mean(abs(value - true) < 1.96 * e):7.1%} {sd:7.3f} "
                  f"{e.mean() / sd:7.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
