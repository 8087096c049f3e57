"""A run, and the few numbers of it that a reader is told, computed together."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute

from daskid import variables as v
from daskid.page.numbers import exact
from daskid.page.text import one_line
from daskid.typing import Array

FIRST_TIMES = 1000
SECONDS = {"days": 86_400.0, "h": 3600.0, "min": 60.0, "s": 1.0}


@dataclass(frozen=True)
class Facts:
    """What the sentences, tables and pictures of one run are made of."""

    ds: xr.Dataset  # as given and still lazy: its dimensions, dtypes and attributes
    values: xr.Dataset  # the variables without a sample, in memory
    locations: int | None  # distinct ones; None where nobody looked
    pictures: Mapping[str, Any] = field(default_factory=dict)  # what is drawn, in memory
    times: Array | None = None  # of the first samples
    halo: int | None = None  # samples in it; None where there are no peaks


def gather(ds: xr.Dataset, pictures: Mapping[str, Any] | None = None) -> Facts:
    """Compute, in one go, all small variables, a count, and what ``pictures`` describe."""
    if not isinstance(ds, xr.Dataset):
        raise v.SchemaError(
            f"ds: expected an xarray.Dataset, got {type(ds).__name__}: start with daskid.open_rows"
        )
    if v.rows.name not in ds and v.neighbor_distance.name not in ds and not _small(ds):
        raise v.SchemaError(
            f"ds: expected 'rows' or a result, got {sorted(map(str, ds.variables))}: "
            "start with daskid.open_rows"
        )
    wanted = ds[_small(ds)], _locations(ds), dict(pictures or {}), _times(ds), _halo(ds)
    values, locations, drawn, times, halo = compute(*wanted)
    values = values.copy()  # its attributes are ours to add to
    for name in values.data_vars:
        if str(name).endswith("_radius"):
            values[name].attrs.setdefault("units", distance_units(ds))
    return Facts(ds, values, _count(locations), drawn, times, _count(halo))


def _count(value: Any) -> int | None:
    return None if value is None else int(value)


def distance_units(ds: xr.Dataset) -> str:
    """Return the units of distances: as recorded, or of the rows where the metric keeps these."""
    if parameters(ds, v.neighbor_distance.name).get("metric") in ("cosine", "hamming"):
        return ""
    holders = (v.neighbor_distance.name, v.rows.name)
    known = (ds[name].attrs.get("units", "") for name in holders if name in ds.variables)
    return str(next((units for units in known if units), ""))


def _times(ds: xr.Dataset) -> Any:
    known = ds.coords.get(v.time.name)
    return None if known is None or known.dims != ("sample",) else known[:FIRST_TIMES].data


def time_step(facts: Facts) -> str:
    """Return the time from one sample to the next, with its units; empty if it is not known.

    Nothing is said where samples are not at even times.
    """
    times = facts.times
    if times is None or len(times) < 2 or times.dtype.kind not in "iufM":
        return ""
    times = times if times.dtype.kind == "M" else times.astype("f8")
    steps, units = np.diff(times), str(facts.ds[v.time.name].attrs.get("units", ""))
    if times.dtype.kind == "M":
        steps = steps / np.timedelta64(1, "s")
        name = next((n for n, size in SECONDS.items() if np.median(steps) >= size), "s")
        steps, units = steps / SECONDS[name], name
    step = float(np.median(steps))
    if not step > 0 or not np.allclose(steps, step, rtol=1e-3):
        return ""
    return f"{exact(step)} {one_line(units, 40)}".strip()


def _small(ds: xr.Dataset) -> list[str]:
    """Return the variables of the table that have no entry per sample or feature."""
    large = {"sample", "feature"}
    return [
        name for name, variable in v.VARIABLES.items()
        if name in ds.data_vars and not variable.coordinate and not large & set(ds[name].dims)
    ]  # fmt: skip


def _locations(ds: xr.Dataset) -> Any:
    if v.location.name not in ds.variables:
        return None
    (location,) = v.read(ds, v.location)
    return (location == da.arange(location.size, chunks=location.chunks)).sum()


def _halo(ds: xr.Dataset) -> Any:
    return v.read(ds, v.peak_halo)[0].sum() if v.peak_halo.name in ds.variables else None


def parameters(ds: xr.Dataset, name: str) -> dict[str, Any]:
    """Return the parameters of the step that made a variable; empty where none are recorded."""
    if name not in ds.variables:
        return {}
    try:
        record = json.loads(ds[name].attrs.get("parameters", "{}"))
    except (TypeError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def samples(facts: Facts) -> int | None:
    """Return the number of samples of the run."""
    n = facts.ds.sizes.get("sample")
    return None if n is None else int(n)
