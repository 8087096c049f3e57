"""The source that rows were opened from, and where in it they are."""

import json
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.io import layout, sources
from daskid.io.sources import Source
from daskid.typing import Ints

Given: TypeAlias = Source | None
MEMORY = "in memory"


class Opened(NamedTuple):
    """Fields of the source, and their dimensions of samples and, or None, of trajectories."""

    fields: list[xr.DataArray]
    dim: str
    outer: str | None

    @property
    def front(self) -> list[str]:
        """Dimensions that rows are numbered along, the slowest first."""
        return [self.dim] if self.outer is None else [self.outer, self.dim]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of these dimensions."""
        return tuple(self.fields[0].sizes[dim] for dim in self.front)


def opened(ds: xr.Dataset, source: Given) -> Opened:
    """Return the source of a dataset as it was opened, with names for all its arrays.

    Raises
    ------
    ValueError
        If it was in memory and is not given, or has not the rows of the dataset.
    """
    v.read(ds, v.rows)
    given = _given(ds)
    found = ds.attrs.get("source") if source is None else source
    if source is None and (found in (None, MEMORY) or "rows_dropped" not in ds.attrs):
        raise ValueError(
            "source: expected what the rows were opened from, got None, and the dataset was not "
            "opened from a path: pass the DataArray, Dataset or path"
        )
    variable = given.get("variable")
    if isinstance(found, xr.DataArray):
        variable = None
    parts = sources.resolve(found, variable)  # type: ignore[arg-type]
    fields = [part.field.rename(part.name or part.field.name or v.rows.name) for part in parts]
    one = layout.layout_of(fields[0], given.get("sample"), given.get("trajectory"))
    out = Opened(fields, one.dim, one.outer)
    last = int(places(ds).max(initial=-1))
    if last >= one.shape[0]:
        raise ValueError(
            f"source: expected more than {last} samples, of which the dataset has row {last}, got "
            f"{one.shape[0]}: pass the source that the rows were opened from"
        )
    return out


def places(ds: xr.Dataset) -> Ints:
    """Return the row number in the source of each sample: (n,)."""
    if v.row.name not in ds.variables:
        return np.arange(ds.sizes["sample"])
    (row,) = v.read(ds, v.row)
    return np.asarray(row.compute(), np.int64)


def _given(ds: xr.Dataset) -> dict[str, Any]:
    """Return the keywords that the rows were opened with."""
    try:
        found = json.loads(ds[v.rows.name].attrs.get("parameters", "{}"))
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
