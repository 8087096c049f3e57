"""The disconnectivity graph: states at their free energies, joined at their saddles."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from daskid import variables as v
from daskid.plot.labels import BLUE, FONT, GRAY, INK, axes, label
from daskid.plot.peaks import leaves
from daskid.typing import Floats, Ints
from daskid.variables.energy import energy_scale

MAX_STATES = 40
"""States that are drawn: the most populated ones; more can't be read."""
FEW = 12
"""So many states have their probability written below them; of more the numbers are turned."""
MAX_NAMED = 30
PEAKS = v.peak_log_density, v.peak_log_density_error
MERGES = v.merge_peak, v.merge_log_density, v.merge_log_density_error
SADDLES = v.saddle_peak, v.saddle_log_density, v.saddle_log_density_error
EDGES = v.edge_free_energy, v.edge_free_energy_error, v.barrier_direct
SMALLEST, LARGEST = 3.0, 11.0


class Levels(NamedTuple):
    """Free energies over the lowest state, with errors: (p,) of states, (s,) of saddles."""

    bottom: Floats
    error: Floats
    pair: Ints
    level: Floats
    spread: Floats


class Branch(NamedTuple):
    """Two states or groups of them, joined: a line of four points, and the number of the saddle."""

    x: list[float]
    y: list[float]
    saddle: int


