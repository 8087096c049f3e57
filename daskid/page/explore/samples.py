"""The samples on a plane: their density as pixels, some one by one, peaks and saddles."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from bokeh.models import BoxSelectTool, ColumnDataSource, LinearColorMapper, Range1d
from bokeh.plotting import figure
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_hex

from daskid import variables as v
from daskid.page.explore.axes import empty, hover, themed
from daskid.page.explore.points import PEAK, SADDLE, SAMPLE, kept
from daskid.page.explore.raster import SHADES, shades, spans
from daskid.page.facts import Facts
from daskid.page.numbers import number
from daskid.page.results import has, heights
from daskid.page.text import one_line
from daskid.plot.labels import MINUS, VERMILION, with_units
from daskid.plot.peaks import BRIGHT, COLORS, DEEP, apart
from daskid.plot.rows import DARK, LIGHT, start_of
from daskid.typing import Array, Floats, Ints

GRAYS = LinearSegmentedColormap.from_list("grays", ["#c9ced4", "#80868c", "#33373b"])
NEAR = 1e-4
"""Share of the span of a column by which numbers of 4 bytes may be off."""
WIDEST = 60  # characters of a text from the data


def plane(facts: Facts) -> figure:
    """Return the figure of the samples."""
    points = facts.pictures["explore"]
    there = kept(points)
    at, chosen = np.asarray(points["plane"])[there], np.asarray(points["chosen"])[there]
    span = _spans(points, at)
    plot = empty("plane", *labels(points), x_range=Range1d(*span[0]), y_range=Range1d(*span[1]))
    if points["count"] is not None:
        _pixels(plot, points)
    columns = {name: values[there] for name, values in identities(facts).items()}
    columns |= {"x": at[:, 0].astype("f4"), "y": at[:, 1].astype("f4")}
    of = {kind: chosen[:, 1] == kind for kind in (SAMPLE, PEAK, SADDLE)}
    few = points["count"] is None
    _dots(plot, {name: x[of[SAMPLE]] for name, x in columns.items()}, few=few)
    if of[SADDLE].any():
        own = {name: x[of[SADDLE]] for name, x in columns.items()}
        _saddles(plot, own, facts.values[v.saddle_peak.name].values[chosen[of[SADDLE], 2]])
    if of[PEAK].any():
        own = {name: x[of[PEAK]] for name, x in columns.items()}
        _peaks(plot, facts, own, chosen[of[PEAK], 2], span)
    return plot


def labels(points: Mapping[str, Any]) -> tuple[str, str]:
    """Return the labels of both axes."""
    if points["components"]:
        share = np.asarray(points["fitted"])[0]
        one, two = (f"principal component {i + 1}, {s:.0%} of variance" for i, s in
                    enumerate(share))  # fmt: skip
        return one, two
    names = [with_units(name, points) for name in points["names"]]
    return (names[0], names[1]) if len(names) > 1 else (names[0], "log density")


def _spans(points: Mapping[str, Any], at: Floats) -> list[tuple[float, float]]:
    """Return what the axes span: a period, or all samples and a little more."""
    count = points["count"]
    known = at if count is None else np.asarray(points["bound"])
    period = np.zeros(2) if points["components"] else np.resize([*points["period"], 0.0], 2)
    span = []
    for x, p in zip(known.T, period, strict=True):
        low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 1.0)
        margin = 0.03 * (high - low) or 0.5
        start = start_of(x, p)
        span.append((start, start + float(p)) if p > 0 else (low - margin, high + margin))
    return span


def identities(facts: Facts) -> dict[str, Array]:
    """Return, of what is drawn of samples, what hovering and lists say, by column."""
    points = facts.pictures["explore"]
    chosen = np.asarray(points["chosen"])
    found: dict[str, Array] = {"id": chosen[:, 0]}
    there = kept(points)
    if v.row.name in points:
        row = np.asarray(points[v.row.name])
        if not np.array_equal(row[there], chosen[there, 0]):
            found["row"] = row
    for variable in (v.time, v.trajectory):
        if (
            variable.name in points
            and len({*np.asarray(points[variable.name])[there].tolist()}) > 1
        ):
            units = one_line(facts.ds[variable.name].attrs.get("units", ""), 20)
            found[variable.name] = _texts(np.asarray(points[variable.name]), units)
    if "level" in points:
        value, error = np.asarray(points["level"]).T
        found["level"] = np.array(
            [f"{x:.2f} ± {e:.2f}".replace("-", MINUS) for x, e in zip(value, error, strict=True)],
            dtype=object,
        )
        found["density"] = value.astype("f4")
    if "state" in points:
        label, halo = np.nan_to_num(np.asarray(points["state"]), neginf=-1).T
        found["peak"] = label.astype(np.int64)
        found["halo"] = np.where(halo > 0, "halo", "core").astype(object)
    return found


def _texts(values: Array, units: str) -> Array:
    if values.dtype.kind in "iuf":
        tail = f" {units}" if units not in ("", "1") else ""
        digits = np.finfo(values.dtype).precision if values.dtype.kind == "f" else 0
        texts = [(f"{x:.{digits}g}" if digits else str(x)) + tail for x in values.tolist()]
    else:
        texts = [one_line(x, WIDEST) for x in values.tolist()]
    if values.dtype.kind in "mM":
        parts = (str(x).partition(".") for x in values)
        texts = [whole + (dot + part.rstrip("0")).rstrip(".") for whole, dot, part in parts]
    return np.array(texts, dtype=object)


def _pixels(plot: figure, points: Mapping[str, Any]) -> None:
    low, high = spans(np.asarray(points["bound"]))
    if not np.isfinite([low, high]).all():
        return
    # gray where dots have the colors of peaks
    maps = (GRAYS, GRAYS.reversed()) if "state" in points else (LIGHT, DARK)
    light, dark = (["#00000000", *palette(m, SHADES)] for m in maps)
    mapper = LinearColorMapper(palette=light, low=0, high=SHADES)
    themed(mapper, palette={"light": light, "dark": dark})
    plot.image(
        image=[shades(np.asarray(points["count"]))], x=low[0], y=low[1], dw=high[0] - low[0],
        dh=high[1] - low[1], color_mapper=mapper, level="image",
    )  # fmt: skip


def palette(colors: Colormap, size: int) -> list[str]:
    """Return so many colors of a map."""
    return [to_hex(colors(i / (size - 1))) for i in range(size)]


def _dots(plot: figure, columns: dict[str, Array], *, few: bool) -> None:
    known = "peak" in columns
    if known:
        columns["color"] = np.array(COLORS, dtype=object)[columns["peak"] % len(COLORS)]
    dots = plot.scatter(
        "x", "y", source=ColumnDataSource(_plain(columns), name="samples"), size=5 if few else 3,
        color="color" if known else VERMILION, line_color=None, fill_alpha=0.6 if few else 0.45,
        selection_fill_alpha=0.9, nonselection_fill_alpha=0.05,
    )  # fmt: skip
    dots.selection_glyph.size = 7 if few else 5
    hover(plot, dots, *_said(columns))
    plot.select_one(BoxSelectTool).renderers = [dots]  # a box is of samples, not of their peaks


def _said(columns: Mapping[str, Array]) -> list[tuple[str, str]]:
    every = [("sample", "id"), ("row", "row"), ("time", "time"), ("trajectory", "trajectory"),
             ("peak", "peak"), ("in its", "halo"), ("log density", "level")]  # fmt: skip
    return [(words, column) for words, column in every if column in columns]


def _plain(columns: Mapping[str, Array]) -> dict[str, Any]:
    """Return columns as Bokeh sends them in few bytes: numbers of 4 if they do, lists of texts."""
    return {
        name: x.tolist() if x.dtype.kind not in "iuf" else x.astype(_small(x))
        for name, x in columns.items()
    }


def _small(x: Array) -> Any:
    if x.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            away = np.abs(x.astype(np.float32) - x)
        span = np.ptp(x[np.isfinite(x)]) if np.isfinite(x).any() else 0.0
        return np.float32 if np.nanmax(away, initial=0.0) <= NEAR * span else np.float64
    return np.int32 if np.abs(x).max(initial=0) < 2**31 else np.float64


def _saddles(plot: figure, columns: dict[str, Array], pair: Ints) -> None:
    columns |= {"a": pair[:, 0], "b": pair[:, 1]}
    marks = plot.scatter(
        "x", "y", source=ColumnDataSource(_plain(columns), name="saddles"), marker="diamond",
        size=12, fill_color=BRIGHT, line_color=DEEP, nonselection_fill_alpha=0.6,
        nonselection_line_alpha=0.6,
    )  # fmt: skip
    lines = [one for one in _said(columns) if one[1] not in ("peak", "halo")]
    hover(plot, marks, ("at the saddle between peaks", "a"), ("and", "b"), *lines)


def _peaks(
    plot: figure, facts: Facts, columns: dict[str, Array], numbers: Ints,
    span: list[tuple[float, float]],
) -> None:  # fmt: skip
    order = np.argsort(numbers)
    numbers, columns = numbers[order], {name: x[order] for name, x in columns.items()}
    named = apart(np.column_stack([columns["x"], columns["y"]]), span)
    size = facts.values[v.peak_size.name].values[numbers]
    columns |= {
        "number": numbers,
        "name": np.array([str(c) if i in named else "" for i, c in enumerate(numbers)], object),
        "count": np.array([f"{n:,}" for n in size], dtype=object),
        "size": size,
        "diameter": np.array([18.0 if i in named else 9.0 for i in range(len(numbers))]),
        "edge": np.array(COLORS, dtype=object)[numbers % len(COLORS)],
        "height": np.array(_heights(facts, numbers), dtype=object),
    }
    source = ColumnDataSource(_plain(columns), name="peaks")
    marks = plot.scatter(
        "x", "y", source=source, size="diameter", fill_color=DEEP, line_color="edge", line_width=2,
        nonselection_fill_alpha=0.5, nonselection_line_alpha=0.5,
    )  # fmt: skip
    plot.text("x", "y", "name", source=source, text_color=BRIGHT, text_align="center",
              text_baseline="middle", text_font_size="11px")  # fmt: skip
    lines = [one for one in _said(columns) if one[1] not in ("peak", "halo", "level")]
    hover(plot, marks, ("peak", "number"), ("samples", "count"), ("log density", "height"), *lines)


def _heights(facts: Facts, numbers: Ints) -> list[str]:
    if not has(facts, v.peak_log_density, v.peak_log_density_error):
        return ["not known"] * len(numbers)
    known = {int(r.quantity.rpartition(" ")[2]): r for r in heights(facts)}
    return [
        f"{number(known[c].value)} ± {number(known[c].error, 2)}" if c in known else "not known"
        for c in numbers.tolist()
    ]
