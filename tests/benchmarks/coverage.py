"""Do the error bars of the dimension cover? Periodic tori, where the truth is known.

``python tests/benchmarks/coverage.py [--samples 1000] [--replicas 400] [--dimensions 1 2 5]``
prints, for each estimate and its error: the mean, its bias in units of the standard
deviation over replicas, the share of replicas whose 68 % interval holds the true d, and the
mean error over that standard deviation. With 400 replicas the two are known to 2.3 % and
3.5 % (one standard deviation). An error marked (f) or (i) is of independent ratios and known
to be too small.
"""

import argparse

import dask
import dask.array as da
import numpy as np
import xarray as xr
from scipy.spatial import cKDTree

from daskid.estimators.dimension import SANDWICH, gride, mle, twonn

NEIGHBORS = 32


def neighbor_lists(samples, dimension, seed):
    x = np.random.default_rng([seed, dimension, samples]).random((samples, dimension))
    distance, index = cKDTree(x, boxsize=1).query(x, k=NEIGHBORS + 1)
    dims = ("sample", "neighbor")
    return xr.Dataset(
        {
            "neighbor_distance": (dims, da.from_array(distance[:, 1:], -1)),
            "neighbor_index": (dims, da.from_array(index[:, 1:], -1)),
        }
    )


def replica(samples, dimension, seed):
    """Return (name, value, error) of each estimate."""
    ds = neighbor_lists(samples, dimension, seed)
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


def table(samples, dimension, replicas):
    found = [replica(samples, dimension, seed) for seed in range(replicas)]
    for row, (name, _, _) in enumerate(found[0]):
        d, error = np.array([r[row][1:] for r in found]).T
        sd = d.std(ddof=1)
        yield (
            f"{dimension:2d}  {name:26s} {d.mean():7.4f}  {(d.mean() - dimension) / sd:5.2f}  "
            f"{np.mean(abs(d - dimension) <= error):6.1%}  {error.mean() / sd:5.3f}"
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--replicas", type=int, default=400)
    parser.add_argument("--dimensions", type=int, nargs="+", default=[1, 2, 5])
    arguments = parser.parse_args()
    print(f"N = {arguments.samples}, {arguments.replicas} replicas")
    print(f" d  {'estimate and error':26s} {'mean':>7s}  bias  covers  se/sd")
    with dask.config.set(scheduler="synchronous"):
        for dimension in arguments.dimensions:
            for line in table(arguments.samples, dimension, arguments.replicas):
                print(line, flush=True)


if __name__ == "__main__":
    main()
