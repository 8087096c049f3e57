"""The Markov model in pictures: relaxation times against lag, and its Chapman-Kolmogorov test."""

import numpy as np
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from daskid import variables as v
from daskid.plot.labels import FONT, GRAY, axes, label, legend, plain_ticks, with_units
from daskid.plot.landscape.tree import largest, shares
from daskid.plot.peaks import COLORS
from daskid.typing import Floats

MAX_TESTED = 5
"""States whose test is drawn: more lines can't be told apart."""
TIMES = v.implied_timescale, v.implied_timescale_error
STAYS = v.stay_predicted, v.stay_predicted_error, v.stay_observed, v.stay_observed_error
STYLES = ("-", "--", "-.", ":")
MARKERS = "osD^v"


def implied_timescales(ds: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the relaxation times of Markov models against their lag [1]_.

    Bands are one standard error. In the gray part times are shorter than the lag, so that
    nothing can be said of them; where a line is level above it, the model is one. The
    lag of the model in the dataset is marked. *Computes*, of small tables.

    Parameters
    ----------
    ds
        Holds what :func:`daskid.markov` adds.
    ax
        Drawn into; by default the axes of a new figure.

    Returns
    -------
    The axes, both logarithmic.

    Raises
    ------
    SchemaError
        If there is no Markov model.

    References
    ----------
    .. [1] W. C. Swope, J. W. Pitera, F. Suits, "Describing protein folding kinetics by molecular
       dynamics simulations. 1. Theory", J. Phys. Chem. B 108, 6571 (2004), Sect. 3.
       https://doi.org/10.1021/jp037421y
    """
    ax = axes(ax)
    time, error = compute(*v.read(ds, *TIMES))
    lag = np.asarray(ds["lag"].values, np.float64)
    for i, (one, spread) in enumerate(zip(time.T, error.T, strict=True)):
        known = np.isfinite(one) & (one > 0)
        x, y, e = lag[known], one[known], np.nan_to_num(spread[known])
        color = COLORS[i % len(COLORS)]
        ax.plot(x, y, marker=MARKERS[i % 5], linestyle=STYLES[i % 4], color=color, markersize=3.5,
                linewidth=1.3)  # fmt: skip
        ax.fill_between(x, np.maximum(y - e, 0.5 * y), y + e, color=color, alpha=0.25, linewidth=0)
    ax.set_xscale("log")
    ax.set_yscale("log")
    _mark_lags(ax, lag, _chosen(ds), time)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(numticks=9))
        axis.set_major_formatter(plain_ticks())
    ax.minorticks_off()
    units = ds[v.implied_timescale.name].attrs
    label(ax, with_units("lag", units), with_units("relaxation time", units))
    return ax


def _chosen(ds: xr.Dataset) -> float | None:
    """Return the lag of the model, in units of time."""
    after = ds.coords.get("after")
    return None if after is None or not after.size else float(after[0])


def _mark_lags(ax: Axes, lag: Floats, chosen: float | None, time: Floats) -> None:
    known = time[np.isfinite(time) & (time > 0)]
    if not lag.size or not known.size:
        return
    low, high = float(min(known.min(), lag.min())), 1.6 * float(known.max())
    ends = np.array([lag[0], lag[-1]])
    ax.fill_between(ends, ends, np.full(2, 1e-12), color=GRAY, alpha=0.25, linewidth=0)
    ax.plot(ends, ends, color=GRAY, linewidth=1, label="time = lag")
    if chosen is not None:
        ax.axvline(chosen, color=GRAY, linewidth=1, linestyle="--", label="lag of the model")
    ax.set_ylim(0.7 * low, high)
    ax.set_xlim(0.85 * ends[0], ends[1] / 0.85 if lag.size > 1 else 2 * ends[1])
    legend(ax, loc="lower right")


def chapman_kolmogorov(ds: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the test of Chapman and Kolmogorov: to be in a basin again, predicted and observed.

    Lines with bands are what the model of one lag predicts, points what models of
    longer lags say; one standard error each. They agree where the model is one. *Computes*, of
    small tables.

    Parameters
    ----------
    ds
        Holds what :func:`daskid.markov` adds.
    ax
        Drawn into; by default the axes of a new figure.

    Returns
    -------
    The axes; at most 5 states, those of most samples.

    Raises
    ------
    SchemaError
        If there is no Markov model.

    References
    ----------
    .. [1] J.-H. Prinz et al., "Markov models of molecular kinetics: generation and validation",
       J. Chem. Phys. 134, 174105 (2011), Sect. IV.F. https://doi.org/10.1063/1.3565032
    """
    ax = axes(ax)
    predicted, spread, observed, error = compute(*v.read(ds, *STAYS))
    after = np.asarray(ds["after"].values, np.float64)
    share = shares(ds)
    wide = 0.012 * (after[-1] - after[0]) if after.size > 1 else 0.0
    shown = largest(share, MAX_TESTED)
    for i, c in enumerate(shown.tolist()):
        x = after + wide * (i - 0.5 * (shown.size - 1))
        ax.plot(after, predicted[:, c], color=COLORS[i], linestyle=STYLES[i % 4], linewidth=1.2)
        ax.fill_between(after, predicted[:, c] - spread[:, c], predicted[:, c] + spread[:, c],
                        color=COLORS[i], alpha=0.25, linewidth=0)  # fmt: skip
        ax.errorbar(x, observed[:, c], error[:, c], color=COLORS[i], linestyle="none", capsize=2,
                    marker=MARKERS[i], markersize=4, elinewidth=1, label=f"state {c}")  # fmt: skip
    ax.set_ylim(top=1.02)
    legend(ax, loc="best")
    if shown.size < share.size:
        ax.set_title(f"the {shown.size} most probable of {share.size:,} states", loc="left",
                     fontsize=FONT - 1)  # fmt: skip
    units = ds[v.implied_timescale.name].attrs if v.implied_timescale.name in ds else {}
    label(ax, with_units("time since", units), "probability to be in the state again")
    return ax
