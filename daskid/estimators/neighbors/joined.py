"""New rows behind old ones: one dataset of both, or an error that says what does not fit."""

import json
import logging
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.io.at_rest import marked
from daskid.io.provenance import as_text
from daskid.storage import run
from daskid.storage.rows import exactly, native, recall
from daskid.typing import Array

log = logging.getLogger("daskid")

PLACE = ("path", "array", "axis", "outer", "fill", "scale", "offset", "columns", "factors")
"""What two readers of the same source agree in, however long it is."""


def grown(path: str, new: xr.Dataset) -> bool:
    """Return whether new rows are those of a run's source, which has more of them by now."""
    record, reader = run.record(path), recall(v.read(new, v.rows)[0].name)
    more = new.sizes["sample"] > record["rows_shape"][0]
    if record["source"] is not None:
        return reader is not None and more and _place(record["source"]) == _place(reader.spec())
    source = run.attributes(path).get("source", "in memory")
    return bool(more and source != "in memory" and source == new.attrs.get("source"))


def _place(spec: dict[str, Any]) -> list[Any]:
    return [*(spec.get(key) for key in PLACE), *map(_place, spec.get("parts", ()))]


def extended(old: xr.Dataset, new: xr.Dataset, exclude: int) -> xr.Dataset:
    """Return a grown source with the metric of the run, checked to begin as the run does."""
    check_features(old, new)
    n = old.sizes["sample"]
    for name, coordinate in _along_samples(old).items():
        if name not in new.coords or not _equal(new[name][:n], coordinate):
            raise ValueError(
                f"{name}: expected the first {n:,} samples of the grown source as the run holds "
                "them, got others: new samples must come behind the old ones; make a new run"
            )
    if exclude and v.trajectory.name in set(new.coords) - set(old.coords):
        raise _more(v.trajectory.name)
    kept = {str(name): c for name, c in old.coords.items() if "sample" not in c.dims}
    out = new[["rows"]].drop_vars([n for n in new.coords if n not in old.coords])
    out = out.assign_coords(kept).assign(_kept(old))
    return out.assign_attrs({**new.attrs, "history": _history(old, new.sizes["sample"] - n)})


def joined(old: xr.Dataset, new: xr.Dataset, exclude: int) -> xr.Dataset:
    """Return the rows of a run and new ones behind them, with all coordinates of the run.

    Raises
    ------
    ValueError
        If they have other features, kinds of values, coordinates, or the same trajectories.
    """
    check_features(old, new)
    along = {name: _behind(c, new, exclude) for name, c in _along_samples(old).items()}
    if exclude and v.trajectory.name in set(new.coords) - set(old.coords):
        raise _more(v.trajectory.name)
    left = sorted(
        str(n) for n, c in new.coords.items() if "sample" in c.dims and n not in old.coords
    )
    if left:
        log.info("left out, as the run does not have them: %s", ", ".join(left))
    kept = {str(name): c for name, c in old.coords.items() if "sample" not in c.dims}
    before, after = (v.read(ds, v.rows)[0] for ds in (old, new))
    after = da.map_blocks(_exactly, after, kind=str(before.dtype), dtype=before.dtype)
    rows: da.Array = da.concatenate([before, after.rechunk({1: -1})])
    variable = xr.Variable(v.rows.dims, rows, old["rows"].attrs)
    prints = [v.fingerprint(ds["rows"]) for ds in (old, new)]
    whole = marked(variable, v.identify("append", "", prints))
    m = new.sizes["sample"]
    source = f"{new.attrs.get('source', 'rows in memory')} ({m:,} rows)"
    more = "; ".join([*filter(None, [old.attrs.get("appended")]), source])
    attrs = {**old.attrs, "history": _history(old, m), "appended": more}
    return xr.Dataset({"rows": whole, **_kept(old)}, {**kept, **along}, attrs)


def _history(old: xr.Dataset, more: int) -> str:
    line = run.line({"step": "append", "parameters": json.dumps({"rows": more})})
    return "\n".join([*str(old.attrs.get("history", "")).splitlines(), line])


def _exactly(block: Array, kind: str) -> Array:
    return exactly(block, kind)


