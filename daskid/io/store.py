"""Runs: a dataset at rest, to which steps are added.

A variable counts once it is in the record of the run, under the fingerprint of
what it was computed from; what is there under the same fingerprint is not
written again, and what differs is never mixed in silently.
"""

import logging
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise.copy import copy_rows
from daskid.blockwise.copy import done as copied
from daskid.io import at_rest, sources
from daskid.io.provenance import as_text, parameters, plain
from daskid.storage import ledger, place, run
from daskid.storage import rows as storage
from daskid.storage.copies import cost_of

log = logging.getLogger("daskid")

METRIC = frozenset({v.period.name, v.weight.name, v.trajectory.name})
"""Coordinates that change results by being there."""


def save(ds: xr.Dataset, store: str | Path, *, overwrite: bool = False) -> xr.Dataset:
    """Write a dataset to a run. *Computes* what is lazy.

    The source is never written: a source at rest in Zarr or a ``.npy`` file is
    referred to, any other is copied into the run once, and so is one whose chunks hold so
    many rows that a search would decode them more than twice for each look at the rows.
    The copy goes on where it was if it is killed. Everything else is computed, beside the
    run, before anything in it is replaced.

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
        and ``overwrite`` is not set; or if the source has changed.
    OSError
        If the path holds something else or can't be written, or the disk is full.
    BlockingIOError
        If another process is saving to the run.

    Examples
    --------
    >>> import tempfile, daskid
    >>> ds = daskid.datasets.torus(500, 2, seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = daskid.save(ds, f"{folder}/run.zarr")
    ...     run.rows.shape, "period" in run.coords
    ((500, 2), True)
    """
    path = str(store)
    v.read(ds, v.rows)
    run.check_writable(path)
    folder = ledger.folder_of(path, "save")
    with ledger.writing(folder):
        try:
            _save(ds, path, overwrite=overwrite)
        finally:
            ledger.clear(folder)
    return open_run(path)


def _save(ds: xr.Dataset, path: str, *, overwrite: bool) -> None:
    if not run.is_run(path) or not run.record(path)["opened"]:
        _create(ds, path)
    elif run.record(path)["source"] is not None:
        reader_of(path)
    record = run.record(path)
    prints = _fingerprints(ds, path, record)
    new = {n: f for n, f in prints.items() if record["committed"].get(n) != f}
    if record["source"] is not None:
        new.pop("rows", None)
    gone = _outdated(path, new, ds, overwrite=overwrite)
    new |= {n: prints[n] for n in gone & set(prints) - set(v.VARIABLES)}
    if new or gone or not record["opened"]:
        if "rows" in new:
            (rows,) = v.read(ds, v.rows)
            copy_rows(rows, path, new["rows"], v.rows.dims, record["rows_attrs"])
        _replace(ds, path, new, gone)
        copied(path)


def open_run(store: str | Path) -> xr.Dataset:
    """Open a run; arrays stay on disk until they are asked for.

    Parameters
    ----------
    store
        Path of the run.

    Returns
    -------
    A dataset with ``rows`` read from the source, and all committed variables; what an
    interrupted step left behind is not among them, nor is a result whose file is damaged.

    Raises
    ------
    FileNotFoundError
        If there is no run, or its source is gone.
    ValueError
        If the run was never finished, lacks a coordinate of its rows, or if its source
        has changed since it was made.

    Examples
    --------
    >>> import tempfile, numpy as np, daskid
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/x.npy", np.eye(3))
    ...     run = daskid.save(daskid.open_rows(f"{folder}/x.npy"), f"{folder}/run.zarr")
    ...     daskid.open_run(f"{folder}/run.zarr").rows.values.tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    path = place.absolute(store)
    record = _finished(path)
    return _opened(path, record, _reader(path, record))


def open_grown(store: str | Path) -> xr.Dataset:
    """Open a run whose source has more rows by now: its ``rows`` are the first of what is there."""
    path = place.absolute(store)
    record = _finished(path)
    return _opened(path, record, sources.reader_from(record["source"]))


def _opened(path: str, record: dict[str, Any], reader: storage.RowReader) -> xr.Dataset:
    unfinished = {*run.arrays(path)} - set(record["committed"])
    for names, words in (
        (record["lost"], "damaged or missing, run their step again"),
        (unfinished - set(record["lost"]), "not finished yet, their step goes on where it was"),
    ):
        if names:
            log.warning("%s: not shown, as they are %s: %s", path, words, ", ".join(sorted(names)))
    attrs = record["rows_attrs"] if record["source"] else run.arrays(path)["rows"]
    rows = xr.Variable(v.rows.dims, at_rest.lazy_rows(reader, record["identity"]), attrs)
    variables = _variables(path, record) | {"rows": at_rest.marked(rows, record["rows"])}
    order = [n for n in v.VARIABLES if n in variables]
    attrs = run.attributes(path)
    coordinates = set(str(attrs.pop("coordinates", "")).split()) & set(variables)
    del attrs[run.RECORD]
    ds = xr.Dataset({n: variables[n] for n in (*order, *variables)}, attrs=attrs)
    ds = ds.set_coords(coordinates)
    ds.encoding["source"] = path
    return ds


def _finished(path: str) -> dict[str, Any]:
    """Return the record of a run that can be opened."""
    record = run.record(path)
    if not record["opened"]:
        raise ValueError(
            f"run: expected a finished run, got {path!r}, which was interrupted while it was made: "
            "save to it, or daskid open it, again"
        )
    lost = [n for n in record["lost"] if n in v.VARIABLES and v.VARIABLES[n].step == "open_rows"]
    if lost:
        raise ValueError(
            f"run: expected {lost[0]!r} in {path!r}, got a missing or damaged array: "
            "save the rows to it, or daskid open them, again"
        )
    return record


def _variables(path: str, record: dict[str, Any]) -> dict[str, xr.Variable]:
    """Return all committed variables but the rows."""
    sizes = dict(zip(v.rows.dims, record["rows_shape"], strict=True))
    committed = record["committed"]
    return {n: at_rest.opened(path, n, f, sizes) for n, f in committed.items() if n != "rows"}


def reader_of(path: str) -> storage.RowReader:
    """Return the reader of a run's rows."""
    return _reader(path, run.record(path))


