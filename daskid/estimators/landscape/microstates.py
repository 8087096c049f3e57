"""Frames as microstates: their counts at a lag, models of these, and of halves of them."""

from typing import NamedTuple

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import landscape as blockwise
from daskid.estimators.landscape.blocks import DEFAULT
from daskid.estimators.landscape.cores import clock
from daskid.kernels.landscape import markov as kernels
from daskid.typing import Array, Floats, Ints

DEALS = 8
"""Deals of blocks into halves."""
FINE, COARSE = 1e-11, 1e-6
"""Relative changes at which a model has been found, and one for errors."""


class Frames(NamedTuple):
    """(n,) microstate of each frame, (s,) where segments begin, (states, peaks) frames in both.

    And of the states and of blocks of frames how many there are, the frames of the shortest
    trajectory and of the longest segment, the time between two frames, its unit, what was read.
    """

    state: Array
    begin: Ints
    shared: Ints
    states: int
    blocks: int
    shortest: int
    longest: int
    step: float
    unit: str
    inputs: tuple[v.Variable, ...]


class Model(NamedTuple):
    """(m,) which states are in it, its (m, m) transition matrix and (m,) probabilities."""

    inside: Ints
    transition: Floats
    stationary: Floats


def frames(ds: xr.Dataset, state: da.Array, states: int) -> Frames:
    """Return the frames with their microstates. Computes.

    Raises
    ------
    SchemaError
        If there are no peaks.
    ValueError
        As :func:`daskid.transitions`.
    """
    (label,) = v.read(ds, v.peak_label)
    peaks = ds.sizes["peak"] if "peak" in ds.sizes else int(label.max().compute()) + 1
    time, trajectory, unit, inputs = clock(ds)
    found = blockwise.record(state, label, time, trajectory, states, peaks)
    n = found.state.size
    return Frames(
        found.state, found.begin, found.shared, states, min(DEFAULT, n), found.shortest,
        int(np.diff(found.begin, append=n).max()), found.step, unit, inputs,
    )  # fmt: skip


def check_lag(lag: int, found: Frames) -> None:
    """Refuse a lag at which there are no pairs of frames, or none of a whole trajectory."""
    if lag >= found.shortest:
        raise ValueError(
            f"lag: expected fewer frames than the shortest trajectory has, {found.shortest}, got "
            f"{lag}: take a shorter lag, or leave short trajectories out"
        )
    if lag >= found.longest:
        raise ValueError(
            f"lag: expected fewer frames than the longest stretch without a gap has, "
            f"{found.longest}, got {lag}: take a shorter lag, or look at the steps of time"
        )


def counts(found: Frames, lag: int) -> Ints:
    """Return the pairs of states a lag apart, by block of frames: (blocks, states, states)."""
    return kernels.lag_counts(found.state, found.begin, lag, found.states, found.blocks)


def model(count: Ints, share: Floats | None = None, tolerance: float = COARSE) -> Model:
    """Return the model of the largest connected set of states.

    Parameters
    ----------
    count
        (states, states) pairs.
    share
        (states,) probabilities in a similar model, 0 where they are not known.
    tolerance
        Relative change of a probability that is small enough.
    """
    inside = kernels.connected(count)
    part = count[np.ix_(inside, inside)].astype(np.float64)
    start = part.sum(axis=1)
    if share is not None:
        start = np.where(share[inside] > 0, share[inside] * start.sum(), start)
    return Model(inside, *kernels.reversible(part, start, tolerance))


def shares(found: Model, states: int) -> Floats:
    """Return the probabilities of all states, 0 of those outside of the model."""
    out = np.zeros(states)
    out[found.inside] = found.stationary
    return out


def halves(count: Ints, seed: int) -> list[tuple[Ints, Ints]]:
    """Return the counts of both halves of each deal of the blocks."""
    rng = np.random.default_rng(seed)
    deals = [rng.permutation(len(count)) for _ in range(DEALS)]
    middle = len(count) // 2
    return [(count[d[:middle]].sum(axis=0), count[d[middle:]].sum(axis=0)) for d in deals]


def scatter(pairs: list[list[Floats]] | Floats) -> Floats:
    """Return the standard error of the whole from what the halves of each deal give."""
    apart = np.diff(np.asarray(pairs), axis=1)[:, 0]
    error: Floats = 0.5 * np.sqrt((apart**2).mean(axis=0))
    return error
