"""Small data sets with peaks, for the tests of the landscape."""

import warnings

import dask.array as da
import numpy as np
import xarray as xr
from scipy.spatial import cKDTree

from daskid.estimators.density import density, kstar
from daskid.estimators.peaks import peaks

MEANS, WIDTH = np.array([[-2.0, 0.0], [2.0, 0.0]]), 1.0


def wells(n, seed, means=MEANS):
    """Samples of equal Gaussians of width 1."""
    rng = np.random.default_rng(seed)
    return means[rng.integers(len(means), size=n)] + rng.normal(size=(n, means.shape[1]))


def with_peaks(x, k, z=2.0, chunk=-1, dimension=0.0, **coords):
    """Neighbors, k* (in the dimension of the rows by default), PAk and peaks of some rows."""
    distance, index = cKDTree(x).query(x, k=k + 1)
    dims = ("sample", "neighbor")
    ds = xr.Dataset(
        {
            "neighbor_distance": (dims, da.from_array(distance[:, 1:], (chunk, -1))),
            "neighbor_index": (dims, da.from_array(index[:, 1:], (chunk, -1))),
        },
        coords=coords,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # lists are short, for speed
        found = kstar(ds, dimension=float(x.shape[1]) if dimension == 0 else dimension)
    return peaks(density(found), z=z)


def labeled(core, depth=2.0, **coords):
    """Frames in the cores 0, 1, ... or outside of all, -1; all basins merge ``depth`` below."""
    core = np.asarray(core)
    p = int(core.max()) + 1
    label = np.maximum(core, 0)
    return xr.Dataset(
        {
            "peak_label": ("sample", label),
            "log_density": ("sample", np.where(core < 0, -10.0, 0.0)),
            "peak_log_density": ("peak", np.zeros(p)),
            "merge_peak": (
                ("merge", "side"),
                np.array([[0, c] for c in range(1, p)], int).reshape(-1, 2),
            ),
            "merge_log_density": ("merge", np.full(p - 1, -depth)),
        },
        coords={name: ("sample", values) for name, values in coords.items()},
    )