def _reader(path: str, record: dict[str, Any]) -> storage.RowReader:
    if record["source"] is None:
        return at_rest.copied(path, record["rows_shape"])
    where = "/".join(str(record["source"].get(key, "")) for key in ("path", "array")).rstrip("/")
    try:
        reader = sources.reader_from(record["source"])
        reader.check()
        identity = reader.identity()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"source: expected {where!r}, to which the run {path!r} refers, got nothing "
            "there: bring it back, or make a new run"
        ) from error
    if identity != record["identity"]:
        raise ValueError(
            f"source: expected {reader.where!r} as it was when the run {path!r} was made, got "
            "changed files: make a new run"
        )
    return reader


def clear(path: str, new: dict[str, str], ds: xr.Dataset, *, overwrite: bool) -> None:
    """Make room for variables under new fingerprints: drop old ones and their dependents.

    Raises
    ------
    ValueError
        If there are old ones and ``overwrite`` is not set; it names what changed.
    """
    _drop(path, _outdated(path, new, ds, overwrite=overwrite))


def _drop(path: str, gone: set[str]) -> None:
    if gone:
        log.info("%s: dropped %s", path, ", ".join(sorted(gone)))
        run.retract(path, gone)
        run.delete(path, gone)


def _outdated(path: str, new: dict[str, str], ds: xr.Dataset, *, overwrite: bool) -> set[str]:
    """Return what new variables replace, and all that was computed from it."""
    record = run.record(path)
    known = {**record["committed"], **record["lost"]}
    changed = {n for n, f in new.items() if known.get(n, f) != f or n in record["committed"]}
    if record["opened"]:
        changed |= {n for n in METRIC if (n in ds.variables) != (n in known)}
    if not changed:
        return set()
    stored = xr.Dataset(_variables(path, record))
    if not overwrite:
        first = min(changed, key=[*v.VARIABLES, *sorted(changed - set(v.VARIABLES))].index)
        old, given = _difference(stored, ds, first)
        raise ValueError(
            f"store: expected {first!r} as the run {path!r} holds it ({old}), got {given}: "
            "use another run, or overwrite, which drops all that was computed from it"
        )
    if changed & METRIC:
        changed |= {"rows"}
    return v.dependents(stored, changed)


def _difference(old: xr.Dataset, new: xr.Dataset, name: str) -> tuple[str, str]:
    """Return in words how a variable was made, and how it is made now."""
    if name not in old.variables or name not in new.variables:
        return tuple("one" if name in ds.variables else "none" for ds in (old, new))  # type: ignore[return-value]
    pairs = [parameters(ds[name].attrs) for ds in (old, new)]
    names = [p for p in {**pairs[0], **pairs[1]} if pairs[0].get(p) != pairs[1].get(p)]
    if not names:
        return "same parameters", "other values, or values from other inputs"
    before, now = (", ".join(f"{p}={pair.get(p)}" for p in names) for pair in pairs)
    return before, now


def _fingerprints(ds: xr.Dataset, path: str, record: dict[str, Any]) -> dict[str, str]:
    """Return all fingerprints, as the run knows them where the values are the same.

    Values that were computed into memory have lost theirs: what was made alike is compared.
    """
    known = {**record["committed"], "rows": record["rows"]}
    stored = run.arrays(path)
    own = {str(n): v.fingerprint(ds[n]) for n in ds.variables}
    out: dict[str, str] = {}
    for n in sorted(own, key=[*v.VARIABLES, *own].index):
        attrs = ds[n].attrs
        out[n] = own[n]
        if n == "rows":  # too many to compare them without a reason
            maybe = attrs.get("fingerprint") == known[n] or not isinstance(ds[n].data, da.Array)
        else:
            maybe = _made_alike(attrs, stored.get(n, {}))
        if known.get(n, own[n]) != own[n] and maybe and _equal(ds[n], _stored(path, n, known[n])):
            out[n] = known[n]
        if n == "rows" and out[n] != known[n]:
            raise ValueError(_other_source(path, ds))
        if out[n] == attrs.get("fingerprint") != known.get(n) and "inputs" in attrs:
            out[n] = _renamed(n, attrs, own, {**known, **out})
    return out


