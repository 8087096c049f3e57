"""The same field as a source of every kind: Zarr in all its ways, numpy files, in memory."""

import numpy as np
import xarray as xr
import zarr

N, LAT, LON = 12, 3, 2


DIMS = ("time", "lat", "lon")


def values(dtype="f4", n=N):
    return np.random.default_rng(0).standard_normal((n, LAT, LON)).astype(dtype)


def field(x=None, **coords):
    x = values() if x is None else x
    time = np.datetime64("2000-01-01", "ns") + np.arange(len(x)) * np.timedelta64(1, "h")
    names = {"time": time, "lat": [10.0, 20.0, 30.0], "trajectory": ("time", np.arange(len(x)) % 2)}
    return xr.DataArray(x, dims=DIMS, coords=names | coords, name="t2m", attrs={"units": "K"})


def as_group(tmp_path, array, zarr_format, **encoding):
    chunks = (5, 2, 1)  # split along the features
    path = tmp_path / "group.zarr"
    array.to_dataset().to_zarr(
        path, zarr_format=zarr_format, consolidated=False,
        encoding={"t2m": {"chunks": chunks, **encoding}},
    )  # fmt: skip
    return path


def as_array(tmp_path, array, zarr_format, names):
    path = tmp_path / "array.zarr"
    z = zarr.create_array(
        path, data=array.values, chunks=(5, 2, 1), zarr_format=zarr_format,
        dimension_names=names if zarr_format == 3 else None,
    )  # fmt: skip
    if zarr_format == 2 and names:
        z.attrs["_ARRAY_DIMENSIONS"] = list(names)
    return path


def as_subgroup(tmp_path, array, zarr_format):
    path = tmp_path / "tree.zarr"
    for group in ("a", "b/c"):
        array.to_dataset().to_zarr(
            path, group=group, zarr_format=zarr_format, consolidated=False, mode="a"
        )
    return path / "b" / "c"


def as_npy(tmp_path, array, order="C"):
    np.save(tmp_path / "x.npy", np.asarray(array.values, order=order))
    return tmp_path / "x.npy"


def as_npz(tmp_path, array):
    np.savez(tmp_path / "x.npz", x=array.values)
    return tmp_path / "x.npz"


AT_REST = {
    "group 3": lambda t, a: as_group(t, a, 3),
    "group 2": lambda t, a: as_group(t, a, 2),
    "subgroup 3": lambda t, a: as_subgroup(t, a, 3),
    "subgroup 2": lambda t, a: as_subgroup(t, a, 2),
    "array in a group 3": lambda t, a: as_group(t, a, 3) / "t2m",
    "array in a group 2": lambda t, a: as_group(t, a, 2) / "t2m",
    "array 3": lambda t, a: as_array(t, a, 3, None),
    "array 2": lambda t, a: as_array(t, a, 2, None),
    "named array 3": lambda t, a: as_array(t, a, 3, DIMS),
    "named array 2": lambda t, a: as_array(t, a, 2, DIMS),
    "npy": as_npy,
    "npy in Fortran order": lambda t, a: as_npy(t, a, "F"),
}


IN_MEMORY = {
    "npz": as_npz,
    "DataArray": lambda t, a: a,
    "Dataset": lambda t, a: a.to_dataset(),
    "dask": lambda t, a: a.chunk({"time": 5, "lat": 2}),
    "dask Dataset": lambda t, a: a.to_dataset().chunk({"lon": 1}),
    "transposed": lambda t, a: a.transpose("lat", "lon", "time").transpose(*DIMS),
}
