"""What the interactive figures hold of samples, lazily: places on a plane, and a bounded choice.

All samples are put on the plane, block by block, and counted in its pixels. One by one are kept
a random sample, some of each of the largest peaks, the peaks, and the samples at their saddles.
"""

from collections.abc import Mapping
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise.gather import rows_at
from daskid.page.explore.raster import PIXELS, count_pixels
from daskid.page.results import MAX_PEAKS
from daskid.plot.rows import (
    MAX_ROWS,
    MAX_VALUES,
    MIN_ROWS,
    metric_space,
    plane_points,
    principal_axes,
    some,
    start_of,
    wrapped,
)
from daskid.typing import Array, Floats, Ints

ALL, MAX_DOTS = 6000, 4000
"""So many samples are all drawn one by one; of more these at random, and the density as pixels."""
OF_PEAK = 30
"""Samples of each of the largest peaks, so that small ones have some."""
MAX_SADDLES = 60
SAMPLE, PEAK, SADDLE = 0, 1, 2
LEVELS = (v.log_density, v.log_density_error)
STATES = (v.peak_label, v.peak_halo, v.peak_sample, v.peak_size)
NAMED = (v.row, v.time, v.trajectory)


def describe(ds: xr.Dataset) -> dict[str, Any]:
    """Return, lazily, what the figures need; nothing where there is no plane to draw.

    Returns
    -------
    ``chosen`` (p, 3): the position along ``sample``, its kind (0 a sample, 1 a peak, 2 at a
    saddle), and the number of the peak or saddle, with -1 for none; ``plane`` (p, 2), ``level``
    (p, 2), ``state`` (p, 2) and, by its name, what identifies them; ``count`` (y, x) samples in
    pixels and their ``bound`` (2, 2), None where all samples are drawn one by one; ``fitted``,
    whose first row has the shares of the variance; and what
    :func:`daskid.plot.rows.plane_points` says.
    """
    known = {*map(str, ds.variables)}
    if v.rows.name not in known or not ds.sizes["sample"] or not ds.sizes["feature"]:
        return {}
    dense = {x.name for x in LEVELS} <= known
    if ds.sizes["feature"] == 1 and not dense:
        return {}
    found, plane = _on_plane(ds)
    peaked = {x.name for x in STATES} <= known
    chosen = _chosen(ds, peaked)
    positions = chosen[:, 0]
    found |= {"chosen": chosen, "plane": rows_at(plane, positions)}
    for name, wanted, there in (("level", LEVELS, dense), ("state", STATES[:2], peaked)):
        if there:
            columns = [x.rechunk(plane.chunks[0]).astype(np.float64) for x in v.read(ds, *wanted)]
            found[name] = rows_at(da.stack(columns, axis=1).rechunk({1: -1}), positions)
    for variable in NAMED:
        if variable.name in known and ds[variable.name].dims == ("sample",):
            found[variable.name] = _taken(ds[variable.name].data, positions)
    return found | (_pixels(plane) if ds.sizes["sample"] > ALL else {"count": None})


