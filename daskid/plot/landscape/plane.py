"""Values of samples on one or two features, binned: means in cells, and where samples lie."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise.gather import rows_at
from daskid.plot.rows import MAX_ROWS, MAX_VALUES, MIN_ROWS, flat, plane_points
from daskid.typing import Array, Floats

MARKS = "mark "
"""What names of marked samples start with among the points."""


class Cells(NamedTuple):
    """Means of one or two axes' cells, (values, x) or (values, y, x), and what is marked.

    ``number`` of samples in a cell, ``edges`` of the axes, ``marks`` (m, d) by name, NaN
    where there is none; of the axes their labels and periods.
    """

    mean: Floats
    number: Floats
    edges: list[Floats]
    marks: dict[str, Floats]
    texts: list[str]
    period: Floats


def plane_of(
    ds: xr.Dataset,
    values: tuple[v.Variable, ...],
    marked: Mapping[str, v.Variable],
    features: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """Describe, lazily, the means of (sample,) ``values`` on a plane, and positions there.

    Of one or two features all samples are binned, block by block. For principal components at
    most 20,000 rows are looked at, at random, as by :func:`daskid.plot.rows.projection`.

    Parameters
    ----------
    ds
        Holds ``rows`` and all that is named.
    values, marked
        What is averaged; positions along ``sample`` by name, -1 for none.
    features
        Two positions along ``feature``, or None for the first two or components.

    Raises
    ------
    SchemaError
        If a variable is missing.
    ValueError
        If ``features`` are not two different positions along ``feature``.
    """
    (rows,) = v.read(ds, v.rows)
    columns, of_axes = plane_points(ds, features)
    if features is not None and features[0] == features[1]:
        raise ValueError(
            f"features: expected two different positions, got {features}: pass a pair like (0, 1)"
        )
    plane = rows
    if not of_axes["components"]:
        plane = da.stack([rows[:, f] for f in columns], axis=1)
    plane = plane.rechunk({1: -1}).astype(np.float64)
    found = [x.rechunk(plane.chunks[0]).astype(np.float64) for x in v.read(ds, *values)]
    table = da.stack(found, axis=1).rechunk({1: -1})
    points = dict(of_axes)
    for name, variable in marked.items():
        (at,) = v.read(ds, variable)
        points[MARKS + name] = rows_at(plane, at.ravel())
    return points | (
        _some(plane, table) if of_axes["components"] else _binned(plane, table, of_axes)
    )


def _some(plane: da.Array, table: da.Array) -> dict[str, Any]:
    n, d = plane.shape
    few = min(n, MAX_ROWS, max(MIN_ROWS, MAX_VALUES // max(d, 1)))
    chosen = np.arange(n)
    if few < n:
        chosen = np.sort(np.random.default_rng(0).choice(n, few, replace=False))
    return {"rows": plane[chosen], "value": table[chosen]}


def _binned(plane: da.Array, table: da.Array, of_axes: dict[str, Any]) -> dict[str, Any]:
    """Describe sums of values and numbers of samples in cells, and the bounds of all samples."""
    bound = da.stack([_finite(plane, np.inf).min(axis=0), _finite(plane, -np.inf).max(axis=0)])
    bound = bound.rechunk(-1)
    d, bins = plane.shape[1], _bins(plane.shape[0])
    # i: samples, f: features, t: values, b: lower and upper, c: number and values, k: cells
    sums = da.blockwise(
        _sum_cells, "ick", plane, "if", table, "it", bound, "bf", period=of_axes["period"],
        bins=bins, new_axes={"c": table.shape[1] + 1, "k": bins**d}, adjust_chunks={"i": 1},
        concatenate=True, dtype=np.float64, meta=np.empty((0, 0, 0)),
    )  # fmt: skip
    return {"bound": bound, "sum": sums.sum(axis=0), "bins": bins}


def _finite(x: da.Array, instead: float) -> da.Array:
    finite: da.Array = da.where(da.isfinite(x), x, instead)
    return finite


def _bins(n: int) -> int:
    return int(np.clip(math.sqrt(n) / 2, 20, 80))


def _sum_cells(plane: Floats, table: Floats, bound: Floats, *, period: Floats, bins: int) -> Floats:
    return _sums(plane, table, _spans(bound, period), period, bins)[np.newaxis]


def _spans(bound: Floats, period: Floats) -> Floats:
    """Return lower ends and widths of both axes: (2, d), as :func:`daskid.plot.rows.flat`."""
    low, high = bound
    turn = period > 0
    margin = np.where(high > low, 0.02 * (high - low), 0.5)
    start = np.where(turn, np.where(low >= 0, 0.0, -period / 2), low - margin)
    return np.stack([start, np.where(turn, period, high - low + 2 * margin)])


def _sums(plane: Floats, table: Floats, spans: Floats, period: Floats, bins: int) -> Floats:
    """Return numbers of samples, and sums of values, of the cells: (1 + values, cells)."""
    good = _whole(np.hstack([plane, table]))
    x = plane[good] - spans[0]
    x = np.where(period > 0, x % np.where(period > 0, period, 1.0), x)
    place = np.clip((x / spans[1] * bins).astype(np.int64), 0, bins - 1)
    cell = np.zeros(len(place), np.int64)
    for column in reversed(place.T):  # x varies fastest
        cell = cell * bins + column
    size = bins ** plane.shape[1]
    weights = [np.ones(len(place)), *table[good].T]
    return np.array([np.bincount(cell, w, minlength=size) for w in weights])


def cells(points: dict[str, Any]) -> Cells:
    """Return the cells that :func:`plane_of` describes, once computed."""
    marks = {
        name.removeprefix(MARKS): np.asarray(x, np.float64)
        for name, x in points.items()
        if name.startswith(MARKS)
    }
    sampled = "rows" in points
    data = np.asarray(points["rows" if sampled else "bound"], np.float64)
    if not sampled:
        data = np.where(np.isfinite(data), data, 0.0)
    # no mark lies outside of the data, so that they change neither spans nor where periods begin
    drawn = flat(np.vstack([data, *(_or(m, data[0]) for m in marks.values())]), points)
    period, own = drawn.period, drawn.plane[: len(data)]
    if sampled:
        bins, spans = _bins(len(own)), _spans(np.stack([own.min(axis=0), own.max(axis=0)]), period)
        sums = _sums(own, np.asarray(points["value"]), spans, period, bins)
    else:
        bins, spans, sums = int(points["bins"]), _spans(data, period), np.asarray(points["sum"])
    with np.errstate(invalid="ignore"):
        mean = sums[1:] / sums[0]
    shape = (bins,) * len(period)
    edges = [start + width * np.arange(bins + 1) / bins for start, width in spans.T]
    where, begin = {}, len(data)
    for name, m in marks.items():
        where[name] = np.where(
            _whole(m)[:, np.newaxis], drawn.plane[begin : begin + len(m)], np.nan
        )
        begin += len(m)
    numbers = sums[0].reshape(shape)
    return Cells(mean.reshape(-1, *shape), numbers, edges, where, drawn.texts, period)


def _whole(x: Floats) -> Array:
    """Return which rows are finite: (n,)."""
    finite: Array = np.asarray(np.isfinite(x).all(axis=1))
    return finite


def _or(x: Floats, instead: Floats) -> Floats:
    """Return rows, and others instead of those with a value that is not finite."""
    rows: Floats = np.where(_whole(x)[:, np.newaxis], x, instead)
    return rows
