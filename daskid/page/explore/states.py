"""The states: the disconnectivity graph, and the saddles between peaks as a matrix."""

import numpy as np
from bokeh.models import ColumnDataSource, FixedTicker, LinearColorMapper, Range1d
from bokeh.plotting import figure

from daskid import variables as v
from daskid.page.explore.axes import empty, hover, themed
from daskid.page.explore.samples import palette
from daskid.page.facts import Facts
from daskid.page.numbers import plus_minus
from daskid.page.relief import small_tables
from daskid.page.results import has, largest
from daskid.plot.labels import MINUS, VERMILION
from daskid.plot.landscape.tree import SMALLEST, Levels, branches, levels, percent, shares
from daskid.plot.peaks import BRIGHT, COLORS, DEEP, MAP
from daskid.plot.rows import DARK
from daskid.typing import Floats, Ints
from daskid.variables.energy import energy_scale

MATRIX = (v.peak_log_density, v.peak_log_density_error, v.peak_size, v.saddle_peak,
          v.saddle_log_density, v.saddle_log_density_error)  # fmt: skip
TREE = (*MATRIX, v.merge_peak, v.merge_log_density, v.merge_log_density_error)
SHADES = 64
WRITTEN = 8
"""Of so many peaks the matrix has numbers."""
NAMED = 15
"""Ticks of an axis."""


def drawn(facts: Facts) -> bool:
    """Return whether there are states to be joined."""
    return has(facts, *TREE) and facts.values.sizes["peak"] > 1


def tree(facts: Facts) -> figure:
    """Return the disconnectivity graph of the largest peaks."""
    ds = small_tables(facts)
    found, share, shown = levels(ds), shares(ds), largest(facts)
    place, order, joined = branches(found, shown)
    _, units = energy_scale(ds)
    plot = empty("tree", "state", f"free energy over the lowest state [{units}]",
                 x_range=Range1d(-0.6, order.size - 0.4))  # fmt: skip
    _name(plot, order, vertical=False)
    lines = plot.multi_line([one.x for one in joined], [one.y for one in joined], line_width=1.5)
    themed(lines.glyph, line_color="--ink")
    _errors(plot, found, place, order)
    size = SMALLEST + 13 * np.sqrt(share[order] / share.max(initial=1e-300))
    source = ColumnDataSource(
        {
            "x": place[order],
            "y": found.bottom[order],
            "number": order,
            "diameter": 6 + size,
            "color": [COLORS[c % len(COLORS)] for c in order],
            "share": [percent(share[c]) for c in order],
            "height": [
                plus_minus(x, e, units)
                for x, e in zip(found.bottom[order], found.error[order], strict=True)
            ],
        },
        name="leaves",
    )
    marks = plot.scatter("x", "y", source=source, size="diameter", color="color", fill_alpha=1.0,
                         nonselection_fill_alpha=0.3, nonselection_line_alpha=0.3)  # fmt: skip
    hover(plot, marks, ("state", "number"), ("probability", "share"), ("free energy", "height"))
    saddles = [one for one in joined if np.isfinite(one.y[1])]
    at = ColumnDataSource({
        "x": [0.5 * (one.x[0] + one.x[-1]) for one in saddles],
        "y": [one.y[1] for one in saddles],
        "a": [int(found.pair[one.saddle, 0]) for one in saddles],
        "b": [int(found.pair[one.saddle, 1]) for one in saddles],
        "height": [plus_minus(one.y[1], found.spread[one.saddle], units) for one in saddles],
    }, name="joints")  # fmt: skip
    marks = plot.scatter("x", "y", source=at, marker="diamond", size=11, fill_color=BRIGHT,
                         line_color=DEEP, nonselection_fill_alpha=0.6)  # fmt: skip
    hover(plot, marks, ("saddle between", "a"), ("and", "b"), ("free energy", "height"))
    return plot


def _errors(plot: figure, found: Levels, place: Floats, order: Ints) -> None:
    """Draw one standard error to either side of each state."""
    low, high = (found.bottom[order] + side * found.error[order] for side in (-1, 1))
    bars = plot.segment(place[order], low, place[order], high, line_width=1.2)
    themed(bars.glyph, line_color="--gray")


def matrix(facts: Facts) -> figure:
    """Return the log densities of saddles between the largest peaks, of peaks on the diagonal."""
    shown = largest(facts)
    source = _cells(facts, shown)
    level = np.array(source.data["level"])
    low, high = float(level.min()), float(level.max())
    edge = (-0.5, shown.size - 0.5)
    plot = empty("matrix", "peak", "peak", x_range=Range1d(*edge), y_range=Range1d(*edge[::-1]))
    _name(plot, shown, vertical=True)
    light, dark = palette(MAP, SHADES), palette(DARK, SHADES)
    mapper = LinearColorMapper(palette=light, low=low, high=high if high > low else low + 1)
    themed(mapper, palette={"light": light, "dark": dark})
    cells = plot.rect(
        "x", "y", 0.96, 0.96, source=source, fill_color={"field": "level", "transform": mapper},
        line_color=None, line_width=4, nonselection_fill_alpha=0.7, selection_line_color=VERMILION,
    )  # fmt: skip
    if shown.size <= WRITTEN:
        text = plot.text("x", "y", "short", source=source, text_align="center",
                         text_baseline="middle", text_font_size="12px")  # fmt: skip
        text.selection_glyph = text.nonselection_glyph = text.glyph  # one, for the colors to reach
        themed(
            text.glyph, text_color={"light": {"field": "on_light"}, "dark": {"field": "on_dark"}}
        )
    hover(plot, cells, ("", "said"), ("log density", "height"))
    return plot


def _cells(facts: Facts, shown: Ints) -> ColumnDataSource:
    top, error, _, pair, level, spread = (facts.values[x.name].values for x in MATRIX)
    place = {int(c): i for i, c in enumerate(shown)}
    cells = [(c, c, float(top[c]), float(error[c])) for c in shown.tolist()]
    for (a, b), x, e in zip(pair.tolist(), level.tolist(), spread.tolist(), strict=True):
        if a in place and b in place:
            cells += [(a, b, x, e), (b, a, x, e)]
    middle = 0.5 * (min(c[2] for c in cells) + max(c[2] for c in cells))
    return ColumnDataSource({
        "x": [place[b] for _, b, _, _ in cells],
        "y": [place[a] for a, _, _, _ in cells],
        "a": [a for a, _, _, _ in cells],
        "b": [b for _, b, _, _ in cells],
        "level": [x for *_, x, _ in cells],
        "said": [f"peak {a}" if a == b else f"saddle between {a} and {b}" for a, b, _, _ in cells],
        "height": [plus_minus(x, e) for *_, x, e in cells],
        "short": [f"{x:.1f}".replace("-", MINUS) for *_, x, _ in cells],
        "on_light": [BRIGHT if x > middle else DEEP for *_, x, _ in cells],
        "on_dark": [DEEP if x > middle else BRIGHT for *_, x, _ in cells],
    }, name="cells")  # fmt: skip


def _name(plot: figure, numbers: Ints, *, vertical: bool) -> None:
    """Write the numbers of peaks along one axis, or both."""
    step = -(-numbers.size // NAMED) or 1
    names = {i: str(numbers[i]) for i in range(0, numbers.size, step)}
    for axis in (plot.xaxis[0], plot.yaxis[0])[: 2 if vertical else 1]:
        axis.ticker = FixedTicker(ticks=list(names))
        axis.major_label_overrides = names
