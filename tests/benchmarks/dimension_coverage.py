"""Do the error bars of the dimension cover? On periodic tori, and on correlated frames.

``python tests/benchmarks/dimension_coverage.py [--samples 1000] [--replicas 400] [--dimensions 1 2
5]`` prints, for each estimate and its error: the mean, its bias in units of the standard deviation
over replicas, the share of replicas whose 68 % interval holds the true d, and the mean error over
that standard deviation. With 400 replicas the two are known to 2.3 % and 3.5 % (one standard
deviation). An error marked (f) or (i) is of independent ratios and known to be too small.

``python tests/benchmarks/dimension_coverage.py --correlation 0.99 [--samples 4000] [--blocks 20]``
draws frames in time: three Gaussian features, each an autoregressive process x' = phi x + noise.
Every estimate stands there three times: with the error of independent samples, with ``block``,
whose jackknife deletes half of the blocks at a time, and with the textbook's jackknife that
deletes one block at a time from samples and neighbors. What an interval should hold is the mean
over replicas: the density is not constant, so the estimates have a bias, which no error covers.
"""

import argparse

import dask
import dask.array as da
import numpy as np
import xarray as xr
from scipy.signal import lfilter
from scipy.spatial import cKDTree

from daskid.blockwise.dimension import SANDWICH
from daskid.estimators.dimension import gride, mle, twonn

NEIGHBORS = 32
SPIN_UP = 1000


def torus_lists(samples, dimension, seed):
    x = np.random.default_rng([seed, dimension, samples]).random((samples, dimension))
    return neighbor_lists(x, NEIGHBORS, boxsize=1)


def frames(samples, correlation, seed):
    """Return frames of three independent autoregressive processes of unit variance."""
    rng = np.random.default_rng([seed, samples])
    noise = rng.standard_normal((samples + SPIN_UP, 3)) * np.sqrt(1 - correlation**2)
    return lfilter([1], [1, -correlation], noise, axis=0)[SPIN_UP:]


def neighbor_lists(x, k, boxsize=None):
    distance, index = cKDTree(x, boxsize=boxsize).query(x, k=k + 1)
    dims = ("sample", "neighbor")
    return xr.Dataset(
        {
            "neighbor_distance": (dims, da.from_array(distance[:, 1:], -1)),
            "neighbor_index": (dims, da.from_array(index[:, 1:], -1)),
        }
    )


def replica(samples, dimension, seed):
    """Return (name, value, error) of each estimate."""
    ds = torus_lists(samples, dimension, seed)
    ml, fit = twonn(ds)["id_twonn"], twonn(ds, method="fit")["id_twonn"]
    ml_error, fit_error = (twonn(ds, method=method)["id_twonn_error"] for method in ("ml", "fit"))
    scales = gride(ds)[["id_gride", "id_gride_error"]]
    averages = {k: mle(ds, k=k) for k in (5, 10, 20)}
    ml, ml_error, fit, fit_error, scales, averages = dask.compute(
        ml, ml_error, fit, fit_error, scales,
        {k: (out["id_mle"], out["id_mle_error"]) for k, out in averages.items()},
    )  # fmt: skip
    rows = [
        ("twonn ml", ml, ml_error),
        ("twonn ml, d/sqrt(n-2) (i)", ml, ml / np.sqrt(samples - 2)),
        ("twonn fit 0.9", fit, fit_error),
    ]
    for n1 in scales.scale.values:
        mark = "" if 2 * n1 <= SANDWICH else " (f)"
        one = scales.sel(scale=n1)
        rows.append((f"gride n1={n1}{mark}", one.id_gride, one.id_gride_error))
    for k, (d, error) in averages.items():
        rows.append((f"mle k={k}" + ("" if k <= SANDWICH else " (i)"), d, error))
    return [(name, float(d), float(error)) for name, d, error in rows]


