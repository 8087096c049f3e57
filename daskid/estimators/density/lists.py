"""What the density steps read: neighbor lists, who counts, and how they were searched."""

from dataclasses import dataclass

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import density as blockwise
from daskid.blockwise import dimension
from daskid.blockwise.search import lengths

FEWEST = 5
"""Neighbors for a single comparison of radii."""


@dataclass(frozen=True)
class Lists:
    """Lists, which samples stand for their location, how they were searched, and their names."""

    distance: da.Array
    index: da.Array
    kept: da.Array
    location: da.Array | None
    metric: str
    exclude: int
    inputs: tuple[v.Variable, ...]


def read(ds: xr.Dataset, step: str) -> Lists:
    """Return the lists of a dataset.

    Raises
    ------
    SchemaError
        If there are none.
    ValueError
        If they are too short, or distances have no volumes.
    """
    inputs: tuple[v.Variable, ...] = (v.neighbor_distance, v.neighbor_index)
    distance, index = v.read(ds, *inputs)
    if distance.shape[1] < FEWEST:
        raise ValueError(
            f"neighbor_distance: {step} needs {FEWEST} neighbors or more, got "
            f"{distance.shape[1]}: run knn with k=100, or k={FEWEST} at the very least"
        )
    metric, exclude = _search(ds)
    if metric == "hamming":
        raise ValueError(
            f"metric: {step} needs distances in a space with volumes, got 'hamming': "
            "run knn with another metric"
        )
    distance = lengths(distance, metric)
    location, rows = None, distance.chunks[0]
    kept = da.from_array(np.ones(distance.shape[0], bool), chunks=(rows,))
    if v.location.name in ds.variables:
        (location,) = v.read(ds, v.location)
        inputs = (*inputs, v.location)
        kept = dimension.locations(location, distance)
    return Lists(distance, index, kept, location, metric, exclude, inputs)


def log_number(ds: xr.Dataset, lists: Lists) -> tuple[da.Array, tuple[v.Variable, ...]]:
    """Return the log of the number of locations a list could hold, and what it comes from."""
    if not lists.exclude:
        return blockwise.log_number(lists.kept), ()
    n = lists.distance.shape[0]
    inputs = tuple(c for c in (v.row, v.trajectory) if c.name in ds.variables)
    found = dict(zip(inputs, v.read(ds, *inputs), strict=True))
    every = da.arange(n, chunks=-1)
    number = blockwise.log_admissible(
        every if lists.location is None else lists.location,
        found.get(v.row, every),
        found.get(v.trajectory),
        lists.exclude,
    )
    return number, inputs


def half_period(ds: xr.Dataset, metric: str) -> float:
    """Return the distance half way round the shortest period, infinite without one."""
    period, weight = v.compared(ds)
    if not period.size:
        return np.inf
    factor = weight if weight.size else np.ones(period.size)
    factor = np.sqrt(factor) if metric == "euclidean" else factor
    around = np.where((period > 0) & (factor > 0), 0.5 * factor * period, np.inf)
    return float(around.min())


def _search(ds: xr.Dataset) -> tuple[str, int]:
    """Return the metric and the window in frames of the search, as recorded."""
    recorded = v.parameters(ds, v.neighbor_distance)
    return str(recorded.get("metric", "euclidean")), int(recorded.get("exclude", 0))