def _made_alike(attrs: dict[Any, Any], others: dict[Any, Any]) -> bool:
    return all(attrs.get(key) == others.get(key) for key in ("step", "parameters"))


def _renamed(name: str, attrs: dict[Any, Any], own: dict[str, str], known: dict[str, str]) -> str:
    """Return the fingerprint of a result in terms of its inputs' ones in the run."""
    step, given, inputs = str(attrs["step"]), str(attrs["parameters"]), attrs["inputs"].split()
    ours = [own.get(i, known.get(i, "")) for i in inputs]
    if v.identify(step, given, ours) == own[name]:
        return v.identify(step, given, [known.get(i, f) for i, f in zip(inputs, ours, strict=True)])
    missing = [i for i in inputs if i not in own and i in known]
    if missing:
        raise ValueError(
            f"store: expected {name!r} computed from the {missing[0]!r} of the run, got one from "
            f"another version: save {missing[0]!r} with it, or run {step} on the run"
        )
    return own[name]


def _stored(path: str, name: str, fingerprint: str) -> xr.Variable:
    if name == "rows":
        return xr.Variable(v.rows.dims, at_rest.lazy_rows(reader_of(path)))
    return at_rest.opened(path, name, fingerprint)


def _equal(given: xr.DataArray, theirs: xr.Variable) -> bool:
    """Return whether two arrays have the same values, NaN equal to NaN."""
    ours = given.variable
    text = [x.dtype.kind in "OSTU" for x in (ours, theirs)]
    if set(ours.dims) != set(theirs.dims) or text[0] != text[1]:
        return False
    ours = ours.transpose(*theirs.dims)
    if ours.shape != theirs.shape:
        return False
    if text[0]:
        return np.array_equal(as_text(ours.values), as_text(theirs.values))
    chunks = da.core.normalize_chunks(theirs.chunks or -1, theirs.shape)
    x, y = (da.asarray(each.data, chunks=chunks) for each in (ours, theirs))
    return bool(((x == y) | ((x != x) & (y != y))).all().compute())


def _other_source(path: str, ds: xr.Dataset) -> str:
    attrs, shape = run.attributes(path), run.record(path)["rows_shape"]
    expected = f"{attrs.get('source', 'rows in memory')}, {shape[0]} x {shape[1]} values"
    n, d = (ds.sizes[dim] for dim in v.rows.dims)
    got = f"{ds.attrs.get('source', 'rows in memory')}, {n} x {d} values"
    if got == expected:
        got = "other rows from there, or rows that have changed"
    return (
        f"store: expected the rows of the run {path!r} ({expected}), got {got}: "
        "it is a run of another source, choose another path for this one"
    )


def _create(ds: xr.Dataset, path: str) -> None:
    (rows,) = v.read(ds, v.rows)
    reader = storage.recall(rows.name)
    identity = None if reader is None else reader.identity()
    if reader is not None and rows.name != f"rows-{identity}":
        raise ValueError(
            f"source: expected {reader.path!r} as it was when it was opened, got changed files: "
            "open it again"
        )
    if reader is not None and cost_of(reader) is not None:
        reader = identity = None
    attrs = plain({k: a for k, a in ds["rows"].attrs.items() if k not in at_rest.UNKEPT})
    history = [str(ds.attrs["history"])] if "history" in ds.attrs else []
    if reader is not None and "step" in attrs:
        history.append(run.line(attrs))
    record = {
        "source": None if reader is None else reader.spec(),
        "identity": identity,
        "rows": v.fingerprint(ds["rows"]),
        "rows_attrs": attrs,
        "rows_shape": list(rows.shape),
    }
    if run.is_run(path) and all(run.record(path)[key] == of for key, of in record.items()):
        return  # interrupted while the rows were copied
    kept = {k: a for k, a in ds.attrs.items() if k not in at_rest.UNKEPT}
    run.create(path, record, plain({**kept, "history": "\n".join(history)}))


def _replace(ds: xr.Dataset, path: str, new: dict[str, str], gone: set[str]) -> None:
    """Compute what is new beside the run, then put it into the place of what is gone.

    New rows are in the run by now.
    """
    scratch, written = run.scratch(path), set(new) - {"rows"}
    try:
        if written:
            at_rest.write(ds, written, scratch)
        _drop(path, gone - {"rows"})
        run.adopt(path, scratch, written)
        run.commit(path, new, frozenset(map(str, ds.coords)))
    finally:
        run.clean(path, scratch)