def estimates(ds, **block):
    """Return name, value, error: TwoNN, Gride at n1 = 4 and 8, Levina-Bickel at k = 10."""
    whole, scales, mean = dask.compute(
        twonn(ds, **block)[["id_twonn", "id_twonn_error"]],
        gride(ds, max_rank=16, **block)[["id_gride", "id_gride_error"]],
        mle(ds, **block)[["id_mle", "id_mle_error"]],
    )
    pairs = [
        ("twonn ml", whole.id_twonn, whole.id_twonn_error),
        *(
            (f"gride n1={n1}", scales.id_gride.sel(scale=n1), scales.id_gride_error.sel(scale=n1))
            for n1 in (4, 8)
        ),
        ("mle k=10", mean.id_mle, mean.id_mle_error),
    ]
    return [(name, float(d), float(error)) for name, d, error in pairs]


def without(ds, gone):
    """Return the lists of the samples that stay, without the neighbors that are gone."""
    distance, index = ds.neighbor_distance.values, ds.neighbor_index.values
    order = np.argsort(gone[index], axis=1, kind="stable")[~gone]
    number = np.cumsum(~gone) - 1
    dims = ds.neighbor_distance.dims
    parts = (np.take_along_axis(values[~gone], order, 1) for values in (distance, number[index]))
    names = ("neighbor_distance", "neighbor_index")
    return xr.Dataset(
        {
            name: (dims, da.from_array(part[:, :16], -1))
            for name, part in zip(names, parts, strict=True)
        }
    )


def frames_replica(samples, correlation, blocks, seed, textbook):
    """Return (name, value, error) of each estimate, with every kind of error."""
    ds = neighbor_lists(frames(samples, correlation, seed), 52)
    alone, halves = estimates(ds), estimates(ds, block=samples // blocks)
    kinds = {"independent": alone, "halves": halves}
    if textbook:
        number = np.arange(samples) * blocks // samples
        left = np.array(
            [[d for _, d, _ in estimates(without(ds, number == b))] for b in range(blocks)]
        )
        errors = np.sqrt((blocks - 1) * left.var(axis=0))
        kinds["one block"] = [(n, d, e) for (n, d, _), e in zip(alone, errors, strict=True)]
    return [
        (f"{name}, {kind}", d, error)
        for several in zip(*kinds.values(), strict=True)
        for kind, (name, d, error) in zip(kinds, several, strict=True)
    ]


def lines(found, label, truth=None):
    """Yield a line of the table for each estimate, from the replicas' (name, value, error)."""
    for row, (name, _, _) in enumerate(found[0]):
        d, error = np.array([r[row][1:] for r in found]).T
        sd, center = d.std(ddof=1), d.mean() if truth is None else truth
        yield (
            f"{label:>4}  {name:26s} {d.mean():7.4f}  {(d.mean() - center) / sd:5.2f}  "
            f"{np.mean(abs(d - center) <= error):6.1%}  {error.mean() / sd:5.3f}"
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--replicas", type=int, default=400)
    parser.add_argument("--dimensions", type=int, nargs="+", default=[1, 2, 5])
    parser.add_argument("--correlation", type=float, nargs="+", help="of one frame with the next")
    parser.add_argument("--blocks", type=int, default=20)
    parser.add_argument("--textbook", action="store_true", help="delete one block at a time, too")
    given = parser.parse_args()
    print(f"N = {given.samples}, {given.replicas} replicas")
    print(f"{'phi' if given.correlation else 'd':>4}  {'estimate and error':26s}", end=" ")
    print(f"{'mean':>7s}  bias  covers  se/sd")
    seeds = range(given.replicas)
    with dask.config.set(scheduler="synchronous"):
        for phi in given.correlation or []:
            one = [
                frames_replica(given.samples, phi, given.blocks, seed, given.textbook)
                for seed in seeds
            ]
            print(*lines(one, f"{phi:g}"), sep="\n", flush=True)
        for dimension in [] if given.correlation else given.dimensions:
            one = [replica(given.samples, dimension, seed) for seed in seeds]
            print(*lines(one, dimension, dimension), sep="\n", flush=True)


if __name__ == "__main__":
    main()
