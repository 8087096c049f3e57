"""The free energy over a plane, with states, edge states and paths; committors; tubes."""

from typing import Any

import numpy as np
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap

from daskid import variables as v
from daskid.plot.labels import BLUE, FONT, INK, PAPER, VERMILION, axes, label
from daskid.plot.landscape.plane import Cells, cells, plane_of
from daskid.plot.peaks import BRIGHT, DEEP
from daskid.plot.rows import DARK, LIGHT, mark_periods
from daskid.typing import Floats, Ints

MAX_NUMBERED, BADGE = 12, 0.07
"""States with a number, and how close two numbers may be, in parts of an axis."""
CROWD = 30
"""More edge samples than this are drawn smaller."""
DIVERGING = LinearSegmentedColormap.from_list("committor", ["#0072b2", "#c9c9c9", "#d55e00"])


def surface(
    ds: xr.Dataset, features: tuple[int, int] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the free energy on a plane: the mean of the samples in each cell.

    Numbers are states, diamonds the samples on either side of the saddles, lines the paths
    over these (:func:`daskid.barriers`), as far as they are there. The mean of what samples
    have is not the free energy of the cell, see :func:`pmf`. Of one feature: a
    line with the mean error of a sample. *Computes*.

    Parameters
    ----------
    ds
        Holds ``rows`` and ``free_energy``.
    features
        Two positions along ``feature``. By default all if there are at most two, otherwise
        the first two principal components, of at most 20,000 rows drawn at random.
    ax
        Drawn into; by default the axes of a new figure.

    Returns
    -------
    The axes; an axis of a periodic feature spans its period.

    Raises
    ------
    SchemaError
        If a variable is missing.
    ValueError
        If ``features`` are not two different positions along ``feature``.
    """
    (points,) = compute(surface_points(ds, features))
    return draw_surface(points, ax)


def surface_points(ds: xr.Dataset, features: tuple[int, int] | None = None) -> dict[str, Any]:
    """Describe what :func:`surface` draws, lazily."""
    known = {
        "state": v.peak_sample, "edge": v.edge_sample, "path": v.path_sample,
    }  # fmt: skip
    marked = {name: x for name, x in known.items() if x.name in ds.variables}
    points = plane_of(ds, (v.free_energy, v.free_energy_error), marked, features)
    if "path" in marked:
        (points["of_saddle"],) = v.read(ds, v.path_saddle)
    points["energy_units"] = str(ds[v.free_energy.name].attrs.get("units", "kT"))
    return points


def draw_surface(points: dict[str, Any], ax: Axes | None = None, *, dark: bool = False) -> Axes:
    """Draw what :func:`surface_points` describes, once computed."""
    ax = axes(ax)
    found = cells(points)
    name = f"free energy [{points['energy_units']}]"
    if len(found.edges) == 1:
        return _curve(ax, found, name)
    deep = DARK if dark else LIGHT
    _mesh(ax, found, deep.reversed(), name)
    _paths(ax, found, np.asarray(points.get("of_saddle", ())))
    if "edge" in found.marks:
        edge = found.marks["edge"]
        size, rim = (4.5, 0.7) if len(edge) <= CROWD else (2.5, 0.3)
        ax.plot(*edge.T, "D", color=VERMILION, markersize=size, markeredgecolor=PAPER,
                markeredgewidth=rim)  # fmt: skip
    if "state" in found.marks:
        _states(ax, found)
    return ax


def _mesh(
    ax: Axes, found: Cells, colors: Colormap, name: str, limits: tuple[float, float] | None = None
) -> None:
    x, y = found.edges
    low, high = limits or (None, None)
    mesh = ax.pcolormesh(x, y, np.ma.masked_invalid(found.mean[0]), cmap=colors, rasterized=True,
                         edgecolors="none", vmin=low, vmax=high)  # fmt: skip
    bar = ax.figure.colorbar(mesh, ax=ax, shrink=0.8, pad=0.03)
    bar.set_label(name, fontsize=FONT - 1, parse_math=False)
    bar.ax.tick_params(labelsize=FONT - 1)
    if bar.solids is not None:
        bar.solids.set_rasterized(True)
    _finish(ax, found)


def _finish(ax: Axes, found: Cells) -> None:
    x, y = found.edges
    ax.set_xlim(x[0], x[-1])
    ax.set_ylim(y[0], y[-1])
    if found.period[0] == found.period[1] > 0:
        ax.set_aspect("equal")
    mark_periods(ax, found.period)
    label(ax, *found.texts)


def _curve(ax: Axes, found: Cells, name: str) -> Axes:
    """Draw the free energy over one feature."""
    (edge,) = found.edges
    middle, (value, error) = 0.5 * (edge[1:] + edge[:-1]), found.mean
    ax.fill_between(middle, value - error, value + error, color=BLUE, alpha=0.25, linewidth=0)
    ax.plot(middle, value, color=BLUE, linewidth=1.3)
    good = np.isfinite(value)
    for kind, style in (("edge", {"marker": "D", "color": VERMILION}), ("state", {"color": INK})):
        for c, at in enumerate(found.marks.get(kind, np.empty((0, 1)))[:, 0]):
            if np.isfinite(at):
                height = float(np.interp(at, middle[good], value[good]))
                if kind == "edge":
                    ax.plot(at, height, linestyle="none", markersize=5, **style)  # type: ignore[arg-type]
                else:
                    ax.annotate(str(c), (at, height), (0, 8), textcoords="offset points",
                                ha="center", fontsize=FONT, weight="bold")  # fmt: skip
    ax.set_xlim(edge[0], edge[-1])
    label(ax, found.texts[0], name)
    mark_periods(ax, found.period)
    return ax


def _paths(ax: Axes, found: Cells, of_saddle: Ints) -> None:
    for s in np.unique(of_saddle).tolist():
        ax.plot(*unbroken(found.marks["path"][of_saddle == s], found.period).T, color=VERMILION,
                linewidth=1.0, alpha=0.9)  # fmt: skip


def unbroken(line: Floats, period: Floats) -> Floats:
    """Return (m, d) points with a gap, NaN, wherever the line leaves by one side of a period.

    Examples
    --------
    >>> unbroken(np.array([[3.0, 0.0], [-3.0, 0.0]]), np.array([6.28, 0.0])).tolist()
    [[3.0, 0.0], [nan, nan], [-3.0, 0.0]]
    """
    far = np.abs(np.diff(line, axis=0)) > 0.5 * period
    jump = np.flatnonzero((far & (period > 0)).any(axis=1)) + 1
    return np.insert(line, jump, np.nan, axis=0)


def _states(ax: Axes, found: Cells) -> None:
    """Mark all states, and number the first ones that do not hide each other."""
    width = np.array([edge[-1] - edge[0] for edge in found.edges])
    kept: list[Floats] = []
    for c, at in enumerate(found.marks["state"]):
        near = any(np.hypot(*((at - other) / width)) < BADGE for other in kept)
        if near or len(kept) == MAX_NUMBERED:
            ax.plot(*at, "o", color=DEEP, markersize=3.5, markeredgecolor=BRIGHT,
                    markeredgewidth=0.7)  # fmt: skip
            continue
        kept.append(at)
        ax.annotate(
            str(c), tuple(at), ha="center", va="center", fontsize=FONT - 1, color=BRIGHT,
            bbox={"boxstyle": "circle,pad=0.2", "facecolor": DEEP, "edgecolor": BRIGHT},
        )  # fmt: skip


def committor(
    ds: xr.Dataset, features: tuple[int, int] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the committor on a plane: the mean of the samples in each cell, and where it is 1/2.

    *Computes*. Of one feature it is a line.

    Parameters
    ----------
    ds
        Holds ``rows`` and ``committor``.
    features, ax
        As for :func:`surface`.

    Returns
    -------
    The axes.

    Raises
    ------
    SchemaError, ValueError
        As :func:`surface` does.
    """
    (points,) = compute(committor_points(ds, features))
    return draw_committor(points, ax)


def committor_points(ds: xr.Dataset, features: tuple[int, int] | None = None) -> dict[str, Any]:
    """Describe what :func:`committor` draws, lazily."""
    marked = {"state": v.peak_sample} if v.peak_sample.name in ds.variables else {}
    points = plane_of(ds, (v.committor,), marked, features)
    known = v.parameters(ds, v.committor)
    return points | {name: known.get(name) for name in ("source", "target")}


def draw_committor(points: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw what :func:`committor_points` describes, once computed."""
    ax = axes(ax)
    found = cells(points)
    a, b = points["source"], points["target"]
    name = "committor" if a is None else f"probability to reach {b} before {a}"
    if len(found.edges) == 1:
        (edge,) = found.edges
        ax.plot(0.5 * (edge[1:] + edge[:-1]), found.mean[0], color=BLUE, linewidth=1.3)
        ax.axhline(0.5, color=VERMILION, linewidth=1, linestyle="--")
        ax.set_xlim(edge[0], edge[-1])
        label(ax, found.texts[0], name)
        mark_periods(ax, found.period)
        return ax
    _mesh(ax, found, DIVERGING, name, (0.0, 1.0))
    if "state" in found.marks:
        _states(ax, found)
    return ax
