"""Mean tubes of reactive paths of both directions, beside the minimax path."""

import numpy as np
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection

from daskid import variables as v
from daskid.plot.labels import BLUE, FONT, INK, VERMILION, axes, label, legend, plain, with_units
from daskid.plot.landscape.surface import unbroken
from daskid.plot.rows import mark_periods, plane_points
from daskid.typing import Floats, Ints

TABLES = v.reactive_path, v.reactive_position, v.reactive_position_error, v.reactive_spread
WAYS = ((BLUE, "-"), (VERMILION, "--"))


def tubes(ds: xr.Dataset, features: tuple[int, int] | None = None, ax: Axes | None = None) -> Axes:
    """Draw where passages lie on the average, in both directions, and the minimax path.

    Ellipses are one standard deviation of the frames nearest to a point of the path, crosses
    one standard error of their mean. *Computes*, of small tables.

    Parameters
    ----------
    ds
        Holds what :func:`daskid.reactive_paths` adds.
    features
        Two positions along ``feature``; by default the two along which the path is longest.
        A single feature is drawn over the points of the path.
    ax
        Drawn into; by default the axes of a new figure.

    Returns
    -------
    The axes.

    Raises
    ------
    SchemaError
        If there are no reactive paths.
    ValueError
        If ``features`` are not two positions along ``feature``.
    """
    ax = axes(ax)
    path, position, error, spread = compute(*v.read(ds, *TABLES))
    names = _ways(ds, len(position))
    if path.shape[1] == 1:
        return _over_points(ax, ds, path, (position, spread), names)
    pair = _pair(path) if features is None else features
    columns, of_axes = plane_points(ds, (int(pair[0]), int(pair[1])))
    period = of_axes["period"]
    ax.plot(*_line(path[:, columns], period).T, color=INK, linewidth=1.2, linestyle=":",
            label="minimax path")  # fmt: skip
    for way, (color, style) in enumerate(WAYS[: len(position)]):
        at = _wrapped(position[way][:, columns], period)
        known = np.isfinite(at).all(axis=1)
        wide = 2 * spread[way][:, columns]
        ax.add_collection(
            EllipseCollection(
                wide[known, 0], wide[known, 1], np.zeros(known.sum()), units="xy",
                offsets=at[known], transOffset=ax.transData, facecolor=color, alpha=0.13,
                edgecolor="none",
            )
        )  # fmt: skip
        ax.plot(*_line(at[known], period).T, color=color, linestyle=style, linewidth=1.3,
                label=names[way])  # fmt: skip
        x, y = error[way][known][:, columns].T
        ax.errorbar(at[known, 0], at[known, 1], y, x, color=color, linestyle="none", elinewidth=0.9)
    ax.autoscale_view()
    mark_periods(ax, np.zeros(2))
    label(ax, *(with_units(name, of_axes) for name in of_axes["names"]))
    legend(ax, loc="best")
    return ax


def _ways(ds: xr.Dataset, number: int) -> list[str]:
    known = v.parameters(ds, v.reactive_position)
    a, b = (plain(known.get(name, "?"), 8) for name in ("source", "target"))
    return [f"{a} to {b}", f"{b} to {a}"][:number]


def _pair(path: Floats) -> Ints:
    length = np.abs(np.diff(path, axis=0)).sum(axis=0)
    return np.sort(np.argsort(-length, kind="stable")[:2])


def _wrapped(x: Floats, period: Floats) -> Floats:
    turn = np.where(period > 0, period, 1.0)
    start = np.where(np.nanmin(x, axis=0, initial=0.0) < 0, -0.5 * turn, 0.0)
    return np.where(period > 0, (x - start) % turn + start, x)


def _line(x: Floats, period: Floats) -> Floats:
    return unbroken(_wrapped(x, period), period)


def _over_points(
    ax: Axes, ds: xr.Dataset, path: Floats, tube: tuple[Floats, Floats], names: list[str]
) -> Axes:
    """Draw the only feature over the points of the path."""
    place = np.arange(len(path))
    ax.plot(place, path[:, 0], color=INK, linewidth=1.2, linestyle=":", label="minimax path")
    for (color, style), mean, spread, name in zip(WAYS, *tube, names, strict=False):
        x, wide = mean[:, 0], spread[:, 0]
        ax.fill_between(place, x - wide, x + wide, color=color, alpha=0.15, linewidth=0)
        ax.plot(place, x, color=color, linestyle=style, linewidth=1.3, label=name)
    _, of_axes = plane_points(ds)
    label(ax, "point of the path", with_units(of_axes["names"][0], of_axes))
    ax.tick_params(labelsize=FONT - 1)
    legend(ax, loc="best")
    return ax
