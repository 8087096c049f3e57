"""The potential of mean force along one or two features."""

import math

import numpy as np
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes

from daskid import variables as v
from daskid.plot.labels import BLUE, FONT, axes, label, plain, with_units
from daskid.plot.rows import DARK, LIGHT, mark_periods
from daskid.typing import Floats

PMF = v.pmf_position, v.pmf, v.pmf_error


def pmf(ds: xr.Dataset, ax: Axes | None = None, *, dark: bool = False) -> Axes:
    """Draw the potential of mean force: a line with its error, or a plane.

    *Computes*, of small tables.

    Parameters
    ----------
    ds
        Holds what :func:`daskid.pmf` adds.
    ax
        Drawn into; by default the axes of a new figure.
    dark
        Whether the background of a plane is dark.

    Returns
    -------
    The axes. On a plane the title gives the median error of a cell.

    Raises
    ------
    SchemaError
        If there is no potential of mean force.
    """
    ax = axes(ax)
    position, energy, error = compute(*v.read(ds, *PMF))
    attrs = ds[v.pmf.name].attrs
    shape = [int(n) for n in np.atleast_1d(attrs["shape"])]
    width = np.atleast_1d(np.asarray(attrs["width"], np.float64))
    start = position[0] - 0.5 * width
    edges = [s + w * np.arange(n + 1) for s, w, n in zip(start, width, shape, strict=True)]
    names = [plain(name) for name in np.atleast_1d(attrs["features"])]
    texts = [with_units(name, ds[v.pmf_position.name].attrs) for name in names]
    units = plain(attrs.get("units", "kT"), 12)
    name = f"potential of mean force [{units}]"
    turns = np.array([_turn(edge[-1] - edge[0], ds) for edge in edges])
    if len(shape) == 1:
        x = position[:, 0]
        ax.fill_between(x, energy - error, energy + error, color=BLUE, alpha=0.3, linewidth=0)
        ax.plot(x, energy, color=BLUE, linewidth=1.3)
        ax.set_xlim(edges[0][0], edges[0][-1])
        label(ax, texts[0], name)
    else:
        _plane(ax, edges, energy.reshape(shape).T, name, dark)
        if turns[0] == turns[1] > 0:
            ax.set_aspect("equal")
        label(ax, *texts)
        known = error[np.isfinite(error)]
        said = f"median error of a cell {np.median(known):.2g} {units}" if known.size else ""
        ax.set_title(said, loc="left", fontsize=FONT - 1)
    mark_periods(ax, turns)
    return ax


def _plane(ax: Axes, edges: list[Floats], energy: Floats, name: str, dark: bool) -> None:
    colors = (DARK if dark else LIGHT).reversed()
    mesh = ax.pcolormesh(*edges, np.ma.masked_invalid(energy), cmap=colors, rasterized=True,
                         edgecolors="none")  # fmt: skip
    bar = ax.figure.colorbar(mesh, ax=ax, shrink=0.8, pad=0.03)
    bar.set_label(name, fontsize=FONT - 1, parse_math=False)
    bar.ax.tick_params(labelsize=FONT - 1)
    if bar.solids is not None:
        bar.solids.set_rasterized(True)


def _turn(span: float, ds: xr.Dataset) -> float:
    """Return the period that the cells span, 0 where they span none."""
    if v.period.name not in ds.variables:
        return 0.0
    known = np.asarray(ds[v.period.name].values, np.float64)
    return next((float(p) for p in known if p > 0 and math.isclose(p, span, rel_tol=1e-6)), 0.0)
