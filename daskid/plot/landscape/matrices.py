"""Numbers of pairs of states as matrices: barriers, mean first passage times."""

from typing import Any, Literal

import numpy as np
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import LogLocator

from daskid import variables as v
from daskid.plot.labels import FONT, axes, label, plain, plain_ticks, significant
from daskid.plot.landscape.tree import largest, shares
from daskid.plot.peaks import BRIGHT, DEEP
from daskid.plot.rows import DARK, LIGHT
from daskid.typing import Array, Floats, Ints
from daskid.variables.energy import energy_scale

WRITTEN, ERRORS = 8, 5
"""So many states have their numbers in the cells, and so many the errors as well."""
MAX_TICKS = 10
LUMINANCE, HALF = np.array([0.2126, 0.7152, 0.0722]), 0.179
"""Weights of linear red, green and blue, and where black and white stand out alike."""
BARRIERS = {
    "direct": (v.barrier_direct, v.barrier_direct_error),
    "minimax": (v.barrier_minimax, v.barrier_minimax_error),
}
PASSAGES = (
    v.mean_first_passage_time, v.mean_first_passage_time_low, v.mean_first_passage_time_high,
)  # fmt: skip


def barrier_matrix(
    ds: xr.Dataset,
    kind: Literal["minimax", "direct"] = "minimax",
    ax: Axes | None = None,
    *,
    dark: bool = False,
) -> Axes:
    """Draw the barriers between all states: the climb from the state of the row.

    Cells hold the barrier and one standard error, of up to 5 states, the barrier of up to 8, and
    are colored; pairs without a barrier are blank. *Computes*, of small tables.

    Parameters
    ----------
    ds
        Holds what :func:`daskid.barriers` adds.
    kind
        "minimax", on the best path, or "direct", over the saddle at which both basins touch.
    ax
        Drawn into; by default the axes of a new figure.
    dark
        Whether the background is dark: the highest is the farthest from it.

    Returns
    -------
    The axes, in the units of ``free_energy``; at most 40 states, those of most samples.

    Raises
    ------
    SchemaError
        If there are no barriers.
    ValueError
        If ``kind`` is another.
    """
    if kind not in BARRIERS:
        raise ValueError(f"kind: expected one of {[*BARRIERS]}, got {kind!r}: choose one of them")
    value, error = compute(*v.read(ds, *BARRIERS[kind]))
    factor, units = energy_scale(ds)
    shown = largest(shares(ds))
    texts = _barrier_texts(factor * value, factor * error, shown)
    norm = Normalize(*_limits(factor * value[np.ix_(shown, shown)]))
    return _cells(axes(ax), factor * value, shown, texts, norm, dark, f"{kind} barrier [{units}]")


def passage_matrix(ds: xr.Dataset, ax: Axes | None = None, *, dark: bool = False) -> Axes:
    """Draw the mean first passage times between all states, from that of the row.

    Cells hold the time and its 95 % interval, of up to 5 states, or the time, of up to 8; a
    passage that was never seen is blank but for the time that it takes at least.
    *Computes*, of small tables.

    Parameters
    ----------
    ds
        Holds what :func:`daskid.transitions` adds.
    ax, dark
        As for :func:`barrier_matrix`.

    Returns
    -------
    The axes; at most 40 states, those of most samples.

    Raises
    ------
    SchemaError
        If there are no transitions.
    """
    value, low, high = compute(*v.read(ds, *PASSAGES))
    shown = largest(shares(ds))
    seen = np.where(np.isfinite(value), value, np.nan)
    part = _positive(seen[np.ix_(shown, shown)])
    texts = np.full(value.shape, "", dtype=object)
    if shown.size <= WRITTEN:
        for (i, j), x in np.ndenumerate(value):
            texts[i, j] = time_text(x, low[i, j], high[i, j], brief=shown.size > ERRORS)
    units = plain(ds[v.mean_first_passage_time.name].attrs.get("units", ""), 16)
    name = "mean first passage time" + (f" [{units}]" if units else "")
    return _cells(axes(ax), seen, shown, texts, LogNorm(*_limits(part)), dark, name)


def time_text(value: float, low: float, high: float, *, brief: bool = False) -> str:
    r"""Return a time with its interval; what is at least and at most known of one never seen.

    Examples
    --------
    >>> time_text(57.3, 50.2, 66.4), time_text(float("inf"), 12.2, float("inf"))
    ('57.3\n50.2..66.4', '> 12.2')
    >>> time_text(57.3, 50.2, 66.4, brief=True), time_text(float("nan"), 1, 1)
    ('57.3', '')
    """
    if np.isnan(value):
        return ""
    if not np.isfinite(value):
        return f"> {_time(low)}"
    end = _time(high) if np.isfinite(high) else "?"
    return _time(value) if brief else f"{_time(value)}\n{_time(low)}..{end}"


def _time(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else significant(value)


def _barrier_texts(value: Floats, error: Floats, shown: Ints) -> Array:
    texts = np.full(value.shape, "", dtype=object)
    if shown.size <= WRITTEN:
        for (i, j), x in np.ndenumerate(value):
            if np.isfinite(x):
                texts[i, j] = f"{x:.2f}"
                if shown.size <= ERRORS:
                    texts[i, j] += f"\n±{error[i, j]:.2f}"
    return texts


def _limits(value: Floats) -> tuple[float, float]:
    known = value[np.isfinite(value)]
    if not known.size:
        return 0.5, 1.0
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (0.9 * low, 1.1 * high or 1.0)


def _positive(value: Floats) -> Floats:
    return np.where(value > 0, value, np.nan)


def _cells(
    ax: Axes, value: Floats, shown: Ints, texts: Array, norm: Any, dark: bool, name: str
) -> Axes:
    """Draw the cells of the states shown, with their texts."""
    part = np.ma.masked_invalid(value[np.ix_(shown, shown)])
    image = ax.imshow(part, cmap=DARK if dark else LIGHT, norm=norm, interpolation="nearest")
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, pad=0.03)
    bar.set_label(name, fontsize=FONT - 1, parse_math=False)
    bar.ax.tick_params(labelsize=FONT - 1)
    if isinstance(norm, LogNorm):
        bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=9))
        bar.ax.yaxis.set_major_formatter(plain_ticks())
        bar.ax.minorticks_off()
    for (i, j), text in np.ndenumerate(texts[np.ix_(shown, shown)]):
        if text:
            ax.text(j, i, text, ha="center", va="center", parse_math=False,
                    fontsize=FONT - (1 if shown.size <= ERRORS - 2 else 2.5),
                    color=_ink(image, part[i, j], dark))  # fmt: skip
    step = -(-shown.size // MAX_TICKS) or 1
    at, names = np.arange(shown.size)[::step], [str(c) for c in shown[::step]]
    ax.set_xticks(at, names)
    ax.set_yticks(at, names)
    label(ax, "to state", "from state")
    return ax


def _ink(image: Any, value: Any, dark: bool) -> str:
    """Return the color in which a text can be read on its cell: a blank one is the page's."""
    if value is np.ma.masked:
        return BRIGHT if dark else DEEP
    color = np.array(image.cmap(image.norm(value))[:3])
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    return DEEP if linear @ LUMINANCE > HALF else BRIGHT
