"""What a source is: one array with named dimensions, and a reader if it is at rest."""

import zipfile
import zlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
import zarr

from daskid.storage import run
from daskid.storage.rows import RowReader, native, opened
from daskid.typing import Array

OPENED_BY_XARRAY = (".nc", ".nc4", ".cdf", ".h5", ".hdf5")
TAKEN = "a Zarr array or group, a .npy, .npz or netCDF file"
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def resolve(
    source: str | Path | xr.DataArray | xr.Dataset, variable: str | None
) -> tuple[xr.DataArray, RowReader | None]:
    """Return the array of a source; and its reader, if it is a Zarr or ``.npy`` path.

    The reader still reads along the first axis, see :meth:`RowReader.along`.
    """
    if isinstance(source, xr.DataArray):
        if variable not in (None, source.name):
            raise ValueError(f"variable: expected none for a DataArray, got {variable!r}")
        return source, None
    if isinstance(source, xr.Dataset):
        names = [str(n) for n, x in source.data_vars.items() if x.ndim]
        return source[_choose(names, source.variables, variable, "the dataset")], None
    if not isinstance(source, str | Path):
        raise TypeError(
            f"source: expected a path, a DataArray or a Dataset, got {type(source).__name__}: "
            "wrap arrays as xarray.DataArray(x, dims=('sample', 'feature'))"
        )
    path = Path(source).absolute()
    if not path.exists():
        raise FileNotFoundError(
            f"source: expected the path of {TAKEN}, got {str(source)!r}: nothing there"
        )
    if path.suffix == ".npy":
        return _from_npy(path, variable)
    if path.suffix == ".npz":
        return _from_npz(path, variable), None
    if path.suffix in OPENED_BY_XARRAY:
        return _from_xarray(path, variable), None
    return _from_zarr(path, variable)


def _from_xarray(path: Path, variable: str | None) -> xr.DataArray:
    try:
        ds = xr.open_dataset(path, chunks={})
    except (ValueError, ImportError) as error:
        raise ValueError(
            f"source: expected a file that xarray can read, got {str(path)!r} ({error}): "
            "pip install 'daskid[netcdf]'"
        ) from error
    names = [str(n) for n, x in ds.data_vars.items() if x.ndim]
    return ds[_choose(names, ds.variables, variable, repr(str(path)))]


def _choose(
    names: list[str], there: Collection[Any], variable: str | None, where: str, remedy: str = ""
) -> str:
    if variable is not None:
        if variable not in there:
            raise ValueError(f"variable: expected one of {names} in {where}, got {variable!r}")
        return variable
    if "rows" in names:
        return "rows"
    if not names:
        raise ValueError(
            f"variable: expected an array with a sample dimension in {where}, got none"
            + (remedy or ": give another source")
        )
    if len(names) > 1:
        raise ValueError(f"variable: expected one, {where} has {names}: choose one of them")
    return names[0]


def _named(shape: tuple[int, ...], dims: Iterable[Any] | None) -> tuple[str, ...]:
    names = list(dims) if dims is not None else []
    if len(names) == len(shape) and all(isinstance(n, str) for n in names):
        return tuple(names)
    default = ["sample", "feature", *(f"feature_{i}" for i in range(1, len(shape)))]
    return tuple(default[: len(shape)])


def _lazy(data: Any, dims: Iterable[Any] | None, name: str | None = None) -> xr.DataArray:
    """Return an array at rest as a DataArray; an empty one has nothing to be read."""
    if data.size:
        array = da.from_array(data, chunks="auto", name=False)
    else:
        array = np.empty(data.shape, data.dtype)
    return xr.DataArray(xr.Variable(_named(data.shape, dims), array), name=name)


def _from_npy(path: Path, variable: str | None) -> tuple[xr.DataArray, RowReader]:
    if variable is not None:
        raise ValueError(f"variable: expected none for a .npy file, got {variable!r}")
    with path.open("rb") as file:
        shape, dtype = _header(file, path)
    data = np.empty(shape, dtype) if 0 in shape else _memory_map(path)
    return _lazy(data, None), RowReader(str(path), "", (0, 0), "float64")


def _memory_map(path: Path) -> Any:
    try:
        return opened(str(path), "")
    except ValueError as error:
        raise _damaged(path, error) from error


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


def _from_npz(path: Path, variable: str | None) -> xr.DataArray:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [n.removesuffix(".npy") for n in archive.namelist()]
    except (zipfile.BadZipFile, OSError) as error:
        raise _damaged(path, error) from error
    name = _choose(members, members, variable, repr(str(path)))
    with zipfile.ZipFile(path) as archive:
        with archive.open(f"{name}.npy") as file:
            _header(file, f"{path}/{name}")
        with archive.open(f"{name}.npy") as file:
            data = _values(file, f"{path}/{name}")
    return xr.DataArray(data, dims=_named(data.shape, None), name=name)