def _more(name: str) -> ValueError:
    return ValueError(
        f"{name}: expected none, as the run has none and excludes frames, got one: "
        "drop the coordinate, or make a new run"
    )


def _kept(old: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the variables that say nothing about samples and were not computed from them."""
    gone = v.dependents(old, {v.rows.name, v.neighbor_distance.name})
    gone |= {str(n) for n in old.data_vars if "sample" in old[n].dims}
    gone |= {n for n in map(str, old.data_vars) if n in v.VARIABLES}
    return {str(n): old[n] for n in old.data_vars if n not in gone}


def _along_samples(ds: xr.Dataset) -> dict[str, xr.DataArray]:
    return {str(name): c for name, c in ds.coords.items() if "sample" in c.dims}


def check_features(old: xr.Dataset, new: xr.Dataset) -> None:
    """Raise unless rows can be compared with those of the run, as the run compares them."""
    expected, got = _facts(old), _facts(new)
    for name in expected:
        if None not in (expected[name], got[name]) and expected[name] != got[name]:
            raise ValueError(
                f"new_rows: expected {name} {expected[name]} as in the run, got {got[name]}: "
                "give rows of the same kind, or make a new run"
            )
    for name, c in ((str(n), c) for n, c in new.coords.items()):
        if c.dims != ("feature",) or name == v.column.name:
            continue
        added = name not in old.coords and name in (v.period.name, v.weight.name)
        if added or (name in old.coords and not _equal(c, old[name])):
            raise ValueError(
                f"{name}: expected the coordinate along features that the run has, got "
                f"{'one, where it has none' if added else 'another one'}: the run keeps its own; "
                "drop the coordinate, or make a new run"
            )


def _facts(ds: xr.Dataset) -> dict[str, Any]:
    rows = ds["rows"]
    units = rows.attrs.get("units")
    return {"features": ds.sizes["feature"], "dtype": native(rows.dtype), "units": units}


def _behind(old: xr.DataArray, new: xr.Dataset, exclude: int) -> xr.Variable:
    """Return a coordinate of all samples."""
    name, m = str(old.name), new.sizes["sample"]
    if name == v.row.name:
        own = new[name].values if name in new.coords else np.arange(m)
        last = int(old.values.max())
        return xr.Variable(old.dims, np.concatenate([old.values, own + last + 1]), old.attrs)
    if name not in new.coords or new[name].dims != old.dims:
        raise ValueError(
            f"{name}: expected the coordinate along the new samples, as the run has it, got none: "
            f"assign it, e.g. new_rows.assign_coords({name}=('sample', ...))"
        )
    before, after = old.values, new[name].values
    if _kind(before) != _kind(after):
        raise ValueError(
            f"{name}: expected values of kind {before.dtype}, as the run has them, got "
            f"{after.dtype}: convert the coordinate"
        )
    units = [c.attrs.get("units") for c in (old, new[name])]
    if None not in units and units[0] != units[1]:
        raise ValueError(f"{name}: expected units {units[0]}, got {units[1]}: convert the values")
    if _kind(before) == "text":
        before, after = as_text(before), as_text(after)
    if name == v.trajectory.name and exclude:
        _check_apart(before, after)
    return xr.Variable(old.dims, np.concatenate([before, after]), old.attrs)


def _kind(values: Array) -> str:
    kind = values.dtype.kind
    return "text" if kind in "OSTU" else "time" if kind in "mM" else "numbers"


def _check_apart(before: Array, after: Array) -> None:
    both = sorted(set(before.tolist()) & set(after.tolist()))
    if both:
        raise ValueError(
            f"trajectory: expected trajectories that the run does not hold, as it excludes frames "
            f"of the same one, got {both[0]!r} again, whose frames can't be told from the old "
            "ones: name it otherwise, or append the whole source once it has grown"
        )


def _equal(one: xr.DataArray, other: xr.DataArray) -> bool:
    x, y = (c.values for c in (one, other))
    if x.shape != y.shape:
        return False
    if "text" in (_kind(x), _kind(y)):
        return np.array_equal(as_text(x), as_text(y))
    return bool(((x == y) | ((x != x) & (y != y))).all())
