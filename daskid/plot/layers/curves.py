"""What layers say one after another: curves over relative depth, and a plane of imbalances."""

import numpy as np
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from daskid import variables as v
from daskid.plot.labels import (
    BLUE,
    FONT,
    GRAY,
    GREEN,
    INK,
    VERMILION,
    axes,
    label,
    legend,
    plain,
    plain_ticks,
)
from daskid.typing import Floats, Ints

DEPTH = "relative depth"
MAX_NETWORKS = 4
"""Networks whose curves are drawn: more can't be told apart."""
STYLES = ("-", "--", ":", "-.")


def networks(ds: xr.Dataset) -> list[tuple[str, Ints]]:
    """Return the networks of a table by name, with the numbers of their layers."""
    names = [str(n).rpartition("/")[0] for n in ds["layer"].values]
    parts = [(w, np.flatnonzero(np.array(names) == w)) for w in dict.fromkeys(names)]
    return parts[:MAX_NETWORKS]


def hunchback(ds: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the intrinsic dimension of layers and of their Gaussian clones against depth.

    Bars are one standard error. A clone has the mean and covariance of its layer and nothing else:
    where the layer lies below, it is curved. Of several networks, at most 4, each has a line
    style. *Computes*, of a small table.

    Parameters
    ----------
    ds
        Table of :func:`daskid.layer_profile`.
    ax
        Drawn into; by default the axes of a new figure.

    Returns
    -------
    The axes.

    Raises
    ------
    SchemaError
        If the dataset is another.
    """
    ax = axes(ax)
    depth, *drawn = compute(*v.read(
        ds, v.profile_depth, v.profile_id, v.profile_id_error, v.profile_clone,
        v.profile_clone_error,
    ))  # fmt: skip
    lines = [("layers", BLUE, *drawn[:2]), ("Gaussian clones", GRAY, *drawn[2:])]
    _curves(ax, ds, depth, lines)
    ax.set_ylim(bottom=0)
    label(ax, DEPTH, "intrinsic dimension (TwoNN)")
    return ax


def overlaps(ds: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the overlap of neighbors with the next layer, the last one, and labels against depth.

    Bars are one standard error. Of labels, which are drawn where they are known, the gray lines are
    the overlap by chance and the largest that the sizes of classes allow. *Computes*.

    Parameters
    ----------
    ds, ax
        As for :func:`hunchback`.

    Returns
    -------
    The axes.

    Raises
    ------
    SchemaError
        If the dataset is another.
    """
    ax = axes(ax)
    (depth,) = compute(*v.read(ds, v.profile_depth))
    kinds = [
        ("next layer", BLUE, v.profile_next, v.profile_next_error),
        ("last layer", VERMILION, v.profile_last, v.profile_last_error),
        ("labels", GREEN, v.profile_label, v.profile_label_error),
    ]
    lines = [
        (words, color, *compute(*v.read(ds, value, error)))
        for words, color, value, error in kinds
        if value.name in ds
    ]
    _curves(ax, ds, depth, lines)
    for bound in (v.profile_label_chance, v.profile_label_ceiling):
        if bound.name in ds:
            level = np.nanmedian(compute(*v.read(ds, bound))[0])
            ax.axhline(level, color=GRAY, linewidth=0.8, linestyle=":", zorder=0)
    ax.set_ylim(0, 1.03)
    label(ax, DEPTH, "overlap of neighbors with")
    return ax


def imbalances(ds: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the information imbalance of each layer and the next, one way against the other.

    Near the origin both say the same; near the lower right the layer says less of the next than
    the next of it, near the upper left more. Numbers are those of layers. *Computes*.

    Parameters
    ----------
    ds, ax
        As for :func:`hunchback`.

    Returns
    -------
    The axes, both logarithmic.

    Raises
    ------
    SchemaError
        If the dataset is another, or has no imbalances.
    """
    ax = axes(ax)
    x, x_error, y, y_error = compute(*v.read(
        ds, v.profile_to_next, v.profile_to_next_error, v.profile_from_next,
        v.profile_from_next_error,
    ))  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    for i in np.flatnonzero(np.isfinite(x) & np.isfinite(y)).tolist():
        low = [min(e, 0.9 * value) for e, value in ((x_error[i], x[i]), (y_error[i], y[i]))]
        ax.errorbar(x[i], y[i], [[low[1]], [y_error[i]]], [[low[0]], [x_error[i]]], fmt="o",
                    color=BLUE, markersize=3.5, linewidth=0.9)  # fmt: skip
        ax.annotate(str(i), (x[i], y[i]), (4, 3), textcoords="offset points", fontsize=FONT - 2,
                    color=INK)  # fmt: skip
    known = np.concatenate([x, y])
    known = known[np.isfinite(known) & (known > 0)]
    if known.size:
        ends = [0.7 * known.min(), 1.4 * known.max()]
        ax.plot(ends, ends, color=GRAY, linewidth=0.8, linestyle=":", zorder=0)
        ax.set(xlim=ends, ylim=ends)
    for axis in (ax.xaxis, ax.yaxis):  # few enough to be told apart
        axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
        axis.set_major_formatter(plain_ticks())
        axis.set_minor_formatter(NullFormatter())
    label(ax, "information imbalance to the next layer", "and back")
    return ax


def _curves(
    ax: Axes, ds: xr.Dataset, depth: Floats, lines: list[tuple[str, str, Floats, Floats]]
) -> None:
    parts = networks(ds)
    for style, (network, which) in zip(STYLES, parts, strict=False):
        for words, color, value, error in lines:
            name = f"{words}, {plain(network)}" if len(parts) > 1 else words
            ax.errorbar(depth[which], value[which], error[which], color=color, linestyle=style,
                        marker="o", markersize=3.5, linewidth=1.2, label=name)  # fmt: skip
    legend(ax)
