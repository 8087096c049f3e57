"""The dimension against how many samples there are, and against which of them are neighbors."""

import json
from typing import Any

import numpy as np
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from daskid import variables as v
from daskid.plot.labels import BLUE, VERMILION, axes, label, legend, plain_ticks
from daskid.typing import Array

PLAIN = "plain TwoNN"
RATIO = 4.0
"""From such a ratio of values on, their axis is logarithmic."""


def dimension_blocks(ds: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the dimension against the number of samples in a block.

    Points with the standard error of their mean; the band is one standard deviation between
    blocks. *Computes*: the ``id_blocks`` variables.

    Parameters
    ----------
    ds
        Holds ``id_blocks``, ``id_blocks_error`` and ``id_blocks_spread`` (block_size).
    ax
        Drawn into; by default the axes of a new figure.

    Returns
    -------
    The axes: samples in a block (log), dimension.

    Raises
    ------
    SchemaError
        If a variable is missing.

    Examples
    --------
    >>> import xarray as xr
    >>> from daskid import plot
    >>> values = {"id_blocks": [3.1, 2.4], "id_blocks_error": [0.1, 0.1]}
    >>> values["id_blocks_spread"] = [float("nan"), 0.2]
    >>> ds = xr.Dataset(
    ...     {name: ("block_size", x) for name, x in values.items()}, {"block_size": [2000, 1000]}
    ... )
    >>> plot.dimension.dimension_blocks(ds).get_xlabel()
    'samples in a block'
    """
    used = (v.id_blocks, v.id_blocks_error, v.id_blocks_spread)
    v.read(ds, *used)
    (values,) = compute(ds[[variable.name for variable in used]])
    d, error, spread = (values[variable.name].values for variable in used)
    size = values["block_size"].values
    ax = axes(ax)
    ax.set_xscale("log")
    if (known := np.isfinite(spread)).any():
        ax.fill_between(
            size[known], (d - spread)[known], (d + spread)[known], color=BLUE, alpha=0.15,
            linewidth=0, label="spread of blocks",
        )  # fmt: skip
    _points(ax, size, d, error, "TwoNN")
    _limits(ax, d, error, np.nan_to_num(spread))
    step = -(-size.size // 6)
    _ticks(ax, size[::step], [f"{n:,}" for n in size[::step]])
    label(ax, "samples in a block", "intrinsic dimension")
    legend(ax, loc="best")
    return ax


def dimension_window(ds: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the dimension of frames in time against the window that is left out around them.

    Points with one standard error, evenly spaced whatever the windows; a diamond is TwoNN of the
    stored neighbors, at their own window. *Computes*: ``id_twonn`` and the ``id_window`` variables.

    Parameters
    ----------
    ds
        Holds ``id_window`` and ``id_window_error`` (window).
    ax
        Drawn into; by default the axes of a new figure.

    Returns
    -------
    The axes: window in frames, dimension; logarithmic where it varies much.

    Raises
    ------
    SchemaError
        If a variable is missing.

    Examples
    --------
    >>> import xarray as xr
    >>> from daskid import plot
    >>> ds = xr.Dataset(
    ...     {"id_window": ("window", [20.5, 10.6]), "id_window_error": ("window", [0.4, 0.3])},
    ...     {"window": [0, 8]},
    ... )
    >>> plot.dimension.dimension_window(ds).get_xlabel()
    'window [frames]'
    """
    used = (v.id_window, v.id_window_error)
    v.read(ds, *used)
    names = [n.name for n in (*used, v.id_twonn, v.id_twonn_error) if n.name in ds.variables]
    (values,) = compute(ds[names])
    d, error = (values[variable.name].values for variable in used)
    window, place = values["window"].values, np.arange(d.size)
    ax = axes(ax)
    _points(ax, place, d, error, "TwoNN of two passages")
    drawn, bars = d, error
    at = np.flatnonzero(window == _stored_window(ds))
    if v.id_twonn.name in values and at.size:
        plain = np.array([values[v.id_twonn.name].item()])
        bar = values.get(v.id_twonn_error.name)
        ax.errorbar(
            place[at], plain, None if bar is None else bar.item(), color=VERMILION, marker="D",
            markersize=7, markerfacecolor="none", linestyle="none", label=PLAIN,
        )  # fmt: skip
        drawn, bars = np.append(d, plain), np.append(error, 0.0)
    _limits(ax, drawn, bars, np.zeros(drawn.size))
    _ticks(ax, place, [f"{w:,}" for w in window])
    ax.set_xlim(-0.5, d.size - 0.5)
    label(ax, "window [frames]", "intrinsic dimension")
    legend(ax, loc="best")
    return ax


def has_plain(ax: Axes) -> bool:
    """Return whether :func:`dimension_window` drew TwoNN of the stored neighbors, too."""
    return PLAIN in ax.get_legend_handles_labels()[1]


def _stored_window(ds: xr.Dataset) -> int:
    """Return the window of the stored neighbors, -1 where none is known."""
    if v.neighbor_distance.name not in ds.variables:
        return -1
    try:
        record = json.loads(ds[v.neighbor_distance.name].attrs.get("parameters", "{}"))
        return int(record.get("exclude", -1))
    except (AttributeError, TypeError, ValueError):
        return -1


def _points(ax: Axes, x: Array, y: Array, error: Array, name: str) -> None:
    ax.plot(x, y, color=BLUE, linewidth=0.8, alpha=0.6)
    bars: dict[str, Any] = {"markersize": 5, "capsize": 2.5, "linestyle": "none", "marker": "o"}
    ax.errorbar(x, y, error, color=BLUE, label=name, zorder=3, **bars)


def _limits(ax: Axes, d: Array, error: Array, spread: Array) -> None:
    """Leave at least 15 % around the mean: a flat curve looks flat."""
    good = np.isfinite(d)
    d, half = d[good], np.maximum(np.nan_to_num(error[good]), spread[good])
    if not d.size:
        return
    if d.min() > 0 and d.max() > RATIO * d.min():
        ax.set_yscale("log")
        ax.set_ylim(d.min() / 1.4, d.max() * 1.4)
        ax.yaxis.set_major_formatter(plain_ticks())
        ax.yaxis.set_minor_formatter(NullFormatter())
        return
    low, high = min((d - half).min(), 0.85 * d.mean()), max((d + half).max(), 1.15 * d.mean())
    margin = 0.06 * (high - low)
    ax.set_ylim(max(low - margin, 0), high + margin)


def _ticks(ax: Axes, places: Array, names: list[str]) -> None:
    ax.xaxis.set_major_locator(FixedLocator(list(places)))
    ax.xaxis.set_minor_locator(NullLocator())
    written = dict(zip(places.tolist(), names, strict=True))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: written.get(x, "")))
