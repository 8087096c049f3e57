"""Sources of a run, steps in the manner of the true ones but lazy and quick, looks at a folder."""

import hashlib
from pathlib import Path

import dask.array as da
import numpy as np
import xarray as xr

from daskid import open_rows
from daskid import variables as v
from daskid.storage import run

N, D = 20, 3


SOURCES = ("run.zarr", "source.zarr", "source.npy", "array.zarr")


def values(seed=0):
    return np.random.default_rng(seed).standard_normal((N, D)).astype("f4")


def field(x=None, **coords):
    x = values() if x is None else x
    names = {"feature": ["phi", "psi", "chi"], "time": ("sample", np.arange(N) * 0.5)}
    return xr.DataArray(x, dims=("sample", "feature"), coords=names | coords, name="x")


def knn(ds, k=4, shift=0.0):
    """A step in the manner of knn: lists from rows, lazily."""
    (rows,) = v.read(ds, v.rows)
    lists = da.concatenate([rows[:, :1]] * k, axis=1).astype("f8") + shift
    lists = {v.neighbor_distance: lists, v.neighbor_index: lists.astype("i8")}
    inputs = [x for x in (v.rows, v.period, v.weight) if x.name in ds.variables]
    return v.assign(ds, lists, inputs=inputs, parameters={"k": k})


def twonn(ds, method="ml"):
    d = ds.neighbor_distance.data.mean() + (method == "fit")
    outputs = {v.id_twonn: d, v.id_twonn_error: d / 10}
    return v.assign(ds, outputs, inputs=(v.neighbor_distance,), parameters={"method": method})


def gride(ds, scales=2, **parameters):
    d = ds.neighbor_distance.data[0, :scales]
    ds = ds.drop_vars("scale", errors="ignore")
    parameters = {"max_rank": scales, **parameters}
    out = v.assign(ds, {v.id_gride: d}, inputs=(v.neighbor_distance,), parameters=parameters)
    return out.assign_coords(scale=2 ** np.arange(scales))


def analyzed(source, **given):
    return gride(twonn(knn(open_rows(source, **given))))


def hashes(folder):
    files = [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.is_file())
    return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def times(folder):
    return {p: p.stat().st_mtime_ns for p in Path(folder).rglob("*")}


def committed(path):
    return run.record(str(path))["committed"]


def same(a, b):
    xr.testing.assert_equal(a.compute(), b.compute())
    assert set(a.coords) == set(b.coords)
