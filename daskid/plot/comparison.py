"""Layers against layers in pictures: the plane of information imbalances, and their matrix."""

from typing import Any

import numpy as np
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from daskid import variables as v
from daskid.plot.labels import FONT, GRAY, axes, label, plain
from daskid.plot.peaks import BRIGHT, COLORS, DEEP
from daskid.plot.rows import DARK, LIGHT
from daskid.typing import Array

MAX_PAIRS, MAX_NAMED = 300, 12
"""Pairs of layers in the plane, and how many of them are named."""
MAX_LAYERS, WRITTEN, ERRORS = 40, 8, 5
"""Layers of a matrix; so many have numbers in the cells, and so many the errors as well."""
DELTA, ARROW = "\N{GREEK CAPITAL LETTER DELTA}", "\N{RIGHTWARDS ARROW}"
LUMINANCE, HALF = np.array([0.2126, 0.7152, 0.0722]), 0.179
"""Weights of linear red, green and blue, and where black and white stand out alike."""


def imbalance_plane(ds: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw every pair of layers by what either says of the other.

    A point near the origin is a pair that says the same, one on the diagonal (dashed) says as much
    one way as the other, one below it is a pair of which the earlier layer holds the
    later one. Bars are one standard error. At most 300 pairs are drawn, of neighboring layers
    first; up to 12 are named. *Computes*, of small tables.

    Parameters
    ----------
    ds
        Of :func:`daskid.imbalance_plane`, or a table of :func:`daskid.layer_profile`.
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
    >>> import xarray as xr
    >>> from daskid.plot import comparison
    >>> dims, layers = ("layer", "other_layer"), ["input", "output"]
    >>> ds = xr.Dataset(
    ...     {
    ...         "imbalance": (dims, [[0.01, 0.2], [0.6, 0.01]]),
    ...         "imbalance_error": (dims, [[0.0, 0.02], [0.03, 0.0]]),
    ...     },
    ...     coords={"layer": layers, "other_layer": layers},
    ... )
    >>> comparison.imbalance_plane(ds).get_xlabel()
    'Δ(earlier → later)'
    """
    (points,) = compute(imbalance_points(ds))
    return draw_imbalance_plane(points, ax)


def layer_matrix(ds: xr.Dataset, ax: Axes | None = None, *, dark: bool = False) -> Axes:
    r"""Draw the information imbalance from the layer of the row to that of the column.

    Cells are colored, and hold the imbalance and one standard error, of up to 5 layers, or the
    imbalance, of up to 8. *Computes*, of small tables.

    Parameters
    ----------
    ds, ax
        As for :func:`imbalance_plane`.
    dark
        Whether the background is dark: the largest value is the farthest from it.

    Returns
    -------
    The axes; of more than 40 layers, the first ones.

    Raises
    ------
    SchemaError
        If the dataset is another.

    Examples
    --------
    >>> import xarray as xr
    >>> from daskid.plot import comparison
    >>> dims = ("layer", "other_layer")
    >>> values = {"imbalance": (dims, [[0.01, 0.2], [0.6, 0.01]])}
    >>> ds = xr.Dataset({**values, "imbalance_error": (dims, [[0.0, 0.02], [0.03, 0.0]])})
    >>> [text.get_text() for text in comparison.layer_matrix(ds).texts][1]
    '0.20\n±0.02'
    """
    (points,) = compute(imbalance_points(ds))
    return draw_layer_matrix(points, ax, dark=dark)


def imbalance_points(ds: xr.Dataset) -> dict[str, Any]:
    """Describe what both pictures draw, lazily.

    Returns
    -------
    ``value`` and ``error`` (l, l), from the layer of the row to that of the column; the ``names``
    of the layers.
    """
    names = [v.imbalance, v.imbalance_error]
    if v.profile_imbalance.name in ds:
        names = [v.profile_imbalance, v.profile_imbalance_error]
    value, error = v.read(ds, *names)
    layers = ds["layer"].values if "layer" in ds.coords else np.arange(value.shape[0])
    return {"value": value, "error": error, "names": [plain(name, 16) for name in layers]}


def draw_imbalance_plane(points: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the plane of what :func:`imbalance_points` describes, once computed."""
    ax = axes(ax)
    value, error = np.asarray(points["value"]), np.asarray(points["error"])
    first, second = np.triu_indices(len(value), 1)
    order = np.lexsort((first, second - first))[:MAX_PAIRS]
    first, second = first[order], second[order]
    steps = np.unique(second - first)
    for number, step in enumerate(steps):
        a, b = (x[second - first == step] for x in (first, second))
        ax.errorbar(value[a, b], value[b, a], xerr=error[a, b], yerr=error[b, a], fmt="o",
                    markersize=4, elinewidth=1, capsize=2,
                    color=COLORS[min(number, len(COLORS) - 1)])  # fmt: skip
    if first.size <= MAX_NAMED:
        for a, b in zip(first, second, strict=True):
            text = f"{points['names'][a]}, {points['names'][b]}"
            ax.annotate(text, (value[a, b], value[b, a]), (4, 4), textcoords="offset points",
                        fontsize=FONT - 2.5, parse_math=False)  # fmt: skip
    most = 1.05 * max(1.0, float(np.nanmax(value, initial=0.0)))
    ax.plot([0, most], [0, most], "--", color=GRAY, linewidth=1)
    ax.set_xlim(0, most)
    ax.set_ylim(0, most)
    label(ax, f"{DELTA}(earlier {ARROW} later)", f"{DELTA}(later {ARROW} earlier)")
    return ax


def draw_layer_matrix(
    points: dict[str, Any], ax: Axes | None = None, *, dark: bool = False
) -> Axes:
    """Draw the matrix of what :func:`imbalance_points` describes, once computed."""
    ax = axes(ax)
    value, error = (np.asarray(points[n])[:MAX_LAYERS, :MAX_LAYERS] for n in ("value", "error"))
    norm = Normalize(0.0, max(1.0, float(np.nanmax(value, initial=0.0))))
    masked = np.ma.masked_invalid(value)
    image = ax.imshow(masked, cmap=DARK if dark else LIGHT, norm=norm, interpolation="nearest")
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, pad=0.03)
    bar.set_label(f"information imbalance {DELTA}(row {ARROW} column)", fontsize=FONT - 1)
    bar.ax.tick_params(labelsize=FONT - 1)
    if len(value) <= WRITTEN:
        for (i, j), x in np.ndenumerate(value):
            text = "" if np.isnan(x) else f"{x:.2f}"
            text += f"\n±{error[i, j]:.2f}" if text and len(value) <= ERRORS else ""
            ax.text(j, i, text, ha="center", va="center", fontsize=FONT - 2.5,
                    color=_ink(image.cmap(norm(x)), x, dark))  # fmt: skip
    step = -(-len(value) // (WRITTEN + 2)) or 1
    at, names = np.arange(len(value))[::step], points["names"][:MAX_LAYERS:step]
    ax.set_xticks(at, names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(at, names)
    for tick in (*ax.get_xticklabels(), *ax.get_yticklabels()):
        tick.set_parse_math(False)
    label(ax, "to layer", "from layer")
    return ax


def _ink(color: Array | tuple[float, ...], value: float, dark: bool) -> str:
    """Return the color in which a text can be read on its cell: a blank one is the page's."""
    if np.isnan(value):
        return BRIGHT if dark else DEEP
    own = np.asarray(color)[:3]
    linear = np.where(own <= 0.04045, own / 12.92, ((own + 0.055) / 1.055) ** 2.4)
    return DEEP if linear @ LUMINANCE > HALF else BRIGHT
