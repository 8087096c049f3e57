"""The Theiler window that the data suggest: where the space-time separation plot is flat.

Distances between frames that are a lag apart are sampled; their lower quartile
grows with the lag until frames have forgotten each other within a state. No
states are needed, and rare transitions between states do not move a quartile.
"""

from typing import NamedTuple

import numpy as np

from daskid.blockwise.search.scan import Source
from daskid.kernels.metrics import LANES, METRICS, distance_of
from daskid.typing import Floats, Ints

STARTS, ANCHORS, LAGS = 64, 16, 60
SHARE = 0.01
"""Share of the shortest trajectory that a window may be."""
FLAT = 0.95
"""A quartile of this share of the plateau counts as flat."""
MOST_BYTES = 64 << 20


class Window(NamedTuple):
    """A window in frames, whether it is only the cap, and the curve that it was read off."""

    frames: int
    capped: bool
    lags: Ints
    quartile: Floats


def separation_window(
    source: Source,
    metric: str,
    period: Floats,
    weight: Floats,
    frame: Ints | None,
    trajectory: Ints | None,
    *,
    seed: int = 0,
) -> Window:
    """Return the first lag at which the lower quartile of distances is flat.

    Parameters
    ----------
    source
        (N, d) rows, frames in order.
    metric, period, weight
        How rows are compared.
    frame, trajectory
        (N,) frame numbers (None: 0 to N - 1) and codes of trajectories (None: all one).
    seed
        Of the pairs that are sampled.

    Raises
    ------
    ValueError
        If the shortest trajectory is too short for a window.
    """
    n = source.shape[0]
    frame = np.arange(n) if frame is None else frame
    trajectory = np.zeros(n, np.int64) if trajectory is None else trajectory
    shortest = int(np.bincount(trajectory)[np.unique(trajectory)].min())
    cap = int(shortest * SHARE)
    if cap < 2:
        raise ValueError(
            f"exclude: expected trajectories of {int(2 / SHARE)} frames or more for 'auto', "
            f"got one of {shortest}: give a number of frames"
        )
    cap = min(cap, max(2, MOST_BYTES // (8 * source.shape[1]) - ANCHORS))
    lags = np.unique(np.geomspace(1, cap, LAGS).astype(np.int64))
    distances = _sampled(source, (metric, period, weight), frame, trajectory, lags, seed)
    quartile = np.array([np.quantile(d, 0.25) if d else np.nan for d in distances])
    plateau = np.nanmedian(quartile[lags >= cap / 2])
    flat = np.flatnonzero(quartile >= FLAT * plateau)
    frames = int(lags[flat[0]]) if flat.size else cap
    return Window(frames, frames >= cap / 2, lags, quartile)


def _sampled(
    source: Source,
    compared: tuple[str, Floats, Floats],
    frame: Ints,
    trajectory: Ints,
    lags: Ints,
    seed: int,
) -> list[list[float]]:
    metric, period, weight = compared
    combine, lanes = METRICS[metric].combine, np.empty(LANES)
    n, reach = source.shape[0], int(lags[-1]) + ANCHORS
    starts = np.random.default_rng(seed).integers(0, max(1, n - reach), STARTS)
    found: list[list[float]] = [[] for _ in lags]
    for start in np.unique(starts):
        rows = source.read(int(start), int(min(start + reach, n)))
        for anchor in range(min(ANCHORS, len(rows))):
            for place, lag in enumerate(lags):
                a, b = start + anchor, start + anchor + lag
                if anchor + lag >= len(rows) or trajectory[a] != trajectory[b]:
                    continue
                if frame[b] - frame[a] != lag:  # rows are missing in between
                    continue
                x, y = rows[anchor], rows[anchor + lag]
                found[place].append(distance_of(x, y, combine, period, weight, lanes))
    return found