def disconnectivity(ds: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the disconnectivity graph [1]_: states, and the free energies at which they join.

    A branch ends at the free energy of a state, over that of the lowest one, and meets the next
    where the highest sample on the best path between both lies: the climb from one to the
    other is the minimax barrier. Heights are those of :func:`daskid.barriers`, or log
    densities where these are missing. Bars are one standard error of each; dots grow with the
    probability of a state. Parts that no saddle connects stand side by side. *Computes*, of
    small tables.

    Parameters
    ----------
    ds
        Holds ``peak_*`` and ``merge_*`` of :func:`daskid.peaks`; ``basin_probability`` of
        :func:`daskid.barriers`, or ``peak_size``, for the dots.
    ax
        Drawn into; by default the axes of a new figure.

    Returns
    -------
    The axes, in the units of ``free_energy``, kT where it is missing; at most 40 states,
    those of most samples.

    Raises
    ------
    SchemaError
        If there are no peaks.

    References
    ----------
    .. [1] O. M. Becker, M. Karplus, "The topology of multidimensional potential energy surfaces",
       J. Chem. Phys. 106, 1495 (1997), Sect. II. https://doi.org/10.1063/1.473299

    Examples
    --------
    >>> import xarray as xr
    >>> from daskid.plot import landscape
    >>> ds = xr.Dataset(
    ...     {
    ...         "peak_log_density": ("peak", [5.0, 4.0]),
    ...         "peak_log_density_error": ("peak", [0.1, 0.1]),
    ...         "merge_peak": (("merge", "side"), [[0, 1]]),
    ...         "merge_log_density": ("merge", [2.0]),
    ...         "merge_log_density_error": ("merge", [0.3]),
    ...     }
    ... )
    >>> landscape.disconnectivity(ds).get_ylabel()
    'free energy over the lowest state [kT]'
    """
    ax = axes(ax)
    found, share = levels(ds), shares(ds)
    shown = largest(share)
    place, order, joined = branches(found, shown)
    _draw_branches(ax, found, joined)
    ax.errorbar(place[shown], found.bottom[shown], found.error[shown], color=BLUE,
                linestyle="none", elinewidth=1, capsize=2)  # fmt: skip
    size = SMALLEST + (LARGEST - SMALLEST) * np.sqrt(share / share.max(initial=1e-300))
    ax.scatter(place[shown], found.bottom[shown], size[shown] ** 2, color=BLUE, zorder=3)
    _name_states(ax, order, share)
    ax.yaxis.set_major_locator(MaxNLocator(7))
    _, units = energy_scale(ds)
    label(ax, _title(order, share), f"free energy over the lowest state [{units}]")
    return ax


def levels(ds: xr.Dataset) -> Levels:
    """Return the free energies of states and saddles over the lowest state, in its units.

    Those of :func:`daskid.barriers`, in which biases are taken off, or differences of log
    densities. Computes small tables.

    Raises
    ------
    SchemaError
        If there are no peaks.
    """
    factor, _ = energy_scale(ds)
    peak, error = compute(*v.read(ds, *PEAKS))
    known = {*ds.variables}
    tables = SADDLES if {x.name for x in SADDLES} <= known else MERGES
    pair, level, spread = compute(*v.read(ds, *tables))
    bottom, level = peak.max(initial=-np.inf) - peak, peak.max(initial=-np.inf) - level
    if tables is SADDLES and {x.name for x in EDGES} <= known:
        level, spread, direct = compute(*v.read(ds, *EDGES))
        for (a, b), height in zip(pair.tolist(), level, strict=True):
            bottom[a], bottom[b] = height - direct[a, b], height - direct[b, a]
    zero = bottom.min(initial=np.inf) if bottom.size else 0.0
    return Levels(
        factor * (bottom - zero), factor * error, pair, factor * (level - zero), factor * spread
    )


def joins(found: Levels) -> tuple[Ints, Ints]:
    """Return which states are joined, (m, 2), the lower one first, and at which saddles: (m,).

    The second one of a pair stands for no states from then on.
    """
    root = list(range(found.bottom.size))
    joined, at = [], []
    for s in np.argsort(found.level, kind="stable").tolist():
        a, b = (root[c] for c in found.pair[s].tolist())
        if a == b:
            continue
        low, high = (a, b) if found.bottom[a] <= found.bottom[b] else (b, a)
        root = [low if c == high else c for c in root]
        joined.append((low, high))
        at.append(s)
    return np.array(joined, np.int64).reshape(-1, 2), np.array(at, np.int64)


def shares(ds: xr.Dataset) -> Floats:
    """Return the probability of each state, as far as it is known: (p,)."""
    if v.basin_probability.name in ds.variables:
        (found,) = compute(*v.read(ds, v.basin_probability))
        return np.asarray(found, np.float64)
    if v.peak_size.name in ds.variables:
        (size,) = compute(*v.read(ds, v.peak_size))
        return np.asarray(size / max(size.sum(), 1), np.float64)
    return np.full(ds.sizes["peak"], 1 / max(ds.sizes["peak"], 1))


def largest(share: Floats, most: int = MAX_STATES) -> Ints:
    """Return the most probable states, by number."""
    return np.sort(np.argsort(-share, kind="stable")[:most])


def branches(found: Levels, shown: Ints) -> tuple[Floats, Ints, list[Branch]]:
    """Return the graph of some states; the others count as if they were not.

    Returns
    -------
    The places of states from left to right, (p,), NaN for those not shown; the shown ones in
    that order; and what joins them, from the lowest saddle on.
    """
    joined, at = joins(found)
    order = leaves(joined, found.bottom.size)
    order = order[np.isin(order, shown)]
    place = np.full(found.bottom.size, np.nan)
    place[order] = np.arange(order.size)
    x, foot, drawn = place.copy(), found.bottom.copy(), []
    for (a, b), s in zip(joined.tolist(), at.tolist(), strict=True):
        if np.isnan(x[a]) or np.isnan(x[b]):
            if np.isnan(x[a]):
                x[a], foot[a] = x[b], foot[b]
            continue
        level = float(found.level[s])
        ends = [float(x[a]), float(x[a]), float(x[b]), float(x[b])]
        drawn.append(Branch(ends, [float(foot[a]), level, level, float(foot[b])], s))
        x[a], foot[a] = 0.5 * (x[a] + x[b]), level
    return place, order, drawn


def _draw_branches(ax: Axes, found: Levels, joined: list[Branch]) -> None:
    for x, y, saddle in joined:
        ax.plot(x, y, "-", color=INK, linewidth=1.2)
        ax.errorbar(0.5 * (x[0] + x[-1]), y[1], found.spread[saddle], color=GRAY, linestyle="none",
                    elinewidth=1, capsize=2)  # fmt: skip


def _name_states(ax: Axes, order: Ints, share: Floats) -> None:
    few = order.size <= FEW
    step = -(-order.size // MAX_NAMED) or 1
    names = [f"{c}\n{percent(share[c])}" if few else str(c) for c in order[::step]]
    ax.set_xticks(np.arange(order.size)[::step], names, rotation=0 if few else 90,
                  fontsize=FONT - (1 if order.size <= FEW // 2 else 2))  # fmt: skip
    ax.set_xlim(-0.6, order.size - 0.4)


def percent(share: float) -> str:
    """Return a share in percent, of a few digits.

    Examples
    --------
    >>> percent(0.486), percent(0.021), percent(0.00042), percent(1.0)
    ('49%', '2.1%', '0.042%', '100%')
    """
    return f"{100 * share:.0f}%" if share >= 0.0995 else f"{100 * share:.2g}%"


def _title(order: Ints, share: Floats) -> str:
    words = "state, and its probability" if order.size <= FEW else "state"
    return words if order.size == share.size else (
        f"{words}; the {order.size} most probable of {share.size:,}"
    )  # fmt: skip
