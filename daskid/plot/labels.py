"""What all pictures share: colors, an empty axes, text from the data made safe to draw."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

# Okabe and Ito's palette, told apart by readers with any color vision
BLUE = "#0072b2"
VERMILION = "#d55e00"
GREEN = "#009e73"
GRAY = "#767676"
INK = "#000000"
PAPER = "#ffffff"
RULE = "#b0b0b0"

MINUS = "\N{MINUS SIGN}"

SIZE = (4.4, 3.6)  # inches: one column of a paper, or a telephone held upright
FONT = 10.0  # points


class Picture(Figure):
    """A figure that a notebook shows although pyplot does not know it."""

    def _repr_png_(self) -> bytes:
        file = BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


def axes(ax: Axes | None) -> Axes:
    """Return ``ax``, or the axes of a new figure that no global state knows."""
    if ax is None:
        ax = Picture(figsize=SIZE, layout="constrained").add_subplot()
    ax.tick_params(labelsize=FONT - 1)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def label(ax: Axes, x: str, y: str) -> None:
    """Label both axes; a dollar sign in a name is a dollar sign."""
    ax.set_xlabel(x, fontsize=FONT, parse_math=False)
    ax.set_ylabel(y, fontsize=FONT, parse_math=False)


def legend(ax: Axes, **place: Any) -> None:
    """Add a legend without a frame."""
    ax.legend(fontsize=FONT - 1.5, frameon=False, borderaxespad=0.2, **place)


def plain(value: object, limit: int = 24) -> str:
    """Return text that can be drawn: one line, no control characters, at most ``limit`` long."""
    line = "".join(c if c.isprintable() else " " for c in str(value)).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def with_units(name: str, attrs: Mapping[Any, Any]) -> str:
    """Return ``name [units]``, or the name alone where ``attrs`` hold no units."""
    units = plain(attrs.get("units", ""), 12)
    return f"{name} [{units}]" if units not in ("", "1") else name


def significant(value: float) -> str:
    """Return three significant digits, zeros included: 0.0440 beside 0.0411."""
    return f"{value:#.3g}".rstrip(".")


def plain_ticks() -> FuncFormatter:
    """Write tick values as 0.01, 1, 1000: no powers, which small print hides."""
    return FuncFormatter(lambda x, _: f"{x:.0f}" if abs(x) >= 1000 else f"{x:.3g}")
