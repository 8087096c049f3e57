"""Figures of a page: matplotlib axes as SVG inside the page, in the colors of the page.

The text stays text, the background stays clear, and every color becomes a
variable of the style sheet, so that one drawing serves light, dark and paper.
A density is an image and cannot change its colors: it is drawn twice.
"""

import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import matplotlib
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from daskid import plot
from daskid import variables as v
from daskid.page.facts import Facts
from daskid.page.numbers import count, number
from daskid.page.text import escape
from daskid.plot import labels

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
COLORS = {
    labels.INK: "currentColor",
    labels.PAPER: "var(--paper)",
    labels.RULE: "var(--rule)",
    labels.BLUE: "var(--blue)",
    labels.VERMILION: "var(--vermilion)",
    labels.GREEN: "var(--green)",
    labels.GRAY: "var(--gray)",
}
PICTURES = {
    "projection": ((v.rows,), plot.rows.projection_points),
    "twonn_fit": (
        (v.neighbor_distance, v.id_twonn),
        plot.dimension.twonn_points,
    ),
}


def describe(ds: xr.Dataset) -> dict[str, Any]:
    """Return, lazily, what the pictures that this run allows will draw."""
    return {
        name: points(ds)
        for name, (needs, points) in PICTURES.items()
        if all(variable.name in ds.variables for variable in needs) and _enough(ds, name)
    }


def _enough(ds: xr.Dataset, name: str) -> bool:
    return name != "twonn_fit" or ds.sizes["neighbor"] > 1


def projection(facts: Facts) -> str:
    """Return the picture of the data, or nothing."""
    points = facts.pictures.get("projection")
    if points is None:
        return ""
    alt = f"{_plane(points)} {plot.rows.said(points)}."
    caption = f"{alt} {_turns(points)}".strip()
    drawings = twice(lambda dark: plot.rows.draw_projection(points, dark=dark), "rows", alt)
    kind = "" if points["features"] == 1 else "plane"
    return figure(drawings, caption, kind)


def twice(draw: Callable[[bool], Axes], name: str, alt: str) -> str:
    """Return a drawing for light and one for dark pages, of which either shows one."""
    return "".join(
        f'<div class="only-{scheme}">{svg(draw(scheme == "dark"), f"{name}-{scheme}", alt)}</div>'
        for scheme in ("light", "dark")
    )


def _plane(points: dict[str, Any]) -> str:
    if points["components"]:
        return "The samples on their first two principal components:"
    return f"The samples by {' and '.join(points['names'])}:"


def _turns(points: dict[str, Any]) -> str:
    if not points["period"].any():
        return ""
    if points["components"]:
        return "A periodic feature enters as a circle of that circumference."
    return "An axis with a period spans it once."


def twonn_fit(facts: Facts) -> str:
    """Return the TwoNN fit, or nothing."""
    points = facts.pictures.get("twonn_fit")
    if points is None:
        return ""
    d, n = float(points["dimension"]), int(points["locations"])
    shown = int((points["curve"][:, 0] >= 0).sum())
    some = "all" if shown >= n - 1 else f"{shown:,} of them drawn"
    line = f"a line through the origin of slope {number(d)}, the dimension" if d > 0 else (
        "no line, for there is no dimension"
    )  # fmt: skip
    alt = (
        "TwoNN fit: the distribution of the ratio of the first two distances, "
        f"for {count(n, 'location')}, {some}, and {line}."
    )
    caption = (
        f"{alt} Where density is constant up to the second neighbor, as the method assumes, "
        "the points lie on the line."
    )
    return figure(svg(plot.dimension.draw_twonn_fit(points), "twonn", alt), caption)


def dimension_scale(facts: Facts) -> str:
    """Return the dimension against scale, or nothing."""
    needs = (v.id_gride, v.id_gride_error, v.id_gride_radius)
    if any(variable.name not in facts.values for variable in needs):
        return ""
    d = facts.values[v.id_gride.name].values
    radius = facts.values[v.id_gride_radius.name].values
    alt = "Intrinsic dimension against scale (Gride): " + "; ".join(
        f"{number(y)} at {number(x)}" for x, y in zip(radius, d, strict=True)
    )
    caption = "Intrinsic dimension against the scale at which it is read. Bars: one standard error."
    if plot.dimension.too_small(facts.values).any():
        caption += " Hollow: the error treats samples as independent and is too small."
    return figure(svg(plot.dimension.dimension_scale(facts.values), "scale", alt + "."), caption)


