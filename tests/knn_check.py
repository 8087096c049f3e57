"""knn against the naive search of the same dataset: what several test files ask."""

import dask.array as da
import naive
import numpy as np
import xarray as xr

import daskid

PER_FEATURE = ("period", "weight")


def dataset(x, chunks=None, **coords):
    """Rows with coordinates along samples or features."""
    coords = {n: ("feature" if n in PER_FEATURE else "sample", c) for n, c in coords.items()}
    rows = x if chunks is None else da.from_array(x, chunks)
    return xr.Dataset({"rows": (("sample", "feature"), rows)}, coords)


def naive_of(ds, k, **options):
    """The naive search; LookupError if there are too few neighbors."""
    given = {n: ds[n].values for n in (*PER_FEATURE, "trajectory") if n in ds}
    if "row" in ds:
        given["frame"] = ds["row"].values
    return naive.knn(ds["rows"].values, k, **given, **options)


def check(ds, k, rtol=0.0, expected=None, **options):
    """Compare; the indices must be equal, the distances to ``rtol``."""
    out = daskid.knn(ds, k=k, **options)
    distance, index, location = naive_of(ds, k, **options) if expected is None else expected
    np.testing.assert_array_equal(out["location"], location)
    np.testing.assert_array_equal(out["multiplicity"], np.bincount(location)[location])
    np.testing.assert_array_equal(out["neighbor_index"], index)
    np.testing.assert_allclose(out["neighbor_distance"], distance, rtol=rtol, atol=0)
    return out


def check_same(a, b):
    """Two results are equal to the bit."""
    for name in ("neighbor_distance", "neighbor_index", "location", "multiplicity"):
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
