"""Arrays of Zarr stores, with the coordinates that lie beside them."""

from collections.abc import AsyncIterator
from typing import Any

import xarray as xr
import zarr
from zarr.storage import WrapperStore

from daskid.io.sources.files import lazy, reader
from daskid.io.sources.place import TAKEN, Place, choose
from daskid.storage import claims, run
from daskid.storage.rows import RowReader, remote
from daskid.storage.rows import arrays as at_rest

Found = tuple[xr.DataArray, RowReader | None]


class Listed(WrapperStore[Any]):
    """A store without a listing, of which is known what one of its groups holds."""

    def __init__(self, store: Any, names: tuple[str, ...] = ()) -> None:
        super().__init__(store)
        self._names = names

    def _with_store(self, store: Any) -> "Listed":
        return Listed(store, self._names)

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield what is known to be there."""
        for name in self._names:
            yield name


def from_zarr(place: Place, variable: str | None) -> Found:
    """Return an array of a Zarr store, and its reader if it can decode it."""
    if not place.remote:
        return _from_zarr(place, variable)
    with remote.explained(place.path):
        return _from_zarr(place, variable)


def _from_zarr(place: Place, variable: str | None) -> Found:
    if not place.remote and run.is_run(place.path):
        raise _is_run(place)
    node = _node(place)
    if isinstance(node, zarr.Group):
        if run.RECORD in node.attrs:
            raise _is_run(place)
        folder, _, name = (variable or "").rpartition("/")
        if folder:
            return _from_zarr(place.child(folder), name)
        return _from_group(place, node, variable)
    if variable is not None:
        raise ValueError(f"variable: expected none for a Zarr array, got {variable!r}")
    above = place.parent() if _dims(node) else None
    group = None if above is None else _group(above[0])
    if above is not None and group is not None:
        return _from_group(above[0], group, above[1])
    return _alone(place, node, None)


def _is_run(place: Place) -> ValueError:
    return ValueError(
        f"source: expected {TAKEN}, got the run {place.where!r}: open it with daskid.open_run"
    )


def _node(place: Place) -> Any:
    try:
        return zarr.open(place.store(), path=place.inside, mode="r")
    except (OSError, ValueError, KeyError) as error:
        if place.remote:
            raise
        raise ValueError(
            f"source: expected {TAKEN}, got {place.path!r}, which is none of these: "
            "open it with xarray and give the Dataset"
        ) from error


def _group(place: Place) -> zarr.Group | None:
    """Return the group at a place, None if there is none or if it is a run."""
    try:
        with remote.explained(place.path):
            group = zarr.open_group(place.store(), path=place.inside, mode="r")
    except (OSError, ValueError, KeyError):
        return None
    return None if run.RECORD in group.attrs else group


def _dims(array: zarr.Array[Any]) -> tuple[str, ...] | None:
    """Return the dimension names of an array, None if it lacks some."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    if not isinstance(names, list | tuple) or not all(isinstance(n, str) for n in names):
        return None
    return tuple(map(str, names))


def _alone(place: Place, array: zarr.Array[Any], name: str | None) -> Found:
    """Return an array without coordinates, decoded as its own attributes say."""
    _check(place, array)
    raw = lazy(array, _dims(array), name)
    raw.attrs = {k: a for k, a in array.attrs.items() if k != "_ARRAY_DIMENSIONS"}
    if isinstance(raw.attrs.get("_FillValue"), str):  # how xarray writes NaN
        del raw.attrs["_FillValue"]
    dataset = raw.to_dataset(name=name or "rows")
    field = xr.decode_cf(dataset, decode_times=False, decode_coords=False)[name or "rows"]
    return field.rename(name), _reader(place, array, field)


def _reader(place: Place, array: zarr.Array[Any], field: xr.DataArray) -> RowReader | None:
    if not place.remote:
        return reader(place.path, "", field)
    remote.remember_access(place.path, place.access)
    version = remote.version_of(array)
    return reader(place.path, place.inside, field, access=place.access, version=version)


def _from_group(place: Place, group: zarr.Group, variable: str | None) -> Found:
    consolidated = place.remote and group.metadata.consolidated_metadata is not None
    if not place.listed and not consolidated:
        group = _known(place, group, variable)
    arrays = {name: array for name, array in group.arrays() if array.ndim}
    dims = {name: _dims(array) for name, array in arrays.items()}
    only = variable or (next(iter(arrays)) if len(arrays) == 1 else None)
    for name, array in arrays.items():
        claims.check_name(name, place.where)
        claims.check_array(array, place.child(name).where)
        if array.ndim == 1 or name == only:  # may be read at once, as a coordinate
            _check(place, array, name)
    if only in arrays and dims[only] is None:
        return _alone(place.child(only), arrays[only], only)
    ds = _opened(place, group, arrays, dims, variable, consolidated)
    unnamed = [name for name, found in dims.items() if found is None]
    names = sorted([str(n) for n, x in ds.data_vars.items() if x.ndim] + unnamed)
    groups = sorted(name for name, _ in group.groups())
    remedy = f", but the groups {groups}: give the path of one of them" if groups else ""
    name = choose(names, [*ds.variables, *unnamed], variable, repr(place.where), remedy)
    if name in unnamed:
        return _alone(place.child(name), arrays[name], name)
    for each in (name, *ds[name].coords):
        if each in arrays and arrays[each].ndim > 1:
            _check(place, arrays[each], str(each))
    if place.remote:
        return ds[name], _reader(place.child(name), arrays[name], ds[name])
    return ds[name], reader(place.path, name, ds[name])


def _check(place: Place, array: zarr.Array[Any], name: str = "") -> None:
    """Look at what an array claims, before it is believed."""
    at_rest.check(place.path, f"{place.inside}/{name}".strip("/"), array, place.access)


def _known(place: Place, group: zarr.Group, variable: str | None) -> zarr.Group:
    """Return a group that HTTP can't list, with an array, its dimensions and coordinates."""
    if variable is None:
        raise ValueError(
            f"variable: expected a name, as HTTP can't list {place.where!r}, got none: name an "
            "array, or add consolidated metadata (zarr.consolidate_metadata)"
        )
    if variable not in group:
        raise ValueError(
            f"variable: expected an array in {place.where!r}, got {variable!r}: nothing there"
        )
    array: Any = group[variable]
    attached = str(array.attrs.get("coordinates", "")).split()
    wanted = [variable, *(_dims(array) or ()), "time", "trajectory", *attached]
    names = tuple(name for name in dict.fromkeys(wanted) if name in group)
    return zarr.open_group(Listed(place.store(), names), path=place.inside, mode="r")


def _opened(
    place: Place,
    group: zarr.Group,
    arrays: dict[str, zarr.Array[Any]],
    dims: dict[str, tuple[str, ...] | None],
    variable: str | None,
    consolidated: bool,
) -> xr.Dataset:
    """Return the arrays of a group that go together, or with ``variable``."""
    sizes = {
        name: dict(zip(found, arrays[name].shape, strict=True))
        for name, found in dims.items()
        if found is not None
    }
    mine = sizes.get(variable or "", {})
    where = group.store if place.remote else place.path
    store = xr.backends.ZarrStore.open_group(
        where, mode="r", group=place.inside or None, consolidated=consolidated
    )
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
            f"variable: expected a choice, {place.where!r} has the arrays {sorted(arrays)}, "
            f"which don't go together ({error}): choose one of them"
        ) from error
