"""Peaks of the density in pictures: their tree, their saddles, where they lie, what z leaves."""

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator

from daskid import variables as v
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
    plain,
    with_units,
)
from daskid.typing import Array, Floats, Ints

MAX_DOTS = 4000
MAX_NAMED = 30
"""Peaks that are drawn with a number: more can't be read."""
COLORS = (BLUE, VERMILION, GREEN, "#cc79a7", "#e69f00", "#56b4e9", "#8c6d00", "#5e3c99")
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
    ax.set_xticks(np.arange(order.size)[::step], [str(c) for c in order[::step]])
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
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(10, integer=True))
    label(ax, "peak", "peak")
    return ax


def basins(ds: xr.Dataset, features: tuple[int, int] = (0, 1), ax: Axes | None = None) -> Axes:
    """Draw samples over two features in the color of their peak, and the peaks' numbers.

    Samples in the halo are paler. At most 4,000 samples, drawn at random with a fixed seed, and
    the 30 densest peaks. *Computes*.

    Parameters
    ----------
    ds
        Holds ``rows``, ``peak_label``, ``peak_halo`` and ``peak_sample``.
    features
        Two positions along ``feature``.
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
        If ``features`` are not two positions along ``feature``.
    """
    (points,) = compute(basins_points(ds, features))
    return draw_basins(points, ax)


def basins_points(ds: xr.Dataset, features: tuple[int, int] = (0, 1)) -> dict[str, Any]:
    """Describe what :func:`basins` draws, lazily.

    Returns
    -------
    ``rows`` (s, 2), ``label`` and ``halo`` (s,) of the samples drawn, ``peaks`` (p, 2) and
    how many ``samples`` there are in all; the ``names`` of both features.
    """
    rows, number, halo, sample = v.read(ds, v.rows, v.peak_label, v.peak_halo, v.peak_sample)
    n, total = rows.shape
    if len(set(features)) != 2 or not all(0 <= f < total for f in features):
        raise ValueError(
            f"features: expected two positions from 0 to {total - 1}, got {features}: "
            "pass a pair like (0, 1)"
        )
    chosen = np.arange(n)
    if n > MAX_DOTS:
        chosen = np.sort(np.random.default_rng(0).choice(n, MAX_DOTS, replace=False))
    plane = da.stack([rows[:, f] for f in features], axis=1).rechunk({1: -1})
    return {
        "rows": plane[chosen],
        "label": number[chosen],
        "halo": halo[chosen],
        "peaks": _rows_at(plane, sample[:MAX_NAMED]),
        "samples": n,
        "names": [_name(ds, f) for f in features],
    }


def _rows_at(rows: da.Array, sample: da.Array) -> da.Array:
    """Return rows at a few positions, from whichever chunks hold them: (p, 2)."""
    place = da.arange(rows.shape[0], chunks=(rows.chunks[0],))
    # i: rows, f: features, p: positions
    found = da.blockwise(
        _pick, "ipf", rows, "if", place, "i", sample.rechunk(-1), "p",
        adjust_chunks={"i": 1}, dtype=np.float64, meta=np.empty((0, 0, 0)),
    )  # fmt: skip
    picked: da.Array = found.max(axis=0)
    return picked


def _pick(rows: Array, place: Ints, sample: Ints) -> Floats:
    out = np.full((1, sample.size, rows.shape[1]), -np.inf)
    here = (sample >= place[0]) & (sample <= place[-1])
    out[0, here] = rows[sample[here] - place[0]]
    return out


def _name(ds: xr.Dataset, feature: int) -> str:
    named = "name" in ds.coords and ds["name"].dims == ("feature",)
    name = plain(ds["name"].values[feature]) if named else f"feature {feature}"
    return with_units(name, ds[v.rows.name].attrs)


def draw_basins(points: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw what :func:`basins_points` describes, once computed."""
    ax = axes(ax)
    rows, number, halo = (np.asarray(points[name]) for name in ("rows", "label", "halo"))
    color = np.array(COLORS)[number % len(COLORS)]
    for here, alpha in ((halo, 0.2), (~halo, 0.7)):
        x, y = rows[here].T
        ax.scatter(x, y, c=color[here], s=5, alpha=alpha, linewidths=0, rasterized=True)
    for peak, (x, y) in enumerate(np.asarray(points["peaks"])):
        ax.annotate(
            str(peak), (x, y), ha="center", va="center", fontsize=FONT - 1, color=PAPER,
            bbox={"boxstyle": "circle,pad=0.2", "facecolor": COLORS[peak % len(COLORS)],
                  "edgecolor": PAPER},
        )  # fmt: skip
    label(ax, *points["names"])
    drawn, samples = len(rows), points["samples"]
    few = "" if drawn == samples else f"{drawn:,} of {samples:,} samples, at random; "
    ax.set_title(f"{few}halo paler", fontsize=FONT - 1, loc="left")
    return ax


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
    if number.max(initial=1) > 20 * number.min(initial=1):
        ax.set_yscale("log")
    else:
        ax.set_ylim(bottom=0)
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    if points["used"] is not None:
        used = float(points["used"])
        ax.axvline(used, color=VERMILION, linewidth=1, linestyle="--", label=f"z = {used:.3g}")
        legend(ax, loc="upper right")
    label(ax, "z, errors by which peaks stand out", "peaks")
    return ax
