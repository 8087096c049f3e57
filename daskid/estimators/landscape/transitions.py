"""How often and how fast one state follows another."""

from typing import Any

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import landscape as blockwise
from daskid.estimators.landscape.cores import (
    TABLES,
    Clock,
    Cores,
    clock,
    cores,
    named_cores,
)
from daskid.kernels.landscape import counting as kernels
from daskid.typing import Ints

FEWEST = 10
"""Frames without which a core is none."""
DRAWS = 2000
COVERS = "95 %, {what}; which peaks there are, and what is in their cores, are taken as given."


def transitions(
    ds: xr.Dataset, *, dwell: float | None = None, core: str | None = None, seed: int = 0
) -> xr.Dataset:
    r"""Count the transitions between the states, and time them; this step *computes*.

    The core of a peak :math:`a` is made of the samples of its basin with

    .. math:: \ln p_i > \ln p_a - \min(1, \text{persistence}_a / 2),

    and the state of a frame is the last core that was entered [1]_: frames on the
    saddle that turn back are no transitions. With :math:`n_{ab}` changes and the time
    :math:`T_a` spent in a state the rate is :math:`n_{ab}/T_a`, with the two-sided Gamma interval
    of a Poisson count. The mean first passage time is from entering core :math:`a` to entering
    core :math:`b`, edge to edge, through other states if need be. From
    minimum to minimum it takes longer: compare with truths for the same cores only.

    Parameters
    ----------
    ds
        Holds ``log_density`` and what :func:`daskid.peaks` adds, its samples in the order of
        time, trajectory by trajectory; ``time`` in numbers or dates, and ``trajectory``, if
        there are several. Without ``time`` the unit is one frame.
    dwell
        Time for which a core has to be seen, before another one, for a visit to count.
    core
        Name of other cores than these: a variable (sample) with the number of the state whose
        core a sample is in, -1 for none. Then no density is needed, nor peaks; if there are
        peaks, they are the states. ``core_depth`` is NaN.
    seed
        Of the intervals of mean first passage times.

    Returns
    -------
    ``ds`` with ``transition_count``, ``transition_rate`` and ``mean_first_passage_time``
    (peak, other_peak), and the ends ``*_low`` and ``*_high`` of 95 % intervals; ``state_time``,
    ``core_samples`` and ``core_depth`` (peak). Units are those of ``time``, seconds for dates.
    Where no transition was seen the upper end of the rate is :math:`3.69/T_a`, and the mean
    first passage time infinite. Attributes of ``transition_count`` say how many segments
    and gaps there are (a step of more than 1.5 median steps of the first million frames is a
    gap: it ends a segment) and, in ``without_core``, which states have none: fewer than 10
    frames. Those are never entered.

    Raises
    ------
    SchemaError
        If there are no peaks.
    ValueError
        If time does not increase along a trajectory, a trajectory is in several parts, no two
        frames follow each other, ``dwell`` is negative, or ``core`` is no such name.

    Notes
    -----
    The next state is taken to depend on the present one alone, and stays to be independent. The
    intervals of mean first passage times draw mean stays from a Gamma law with the scatter
    of the stays seen, and of ten exponential ones, and the next states from what was seen.
    Streams over the frames in the order of time, a million at a time.

    References
    ----------
    .. [1] A. K. Faradjian, R. Elber, "Computing time scales from reaction coordinates by
       milestoning", J. Chem. Phys. 120, 10880 (2004). https://doi.org/10.1063/1.1738640

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskid.estimators.landscape.transitions import transitions
    >>> ds = xr.Dataset(
    ...     {
    ...         "peak_label": ("sample", np.tile(np.repeat([0, 1], 20), 3)),
    ...         "log_density": ("sample", np.zeros(120)),
    ...         "peak_log_density": ("peak", [0.0, 0.0]),
    ...         "merge_peak": (("merge", "side"), [[0, 1]]),
    ...         "merge_log_density": ("merge", [-3.0]),
    ...     }
    ... )
    >>> out = transitions(ds)
    >>> out.transition_count.values.tolist(), out.mean_first_passage_time.values.tolist()
    ([[0, 3], [2, 0]], [[nan, 20.0], [29.5, nan]])
    """
    wait = _checked(dwell)
    inputs: tuple[v.Variable, ...]
    found, inputs = (cores(ds), TABLES) if core is None else _named(ds, core)
    of_time = clock(ds)
    tally, frames, lone = _counted(found, of_time, wait)
    rate, *rate_ends = kernels.rates(tally.tally.changes, tally.tally.time)
    mean, *ends = kernels.passages(tally.tally, seed, DRAWS)
    unit = of_time.unit
    values: dict[v.Variable, Any] = {
        v.transition_count: tally.tally.changes,
        v.transition_rate: rate,
        v.transition_rate_low: rate_ends[0],
        v.transition_rate_high: rate_ends[1],
        v.mean_first_passage_time: mean,
        v.mean_first_passage_time_low: ends[0],
        v.mean_first_passage_time_high: ends[1],
        v.state_time: tally.tally.time,
        v.core_samples: frames,
        v.core_depth: found.depth,
    }
    attrs: dict[v.Variable, dict[str, Any]] = {
        v.transition_count: {
            "segments": tally.segments, "gaps": tally.gaps, "without_core": lone,
            "time_step": tally.step, "time_units": unit,
        },
    }  # fmt: skip
    return v.assign(
        ds, values, inputs=(*inputs, *of_time.inputs),
        parameters={"dwell": wait, "core": core, "seed": int(seed)}, attrs=attrs | _units(unit),
    )  # fmt: skip


def _named(ds: xr.Dataset, core: str) -> tuple[Cores, tuple[v.Variable]]:
    found, named = named_cores(ds, core)
    return found, (named,)


def _counted(found: Cores, of_time: Clock, dwell: float) -> tuple[blockwise.Counted, Ints, str]:
    """Return what was counted, (p,) frames in each core, and the states without one."""
    peaks = found.depth.size
    counted = blockwise.count(found.core, of_time.time, of_time.trajectory, peaks, dwell)
    if counted.segments == found.core.size:
        raise ValueError(
            f"sample: expected frames that follow each other, got {counted.segments} trajectories "
            "of one frame: without the coordinate trajectory all samples are one"
        )
    lone = np.flatnonzero(counted.frames < FEWEST)
    frames = counted.frames
    if (frames[lone] > 0).any():  # again, without them
        core = blockwise.without(found.core, lone)
        counted = blockwise.count(core, of_time.time, of_time.trajectory, peaks, dwell)
    return counted, frames, ", ".join(map(str, lone))


def _units(unit: str) -> dict[v.Variable, dict[str, Any]]:
    poisson = {"covers": COVERS.format(what="of independent changes (Poisson)")}
    stays = {"covers": COVERS.format(what="of independent stays")}
    per, time = ({"units": f"1/{unit}"}, {"units": unit}) if unit else ({}, {})
    return {
        v.transition_rate: per,
        v.transition_rate_low: per | poisson,
        v.transition_rate_high: per | poisson,
        v.mean_first_passage_time: time,
        v.mean_first_passage_time_low: time | stays,
        v.mean_first_passage_time_high: time | stays,
        v.state_time: time,
    }


def _checked(dwell: float | None) -> float:
    """Return the dwell, 0 for None."""
    number = dwell is None or (isinstance(dwell, int | float) and not isinstance(dwell, bool))
    if not number or not 0 <= (dwell or 0.0) < np.inf:
        raise ValueError(
            f"dwell: expected a time from 0 on, in the units of time, got {dwell!r}: e.g. dwell=1"
        )
    return float(dwell or 0.0)
