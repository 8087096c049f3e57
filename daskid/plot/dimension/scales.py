"""The dimension against the scale at which it is read."""

import json
from typing import Any

import numpy as np
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from daskid import variables as v
from daskid.plot.labels import (
    BLUE,
    FONT,
    GREEN,
    PAPER,
    VERMILION,
    axes,
    label,
    legend,
    significant,
    with_units,
)
from daskid.typing import Array


def dimension_scale(ds: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the dimension against the scale at which it was read.

    Gride's points with one standard error; a hollow point has an error that
    is too small (``id_gride_error_kind``). TwoNN and Levina-Bickel are added
    where they are present, the latter as a line because it spans all scales
    up to its last neighbor. *Computes*: the ``id_*`` variables.

    Parameters
    ----------
    ds
        Holds ``id_gride``, ``id_gride_error`` and ``id_gride_radius`` (scale).
    ax
        Drawn into; by default the axes of a new figure.

    Returns
    -------
    The axes: scale in units of the distance (log), dimension; the rank n1 on top.

    Raises
    ------
    SchemaError
        If a variable of Gride is missing.

    References
    ----------
    F. Denti, D. Doimo, A. Laio, A. Mira, "The generalized ratios intrinsic
    dimension estimator", Sci. Rep. 12, 20005 (2022).

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskid import plot
    >>> ds = xr.Dataset(
    ...     {
    ...         "id_gride": ("scale", [2.0, 2.1]),
    ...         "id_gride_error": ("scale", [0.1, 0.1]),
    ...         "id_gride_radius": ("scale", [0.5, 0.8], {"units": "nm"}),
    ...     },
    ...     coords={"scale": [1, 2]},
    ... )
    >>> plot.dimension.dimension_scale(ds).get_xlabel()
    'scale: mean of (r_n₁ + r_n₂) / 2 [nm]'
    """
    v.read(ds, v.id_gride, v.id_gride_error, v.id_gride_radius)
    names = [name for name in ds.data_vars if str(name).startswith("id_")]
    (values,) = compute(ds[names])
    ax = axes(ax)
    _draw_mle(values, ax)
    _draw_twonn(values, ax)
    _draw_gride(values, ax)
    label(
        ax,
        with_units("scale: mean of (r_n₁ + r_n₂) / 2", _distance_attrs(ds)),
        "intrinsic dimension",
    )
    _limits(values, ax)
    _ticks(values, ax)
    legend(ax, loc="best")
    return ax


def _distance_attrs(ds: xr.Dataset) -> dict[Any, Any]:
    """Return the attributes that may hold the units of distances."""
    radius = ds[v.id_gride_radius.name].attrs
    if "units" in radius or v.neighbor_distance.name not in ds.variables:
        return radius
    return ds[v.neighbor_distance.name].attrs


def _draw_gride(values: xr.Dataset, ax: Axes) -> None:
    x, y = values[v.id_gride_radius.name].values, values[v.id_gride.name].values
    error = values[v.id_gride_error.name].values
    small = too_small(values)
    bars: dict[str, Any] = {
        "color": BLUE,
        "markersize": 5,
        "capsize": 2.5,
        "linestyle": "none",
        "marker": "o",
    }
    ax.plot(x, y, color=BLUE, linewidth=0.8, alpha=0.6)
    if (~small).any():
        ax.errorbar(x[~small], y[~small], error[~small], label="Gride", zorder=3, **bars)
    if small.any():
        ax.errorbar(
            x[small], y[small], error[small], markerfacecolor=PAPER, zorder=3,
            label="Gride, error too small", **bars,
        )  # fmt: skip


def too_small(values: xr.Dataset) -> Array:
    """Return which of Gride's errors are flagged as too small, a bool by scale."""
    kind = values.get(v.id_gride_error_kind.name)
    if kind is None:
        return np.zeros(values[v.id_gride.name].shape, dtype=bool)
    meanings = str(kind.attrs.get("flag_meanings", "sandwich fisher_too_small")).split()
    flags = np.atleast_1d(kind.attrs.get("flag_values", np.arange(len(meanings))))
    small = [flag for flag, text in zip(flags, meanings, strict=False) if "too_small" in text]
    return np.isin(kind.values, small)


def _draw_twonn(values: xr.Dataset, ax: Axes) -> None:
    if v.id_twonn_radius.name in values and np.isfinite(values.get(v.id_twonn.name, np.nan)):
        error = values.get(v.id_twonn_error.name)
        ax.errorbar(
            values[v.id_twonn_radius.name].item(), values[v.id_twonn.name].item(),
            None if error is None else error.item(), color=VERMILION, marker="D", markersize=9,
            markerfacecolor="none", linestyle="none", label="TwoNN",
        )  # fmt: skip


def _draw_mle(values: xr.Dataset, ax: Axes) -> None:
    if v.id_mle.name in values:
        d = values[v.id_mle.name].item()
        if not np.isfinite(d):
            return
        k = json.loads(values[v.id_mle.name].attrs.get("parameters", "{}")).get("k")
        text = "Levina-Bickel" + (f", k = {k}" if isinstance(k, int) else "")
        ax.axhline(d, color=GREEN, linewidth=1.2, linestyle="--", label=text)


def _limits(values: xr.Dataset, ax: Axes) -> None:
    """Leave at least 15 % around the mean: a flat curve looks flat."""
    d, e = values[v.id_gride.name].values, values[v.id_gride_error.name].values
    d, e = d[np.isfinite(d)], np.nan_to_num(e[np.isfinite(d)])
    more = [values[n.name].item() for n in (v.id_twonn, v.id_mle) if n.name in values]
    points = np.concatenate([d - e, d + e, [m for m in more if np.isfinite(m)]])
    if points.size:
        low, high = min(points.min(), 0.85 * d.mean()), max(points.max(), 1.15 * d.mean())
        margin = 0.06 * (high - low)
        ax.set_ylim(max(low - margin, 0), high + margin)


def _ticks(values: xr.Dataset, ax: Axes) -> None:
    """Put ticks at the scales themselves: in many dimensions they span no decade."""
    ax.set_xscale("log")
    radius, rank = values[v.id_gride_radius.name].values, values["scale"].values
    good = np.isfinite(radius) & (radius > 0)
    step = -(-int(good.sum()) // 7) or 1
    radius, rank = radius[good][::step], rank[good][::step]
    ax.xaxis.set_major_locator(FixedLocator(list(radius)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: significant(x)))
    top = ax.secondary_xaxis("top")
    top.set_xticks(list(radius), labels=[f"{n:g}" for n in rank], fontsize=FONT - 1)
    top.xaxis.set_minor_locator(NullLocator())
    top.set_xlabel("n₁, with n₂ = 2 n₁", fontsize=FONT - 1)
