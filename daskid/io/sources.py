"""What a source is: one array with named dimensions, and a reader if it is at rest."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
import zarr
from zarr.errors import GroupNotFoundError

from daskid.storage import run
from daskid.storage.rows import RowReader, native


def resolve(
    source: str | Path | xr.DataArray | xr.Dataset, variable: str | None
) -> tuple[xr.DataArray, RowReader | None]:
    """Return the array of a source; and its reader, if it is a Zarr or ``.npy`` path.

    The reader still reads along the first axis, see :meth:`RowReader.along`.
    """
    if isinstance(source, xr.DataArray):
        return source, None
    if isinstance(source, xr.Dataset):
        return source[_choose(source, variable, "the dataset")], None
    if not isinstance(source, str | Path):
        raise TypeError(
            f"source: expected a path, a DataArray or a Dataset, got {type(source).__name__}: "
            "wrap arrays as xarray.DataArray(x, dims=('sample', 'feature'))"
        )
    path = str(source)
    if not Path(path).exists():
        raise FileNotFoundError(f"source: expected a Zarr or .npy path, got {path!r}: nothing there")
    if path.endswith(".npy"):
        return _from_npy(path, variable)
    if path.endswith(".npz"):
        return _from_npz(path, variable), None
    return _from_zarr(path, variable)


def _choose(ds: xr.Dataset, variable: str | None, where: str) -> str:
    names = [str(n) for n, x in ds.data_vars.items() if x.ndim]
    if variable is not None:
        if variable not in ds.variables:
            raise ValueError(f"variable: expected one of {names} in {where}, got {variable!r}")
        return variable
    if "rows" in names:
        return "rows"
    if len(names) != 1:
        raise ValueError(f"variable: expected one, {where} has {names}: choose one of them")
    return names[0]


def _named(shape: tuple[int, ...], dims: Iterable[Any] | None) -> tuple[str, ...]:
    names = list(dims) if dims is not None else []
    if len(names) == len(shape) and all(isinstance(n, str) for n in names):
        return tuple(names)
    default = ["sample", "feature", *(f"feature_{i}" for i in range(1, len(shape)))]
    return tuple(default[: len(shape)])


def _from_npy(path: str, variable: str | None) -> tuple[xr.DataArray, RowReader]:
    if variable is not None:
        raise ValueError(f"variable: expected none for a .npy file, got {variable!r}")
    data = np.load(path, mmap_mode="r", allow_pickle=False)
    native(data.dtype)
    field = xr.DataArray(da.from_array(data, name=False), dims=_named(data.shape, None), name=None)
    field.name = None
    return field, RowReader(path, "", (0, 0), "float64")


def _from_npz(path: str, variable: str | None) -> xr.DataArray:
    with np.load(path, allow_pickle=False) as file:
        names = [n for n in file.files if file[n].ndim] if variable is None else file.files
        if variable not in file.files and (variable is not None or len(names) != 1):
            raise ValueError(
                f"variable: expected one of {names} in {path!r}, got {variable!r}: choose one"
            )
        data = file[variable or names[0]]
    return xr.DataArray(data, dims=_named(data.shape, None), name=variable or names[0])


def _from_zarr(path: str, variable: str | None) -> tuple[xr.DataArray, RowReader]:
    if run.is_run(path):
        raise ValueError(f"source: {path!r} is a run of daskid: open it with daskid.open_run")
    try:
        node = zarr.open(path, mode="r")
    except (FileNotFoundError, GroupNotFoundError) as error:
        raise FileNotFoundError(
            f"source: expected a Zarr array or group, a .npy or .npz file, got {path!r}"
        ) from error
    if isinstance(node, zarr.Array):
        if variable is not None:
            raise ValueError(f"variable: expected none for a Zarr array, got {variable!r}")
        dims = getattr(node.metadata, "dimension_names", None) or node.attrs.get("_ARRAY_DIMENSIONS")
        field = xr.DataArray(
            da.from_array(node, name=False), dims=_named(node.shape, dims), attrs=dict(node.attrs)
        )
        field.name = None
        return field, RowReader(path, "", (0, 0), "float64")
    return _from_group(path, node, variable)


def _from_group(
    path: str, group: zarr.Group, variable: str | None
) -> tuple[xr.DataArray, RowReader]:
    arrays = {name: array for name, array in group.arrays() if array.ndim}
    unnamed = variable or (next(iter(arrays)) if len(arrays) == 1 else None)
    if unnamed in arrays and not _has_dims(arrays[unnamed]):
        field, reader = _from_zarr(str(Path(path) / unnamed), None)
        return field.rename(unnamed), reader
    try:
        ds = xr.open_zarr(path, consolidated=False, chunks={})
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"variable: expected a choice, {path!r} has the arrays {sorted(arrays)} "
            "without common dimension names: choose one of them"
        ) from error
    name = _choose(ds, variable, repr(path))
    encoding = ds[name].encoding
    reader = RowReader(
        path,
        name,
        (0, 0),
        "float64",
        fill=encoding.get("_FillValue", encoding.get("missing_value")),
        scale=encoding.get("scale_factor"),
        offset=encoding.get("add_offset"),
    )
    return ds[name], reader


def _has_dims(array: zarr.Array[Any]) -> bool:
    return bool(
        getattr(array.metadata, "dimension_names", None) or "_ARRAY_DIMENSIONS" in array.attrs
    )