def _on_plane(ds: xr.Dataset) -> tuple[dict[str, Any], da.Array]:
    """Return what the axes are, and where all samples are on them: (n, 2)."""
    (rows,) = v.read(ds, v.rows)
    n, total = rows.shape
    columns, found = plane_points(ds)
    few = min(n, MAX_ROWS, max(MIN_ROWS, MAX_VALUES // total)) if found["components"] else MAX_ROWS
    given = {name: found[name] for name in ("components", "period", "weight")}
    seen = rows[some(n, min(n, few))].rechunk(-1)
    whole = rows.rechunk({1: -1})
    height = _height(found["period"]) if found["components"] else 1
    fitted = seen.map_blocks(
        fit, **given, chunks=((height,), (2,)), dtype=np.float64, meta=np.empty((0, 0))
    )
    # i: samples, f: features, m: what places them, p: axes of the plane
    plane = da.blockwise(
        put, "ip", whole, "if", fitted, "mp", **given, concatenate=True, dtype=np.float64,
        meta=np.empty((0, 0)),
    )  # fmt: skip
    if columns.size == 1:
        (level,) = v.read(ds, v.log_density)
        level = level.rechunk(plane.chunks[0]).astype(np.float64)
        plane = da.stack([plane[:, 0], level], axis=1).rechunk({1: -1})
    return found | {"fitted": fitted}, plane


def _height(period: Floats) -> int:
    return 2 + len(period) + int((period > 0).sum())


def fit(rows: Array, *, components: bool, period: Floats, weight: Floats) -> Floats:
    """Return what places rows on the plane: (m, 2).

    Of principal components their shares of the variance, the place of the mean, the axes; of one
    or two features where each of them is drawn from.
    """
    good = np.asarray(rows, np.float64)
    good = good[np.isfinite(good).all(axis=1)]
    if not components:
        starts = [start_of(x, p) for x, p in zip(good.T, period, strict=True)]
        return np.resize(starts, (1, 2)).astype(np.float64)
    center, axes, share = principal_axes(metric_space(good, period, weight))
    return np.vstack([share, center @ axes, axes])


def put(rows: Array, fitted: Floats, *, components: bool, period: Floats, weight: Floats) -> Floats:
    """Return where rows are on the plane that :func:`fit` describes: (n, 2), NaN for nowhere."""
    x = np.asarray(rows, np.float64)
    if components:
        placed: Floats = metric_space(x, period, weight) @ fitted[2:] - fitted[1]
        return placed
    columns = [wrapped(c, p, s) for c, p, s in zip(x.T, period, fitted[0], strict=False)]
    return np.column_stack([columns[0], columns[-1]])


def _chosen(ds: xr.Dataset, peaked: bool) -> da.Array:
    n = ds.sizes["sample"]
    drawn = some(n, n if n <= ALL else MAX_DOTS)
    if not peaked:
        whole = np.column_stack([drawn, np.zeros_like(drawn), np.full_like(drawn, -1)])
        alone: da.Array = da.from_array(whole, chunks=-1)
        return alone
    label, size, sample = v.read(ds, v.peak_label, v.peak_size, v.peak_sample)
    pair, saddles = _at_saddles(ds)
    length = drawn.size + min(size.shape[0], MAX_PEAKS) * (OF_PEAK + 1) + 2 * MAX_SADDLES
    # s: samples, c: peaks, e: saddles, g, h: sides, p: chosen, k: position, kind, number
    chosen: da.Array = da.blockwise(
        choose, "pk", label, "s", size, "c", sample, "c", pair, "eg", saddles, "eh",
        drawn=drawn, length=length, new_axes={"p": length, "k": 3}, concatenate=True,
        dtype=np.int64, meta=np.empty((0, 0), np.int64),
    )  # fmt: skip
    return chosen


def _at_saddles(ds: xr.Dataset) -> tuple[da.Array, da.Array]:
    """Return the peaks of saddles, (saddle, 2), and the samples there on one side or both."""
    known = {*ds.variables}
    if v.saddle_peak.name in known and v.edge_sample.name in known:
        pair, at = v.read(ds, v.saddle_peak, v.edge_sample)
        return pair, at
    if v.saddle_peak.name in known and v.saddle_sample.name in known:
        pair, one = v.read(ds, v.saddle_peak, v.saddle_sample)
        return pair, one.reshape((-1, 1))
    none = np.full((1, 2), -1)
    return da.from_array(none), da.from_array(none)


def choose(
    label: Ints, size: Ints, sample: Ints, pair: Ints, saddles: Ints, *, drawn: Ints, length: int
) -> Ints:
    """Return position, kind and number of what is kept of samples: (length, 3), then -1."""
    largest = np.argsort(-size, kind="stable")[:MAX_PEAKS]
    rng = np.random.default_rng(0)
    members = [drawn]
    for c in largest:
        own = np.flatnonzero(label == c)
        members.append(rng.choice(own, min(own.size, OF_PEAK), replace=False))
    dots = np.unique(np.concatenate(members))
    both = np.isin(pair, largest).all(axis=1, keepdims=True)
    at = np.argwhere((saddles >= 0) & both)[: 2 * MAX_SADDLES]
    parts = [
        (dots, SAMPLE, np.full(dots.size, -1)),
        (sample[largest], PEAK, largest),
        (saddles[tuple(at.T)], SADDLE, at[:, 0]),
    ]
    found = np.vstack([
        np.column_stack([position, np.full(position.size, kind), number])
        for position, kind, number in parts
    ])  # fmt: skip
    out = np.full((length, 3), -1)
    out[: len(found)] = found
    return out


def _taken(values: Any, positions: da.Array) -> da.Array:
    """Return the entries of a (sample,) coordinate of any type at the positions: (p,)."""
    if not isinstance(values, da.Array):
        values = da.from_array(np.asarray(values), chunks=-1)  # texts have no chunks of their own
    # s: samples, p: positions
    taken: da.Array = da.blockwise(
        _take, "p", values, "s", positions.rechunk(-1), "p", concatenate=True, dtype=values.dtype,
        meta=np.empty(0, values.dtype), align_arrays=False,
    )  # fmt: skip
    return taken


def _take(values: Array, positions: Ints) -> Array:
    return np.asarray(values[positions])


def _pixels(plane: da.Array) -> dict[str, Any]:
    """Describe how many samples are in each pixel, and the bounds of all of them."""
    low = da.where(da.isfinite(plane), plane, np.inf).min(axis=0)
    high = da.where(da.isfinite(plane), plane, -np.inf).max(axis=0)
    bound = da.stack([low, high]).rechunk(-1)
    # i: samples, f: axes, b: lower and upper, y, x: pixels
    counted = da.blockwise(
        _counted, "iyx", plane, "if", bound, "bf", new_axes={"y": PIXELS, "x": PIXELS},
        adjust_chunks={"i": 1}, concatenate=True, dtype=np.uint32,
        meta=np.empty((0, 0, 0), np.uint32),
    )  # fmt: skip
    return {"count": counted.sum(axis=0), "bound": bound}


def _counted(plane: Floats, bound: Floats) -> Array:
    return count_pixels(plane, bound)[np.newaxis]


def kept(points: Mapping[str, Any]) -> Array:
    """Return which of the chosen samples are on the plane: (p,)."""
    there: Array = (np.asarray(points["chosen"])[:, 0] >= 0) & np.isfinite(
        np.asarray(points["plane"])
    ).all(axis=1)
    return there
