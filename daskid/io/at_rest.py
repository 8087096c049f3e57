"""Variables at rest: written in whole chunks of rows, opened lazily under names of their own."""

from collections.abc import Mapping, Sequence
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize

from daskid import variables as v
from daskid.io.provenance import as_text, plain
from daskid.storage import place, run
from daskid.storage import rows as storage
from daskid.storage.rows import arrays

CHUNK_BYTES = 64 << 20
MADE_UP = "damaged or made up, make a new run"
UNKEPT = frozenset({
    "token", "fingerprint", "_FillValue", "missing_value", "scale_factor", "add_offset",
    "_Unsigned", "dtype", "calendar", "coordinates", "grid_mapping", "bounds",
})  # fmt: skip
"""Attributes that a reader of the run would act upon."""


def opened(
    path: str, name: str, fingerprint: str, sizes: Mapping[str, int] | None = None
) -> xr.Variable:
    """Return an array of the run, lazy under a name of its own unless it is an index.

    Raises
    ------
    ValueError
        If its metadata can't be true, it has other sizes than ``sizes``, or a link leads out
        of the run.
    """
    array = run.opened(path, name)
    arrays.check(path, name, array, what="run")
    dims = array.metadata.dimension_names or ()
    if len(dims) != len(array.shape) or not all(isinstance(dim, str) for dim in dims):
        raise ValueError(
            f"run: expected names of {len(array.shape)} dimensions of {name!r} in {path!r}, got "
            f"{tuple(dims)}: it is {MADE_UP}"
        )
    size = dict(zip(dims, array.shape, strict=True))
    if any(sizes[dim] != size[dim] for dim in set(sizes or ()) & set(dims) if sizes):
        raise ValueError(
            f"run: expected {name!r} in {path!r} for rows of {sizes}, got {size}: it is {MADE_UP}"
        )
    if dims == (name,):
        data = array[...]
    else:
        label = f"{name}-{tokenize(path, fingerprint)}"
        data = da.from_array(array, chunks=array.chunks, name=label)
    variable = xr.Variable(dims, data, dict(array.attrs))
    if "calendar" in array.attrs or str(array.attrs.get("dtype", "")).startswith("timedelta"):
        variable = xr.decode_cf(xr.Dataset({"values": variable}))["values"].variable
    return marked(variable, fingerprint)


def copied(path: str, shape: Sequence[int]) -> storage.RowReader:
    """Return the reader of rows that were copied into a run.

    Raises
    ------
    ValueError
        If they are not of this shape, or can't be what their metadata claim.
    """
    array = run.opened(path, "rows")
    arrays.check(path, "rows", array, what="run")
    if tuple(array.shape) != tuple(shape):
        raise ValueError(
            f"run: expected rows of shape {tuple(shape)} in {path!r}, got {tuple(array.shape)}: "
            f"they are {MADE_UP}"
        )
    return storage.RowReader(path, "rows", array.shape, storage.native(array.dtype))


def marked(variable: xr.Variable, fingerprint: str) -> xr.Variable:
    """Return a variable that carries its fingerprint, and the token under which it holds."""
    attrs = {**variable.attrs, "fingerprint": fingerprint, "token": v.token(variable.data)}
    return variable._replace(attrs=attrs)


def lazy_rows(reader: storage.RowReader, identity: str | None = None) -> da.Array:
    """Return the dask array of a reader, in blocks of whole rows, and remember the reader.

    Its name holds the identity of the source, which takes a look at every file of it.
    """
    name = f"rows-{identity or reader.identity()}"
    storage.remember(name, reader)
    size, chunk = np.dtype(reader.dtype).itemsize, reader.chunk_rows()
    rows = storage.block_rows(reader.shape, size, chunk)
    if rows < chunk <= storage.block_rows(reader.shape, size, 1, CHUNK_BYTES):
        rows = chunk
    lazy: da.Array = da.from_array(
        reader,
        chunks=(rows, -1),
        name=name,
        asarray=False,
        meta=np.empty((0, 0), reader.dtype),
    )
    return lazy


def write(ds: xr.Dataset, names: set[str], path: str) -> None:
    """Compute variables and write them to a new Zarr group."""
    at_rest = {n: _at_rest(n, ds[n].variable) for n in sorted(names)}
    encoding = {n: _encoding(variable) for n, variable in at_rest.items()}
    whole = xr.Dataset(at_rest)
    store = place.store_of(path)
    whole.to_zarr(store, mode="w", consolidated=False, zarr_format=3, encoding=encoding)


def _at_rest(name: str, variable: xr.Variable) -> xr.Variable:
    """Return the variable in whole chunks of rows, with the attributes that are kept."""
    if name in v.VARIABLES:
        variable = variable.transpose(*v.VARIABLES[name].dims)
    data, kind = variable.data, variable.dtype.kind
    unkept = UNKEPT | ({"units"} if kind in "mM" else set())
    attrs = plain({k: a for k, a in variable.attrs.items() if k not in unkept})
    if kind == "O" and not all(isinstance(value, str) for value in variable.values.flat):
        raise TypeError(
            f"{name}: expected numbers, times or text, got Python objects: convert or drop it"
        )
    if kind in "OSTU":
        data = as_text(variable.values)
    elif kind in "mM":
        data = variable.values
    elif isinstance(data, da.Array) and variable.ndim:
        data = data.rechunk(_chunks(variable))
    return xr.Variable(variable.dims, data, attrs)


def _chunks(variable: xr.Variable) -> tuple[int, ...]:
    rows = storage.block_rows(variable.shape, variable.dtype.itemsize, 1)
    return tuple(max(1, size) for size in (rows, *variable.shape[1:]))


def _encoding(variable: xr.Variable) -> dict[str, Any]:
    chunks: dict[str, Any] = {"chunks": _chunks(variable)} if variable.ndim else {}
    return chunks | ({} if variable.dtype.kind in "mMT" else {"_FillValue": None})
