"""The data in one picture: two features, or the first two principal components."""

import math
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator

from daskid import variables as v
from daskid.plot.labels import BLUE, FONT, MINUS, axes, label, plain, plain_ticks, with_units
from daskid.typing import Array, Floats, Ints

MAX_ROWS = 20_000
MAX_VALUES = 5_000_000  # of the sample whose principal components are taken: 40 MB
MIN_ROWS = 100
MAX_DOTS = 1000  # more samples than this are drawn as a density

LIGHT = LinearSegmentedColormap.from_list("density", ["#a9cbe4", "#0072b2", "#06283f"])
DARK = LinearSegmentedColormap.from_list("density on dark", ["#1d4f73", "#56b4e9", "#f2fbff"])


def projection(
    ds: xr.Dataset, features: tuple[int, int] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the samples on a plane, as a density where they are many.

    *Computes*, at most 20,000 rows.

    Parameters
    ----------
    ds
        Holds ``rows`` (sample, feature).
    features
        Two positions along ``feature``. By default all of them if there are at
        most two, else the first two principal components. Those are taken
        with the weights of the metric, and with each periodic feature as a
        circle of that circumference.
    ax
        Drawn into; by default the axes of a new figure.

    Returns
    -------
    The axes. At most 20,000 rows, drawn at random with a fixed seed, are
    looked at (fewer where the features are many); the label says how many.
    An axis of a periodic feature spans its period.

    Raises
    ------
    SchemaError
        If ``rows`` is missing.
    ValueError
        If ``features`` are not two positions along ``feature``.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskid import plot
    >>> x = np.random.default_rng(0).random((100, 2))
    >>> ds = xr.Dataset(
    ...     {"rows": (("sample", "feature"), x, {"units": "nm"})},
    ...     coords={"name": ("feature", ["width", "height"])},
    ... )
    >>> plot.rows.projection(ds).get_xlabel()
    'width [nm]'
    """
    (points,) = compute(projection_points(ds, features))
    return draw_projection(points, ax)


def projection_points(ds: xr.Dataset, features: tuple[int, int] | None = None) -> dict[str, Any]:
    """Describe what :func:`projection` draws, lazily.

    Returns
    -------
    ``rows``, the sampled rows, at most (20,000, feature); how many ``samples`` there are
    in all; ``period`` and ``weight`` of the features taken; ``components``, whether
    principal components are to be drawn; ``names``, one for each feature, and ``units``.
    """
    (rows,) = v.read(ds, v.rows)
    n, total = rows.shape
    columns, of_axes = plane_points(ds, features)
    few = MAX_ROWS
    if of_axes["components"]:
        few = max(MIN_ROWS, MAX_VALUES // max(total, 1))
    sampled = rows[some(n, min(n, MAX_ROWS, few))]
    return of_axes | {"rows": sampled if columns.size == total else sampled[:, columns]}


def plane_points(
    ds: xr.Dataset, features: tuple[int, int] | None = None
) -> tuple[Ints, dict[str, Any]]:
    """Return the features taken, and what :func:`projection_points` says of them and of rows."""
    n, total = v.read(ds, v.rows)[0].shape
    columns = np.arange(total) if features is None else _checked(features, total)
    components = features is None and total > 2
    return columns, {
        "samples": n,
        "features": total,
        "components": components,
        "period": _coordinate(ds, v.period, 0.0, total)[columns],
        "weight": _coordinate(ds, v.weight, 1.0, total)[columns],
        "names": [] if components else [_name(ds, c) for c in columns],
        "units": _units(ds),
    }


def _checked(features: tuple[int, int], total: int) -> Ints:
    columns = np.atleast_1d(np.asarray(features))
    if columns.shape != (2,) or columns.dtype.kind != "i" or not (
        (columns >= 0) & (columns < total)
    ).all():  # fmt: skip
        raise ValueError(
            f"features: expected two positions from 0 to {total - 1}, got {features}: "
            "pass a pair like (0, 1), or None for all"
        )
    return columns


def some(n: int, size: int) -> Array:
    """Return ``size`` of n positions, sorted; random, for a stride may beat with a cycle."""
    if size >= n:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, size, replace=False))


def _coordinate(ds: xr.Dataset, variable: v.Variable, default: float, total: int) -> Floats:
    if variable.name not in ds.variables:
        return np.full(total, default)
    return np.asarray(ds[variable.name].values, dtype=np.float64)


def _name(ds: xr.Dataset, column: int) -> str:
    if "name" in ds.coords and ds["name"].dims == ("feature",):
        return plain(ds["name"].values[column])
    return f"feature {column}"


def _units(ds: xr.Dataset) -> str:
    return str(ds[v.rows.name].attrs.get("units", ""))


def draw_projection(points: dict[str, Any], ax: Axes | None = None, *, dark: bool = False) -> Axes:
    """Draw what :func:`projection_points` describes, once computed.

    ``dark`` picks the colors of the density for a dark background.
    """
    ax = axes(ax)
    rows = np.asarray(points["rows"], dtype=np.float64)
    plane, texts, span, period = flat(rows[np.isfinite(rows).all(axis=1)], points)
    if plane.shape[1] == 1:
        ax.hist(plane[:, 0], bins=_bins(len(plane)), range=span[0], color=BLUE)
        label(ax, texts[0], "samples per bin")
    else:
        _draw_plane(plane, span, ax, dark=dark)
        label(ax, *texts)
        if period[0] == period[1] > 0:
            ax.set_aspect("equal")
    mark_periods(ax, period)
    ax.set_title(said(points), fontsize=FONT - 1, loc="left")
    return ax


class Flat(NamedTuple):
    """(n, 1 or 2) what is drawn of rows, and of each axis its label, its span, its period."""

    plane: Floats
    texts: list[str]
    span: list[tuple[float, float]]
    period: Floats


def flat(rows: Floats, points: dict[str, Any]) -> Flat:
    """Put rows on the axes that :func:`projection_points` describes.

    Parameters
    ----------
    rows
        (n, d) finite rows.
    points
        ``period`` and ``weight`` of their features, ``components``, ``names`` and ``units``.
    """
    period = points["period"]
    if points["components"]:
        plane, share = components(metric_space(rows, period, points["weight"]))
        texts = [f"principal component {i + 1}, {s:.0%} of variance" for i, s in enumerate(share)]
        period = np.zeros(2)
    else:
        plane = np.column_stack([_wrapped(x, p) for x, p in zip(rows.T, period, strict=True)])
        texts = [with_units(name, points) for name in points["names"]]
    span = [_span(x, p) for x, p in zip(plane.T, period, strict=True)]
    return Flat(plane, texts, span, period)


def mark_periods(ax: Axes, period: Floats) -> None:
    """Set the ticks of both axes, those of a period at quarters of a turn."""
    for axis, p in zip((ax.xaxis, ax.yaxis), period, strict=False):
        _period_ticks(axis, p)


def said(points: dict[str, Any]) -> str:
    """Return what was drawn, in words: ``20,000 of 1,000,000 rows``."""
    drawn = len(points["rows"])
    rows = f"{drawn:,} rows" if drawn == points["samples"] else (
        f"{drawn:,} of {points['samples']:,} rows, at random"
    )  # fmt: skip
    return rows + (f"; {points['features']:,} features" if points["components"] else "")


def metric_space(rows: Floats, period: Floats, weight: Floats) -> Floats:
    """Return coordinates in which near distances are those of the metric."""
    scaled = rows * np.sqrt(weight)
    loops = period > 0
    if not loops.any():
        return scaled
    turn = 2 * np.pi / period[loops]
    radius = np.sqrt(weight[loops]) / turn
    angle = rows[:, loops] * turn
    return np.hstack([scaled[:, ~loops], radius * np.cos(angle), radius * np.sin(angle)])


def components(x: Floats) -> tuple[Floats, Floats]:
    """Return the first two principal components (n, 2), and their shares of the variance."""
    center, axes_, share = principal_axes(x)
    return (x - center) @ axes_, share


def principal_axes(x: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the mean (d,), the first two principal axes (d, 2), their shares of the variance.

    From the smaller of the two Gram matrices; the largest component on each axis is positive.
    """
    n, d = x.shape
    center = x.mean(axis=0) if n else np.zeros(d)
    if min(n, d) < 2:
        return center, np.zeros((d, 2)), np.zeros(2)
    x = x - center
    gram = x.T @ x if d <= n else x @ x.T
    size = gram.shape[0]
    value, vector = scipy.linalg.eigh(gram, subset_by_index=[size - 2, size - 1])
    value, vector = np.maximum(value[::-1], 0), vector[:, ::-1]
    if d > n:  # from the left singular vectors to the right ones
        vector = x.T @ (vector / np.sqrt(np.where(value > 0, value, np.inf)))
    plane = x @ vector
    peak = plane[np.abs(plane).argmax(axis=0), [0, 1]]
    total = np.trace(gram)
    share = value / total if total > 0 else np.zeros(2)
    return center, vector * np.where(peak < 0, -1, 1), share


def _wrapped(x: Floats, period: float) -> Floats:
    """Put a periodic feature on [0, P) if it never was negative, else on [-P/2, P/2)."""
    return wrapped(x, period, start_of(x, period))


def wrapped(x: Floats, period: float, start: float) -> Floats:
    """Put a periodic feature on one period from ``start`` on; leave others."""
    return np.asarray((x - start) % period + start) if period > 0 else x


def start_of(x: Floats, period: float) -> float:
    """Return where one period of a feature is drawn from: 0 if it never is negative, or -P/2."""
    return 0.0 if x.size and x.min() >= 0 else -period / 2


def _span(x: Floats, period: float) -> tuple[float, float]:
    if period > 0:
        start = start_of(x, period)
        return start, start + period
    low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 1.0)
    margin = 0.02 * (high - low) or 0.5
    return low - margin, high + margin