def dimension_window(facts: Facts) -> str:
    """Return the dimension against the window, or nothing."""
    if v.id_window.name not in facts.values or v.id_window_error.name not in facts.values:
        return ""
    values = facts.values[v.id_window.name]
    alt = "Intrinsic dimension against the window: " + "; ".join(
        f"{number(d)} at {count(int(w), 'frame')}"
        for w, d in zip(values["window"].values, values.values, strict=True)
    )
    caption = (
        "Intrinsic dimension against the window: how many frames before and after a sample, and "
        "its first neighbor, are no neighbors. Bars: one standard error."
    )
    # what the stored neighbors are is written on them
    holder = {n: facts.ds[n] for n in (v.neighbor_distance.name,) if n in facts.ds}
    ax = plot.dimension.dimension_window(facts.values.assign(holder))
    if plot.dimension.has_plain(ax):
        caption += " Diamond: plain TwoNN, with a window around the sample only."
    return figure(svg(ax, "window", alt + "."), caption)


def dimension_blocks(facts: Facts) -> str:
    """Return the dimension against the number of samples, or nothing."""
    needs = (v.id_blocks, v.id_blocks_error, v.id_blocks_spread)
    if any(variable.name not in facts.values for variable in needs):
        return ""
    values = facts.values[v.id_blocks.name]
    if values.size < 2:
        return ""
    alt = "Intrinsic dimension against the number of samples in a block: " + "; ".join(
        f"{number(d)} for {int(n):,}"
        for n, d in zip(values["block_size"].values, values.values, strict=True)
    )
    caption = (
        "Intrinsic dimension against the number of samples in a block. Bars: one standard error "
        "of the mean of the blocks; shaded: one standard deviation between blocks."
    )
    return figure(svg(plot.dimension.dimension_blocks(facts.values), "blocks", alt + "."), caption)


def figure(drawing: str, caption: str, kind: str = "") -> str:
    """Return a figure with its caption; ``caption`` is plain text.

    ``kind`` names the interactive figure that takes its place on a screen: plane, tree, matrix.
    """
    start = f'<figure class="of-{kind}">' if kind else "<figure>"
    return f"{start}{drawing}<figcaption>{escape(caption)}</figcaption></figure>"


def svg(ax: Axes, name: str, alt: str) -> str:
    """Return the figure of ``ax`` as an SVG element; ``name`` makes its ids its own."""
    assert isinstance(ax.figure, Figure)
    buffer = io.StringIO()
    style: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": name}
    with matplotlib.rc_context(style), warnings.catch_warnings():
        # names may be in a script that matplotlib's font lacks; the browser has the glyphs
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        ax.figure.savefig(buffer, format="svg", transparent=True, dpi=200)
    root = ET.fromstring(buffer.getvalue())
    for element in list(root):
        if element.tag.endswith(("metadata", "style")) or _is_style(element):
            root.remove(element)
    for element in root.iter():
        _restyle(element.attrib, name)
    root.attrib.pop("width", None)
    root.attrib.pop("height", None)
    root.attrib |= {"role": "img", "aria-label": alt, "class": "drawing"}
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    return ET.tostring(root, encoding="unicode")


def _is_style(element: ET.Element) -> bool:
    return element.tag.endswith("defs") and any(e.tag.endswith("style") for e in element)


def _restyle(attributes: dict[str, str], name: str) -> None:
    """Give ids a prefix, colors their variable, coordinates two decimals. In place."""
    for key, value in attributes.items():
        if key == "id":
            attributes[key] = f"{name}-{value}"
        elif key.endswith("href") and value.startswith("#"):
            attributes[key] = f"#{name}-{value[1:]}"
        elif key == "clip-path":
            attributes[key] = value.replace("url(#", f"url(#{name}-")
        elif key in ("style", "fill", "stroke"):
            attributes[key] = re.sub("#[0-9a-f]{6}", _color, value)
        elif key in ("d", "x", "y"):
            attributes[key] = re.sub(r"-?\d+\.\d{3,}", _round, value)


def _color(match: re.Match[str]) -> str:
    return COLORS.get(match[0], match[0])


def _round(match: re.Match[str]) -> str:
    return f"{float(match[0]):.2f}"
