"""Data sets with densities, small or awkward, for the tests of peaks."""

import dask.array as da
import naive
import numpy as np
import xarray as xr

MINE = ("neighbor_index", "kstar", "log_density", "log_density_error", "location")


def dataset(index, kstar, log_density, error, location=None, chunk=None, **others):
    """A dataset that holds what peaks read; no two variables in the same chunks."""
    n = len(index)
    chunk = chunk or n
    location = np.arange(n) if location is None else location
    values = {
        "neighbor_index": (("sample", "neighbor"), da.from_array(index, (chunk, -1))),
        "kstar": ("sample", da.from_array(np.asarray(kstar), max(chunk // 2, 1))),
        "log_density": ("sample", da.from_array(np.asarray(log_density, "f8"), chunk + 1)),
        "log_density_error": ("sample", da.from_array(np.asarray(error, "f8"), chunk)),
        "location": ("sample", da.from_array(np.asarray(location), chunk)),
    }
    return xr.Dataset(values | others)


def lists(x, k):
    """Neighbor lists of rows: distance, index, location."""
    return naive.knn(np.asarray(x, "f8"), k)


def of_rows(x, k, kstar, chunk=None, d=2, **others):
    """Rows with the plain density of their ``kstar`` nearest neighbors."""
    distance, index, location = lists(x, k)
    n = len(distance)
    log_density = np.log(kstar) - np.log(n) - d * np.log(distance[:, kstar - 1])
    error = np.full(n, 1 / np.sqrt(kstar))
    return dataset(index, np.full(n, kstar), log_density, error, location, chunk, **others)


def blobs(rng, centers, n, spread=1.0):
    """``n`` samples round each of some centers."""
    centers = np.asarray(centers, "f8")
    noise = rng.standard_normal((len(centers), n, centers.shape[1]))
    return (centers[:, np.newaxis] + spread * noise).reshape(-1, centers.shape[1])


def values(ds, *names):
    """Plain lists of some variables."""
    return [ds[name].values.tolist() for name in names]
