"""Runs: a dataset at rest, to which steps are added.

A variable counts once it is in the record of the run, under the fingerprint of
what it was computed from; what is there under the same fingerprint is not
written again, and what differs is never mixed in silently.
"""

import json
import logging
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.storage import rows as storage
from daskid.storage import run

log = logging.getLogger("daskid")


def save(ds: xr.Dataset, store: str | Path, *, overwrite: bool = False) -> xr.Dataset:
    """Compute what is lazy and write it to a run. *Computes.*

    The source is never written: a source at rest in Zarr or a ``.npy`` file is
    referred to, any other is copied into the run once.

    Parameters
    ----------
    ds
        Holds ``rows``, see :func:`daskid.open_rows`, and whatever steps added.
    store
        Path of the run: made if it does not exist, added to if it holds the same source.
    overwrite
        Replace variables that were computed from other inputs or with other
        parameters; all that was computed from them is dropped.

    Returns
    -------
    The run, as :func:`daskid.open_run` gives it.

    Raises
    ------
    SchemaError
        If there are no ``rows``.
    ValueError
        If the run holds another source, or a variable under another fingerprint
        and ``overwrite`` is not set.
    OSError
        If the path holds something else or can't be written.
    """
    path = str(store)
    v.read(ds, v.rows)
    run.check_writable(path)
    if run.is_run(path):
        _check_source(ds, path)
    else:
        _create(ds, path)
    new = {n: f for n, f in _fingerprints(ds).items() if _committed(path).get(n) != f}
    clear(path, new, ds, overwrite=overwrite)
    if new:
        _write(ds.drop_vars(set(ds.variables) - set(new)), path)
        run.commit(path, new)
    return open_run(path)


def open_run(store: str | Path) -> xr.Dataset:
    """Open a run; arrays stay on disk until they are asked for.

    Parameters
    ----------
    store
        Path of the run.

    Returns
    -------
    A dataset with ``rows`` read from the source, and all committed variables.

    Raises
    ------
    FileNotFoundError
        If there is no run, or its source is gone.
    ValueError
        If the source has changed since the run was made.
    """
    path = str(store)
    record = run.record(path)
    ds = xr.open_zarr(path, consolidated=False, chunks={})
    committed = record["committed"]
    unfinished = set(map(str, ds.variables)) - set(committed)
    if unfinished:
        log.info("%s: left out, not finished: %s", path, ", ".join(sorted(unfinished)))
    ds = ds.drop_vars(unfinished)
    if "rows" not in ds:
        reader, fingerprint = _source(path, record), record["rows"]
        rows = lazy_rows(reader, f"rows-{reader.identity()}")
        ds = ds.assign(rows=(v.rows.dims, rows, record["rows_attrs"]))
    else:
        reader, fingerprint = _copied(path, ds), committed["rows"]
        ds["rows"] = (v.rows.dims, lazy_rows(reader, f"rows-{fingerprint}"), ds["rows"].attrs)
    for name, variable in ds.variables.items():
        stored = fingerprint if name == "rows" else committed[name]
        variable.attrs.update(fingerprint=stored, token=v.token(variable.data))
    order = [n for n in v.VARIABLES if n in ds.variables]
    ds = ds[order + [n for n in ds.data_vars if n not in order]]
    ds.attrs.pop(run.RECORD, None)
    return ds


def lazy_rows(reader: storage.RowReader, name: str) -> da.Array:
    """Return the dask array of a reader, in blocks of whole rows, and remember the reader."""
    storage.remember(name, reader)
    rows = storage.block_rows(
        reader.shape, np.dtype(reader.dtype).itemsize, reader.chunk_rows()
    )
    return da.from_array(
        reader,
        chunks=(rows, -1),
        name=name,
        asarray=False,
        meta=np.empty((0, 0), reader.dtype),
    )


def reader_of(path: str) -> storage.RowReader:
    """Return the reader of a run's rows."""
    (rows,) = v.read(open_run(path), v.rows)
    reader = storage.recall(rows.name)
    assert reader is not None
    return reader


