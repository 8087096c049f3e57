"""Times against barriers over noise levels in a picture: an Arrhenius plot."""

from typing import Any

import numpy as np
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from daskid import variables as v
from daskid.plot.labels import FONT, GRAY, axes, label, legend
from daskid.plot.peaks import COLORS

MAX_PASSAGES = 8
"""Passages that are drawn: more can't be told apart."""
_DRAWN = (
    v.kramers_peak, v.kramers_log_time, v.kramers_log_time_error, v.kramers_exponent,
    v.kramers_exponent_error, v.kramers_slope, v.kramers_slope_error, v.kramers_intercept,
)  # fmt: skip


def arrhenius(ds: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the logarithm of passage times against barriers, and the lines through them.

    Bars are one standard error of each. A dashed line of slope 1 goes through the middle of all
    points, for comparison. At most 8 passages are drawn, those seen in most runs. *Computes*, of
    small tables.

    Parameters
    ----------
    ds
        Of :func:`daskid.kramers`.
    ax
        Drawn into; by default the axes of a new figure.

    Returns
    -------
    The axes.

    Raises
    ------
    SchemaError
        If the dataset is another.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskid.plot import kramers
    >>> each, both = ("passage",), ("passage", "run")
    >>> ds = xr.Dataset(
    ...     {
    ...         "kramers_peak": (("passage", "side"), [[0, 1]]),
    ...         "kramers_log_time": (both, [[5.0, 7.1]], {"time_units": "ps"}),
    ...         "kramers_log_time_error": (both, [[0.1, 0.2]]),
    ...         "kramers_exponent": (both, [[3.0, 5.0]]),
    ...         "kramers_exponent_error": (both, [[0.1, 0.1]]),
    ...         "kramers_slope": (each, [1.05]),
    ...         "kramers_slope_error": (each, [0.1]),
    ...         "kramers_intercept": (each, [1.85]),
    ...     }
    ... )
    >>> kramers.arrhenius(ds).get_ylabel()
    'ln (passage time / ps)'
    """
    (points,) = compute(arrhenius_points(ds))
    return draw_arrhenius(points, ax)


def arrhenius_points(ds: xr.Dataset) -> dict[str, Any]:
    """Describe what :func:`arrhenius` draws, lazily.

    Returns
    -------
    ``peak`` (a, 2) and, of each passage and run, (a, r), ``log_time`` and ``exponent`` with their
    ``*_error``; ``slope``, ``slope_error`` and ``intercept`` (a,); the ``unit`` of times.
    """
    names = [variable.name.removeprefix("kramers_") for variable in _DRAWN]
    found = dict(zip(names, v.read(ds, *_DRAWN), strict=True))
    return found | {"unit": str(ds[v.kramers_log_time.name].attrs.get("time_units", ""))}


def draw_arrhenius(points: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw what :func:`arrhenius_points` describes, once computed."""
    ax = axes(ax)
    x, y = np.asarray(points["exponent"]), np.asarray(points["log_time"])
    seen = ~np.isnan(y)
    order = np.argsort(-seen.sum(axis=1), kind="stable")[:MAX_PASSAGES]
    order = np.sort(order[seen[order].any(axis=1)])
    for color, a in zip(COLORS, order, strict=False):
        at = seen[a]
        ax.errorbar(x[a, at], y[a, at], xerr=points["exponent_error"][a, at],
                    yerr=points["log_time_error"][a, at], fmt="o", color=color, markersize=4,
                    elinewidth=1.2, capsize=2)  # fmt: skip
        slope, intercept = float(points["slope"][a]), float(points["intercept"][a])
        ends = np.array([x[a, at].min(), x[a, at].max()])
        name = _named(points, int(a))
        ax.plot(ends, intercept + slope * ends, color=color, linewidth=1.2, label=name)
    if order.size:
        drawn = np.zeros_like(seen)
        drawn[order] = seen[order]
        ends = np.array([x[drawn].min(), x[drawn].max()])
        ax.plot(ends, y[drawn].mean() + ends - x[drawn].mean(), "--", color=GRAY, linewidth=1,
                label="slope 1")  # fmt: skip
        legend(ax, loc="upper left")
    else:
        ax.set_title("no passage was seen", fontsize=FONT - 1, loc="left")
    ax.xaxis.set_major_locator(MaxNLocator(6))
    unit = points["unit"]
    label(ax, "2 \N{GREEK CAPITAL LETTER DELTA}V / \N{GREEK SMALL LETTER SIGMA}\N{SUPERSCRIPT TWO}",
          f"ln (passage time / {unit})" if unit else "ln passage time")  # fmt: skip
    return ax


def _named(points: dict[str, Any], a: int) -> str:
    start, end = np.asarray(points["peak"])[a]
    slope, error = float(points["slope"][a]), float(points["slope_error"][a])
    arrow = f"{start} \N{RIGHTWARDS ARROW} {end}"
    if np.isnan(slope):
        return f"{arrow}: seen in too few runs"
    return f"{arrow}: slope {slope:.2f} \N{PLUS-MINUS SIGN} {error:.2f}"