def _bins(n: int) -> int:
    return int(np.clip(math.sqrt(n) / 2, 20, 100))


def _draw_plane(plane: Floats, span: list[tuple[float, float]], ax: Axes, *, dark: bool) -> None:
    if len(plane) <= MAX_DOTS:
        ax.plot(*plane.T, "o", color=BLUE, markersize=3, alpha=0.5, markeredgewidth=0)
    else:
        count, x, y = np.histogram2d(plane[:, 0], plane[:, 1], _bins(len(plane)), span)
        mesh = ax.pcolormesh(
            x, y, np.ma.masked_equal(count.T, 0), cmap=DARK if dark else LIGHT,
            norm=LogNorm(1, max(count.max(), 2)), rasterized=True, edgecolors="none",
        )  # fmt: skip
        bar = ax.figure.colorbar(mesh, ax=ax, format=plain_ticks(), shrink=0.8, pad=0.03)
        bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
        bar.ax.minorticks_off()
        bar.ax.tick_params(labelsize=FONT - 1)
        bar.set_label("rows per cell", fontsize=FONT - 1)
        if bar.solids is not None:
            bar.solids.set_rasterized(True)
    ax.set_xlim(span[0])
    ax.set_ylim(span[1])


def _period_ticks(axis: Any, period: float) -> None:
    """Mark quarters of a turn in radians or degrees; keep other axes to a few ticks."""
    low, high = axis.get_view_interval()
    quarters = low + (high - low) * np.arange(5) / 4
    if math.isclose(period, 2 * math.pi, rel_tol=1e-6):
        axis.set_major_locator(FixedLocator(list(quarters)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: _in_pi(value)))
    elif math.isclose(period, 360, rel_tol=1e-6):
        axis.set_major_locator(FixedLocator(list(quarters)))
    else:
        axis.set_major_locator(MaxNLocator(6))


def _in_pi(value: float) -> str:
    names = {-2: f"{MINUS}π", -1: f"{MINUS}π/2", 0: "0", 1: "π/2", 2: "π", 3: "3π/2", 4: "2π"}
    return names.get(round(2 * value / math.pi), f"{value:.3g}")