def _values(file: Any, path: str) -> Array:
    try:
        return np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(path, error) from error


def _from_zarr(path: Path, variable: str | None) -> tuple[xr.DataArray, RowReader | None]:
    if run.is_run(str(path)):
        raise ValueError(
            f"source: expected {TAKEN}, got the run {str(path)!r}: open it with daskid.open_run"
        )
    try:
        node = zarr.open(str(path), mode="r")
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"source: expected {TAKEN}, got {str(path)!r}, which is none of these: "
            "open it with xarray and give the Dataset"
        ) from error
    if isinstance(node, zarr.Group):
        return _from_group(path, node, variable)
    if variable is not None:
        raise ValueError(f"variable: expected none for a Zarr array, got {variable!r}")
    if _dims(node) and (group := _group_of(path)) is not None:
        return _from_group(path.parent, group, path.name)
    return _alone(path, node, None)


def _group_of(path: Path) -> zarr.Group | None:
    if run.is_run(str(path.parent)):
        return None
    try:
        return zarr.open_group(str(path.parent), mode="r")
    except (OSError, ValueError, KeyError):
        return None


def _dims(array: zarr.Array[Any]) -> tuple[str, ...] | None:
    """Return the dimension names of an array, None if it lacks some."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    if not isinstance(names, list | tuple) or not all(isinstance(n, str) for n in names):
        return None
    return tuple(map(str, names))


def _alone(
    path: Path, array: zarr.Array[Any], name: str | None
) -> tuple[xr.DataArray, RowReader | None]:
    """Return an array without coordinates, decoded as its own attributes say."""
    raw = _lazy(array, _dims(array), name)
    raw.attrs = {k: a for k, a in array.attrs.items() if k != "_ARRAY_DIMENSIONS"}
    if isinstance(raw.attrs.get("_FillValue"), str):  # how xarray writes NaN
        del raw.attrs["_FillValue"]
    named = raw.to_dataset(name=name or "rows")
    field = xr.decode_cf(named, decode_times=False, decode_coords=False)[name or "rows"]
    return field.rename(name), _reader(path, "", field)


def _from_group(
    path: Path, group: zarr.Group, variable: str | None
) -> tuple[xr.DataArray, RowReader | None]:
    arrays = {name: array for name, array in group.arrays() if array.ndim}
    dims = {name: _dims(array) for name, array in arrays.items()}
    only = variable or (next(iter(arrays)) if len(arrays) == 1 else None)
    if only in arrays and dims[only] is None:
        return _alone(path / only, arrays[only], only)
    ds = _opened_group(path, arrays, dims, variable)
    unnamed = [name for name, found in dims.items() if found is None]
    names = sorted([str(n) for n, x in ds.data_vars.items() if x.ndim] + unnamed)
    groups = sorted(name for name, _ in group.groups())
    remedy = f", but the groups {groups}: give the path of one of them" if groups else ""
    name = _choose(names, [*ds.variables, *unnamed], variable, repr(str(path)), remedy)
    if name in unnamed:
        return _alone(path / name, arrays[name], name)
    return ds[name], _reader(path, name, ds[name])


def _opened_group(
    path: Path,
    arrays: dict[str, zarr.Array[Any]],
    dims: dict[str, tuple[str, ...] | None],
    variable: str | None,
) -> xr.Dataset:
    """Return the arrays of a group that go together, or with ``variable``."""
    sizes = {
        name: dict(zip(found, arrays[name].shape, strict=True))
        for name, found in dims.items()
        if found is not None
    }
    mine = sizes.get(variable or "", {})
    store = xr.backends.ZarrStore.open_group(str(path), mode="r", consolidated=False)
    found = {
        name: store.open_store_variable(name)
        for name, own in sizes.items()
        if all(size == mine.get(dim, size) for dim, size in own.items())
    }
    # not by its units: distances may be in days
    timedelta = {n: str(x.attrs.get("dtype", "")).startswith("timedelta") for n, x in found.items()}
    try:
        return xr.decode_cf(xr.Dataset(found, attrs=store.get_attrs()), decode_timedelta=timedelta)
    except ValueError as error:
        raise ValueError(
            f"variable: expected a choice, {str(path)!r} has the arrays {sorted(arrays)}, "
            f"which don't go together ({error}): choose one of them"
        ) from error


def _reader(path: Path, array: str, field: xr.DataArray) -> RowReader | None:
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
        str(path), array, (0, 0), "float64", fill=fill if fill == fill else None,
        scale=scale, offset=offset,
    )  # fmt: skip


FILLS = ("_FillValue", "missing_value")


def _number(value: Any) -> Any:
    """Return a Python number; None stays."""
    return np.asarray(value).item() if value is not None and np.ndim(value) == 0 else value
