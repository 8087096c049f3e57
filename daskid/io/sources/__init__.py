"""What a source is: arrays with named dimensions, and a reader for each that is at rest."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import xarray as xr
from zarr.abc.store import Store

from daskid.io.sources import files, groups
from daskid.io.sources.place import TAKEN, Place, access_to, choose, located
from daskid.storage import rows as storage
from daskid.storage.rows import RowReader

__all__ = ["Part", "Source", "reader_from", "resolve"]

Source: TypeAlias = str | Path | xr.DataArray | xr.Dataset | Store


class Part(NamedTuple):
    """An array of a source; its reader, which still reads along the first axis; its name."""

    field: xr.DataArray
    reader: RowReader | None
    name: str | None


def resolve(
    source: Source,
    variable: str | Sequence[str] | None,
    storage_options: Mapping[str, Any] | None = None,
) -> list[Part]:
    """Return the arrays of a source that were asked for."""
    if not isinstance(variable, str | Sequence | None):
        raise TypeError(
            f"variable: expected a name or a list of names, got {type(variable).__name__}: "
            "name arrays of the source"
        )
    names = [variable] if variable is None or isinstance(variable, str) else list(variable)
    if not names or len(set(names)) < len(names):
        raise ValueError(f"variable: expected names, each once, got {list(names)}: name them")
    return [Part(*_one(source, name, storage_options), name) for name in names]


def _one(
    source: Source, variable: str | None, storage_options: Mapping[str, Any] | None
) -> tuple[xr.DataArray, RowReader | None]:
    if isinstance(source, xr.DataArray | xr.Dataset) and storage_options is not None:
        raise ValueError(
            f"storage_options: expected a URL that they open, got a {type(source).__name__}: "
            "leave them out"
        )
    if isinstance(source, xr.DataArray):
        if variable not in (None, source.name):
            raise ValueError(f"variable: expected none for a DataArray, got {variable!r}")
        return source, None
    if isinstance(source, xr.Dataset):
        names = [str(n) for n, x in source.data_vars.items() if x.ndim]
        return source[choose(names, source.variables, variable, "the dataset")], None
    if not isinstance(source, str | Path | Store):
        raise TypeError(
            f"source: expected a path, a DataArray or a Dataset, got {type(source).__name__}: "
            "wrap arrays as xarray.DataArray(x, dims=('sample', 'feature'))"
        )
    return _at(located(source, storage_options), variable)


def _at(place: Place, variable: str | None) -> tuple[xr.DataArray, RowReader | None]:
    """Return the array at a place, by the kind of file that is there."""
    if place.remote:
        return groups.from_zarr(place, variable)
    path = Path(place.path)
    if not path.exists():
        raise FileNotFoundError(
            f"source: expected the path of {TAKEN}, got {place.path!r}: nothing there"
        )
    if path.suffix == ".npy":
        return files.from_npy(path, variable)
    if path.suffix == ".npz":
        return files.from_npz(path, variable), None
    if path.suffix in storage.HDF5:
        return files.from_netcdf(path, variable)
    return groups.from_zarr(place, variable)


def reader_from(spec: dict[str, Any]) -> RowReader:
    """Return the reader that a run remembers, with the access that dask's configuration gives."""
    return storage.reader_from(spec, access_to(spec["path"], None))
