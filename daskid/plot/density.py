"""The density in pictures: how many samples have which, and the error of one."""

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from daskid import variables as v
from daskid.plot.labels import BLUE, FONT, INK, VERMILION, axes, label
from daskid.typing import Array, Floats, Ints

MAX_SAMPLES = 20_000
MAX_MARKED = 30
"""Peaks that are marked: more can't be told apart."""


def histogram(ds: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw how many samples have which log density.

    A bar shows the median error of one sample, ticks at the axis show the densest 30 peaks,
    if there are peaks. *Computes*, at most 20,000 samples drawn at random with a fixed seed.

    Parameters
    ----------
    ds
        Holds ``log_density`` and ``log_density_error`` of :func:`daskid.density`.
    ax
        Drawn into; by default the axes of a new figure.

    Returns
    -------
    The axes.

    Raises
    ------
    SchemaError
        If there are no densities.

    Examples
    --------
    >>> import xarray as xr
    >>> from daskid.plot import density
    >>> ds = xr.Dataset(
    ...     {
    ...         "log_density": ("sample", [0.0, 1.0, 1.0, 2.0]),
    ...         "log_density_error": ("sample", [0.1, 0.1, 0.2, 0.1]),
    ...     }
    ... )
    >>> density.histogram(ds).get_xlabel()
    'log density'
    """
    (points,) = compute(histogram_points(ds))
    return draw_histogram(points, ax)


def histogram_points(ds: xr.Dataset) -> dict[str, Any]:
    """Describe what :func:`histogram` draws, lazily.

    Returns
    -------
    ``log_density`` and ``error`` (s,) of the samples drawn, how many ``samples`` there are in
    all, and ``peaks`` (p,), the log densities of the densest of them, or None.
    """
    level, error = drawn(ds, v.log_density, v.log_density_error)
    known = v.peak_log_density.name in ds.variables
    return {
        "log_density": level,
        "error": error,
        "samples": ds.sizes["sample"],
        "peaks": v.read(ds, v.peak_log_density)[0][:MAX_MARKED] if known else None,
    }


def drawn(ds: xr.Dataset, *variables: v.Variable) -> tuple[da.Array, ...]:
    """Return, lazily, these (sample) variables at the same at most 20,000 random samples."""
    found = v.read(ds, *variables)
    n = found[0].shape[0]
    if n <= MAX_SAMPLES:
        return found
    chosen = np.sort(np.random.default_rng(0).choice(n, MAX_SAMPLES, replace=False))
    return tuple(
        x.rechunk(-1).map_blocks(_at, chosen=chosen, chunks=(MAX_SAMPLES,), dtype=x.dtype)
        for x in found
    )


def _at(values: Array, *, chosen: Ints) -> Array:
    picked: Array = values[chosen]
    return picked


def draw_histogram(points: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw what :func:`histogram_points` describes, once computed."""
    ax = axes(ax)
    level, error = np.asarray(points["log_density"]), np.asarray(points["error"])
    good = np.isfinite(level)
    bins = int(np.clip(np.sqrt(good.sum()) / 2, 10, 60))
    count, edge = np.histogram(level[good], bins)
    ax.stairs(count, edge, fill=True, color=BLUE, alpha=0.75)
    top = 1.1 * max(int(count.max(initial=0)), 1)
    _median_error(ax, error[np.isfinite(error)], float(edge[0]), top)
    if points["peaks"] is not None:
        peaks = np.asarray(points["peaks"])
        ax.plot(peaks, np.full(peaks.size, -0.03 * top), "|", color=VERMILION, markersize=9,
                markeredgewidth=1.5)  # fmt: skip
    ax.set_ylim(-0.06 * top, 1.1 * top)
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    label(ax, "log density", "samples per bin")
    ax.set_title(_said(points), fontsize=FONT - 1, loc="left")
    return ax


def _median_error(ax: Axes, error: Floats, left: float, top: float) -> None:
    """Draw the median error of a sample as a bar of one error either side, above all others."""
    if error.size:
        median = float(np.median(error))
        ax.errorbar(left + median, top, xerr=median, color=INK, capsize=3, elinewidth=1.2)
        ax.annotate("median error", (left + 2 * median, top), (6, 0), textcoords="offset points",
                    fontsize=FONT - 1.5, va="center")  # fmt: skip


def _said(points: dict[str, Any]) -> str:
    n, total = len(points["log_density"]), points["samples"]
    return f"{n:,} samples" if n == total else f"{n:,} of {total:,} samples, at random"