def clear(
    path: str, new: dict[str, str], ds: xr.Dataset, *, overwrite: bool
) -> None:
    """Make room for variables under new fingerprints: drop old ones and their dependents.

    Raises
    ------
    ValueError
        If there are old ones and ``overwrite`` is not set; it names what changed.
    """
    committed = _committed(path)
    changed = [n for n in new if n in committed]
    if changed and not overwrite:
        stored = open_run(path)
        raise ValueError(
            f"store: {path!r} holds {changed[0]!r} computed with {_made_by(stored, changed[0])}, "
            f"got {_made_by(ds, changed[0])}: use another run, or overwrite "
            "(which drops all that was computed from it)"
        )
    if changed:
        gone = v.dependents(open_run(path), set(changed))
        log.info("%s: dropped %s", path, ", ".join(sorted(gone)))
        run.retract(path, gone)
        run.delete(path, gone)


def _made_by(ds: xr.Dataset, name: str) -> str:
    if name not in ds.variables:
        return "other values"
    attrs = ds[name].attrs
    return str(attrs.get("parameters", "other values")) + (
        "" if attrs.get("parameters") != "{}" else " and other inputs"
    )


def _committed(path: str) -> dict[str, str]:
    return dict(run.record(path)["committed"])


def _fingerprints(ds: xr.Dataset) -> dict[str, str]:
    """Return the fingerprints of all that is written to a run."""
    names = {str(n) for n in ds.variables}
    if storage.recall(ds["rows"].data.name if isinstance(ds["rows"].data, da.Array) else "") :
        names.discard("rows")
    return {n: v.fingerprint(ds[n]) for n in sorted(names)}


def _create(ds: xr.Dataset, path: str) -> None:
    (rows,) = v.read(ds, v.rows)
    reader = storage.recall(rows.name)
    attrs = {k: a for k, a in ds["rows"].attrs.items() if k not in ("token", "fingerprint")}
    run.create(
        path,
        {
            "source": None if reader is None else reader.spec(),
            "identity": None if reader is None else reader.identity(),
            "rows": v.fingerprint(ds["rows"]),
            "rows_attrs": _plain(attrs),
        },
        _plain(ds.attrs),
    )


def _check_source(ds: xr.Dataset, path: str) -> None:
    expected, got = run.record(path)["rows"], v.fingerprint(ds["rows"])
    if expected != got:
        source = ds.attrs.get("source", "rows in memory")
        raise ValueError(
            f"store: {path!r} is a run of another source ({_source_name(path)}), got {source}: "
            "choose another path for this source"
        )


def _source_name(path: str) -> str:
    spec = run.record(path)["source"]
    return "rows of its own" if spec is None else f"{spec['path']}/{spec['array']}".rstrip("/")


def _source(path: str, record: dict[str, Any]) -> storage.RowReader:
    reader = storage.reader_from(record["source"])
    if not Path(reader.path).exists():
        raise FileNotFoundError(
            f"source: expected {reader.path!r}, to which the run {path!r} refers, got nothing there: "
            "bring it back"
        )
    if reader.identity() != record["identity"]:
        raise ValueError(
            f"source: {reader.path!r} has changed since the run {path!r} was made: make a new run"
        )
    return reader


def _copied(path: str, ds: xr.Dataset) -> storage.RowReader:
    shape = (ds.sizes["sample"], ds.sizes["feature"])
    return storage.RowReader(str(Path(path).resolve()), "rows", shape, str(ds["rows"].dtype))


def _write(ds: xr.Dataset, path: str) -> None:
    at_rest = {str(n): _at_rest(ds[n].variable) for n in ds.variables}
    coords = {n: at_rest.pop(n) for n in map(str, ds.coords)}
    whole = xr.Dataset(at_rest, coords, run.attributes(path))
    whole.to_zarr(path, mode="a", consolidated=False)


def _at_rest(variable: xr.Variable) -> xr.Variable:
    """Return the variable in whole chunks of rows, with the attributes that are kept."""
    data = variable.data
    if variable.dtype.kind in "UOT":
        data = np.asarray(data).astype(np.dtypes.StringDType())
    elif isinstance(data, da.Array) and variable.ndim:
        rows = storage.block_rows(variable.shape, variable.dtype.itemsize, 1)
        data = data.rechunk((rows, *(-1,) * (variable.ndim - 1)))
    attrs = {k: a for k, a in variable.attrs.items() if k not in ("token", "fingerprint")}
    return xr.Variable(variable.dims, data, _plain(attrs))


def _plain(attrs: dict[Any, Any]) -> dict[str, Any]:
    """Return the attributes that JSON can hold; numpy scalars as Python ones."""
    out = {}
    for name, value in attrs.items():
        plain = value.item() if isinstance(value, np.generic) else value
        try:
            json.dumps(plain)
        except TypeError:
            plain = str(plain)
        out[str(name)] = plain
    return out
