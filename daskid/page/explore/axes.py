"""Empty Bokeh figures in the manner of the page: tools, plain text, colors that follow it."""

from typing import Any

from bokeh.models import (
    BoxSelectTool,
    BoxZoomTool,
    GlyphRenderer,
    HoverTool,
    Model,
    PanTool,
    PlainText,
    ResetTool,
    TapTool,
    Tool,
    WheelZoomTool,
    ZoomInTool,
    ZoomOutTool,
)
from bokeh.plotting import figure

HEIGHT = 460
FONT = "13px"
AXIS = {
    "axis_label_text_color": "--ink", "major_label_text_color": "--ink",
    "axis_line_color": "--soft", "major_tick_line_color": "--soft",
}  # fmt: skip


def themed(model: Model, **colors: Any) -> None:
    """Give properties of a model colors of the style sheet, ``"--ink"``.

    Or, of a palette, the colors on light pages and on dark ones. The script of the page sets
    them, and again where the reader changes from light to dark.
    """
    model.tags = [colors]


def empty(name: str, x: str, y: str, **given: Any) -> figure:
    """Return a figure without anything drawn, with labels that are text and no markup."""
    tools: list[Tool] = [
        PanTool(), BoxZoomTool(name="drag"), WheelZoomTool(), BoxSelectTool(), TapTool(),
        ZoomInTool(), ZoomOutTool(), ResetTool(),
    ]  # fmt: skip
    plot = figure(
        name=name, height=HEIGHT, sizing_mode="stretch_width", tools=tools, active_drag=None,
        active_scroll=None, toolbar_location="above", background_fill_color=None,
        border_fill_color=None, outline_line_color=None, min_border_right=12, **given,
    )  # fmt: skip
    plot.toolbar.logo = None
    plot.toolbar.autohide = False
    for axis, text in ((plot.xaxis[0], x), (plot.yaxis[0], y)):
        axis.axis_label = PlainText(text=text)
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size = axis.major_label_text_font_size = FONT
        axis.minor_tick_line_color = None
        themed(axis, **AXIS)
    for grid in plot.grid:
        grid.grid_line_color = None
    return plot


def hover(plot: figure, renderer: "GlyphRenderer[Any]", *lines: tuple[str, str]) -> None:
    """Say something about what the pointer is on: words of ours, columns that Bokeh escapes."""
    shown = "".join(f"<div>{words} @{column}</div>" for words, column in lines)
    box = '<div style="font:13px/1.4 system-ui,sans-serif;color:#010101;max-width:22em;'
    tooltips = f'{box}overflow-wrap:anywhere">{shown}</div>'
    plot.add_tools(HoverTool(renderers=[renderer], tooltips=tooltips, visible=False))
