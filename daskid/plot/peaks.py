"""Peaks of the density in pictures: their tree, their saddles, where they lie, what z leaves."""

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import LogLocator, MaxNLocator

from daskid import variables as v
from daskid.blockwise.gather import rows_at
from daskid.plot.labels import (
    BLUE,
    FONT,
    GRAY,
    GREEN,
    INK,
    PAPER,
    VERMILION,
    axes,
    label,
    legend,
    plain_ticks,
)
from daskid.plot.rows import MAX_VALUES, MIN_ROWS, flat, mark_periods, plane_points
from daskid.typing import Floats, Ints

MAX_DOTS = 4000
MAX_NAMED = 30
"""Peaks that are drawn with a number: more can't be read."""
MAX_TICKS = 10
"""Numbers along an axis of the matrix."""
CROWD = 12
"""Of more peaks than this the numbers below the tree are turned."""
MAX_NUMBERED = 12
"""Peaks among the samples that are drawn with a number; the others are dots."""
BADGE = 0.07
"""How close two numbers may be, in parts of an axis."""
COLORS = (BLUE, VERMILION, GREEN, "#cc79a7", "#e69f00", "#56b4e9", "#8c6d00", "#5e3c99")
BRIGHT, DEEP = "#fefefe", "#010101"
"""Of numbers on disks: the same on light and dark pages, unlike ink and paper."""
MAP = LinearSegmentedColormap.from_list("log density", ["#d7e6f2", "#0072b2", "#06283f"])

_TREE = (
    v.peak_log_density, v.peak_log_density_error, v.merge_peak, v.merge_log_density,
    v.merge_log_density_error,
)  # fmt: skip
_MATRIX = (v.peak_log_density, v.saddle_peak, v.saddle_log_density)
_COUNTS = (v.surviving_peaks,)


