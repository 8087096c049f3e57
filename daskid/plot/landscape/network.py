"""States as a network: how probable they are, how long it takes from one to another."""

import itertools
import math

import numpy as np
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from daskid import variables as v
from daskid.plot.labels import BLUE, FONT, GRAY, INK, PAPER, axes, plain
from daskid.plot.landscape.matrices import PASSAGES, time_text
from daskid.plot.landscape.tree import largest, percent, shares
from daskid.typing import Floats, Ints

TIMED = 4
"""So many states have times at their arrows; of more the arrows alone are drawn."""
MAX_PAIRS = 2
"""Of more states, for each so many pairs are drawn: those with most transitions."""
BEND = 0.22
SMALLEST, LARGEST, ALL = 9.0, 26.0, 160.0
"""Diameters of disks in points: the least, the greatest, and the sum of many."""
LABEL = {"boxstyle": "round,pad=0.1", "facecolor": PAPER, "edgecolor": "none"}
STEPS = 200


def network(ds: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw states as disks by their probability, and arrows with mean first passage times.

    Arrows are of transitions that were seen, the wider the more often. Of up to 4 states, on a
    ring, they carry the mean first passage time with its 95 % interval; a dashed one was
    never seen, and takes at least the time on it. More states are placed by stress
    majorization [1]_ of the least number of rare steps between them, and two pairs of each
    are joined, those with most transitions. A state without a core is hollow. *Computes*, of
    small tables.

    Parameters
    ----------
    ds
        Holds what :func:`daskid.peaks` and :func:`daskid.transitions` add.
    ax
        Drawn into; by default the axes of a new figure.

    Returns
    -------
    The axes, without ticks; at most 40 states, those of most samples.

    Raises
    ------
    SchemaError
        If there are no transitions.

    References
    ----------
    .. [1] E. R. Gansner, Y. Koren, S. North, "Graph drawing by stress majorization", Graph
       Drawing 2004, LNCS 3383, 239 (2005). https://doi.org/10.1007/978-3-540-31843-9_25
    """
    ax = axes(ax)
    count, mean, low, high = compute(*v.read(ds, v.transition_count, *PASSAGES))
    share = shares(ds)
    shown = largest(share)
    timed = shown.size <= TIMED
    place = np.full((share.size, 2), np.nan)
    place[shown] = ring(shown.size) if timed else spread_out(count[np.ix_(shown, shown)])
    most = LARGEST if timed else min(LARGEST, ALL / np.sqrt(shown.size) / 2)
    across = most * np.sqrt(np.maximum(share / share.max(initial=1e-300), 0.12))
    if timed:
        for a, b in itertools.permutations(shown.tolist(), 2):
            never = not np.isfinite(mean[a, b])
            if count[a, b] or never:
                text = time_text(mean[a, b], low[a, b], high[a, b])
                _arrow(ax, place[[a, b]], across[[a, b]], _width(count, a, b), never, text)
    else:
        _lines(ax, place, shown, count)
    _disks(ax, place, across, shown, share, without_core(ds))
    _frame(ax, ds, shown.size, share.size)
    return ax


def _width(count: Ints, a: int, b: int) -> float:
    return 0.7 + 2.3 * math.sqrt(count[a, b] / max(count.max(), 1))


def ring(states: int) -> Floats:
    """Return places on a circle: (states, 2)."""
    turn = 2 * np.pi * np.arange(states) / max(states, 1)
    start = np.pi if states == 2 else 0.5 * np.pi
    return np.column_stack([np.cos(start - turn), np.sin(start - turn)])


def spread_out(count: Ints) -> Floats:
    """Return places in the square from -1 to 1, those with transitions near each other: (p, 2).

    The distance that is wished for is the shortest sum of steps, each the longer the rarer its
    transitions.
    """
    from scipy.sparse.csgraph import shortest_path

    both = (count + count.T).astype(np.float64)
    step = np.where(both > 0, (both.max(initial=1.0) / np.maximum(both, 1)) ** 0.25, 0.0)
    apart = shortest_path(step, directed=False)
    known = apart[np.isfinite(apart)]
    apart = np.where(np.isfinite(apart), apart, 1.2 * known.max(initial=1.0))
    np.fill_diagonal(apart, 1.0)
    place = _scaled(apart)
    weight = apart**-2
    np.fill_diagonal(weight, 0.0)
    laplacian = np.diag(weight.sum(axis=1)) - weight
    inverse = np.linalg.pinv(laplacian)
    for _ in range(STEPS):
        now = np.linalg.norm(place[:, np.newaxis] - place, axis=-1)
        pull = -weight * apart / np.maximum(now, 1e-9)
        np.fill_diagonal(pull, 0.0)
        np.fill_diagonal(pull, -pull.sum(axis=1))
        place = inverse @ (pull @ place)
    place -= 0.5 * (place.max(axis=0) + place.min(axis=0))
    return np.asarray(place / max(float(np.abs(place).max()), 1e-9))


def _scaled(apart: Floats) -> Floats:
    """Return places by classical scaling, a start that does not hang on chance: (p, 2)."""
    square = apart**2 - np.diag(np.diag(apart) ** 2)
    center = np.eye(len(apart)) - 1 / len(apart)
    value, vector = np.linalg.eigh(-0.5 * center @ square @ center)
    return np.asarray(vector[:, -2:] * np.sqrt(np.maximum(value[-2:], 1e-6)))


def without_core(ds: xr.Dataset) -> list[int]:
    """Return the states that have no core."""
    text = str(ds[v.transition_count.name].attrs.get("without_core", ""))
    return [int(part) for part in text.split(",") if part.strip().isdecimal()]


def _arrow(ax: Axes, ends: Floats, across: Floats, width: float, never: bool, text: str) -> None:
    """Draw a bent arrow between the rims of two disks, with a text on it."""
    start, end = ends
    color = GRAY if never else INK
    ax.add_patch(
        FancyArrowPatch(
            tuple(start), tuple(end), connectionstyle=f"arc3,rad={BEND}", arrowstyle="-|>",
            mutation_scale=7 + 1.5 * width, linewidth=width, color=color,
            linestyle="--" if never else "-", shrinkA=0.5 * across[0] + 1,
            shrinkB=0.5 * across[1] + 1, alpha=0.8,
        )
    )  # fmt: skip
    if text:
        along = end - start
        middle = start + 0.5 * along + 0.5 * BEND * np.array([along[1], -along[0]])
        ax.text(middle[0], middle[1], text, ha="center", va="center", fontsize=FONT - 2,
                color=color, parse_math=False, linespacing=1.05, bbox=LABEL)  # fmt: skip


def _lines(ax: Axes, place: Floats, shown: Ints, count: Ints) -> None:
    """Draw the pairs of most transitions, without directions."""
    both = count + count.T
    pairs = [(a, b) for a, b in itertools.combinations(shown.tolist(), 2) if both[a, b] > 0]
    pairs.sort(key=lambda pair: -both[pair])
    for a, b in pairs[: MAX_PAIRS * shown.size]:
        ax.plot(*place[[a, b]].T, color=GRAY, linewidth=_width(both, a, b), zorder=1)


def _disks(
    ax: Axes, place: Floats, across: Floats, shown: Ints, share: Floats, lone: list[int]
) -> None:
    timed = shown.size <= TIMED
    for c in shown.tolist():
        face = PAPER if c in lone else BLUE
        ax.plot(*place[c], "o", markersize=across[c], color=face, markeredgecolor=BLUE, zorder=2)
        if timed:
            x, y = 1.26 * place[c]
            ax.text(x, y, f"{c}\n{percent(share[c])}", ha="center", va="center",
                    fontsize=FONT - 1)  # fmt: skip
        else:
            ax.annotate(str(c), tuple(place[c]), (0, 0.5 * across[c] + 1), va="bottom",
                        textcoords="offset points", ha="center", fontsize=FONT - 2)  # fmt: skip


def _frame(ax: Axes, ds: xr.Dataset, drawn: int, total: int) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    timed = drawn <= TIMED
    reach = 1.5 if timed else 1.2
    ax.set_xlim(-reach, reach)
    ax.set_ylim(*({2: (-0.8, 0.8), 3: (-0.95, 1.4)}.get(drawn, (-reach, reach))))
    if timed:
        ax.set_aspect("equal")
    units = plain(ds[v.mean_first_passage_time.name].attrs.get("units", ""), 16)
    said = "mean first passage times" + (f" [{units}]" if units else "") + ", 95 % intervals"
    said = said if timed else "most frequent transitions"
    more = "" if drawn == total else f"; the {drawn} most probable of {total:,} states"
    ax.set_title(said + more, fontsize=FONT - 1, loc="left", parse_math=False)
