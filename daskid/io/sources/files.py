"""Arrays in numpy's formats, in netCDF and in HDF5."""

import zipfile
import zlib
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from daskid.io.sources.place import choose
from daskid.storage import claims
from daskid.storage.rows import RowReader, arrays, native
from daskid.typing import Array

HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
MAGIC = b"\x89HDF\r\n\x1a\n"
FILLS = ("_FillValue", "missing_value")


def named(shape: tuple[int, ...], dims: Iterable[Any] | None) -> tuple[str, ...]:
    """Return the names of dimensions; made up unless all have one."""
    names = list(dims) if dims is not None else []
    if len(names) == len(shape) and all(isinstance(n, str) for n in names):
        return tuple(names)
    default = ["sample", "feature", *(f"feature_{i}" for i in range(1, len(shape)))]
    return tuple(default[: len(shape)])


def lazy(data: Any, dims: Iterable[Any] | None, name: str | None = None) -> xr.DataArray:
    """Return an array at rest as a DataArray; an empty one has nothing to be read."""
    if data.size:
        array = da.from_array(data, chunks="auto", name=False)
    else:
        array = np.empty(data.shape, data.dtype)
    return xr.DataArray(xr.Variable(named(data.shape, dims), array), name=name)


def from_npy(path: Path, variable: str | None) -> tuple[xr.DataArray, RowReader]:
    """Return the array of a ``.npy`` file, and its reader."""
    if variable is not None:
        raise ValueError(f"variable: expected none for a .npy file, got {variable!r}")
    with path.open("rb") as file:
        shape, dtype = _header(file, path)
    try:
        data = np.empty(shape, dtype) if 0 in shape else np.load(path, mmap_mode="r")
    except ValueError as error:
        raise _damaged(path, error) from error
    return lazy(data, None), RowReader(str(path), "", (0, 0), "float64")


def _header(file: Any, path: Path | str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and dtype of a ``.npy`` file, without a look at the values."""
    try:
        shape, _, dtype = HEADERS[np.lib.format.read_magic(file)](file)
    except (KeyError, ValueError) as error:
        raise _damaged(path, error) from error
    native(dtype)
    return shape, dtype


def _damaged(path: Path | str, error: Exception) -> ValueError:
    return ValueError(
        f"source: expected an array in numpy's format, got {str(path)!r}, which can't be read "
        f"({error}): write it again with numpy.save or numpy.savez"
    )


def from_npz(path: Path, variable: str | None) -> xr.DataArray:
    """Return an array of a ``.npz`` file, in memory."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [n.removesuffix(".npy") for n in archive.namelist()]
    except (zipfile.BadZipFile, OSError) as error:
        raise _damaged(path, error) from error
    name = choose(members, members, variable, repr(str(path)))
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo(f"{name}.npy").file_size
        with archive.open(f"{name}.npy") as file:
            shape, dtype = _header(file, f"{path}/{name}")
        if not prod(shape) * dtype.itemsize <= size <= claims.PHYSICAL_BYTES:
            raise _damaged(f"{path}/{name}", ValueError(f"shape {shape} in {size} bytes"))
        with archive.open(f"{name}.npy") as file:
            data = _values(file, f"{path}/{name}")
    return xr.DataArray(data, dims=named(data.shape, None), name=name)


def _values(file: Any, path: str) -> Array:
    try:
        return np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(path, error) from error


def from_netcdf(path: Path, variable: str | None) -> tuple[xr.DataArray, RowReader | None]:
    """Return an array of a netCDF or HDF5 file, ``group/name``; its reader if it is HDF5."""
    folder, _, name = (variable or "").rpartition("/")
    with path.open("rb") as file:
        hdf5 = file.read(len(MAGIC)) == MAGIC
    if hdf5:
        _check_hdf5(path, folder)
    phony: dict[str, Any] = {"engine": "h5netcdf", "phony_dims": "sort"} if hdf5 else {}
    try:
        ds = xr.open_dataset(path, group=folder or None, chunks={}, **phony)
    except (ValueError, ImportError, OSError) as error:
        raise ValueError(
            f"source: expected a file that xarray can read, got {str(path)!r} ({error}): "
            "pip install 'daskid[netcdf]', or check the group in variable='group/name'"
        ) from error
    names = [str(n) for n, x in ds.data_vars.items() if x.ndim]
    inside = ", but groups: name an array in one of them as variable='group/name'" if hdf5 else ""
    where = repr(f"{path}/{folder}".rstrip("/"))
    field = ds[choose(names, ds.variables, name or None, where, inside)]
    if all(str(d).startswith("phony_dim_") for d in field.dims):
        field = field.rename(dict(zip(field.dims, named(field.shape, None), strict=True)))
    return field, reader(str(path), f"{folder}/{field.name}".strip("/"), field) if hdf5 else None


def _check_hdf5(path: Path, folder: str) -> None:
    """Look at what a group of an HDF5 file claims: sizes, and links and data in other files."""
    import h5py  # type: ignore[import-untyped]

    with h5py.File(path, "r") as file:
        group = file.get(folder or "/")
        for name in group if isinstance(group, h5py.Group) else ():
            where = f"{path}/{folder}/{name}"
            outside = isinstance(group.get(name, getlink=True), h5py.ExternalLink)
            node = None if outside else group.get(name)
            if outside or (isinstance(node, h5py.Dataset) and node.external):
                raise ValueError(
                    f"source: expected all data in {str(path)!r}, got {where!r}, which is in "
                    "another file: copy it into the file (h5repack), or open that one"
                )
            if isinstance(node, h5py.Dataset) and node.shape and not node.is_virtual:
                arrays.check(str(path), f"{folder}/{name}".strip("/"), node)


def reader(path: str, array: str, field: xr.DataArray, **how: Any) -> RowReader | None:
    """Return the reader that decodes as xarray does, None if it can't."""
    encoding = field.encoding
    scale, offset = (_number(encoding.get(key)) for key in ("scale_factor", "add_offset"))
    fills = {repr(encoding[key]): encoding[key] for key in FILLS if key in encoding}
    fill = _number(next(iter(fills.values()), None))
    if len(fills) > 1 or "_Unsigned" in encoding or field.dtype.kind not in "fiub":
        return None
    if (scale is not None or offset is not None) and field.dtype != np.dtype(native(field.dtype)):
        return None
    if not isinstance(fill, int | float | None):
        return None
    return RowReader(
        path, array, (0, 0), "float64", fill=fill if fill == fill else None,
        scale=scale, offset=offset, **how,
    )  # fmt: skip


def _number(value: Any) -> Any:
    """Return a Python number; None stays."""
    return np.asarray(value).item() if value is not None and np.ndim(value) == 0 else value