def tree(ds: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the merge tree: peaks at their log density, joined at their saddles.

    Bars are the errors of peaks and saddles; the support of :func:`daskid.significance`, if it
    is there, stands at the merges in percent. Parts that no saddle connects stand side by side.
    *Computes*, of small tables.

    Parameters
    ----------
    ds
        Holds ``peak_*`` and ``merge_*`` of :func:`daskid.peaks`.
    ax
        Drawn into; by default the axes of a new figure.

    Returns
    -------
    The axes.

    Raises
    ------
    SchemaError
        If there are no peaks.

    Examples
    --------
    >>> import xarray as xr
    >>> from daskid.plot import peaks
    >>> ds = xr.Dataset(
    ...     {
    ...         "peak_log_density": ("peak", [5.0, 4.0, 3.0]),
    ...         "peak_log_density_error": ("peak", [0.1, 0.1, 0.2]),
    ...         "merge_peak": (("merge", "side"), [[1, 2], [0, 1]]),
    ...         "merge_log_density": ("merge", [2.0, 1.0]),
    ...         "merge_log_density_error": ("merge", [0.3, 0.3]),
    ...     }
    ... )
    >>> peaks.tree(ds).get_xlabel()
    'peak'
    """
    (points,) = compute(tree_points(ds))
    return draw_tree(points, ax)


def tree_points(ds: xr.Dataset) -> dict[str, Any]:
    """Describe what :func:`tree` draws, lazily: tables by name, ``merge_support`` or None."""
    points: dict[str, Any] = {x.name: v.read(ds, x)[0] for x in _TREE}
    support = v.merge_support
    points[support.name] = v.read(ds, support)[0] if support.name in ds.variables else None
    return points


def draw_tree(points: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw what :func:`tree_points` describes, once computed."""
    ax = axes(ax)
    peak, error, joined, level, spread = (np.asarray(points[x.name]) for x in _TREE)
    support = points[v.merge_support.name]
    order = leaves(joined, peak.size)
    place = np.empty(peak.size)
    place[order] = np.arange(peak.size)
    x, top = place.copy(), peak.astype(np.float64).copy()
    for m, (a, b) in enumerate(joined.tolist()):
        ax.plot([x[a], x[a], x[b], x[b]], [top[a], level[m], level[m], top[b]], "-", color=INK,
                linewidth=1.2)  # fmt: skip
        middle = 0.5 * (x[a] + x[b])
        ax.errorbar(middle, level[m], spread[m], color=GRAY, linestyle="none", capsize=2)
        if support is not None:
            ax.annotate(f"{support[m]:.0%}", (middle, level[m]), (4, 3), fontsize=FONT - 2,
                        textcoords="offset points", color=GRAY)  # fmt: skip
        x[a], top[a] = middle, level[m]
    ax.errorbar(place, peak, error, color=BLUE, marker="o", markersize=5, linestyle="none",
                elinewidth=1, capsize=2)  # fmt: skip
    _name_leaves(ax, order)
    label(ax, "peak", "log density")
    return ax


def leaves(joined: Ints, peaks: int) -> Ints:
    """Return peaks from left to right, so that no two branches cross: (peaks,)."""
    below = [[c] for c in range(peaks)]
    roots = set(range(peaks))
    for a, b in joined.tolist():
        below[a] += below[b]
        roots.discard(b)
    return np.array([c for root in sorted(roots) for c in below[root]], dtype=np.int64)


def _name_leaves(ax: Axes, order: Ints) -> None:
    step = -(-order.size // MAX_NAMED) or 1
    crowd = order.size > CROWD
    ax.set_xticks(np.arange(order.size)[::step], [str(c) for c in order[::step]],
                  rotation=90 if crowd else 0, fontsize=FONT - (2 if crowd else 1))  # fmt: skip
    ax.set_xlim(-0.6, order.size - 0.4)


def topography(ds: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the log densities of saddles between peaks, and of peaks on the diagonal.

    Pairs that do not touch are left blank. *Computes*, of small tables.

    Parameters, what is returned and what is raised are those of :func:`tree`.
    """
    (points,) = compute(topography_points(ds))
    return draw_topography(points, ax)


def topography_points(ds: xr.Dataset) -> dict[str, Any]:
    """Describe what :func:`topography` draws, lazily: its tables by name."""
    return {x.name: v.read(ds, x)[0] for x in _MATRIX}


def draw_topography(points: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw what :func:`topography_points` describes, once computed."""
    ax = axes(ax)
    peak, pair, level = (np.asarray(points[x.name]) for x in _MATRIX)
    matrix = np.full((peak.size, peak.size), np.nan)
    np.fill_diagonal(matrix, peak)
    matrix[pair[:, 0], pair[:, 1]] = matrix[pair[:, 1], pair[:, 0]] = level
    image = ax.imshow(np.ma.masked_invalid(matrix), cmap=MAP, interpolation="nearest")
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, pad=0.03)
    bar.set_label("log density", fontsize=FONT - 1)
    bar.ax.tick_params(labelsize=FONT - 1)
    ticks = np.arange(peak.size)[:: -(-peak.size // MAX_TICKS) or 1]
    ax.set_xticks(ticks)
    ax.set_yticks(ticks)
    label(ax, "peak", "peak")
    return ax


def basins(ds: xr.Dataset, features: tuple[int, int] | None = None, ax: Axes | None = None) -> Axes:
    """Draw samples on a plane in the color of their peak, and the peaks' numbers.

    Samples in the halo are paler. At most 4,000 samples, drawn at random with a fixed seed; the
    30 densest peaks are marked, and the 12 densest that do not hide each other are numbered.
    *Computes*.

    Parameters
    ----------
    ds
        Holds ``rows``, ``peak_label``, ``peak_halo`` and ``peak_sample``.
    features
        Two positions along ``feature``. By default, and an axis of a periodic feature, as in
        :func:`daskid.plot.rows.projection`.
    ax
        Drawn into; by default the axes of a new figure.

    Returns
    -------
    The axes.

    Raises
    ------
    SchemaError
        If a variable is missing.
    ValueError
        If ``features`` are not two positions along ``feature``, or there are not two of them.
    """
    (points,) = compute(basins_points(ds, features))
    return draw_basins(points, ax)


def basins_points(ds: xr.Dataset, features: tuple[int, int] | None = None) -> dict[str, Any]:
    """Describe what :func:`basins` draws, lazily.

    Returns
    -------
    ``rows`` (s, d), ``label`` and ``halo`` (s,) of the samples drawn, ``peaks`` (p, d) and
    how many there are of both in all, ``samples`` and ``peak_count``; and what
    :func:`daskid.plot.rows.projection_points` returns of the features.
    """
    number, halo, sample = v.read(ds, v.peak_label, v.peak_halo, v.peak_sample)
    (rows,) = v.read(ds, v.rows)
    columns, axes_of = plane_points(ds, features)
    if len(columns) < 2 or (features is not None and features[0] == features[1]):
        raise ValueError(
            f"features: expected two positions from 0 to {rows.shape[1] - 1}, got {features}: "
            "pass a pair like (0, 1)"
        )
    few = MAX_DOTS
    if axes_of["components"]:
        few = max(MIN_ROWS, min(MAX_DOTS, MAX_VALUES // rows.shape[1]))
    chosen = np.arange(rows.shape[0])
    if chosen.size > few:
        chosen = np.sort(np.random.default_rng(0).choice(chosen.size, few, replace=False))
    plane = rows if axes_of["components"] else da.stack([rows[:, f] for f in columns], axis=1)
    plane = plane.rechunk({1: -1})
    return axes_of | {
        "rows": plane[chosen],
        "label": number[chosen],
        "halo": halo[chosen],
        "peaks": rows_at(plane, sample[:MAX_NAMED]),
        "peak_count": sample.shape[0],
    }


def draw_basins(points: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw what :func:`basins_points` describes, once computed."""
    ax = axes(ax)
    rows, number, halo = (np.asarray(points[name]) for name in ("rows", "label", "halo"))
    drawn = flat(np.vstack([rows, points["peaks"]]).astype(np.float64), points)
    plane, tops = drawn.plane[: len(rows)], drawn.plane[len(rows) :]
    color = np.array(COLORS)[number % len(COLORS)]
    for here, alpha in ((halo, 0.2), (~halo, 0.7)):
        x, y = plane[here].T
        ax.scatter(x, y, c=color[here], s=5, alpha=alpha, linewidths=0, rasterized=True)
    named = apart(tops, drawn.span)
    for peak, at in enumerate(tops):
        face = COLORS[peak % len(COLORS)]
        if peak not in named:
            ax.plot(*at, "o", color=face, markersize=4.5, markeredgecolor=PAPER,
                    markeredgewidth=0.8)  # fmt: skip
            continue
        ax.annotate(
            str(peak), at, ha="center", va="center", fontsize=FONT - 1, color=BRIGHT,
            bbox={"boxstyle": "circle,pad=0.2", "facecolor": DEEP, "edgecolor": face},
        )  # fmt: skip
    ax.set_xlim(drawn.span[0])
    ax.set_ylim(drawn.span[1])
    mark_periods(ax, drawn.period)
    label(ax, *drawn.texts)
    ax.set_title(_shown(points, len(named)), fontsize=FONT - 1, loc="left")
    return ax


def numbered(points: dict[str, Any]) -> list[int]:
    """Return the peaks that :func:`draw_basins` numbers."""
    both = np.vstack([points["rows"], points["peaks"]]).astype(np.float64)
    drawn = flat(both, points)
    return apart(drawn.plane[len(points["rows"]) :], drawn.span)


def apart(tops: Floats, span: list[tuple[float, float]]) -> list[int]:
    """Return the densest peaks whose numbers do not hide each other, at most 12."""
    width = np.array([high - low for low, high in span])
    kept: list[int] = []
    for peak, at in enumerate(tops / width):
        if len(kept) < MAX_NUMBERED and all(
            np.hypot(*(at - tops[other] / width)) > BADGE for other in kept
        ):
            kept.append(peak)
    return kept


def _shown(points: dict[str, Any], named: int) -> str:
    drawn, samples, count = len(points["rows"]), points["samples"], points["peak_count"]
    few = "" if drawn == samples else f"{drawn:,} of {samples:,} samples, at random; "
    some = "" if named == count else f"; {named} of {count:,} peaks numbered"
    if few and some:  # too much for a line
        few = few.replace("; ", "\n")
    return f"{few}halo paler{some}"


def persistence(ds: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw how many peaks survive against z; plateaus do not hang on its choice.

    The ``z`` of the peaks of the dataset, if it has some, is marked. *Computes*, of small
    tables.

    Parameters
    ----------
    ds
        Holds ``surviving_peaks`` of :func:`daskid.persistence`.
    ax
        Drawn into; by default the axes of a new figure.

    Returns
    -------
    The axes.

    Raises
    ------
    SchemaError
        If ``persistence`` has not been run.
    """
    (points,) = compute(persistence_points(ds))
    return draw_persistence(points, ax)


def persistence_points(ds: xr.Dataset) -> dict[str, Any]:
    """Describe what :func:`persistence` draws, lazily: ``z``, ``peaks``, and the z ``used``."""
    (number,) = v.read(ds, *_COUNTS)
    used = v.read(ds, v.peak_z)[0] if v.peak_z.name in ds.variables else None
    return {"z": np.asarray(ds["threshold"].values), "peaks": number, "used": used}


def draw_persistence(points: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw what :func:`persistence_points` describes, once computed."""
    ax = axes(ax)
    z, number = np.asarray(points["z"]), np.asarray(points["peaks"])
    ax.step(z, number, where="post", color=BLUE, linewidth=1.5)
    if number.size and number.max() > 20 * max(int(number.min()), 1):
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
        ax.yaxis.set_major_formatter(plain_ticks())
        ax.minorticks_off()
    else:
        ax.set_ylim(bottom=0)
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    if points["used"] is not None:
        used = float(points["used"])
        ax.axvline(used, color=VERMILION, linewidth=1, linestyle="--", label=f"z = {used:.3g}")
        legend(ax, loc="upper right")
    label(ax, "z, errors by which peaks stand out", "peaks")
    return ax
