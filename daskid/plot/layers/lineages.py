"""Density peaks from layer to layer: columns of peaks, bands of the samples they share."""

import itertools

import numpy as np
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from daskid import variables as v
from daskid.plot.labels import BLUE, FONT, GRAY, axes, label, plain
from daskid.typing import Floats, Ints

WIDTH, GAP = 0.12, 0.02
"""Of a column, in distances of layers; between peaks, in shares of the samples."""
MAX_NAMES, NAME = 16, 10
"""Names that are written, and their letters."""


def genealogy(ds: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw how density peaks of layers come of each other. *Computes*, of small tables.

    A column is a layer, a bar in it a peak, as high as its share of the samples; bands are the
    samples that two peaks share, blue where one comes of the other, else gray. Peaks
    are ordered by those that they share samples with.

    Parameters
    ----------
    ds
        Of :func:`daskid.genealogy`.
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
    count, layer, peak, members, linked = compute(*v.read(
        ds, v.layer_peaks, v.lineage_layer, v.lineage_peak, v.lineage_members, v.lineage_linked
    ))  # fmt: skip
    tables = _tables(count, layer, peak, members)
    total = max(int(tables[0].sum()), 1)
    orders = _orders(count, tables)
    tops = [
        _stacked(_sizes(i, count, tables)[order] / total, order) for i, order in enumerate(orders)
    ]
    for i, order in enumerate(orders):
        sizes = _sizes(i, count, tables) / total
        for p in order.tolist():
            ax.add_patch(Rectangle((i - WIDTH / 2, tops[i][p]), WIDTH, sizes[p], color=BLUE))
    is_linked = {(i, a, b) for (i, _), (a, b) in zip(layer[linked].tolist(), peak[linked].tolist(),
                                                     strict=True)}  # fmt: skip
    for i, table in enumerate(tables):
        _bands(ax, i, table / total, orders[i : i + 2], tops[i : i + 2], is_linked)
    _frame(ax, ds, count)
    return ax


def _tables(count: Ints, layer: Ints, peak: Ints, members: Ints) -> list[Ints]:
    """Return the numbers of samples that peaks of a layer and the next share."""
    tables = [np.zeros((int(a), int(b)), np.int64) for a, b in itertools.pairwise(count)]
    for (i, _), (a, b), n in zip(layer.tolist(), peak.tolist(), members.tolist(), strict=True):
        tables[i][a, b] = n
    return tables


def _sizes(i: int, count: Ints, tables: list[Ints]) -> Ints:
    sizes: Ints = tables[i].sum(axis=1) if i < len(tables) else tables[-1].sum(axis=0)
    return sizes


def _orders(count: Ints, tables: list[Ints]) -> list[Ints]:
    """Return the order of the peaks of each layer: by the mean place of whom they share with."""
    orders = [np.arange(int(count[-1]))]
    for table in tables[::-1]:  # the many peaks of late layers first
        orders.insert(0, np.argsort(_middle(table, orders[0]), kind="stable"))
    for i, table in enumerate(tables):
        orders[i + 1] = np.argsort(_middle(table.T, orders[i]), kind="stable")
    return orders


def _middle(table: Ints, order: Ints) -> Floats:
    place = np.empty(order.size)
    place[order] = np.arange(order.size)
    return np.asarray(table @ place / np.maximum(table.sum(axis=1), 1))


def _stacked(sizes: Floats, order: Ints) -> Floats:
    """Return where the bar of each peak begins, bars one above the other about the middle."""
    height = sizes.sum() + GAP * (sizes.size - 1)
    begin = 0.5 - height / 2 + np.concatenate([[0.0], np.cumsum(sizes + GAP)[:-1]])
    out = np.empty(order.size)
    out[order] = begin
    return out


def _bands(
    ax: Axes, i: int, share: Floats, orders: list[Ints], tops: list[Floats],
    linked: set[tuple[int, int, int]],
) -> None:  # fmt: skip
    left, right = tops[0].copy(), tops[1].copy()
    for a in orders[0].tolist():
        for b in orders[1].tolist():
            if share[a, b] > 0:
                own = (i, a, b) in linked
                ends = (left[a], left[a] + share[a, b], right[b], right[b] + share[a, b])
                path = _band(i + WIDTH / 2, i + 1 - WIDTH / 2, *ends)
                ax.add_patch(PathPatch(path, facecolor=BLUE if own else GRAY, linewidth=0,
                                       alpha=0.35 if own else 0.2))  # fmt: skip
                left[a] += share[a, b]
                right[b] += share[a, b]


def _band(x: float, y: float, low: float, high: float, below: float, above: float) -> Path:
    middle = 0.5 * (x + y)
    points = [
        (x, low), (middle, low), (middle, below), (y, below),
        (y, above), (middle, above), (middle, high), (x, high), (x, low),
    ]  # fmt: skip
    curve = [Path.CURVE4] * 3
    return Path(points, [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY])


def _frame(ax: Axes, ds: xr.Dataset, count: Ints) -> None:
    names = ds["layer"].values if "layer" in ds.coords else np.arange(count.size)
    step = -(-count.size // MAX_NAMES)
    at = np.arange(count.size)[::step]
    words = [f"{_short(str(names[i]))}\n{count[i]}" for i in at]
    ax.set_xticks(at, words, fontsize=FONT - 2, parse_math=False)
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    most = 0.5 + 0.5 * GAP * max(int(count.max(initial=1)) - 1, 0)
    ax.set(xlim=(-0.3, count.size - 0.7), ylim=(0.48 - most, 0.52 + most))
    label(ax, "layer, and its number of density peaks", "")


def _short(name: str) -> str:
    """Return a name without the modules that it is in, as far as it is too long."""
    while len(name) > NAME and "." in name:
        name = name.partition(".")[2]
    return plain(name, NAME)
