"""A run, and the few numbers of it that a reader is told, computed together."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import dask.array as da
import xarray as xr
from dask.base import compute

from daskid import variables as v


@dataclass(frozen=True)
class Facts:
    """What the sentences, tables and pictures of one run are made of."""

    ds: xr.Dataset  # as given and still lazy: its dimensions, dtypes and attributes
    values: xr.Dataset  # the variables without a sample, in memory
    locations: int | None  # distinct ones; None where nobody looked
    pictures: Mapping[str, Any] = field(default_factory=dict)  # what is drawn, in memory


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
    values, locations, drawn = compute(ds[_small(ds)], _locations(ds), dict(pictures or {}))
    values = values.copy()  # its attributes are ours to add to
    for name in values.data_vars:
        if str(name).endswith("_radius"):
            values[name].attrs.setdefault("units", distance_units(ds))
    return Facts(ds, values, None if locations is None else int(locations), drawn)


def distance_units(ds: xr.Dataset) -> str:
    """Return the units of distances: as recorded, or of the rows where the metric keeps these."""
    if parameters(ds, v.neighbor_distance.name).get("metric") in ("cosine", "hamming"):
        return ""
    holders = (v.neighbor_distance.name, v.rows.name)
    known = (ds[name].attrs.get("units", "") for name in holders if name in ds.variables)
    return str(next((units for units in known if units), ""))


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
