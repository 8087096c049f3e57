"""The Theiler window that the data suggest: where the space-time separation plot is flat.

Distances between frames that are a lag apart are sampled; their lower quartile
grows with the lag until frames have forgotten each other within a state. No
states are needed, and rare transitions between states do not move a quartile.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from daskid.kernels._simd import LANES
from daskid.kernels.metrics import ABSOLUTE, DIFFERENT, METRICS, distance_of
from daskid.typing import Array, Floats, Ints

Read = Callable[[int, int], Array]

STARTS, ANCHORS, LAGS = 64, 16, 60
SHARE = 0.01
"""Share of the shortest trajectory that a window may be."""
FLAT = 0.95
"""A quartile of this share of the plateau counts as flat."""
MOST_BYTES = 64 << 20
SECONDS = {
    "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "hours": 3600.0,
    "day": 86_400.0, "days": 86_400.0, "weeks": 604_800.0,
}  # fmt: skip


class Window(NamedTuple):
    """A window in frames, whether it is only the cap, and the curve that it was read off."""

    frames: int
    capped: bool
    lags: Ints
    quartile: Floats


def separation_window(
    read: Read,
    shape: tuple[int, int],
    compared: tuple[str, Floats, Floats],
    frame: Ints | None,
    trajectory: Ints | None,
    *,
    seed: int = 0,
) -> Window:
    """Return the first lag at which the lower quartile of distances is flat.

    Parameters
    ----------
    read, shape
        ``read(a, b)`` gives the rows from a up to b, frames in order, of (N, d) in all.
    compared
        Metric, period and weight.
    frame, trajectory
        (N,) frame numbers (None: 0 to N - 1) and codes of trajectories from 0 on (None: all
        one); a trajectory is a run of rows, its frames ascend.
    seed
        Of the pairs that are sampled.

    Raises
    ------
    ValueError
        If the shortest trajectory is too short for a window.
    """
    n, features = shape
    frame = np.arange(n) if frame is None else frame
    trajectory = np.zeros(n, np.int64) if trajectory is None else trajectory
    order = np.argsort(trajectory, kind="stable")
    begins = np.flatnonzero(np.diff(trajectory[order], prepend=-1))
    last, first = (f.reduceat(frame[order], begins) for f in (np.maximum, np.minimum))
    shortest = int((last - first).min()) + 1
    cap = int(shortest * SHARE)
    if cap < 2:
        raise ValueError(
            f"exclude: expected trajectories of {int(2 / SHARE)} frames or more for 'auto', "
            f"got one of {shortest}: give a number of frames"
        )
    cap = min(cap, max(2, MOST_BYTES // (8 * features) - ANCHORS))
    lags = np.unique(np.geomspace(1, cap, LAGS).astype(np.int64))
    distances = _sampled(read, features, compared, frame, trajectory, lags, seed)
    there = np.array([len(d) > 0 for d in distances])  # rows may be missing in between
    lags = lags[there]
    if not (lags >= cap / 2).any():
        raise ValueError(
            f"exclude: expected pairs of frames up to {cap} apart for 'auto', got too many gaps: "
            "give a number of frames"
        )
    quartile = np.array([np.quantile(d, 0.25) for d in distances if d])
    plateau = np.median(quartile[lags >= cap / 2])
    flat = np.flatnonzero(quartile >= FLAT * plateau)
    frames = int(lags[flat[0]]) if flat.size else cap
    return Window(frames, frames >= cap / 2, lags, quartile)


def _sampled(
    read: Read,
    features: int,
    compared: tuple[str, Floats, Floats],
    frame: Ints,
    trajectory: Ints,
    lags: Ints,
    seed: int,
) -> list[list[float]]:
    metric, period, weight = compared
    form, combine, weight = _form(metric, weight, features)
    lanes = np.empty(LANES)
    n, reach = frame.size, int(lags[-1]) + ANCHORS
    starts = np.random.default_rng(seed).integers(0, max(1, n - reach), STARTS)
    found: list[list[float]] = [[] for _ in lags]
    for start in np.unique(starts):
        stop = int(min(start + reach, n))
        rows, number = form(read(int(start), stop)), frame[start:stop]
        size = int(np.count_nonzero(trajectory[start:stop] == trajectory[start]))
        for a in range(min(ANCHORS, size)):
            later = np.searchsorted(number[:size], number[a] + lags)
            for place, b in enumerate(later):
                if b < size and number[b] == number[a] + lags[place]:
                    distance = distance_of(rows[a], rows[b], combine, period, weight, lanes)
                    found[place].append(distance)
    return found


def _form(
    metric: str, weight: Floats, features: int
) -> tuple[Callable[[Array], Array], int, Floats]:
    """Return how rows are brought into the form that is compared, and how terms combine."""
    combine, prepare = METRICS[metric]
    if combine == DIFFERENT:  # a few pairs: bits are compared one by one
        weight = weight if weight.size else np.ones(features)
        return lambda rows: rows > 0, ABSOLUTE, weight / (weight.sum() or 1.0)
    if prepare is not None:
        return partial(prepare, weight=weight), combine, np.zeros(0)
    return lambda rows: rows, combine, weight


def frames_of(duration: str, times: Array, units: str, trajectory: Ints | None) -> int:
    """Return how many frames a duration is.

    Parameters
    ----------
    duration
        A number of frames, or a number and a unit: that of ``times``, or any that numpy's
        datetimes know where ``times`` are dates.
    times, units
        (N,) times and their unit, empty for dates.
    trajectory
        (N,) codes of trajectories: steps are counted within them.

    Raises
    ------
    ValueError
        If it is no duration, its unit is another, or time does not go on.
    """
    if duration.strip().isdigit():
        return int(duration)
    said = re.fullmatch(r"\s*([0-9.]+(?:e[+-]?\d+)?)\s*([^\W\d].*?)\s*", duration)
    if said is None:
        raise ValueError(
            f"exclude: expected frames, 'auto', or a duration like '12 ps', got {duration!r}"
        )
    amount, unit = float(said[1]), said[2]
    steps = np.diff(times)
    if trajectory is not None:
        steps = steps[np.diff(trajectory) == 0]
    if steps.dtype.kind == "m":
        steps, units = steps / np.timedelta64(1, "s"), "s"
        amount, unit = amount * _seconds(unit, duration), "s"
    if unit != units:
        raise ValueError(
            f"exclude: expected the unit of time, {units or 'none'!r}, got {duration!r}: "
            "convert it, or give a number of frames"
        )
    step = float(np.median(steps)) if steps.size else 0.0
    if not step > 0:
        raise ValueError(f"time: expected increasing times, got a median step of {step:g} {units}")
    return int(np.ceil(amount / step - 1e-9))


def row_step(frame: Ints | None, trajectory: Ints | None) -> int:
    """Return how many rows of the source lie between samples, in the median: 1 for all of them.

    Parameters
    ----------
    frame, trajectory
        (N,) frame numbers and codes of trajectories, as of :func:`separation_window`.
    """
    if frame is None:
        return 1
    steps = np.diff(frame)
    if trajectory is not None:
        steps = steps[np.diff(trajectory) == 0]
    return max(int(np.median(steps)), 1) if steps.size else 1


def _seconds(unit: str, duration: str) -> float:
    if unit not in SECONDS:
        raise ValueError(f"exclude: expected a unit of {', '.join(SECONDS)}, got {duration!r}")
    return SECONDS[unit]
