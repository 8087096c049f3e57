"""A Markov model of microstates, lumped to the peaks: relaxation times, tests, committors."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import landscape as blockwise
from daskid.estimators.landscape.blocks import DEFAULT, check_count
from daskid.estimators.landscape.cores import clock, cores
from daskid.kernels.landscape import markov as kernels
from daskid.kernels.landscape import microstates as cells
from daskid.typing import Array, Floats, Ints

ROWS, ROW_BYTES = 20_000, 1 << 26
"""Rows among which centers are sought, and what they may hold."""
TIMESCALES, AFTER, DEALS = 4, 5, 8
"""Relaxation times, lags of the Chapman-Kolmogorov test, and deals of blocks into halves."""
FINE, COARSE = 1e-11, 1e-6
"""Relative changes at which a model has been found, and one for errors."""
LONGEST, LEVEL = 1024, 1.03
"""Frames of the longest lag tried; by what a time may grow over twice the lag to be level."""
COVERS = (
    "The scatter between halves of {blocks} blocks of frames; the microstates are those of the "
    "data, and that a lag is too short is left out: see whether times are level over lags."
)


class Frames(NamedTuple):
    """(n,) microstate, segment and block of each frame, and how many there are of two of these."""

    state: Array
    segment: Array
    block: Array
    states: int
    blocks: int


def markov(
    ds: xr.Dataset, *, lag: int | None = None, microstates: int = 200, seed: int = 0
) -> xr.Dataset:
    r"""Fit Markov models to microstates at several lags; this step *computes*.

    Peaks alone as states project away fast processes, so rows are cut into cells by k-means, and
    transitions between these are counted at sliding lags. With the eigenvalues :math:`\lambda`
    of the most likely reversible transition matrix [1]_, implied timescales are

    .. math:: t_i = -\tau / \ln \lambda_i(\tau);

    from a lag on at which they are level, the model is one. Its Chapman-Kolmogorov test: the
    probability to be in a basin again after 1, ..., 5 lags, predicted by the model, and observed
    as that of a model of that lag.

    Parameters
    ----------
    ds
        Holds ``rows`` and ``peak_label``, in the order of time, as for
        :func:`daskid.transitions`.
    lag
        In frames. By default the first of 1, 2, 4, ... from which the longest time grows by
        less than 3 % to twice the lag.
    microstates
        How many.
    seed
        Of the centers and of the deals of blocks.

    Returns
    -------
    ``ds`` with ``implied_timescale`` (lag, timescale), ``stay_predicted`` and ``stay_observed``
    (after, peak), with errors; ``microstate`` (sample); ``microstate_peak``, the peak of most
    samples of a microstate, ``microstate_probability`` (center) and ``microstate_transition``
    (center, next_center), at the lag that ``implied_timescale`` names in its attributes; states
    that are not connected have a row of zeros. Times, and the coordinates ``lag`` and
    ``after``, are in units of ``time`` (seconds for dates).

    Raises
    ------
    SchemaError
        If there are no rows or no peaks.
    ValueError
        If ``lag`` is not shorter than the shortest trajectory, if ``microstates`` are too few or
        more than samples, or as :func:`daskid.transitions` does.

    Notes
    -----
    Errors come from halves of 64 blocks of frames, as those of :func:`daskid.barriers`. A
    block counts the pairs that begin in it. Holds 12 bytes a sample, and, of every lag, the
    counts of all blocks: 8 bytes times 64 times the square of ``microstates``.

    References
    ----------
    .. [1] J.-H. Prinz et al., "Markov models of molecular kinetics: generation and validation",
       J. Chem. Phys. 134, 174105 (2011), Sect. III-IV. https://doi.org/10.1063/1.3565032
    """
    check_count("microstates", microstates, 2)
    check_count("seed", seed, 0)
    if lag is not None:
        check_count("lag", lag, 1)
    rows, label = v.read(ds, v.rows, v.peak_label)
    period, weight = v.compared(ds)
    center = _centers(rows, period, weight, microstates, seed)
    state = blockwise.microstates(rows, center, period, weight)
    frames, step, shortest, of_time = _frames(ds, state, len(center))
    _check_lag(lag, shortest)
    lump = _lumps(frames.state, np.asarray(label.compute()), len(center))
    peaks = int(lump.max()) + 1 if v.peak_sample.name not in ds else ds.sizes["peak"]
    lags = _lags(lag, shortest)
    times, errors = _over_lags(frames, lags, seed)
    chosen = lag if lag is not None else _level(lags, times)
    fitted, stays = _model(frames, chosen, lump, peaks, min(AFTER, (shortest - 1) // chosen), seed)
    values: dict[v.Variable, Any] = {
        v.implied_timescale: times * step,
        v.implied_timescale_error: errors * step,
        **stays,
        v.microstate: state,
        v.microstate_peak: lump,
        **fitted,
    }
    unit = {"units": of_time.unit} if of_time.unit else {}
    covers = {"covers": COVERS.format(blocks=frames.blocks)}
    out = v.assign(
        ds.drop_vars(["lag", "after"], errors="ignore"), values,
        inputs=(v.rows, v.peak_label, *of_time.inputs),
        parameters={"lag": lag, "microstates": int(microstates), "seed": int(seed)},
        attrs={
            v.implied_timescale: {"lag": chosen, **unit},
            v.implied_timescale_error: {**covers, **unit},
            v.stay_predicted_error: covers,
            v.stay_observed_error: covers,
        },
    )  # fmt: skip
    after = chosen * step * np.arange(1, len(stays[v.stay_predicted]) + 1)
    return out.assign_coords(
        lag=("lag", np.array(lags) * step, {"long_name": "lag", **unit}),
        after=("after", after, {"long_name": "time since", **unit}),
    )


def _centers(rows: Any, period: Floats, weight: Floats, number: int, seed: int) -> Floats:
    n, d = rows.shape
    if number > n:
        raise ValueError(
            f"microstates: expected as many as samples or fewer, got {number} for {n} samples: "
            f"e.g. microstates={max(n // 10, 2)}"
        )
    wanted = max(min(ROWS, ROW_BYTES // (8 * d)), 10 * number)
    some = np.asarray(rows[:: max(n // wanted, 1)].compute())
    return cells.spread(cells.embedded(some, period, weight), number, seed)


def _frames(ds: xr.Dataset, state: Any, states: int) -> tuple[Frames, float, int, Any]:
    """Return the frames, the time between two, and the length of the shortest trajectory."""
    of_time = clock(ds)
    found, segment, counted = blockwise.record(state, of_time.time, of_time.trajectory)
    shortest = found.size
    if of_time.trajectory is not None:
        shortest = int(np.unique(of_time.trajectory.compute(), return_counts=True)[1].min())
    blocks = min(DEFAULT, found.size)
    block = np.arange(found.size) * blocks // found.size
    return Frames(found, segment, block, states, blocks), counted.step, shortest, of_time


def _check_lag(lag: int | None, shortest: int) -> None:
    if (lag or 1) >= shortest:
        raise ValueError(
            f"lag: expected fewer frames than the shortest trajectory has, {shortest}, got "
            f"{lag or 1}: take a shorter lag, or leave short trajectories out"
        )


def _lumps(state: Array, label: Array, states: int) -> Ints:
    """Return the peak of most samples of each microstate."""
    peaks = int(label.max()) + 1
    both = np.bincount(state.astype(np.int64) * peaks + label, minlength=states * peaks)
    lump: Ints = both.reshape(states, peaks).argmax(axis=1)
    return lump


def _lags(lag: int | None, shortest: int) -> list[int]:
    tried = {2**j for j in range(LONGEST.bit_length()) if 2**j * 10 < shortest}
    return sorted(tried | {lag or 1})


def _counts(frames: Frames, lag: int) -> Ints:
    return kernels.lag_counts(
        frames.state, frames.segment, frames.block, lag, frames.states, frames.blocks
    )


def _halves(count: Ints, seed: int) -> list[tuple[Ints, Ints]]:
    """Return the counts of both halves of each deal."""
    rng = np.random.default_rng(seed)
    deals = [rng.permutation(len(count)) for _ in range(DEALS)]
    middle = len(count) // 2
    return [(count[d[:middle]].sum(axis=0), count[d[middle:]].sum(axis=0)) for d in deals]


def _timescales(count: Ints, tolerance: float = COARSE) -> Floats:
    inside = kernels.connected(count)
    model = kernels.reversible(count[np.ix_(inside, inside)].astype(np.float64), tolerance)
    return kernels.timescales(*model, TIMESCALES)


def _over_lags(frames: Frames, lags: list[int], seed: int) -> tuple[Floats, Floats]:
    """Return timescales and their errors, in frames: (lags, timescales)."""
    out, error = np.empty((2, len(lags), TIMESCALES))
    for i, lag in enumerate(lags):
        count = _counts(frames, lag)
        out[i] = lag * _timescales(count.sum(axis=0), FINE)
        pairs = [[_timescales(half) for half in deal] for deal in _halves(count, seed)]
        apart = lag * np.diff(np.array(pairs), axis=1)[:, 0]
        error[i] = 0.5 * np.sqrt((apart**2).mean(axis=0))
    return out, error


def _level(lags: list[int], times: Floats) -> int:
    """Return the first lag from which the longest time does not grow over twice the lag."""
    for i in range(len(lags) - 1):
        if times[i + 1, 0] < LEVEL * times[i, 0]:
            return lags[i]
    return lags[-1]


def _stays(count: Ints, lump: Ints, peaks: int, steps: int) -> Floats:
    inside = kernels.connected(count)
    model = kernels.reversible(count[np.ix_(inside, inside)].astype(np.float64), COARSE)
    return kernels.stay_probabilities(*model, lump[inside], peaks, steps)


def _model(
    frames: Frames, lag: int, lump: Ints, peaks: int, steps: int, seed: int
) -> tuple[dict[v.Variable, Any], dict[v.Variable, Any]]:
    """Return the model of a lag, and the two sides of its test with errors."""
    count = _counts(frames, lag)
    whole = count.sum(axis=0)
    inside = kernels.connected(whole)
    transition, stationary = kernels.reversible(
        whole[np.ix_(inside, inside)].astype(np.float64), FINE
    )
    full, share = np.zeros(whole.shape), np.zeros(len(whole))
    full[np.ix_(inside, inside)], share[inside] = transition, stationary
    predicted = _with_error(count, lump, peaks, steps, seed)
    later = [
        _with_error(_counts(frames, lag * k), lump, peaks, 1, seed) for k in range(1, steps + 1)
    ]
    observed = [np.concatenate(x) for x in zip(*later, strict=True)]
    names = v.stay_predicted, v.stay_predicted_error, v.stay_observed, v.stay_observed_error
    stays = dict(zip(names, (*predicted, *observed), strict=True))
    return {v.microstate_probability: share, v.microstate_transition: full}, stays


def _with_error(
    count: Ints, lump: Ints, peaks: int, steps: int, seed: int
) -> tuple[Floats, Floats]:
    value = _stays(count.sum(axis=0), lump, peaks, steps)
    pairs = [[_stays(half, lump, peaks, steps) for half in deal] for deal in _halves(count, seed)]
    apart = np.diff(np.array(pairs), axis=1)[:, 0]
    return value, 0.5 * np.sqrt((apart**2).mean(axis=0))


def committor(ds: xr.Dataset, *, source: int = 0, target: int = 1) -> xr.Dataset:
    """Return the probability to reach the core of one peak before that of another; *computes*.

    Solved on the microstates of :func:`daskid.markov`; a microstate is in a core if half of its
    samples are.

    Parameters
    ----------
    ds
        Holds what :func:`daskid.markov` and :func:`daskid.peaks` add, and ``log_density``.
    source, target
        Two peaks.

    Returns
    -------
    ``ds`` with ``committor`` (sample): that of the sample's microstate, 0 in the core of the
    source, 1 in that of the target, NaN where the microstate is not in the model.

    Raises
    ------
    SchemaError
        If there is no Markov model, or no peaks.
    ValueError
        If source and target are the same, or not peaks, or no microstate is in a core.

    References
    ----------
    .. [1] F. Noé et al., "Constructing the equilibrium ensemble of folding pathways from short
       off-equilibrium simulations", PNAS 106, 19011 (2009). https://doi.org/10.1073/pnas.0905466106
    """
    inputs = v.microstate, v.microstate_transition
    state, transition = (x.compute() for x in v.read(ds, *inputs))
    found = cores(ds)
    peaks = found.depth.size
    for name, peak in (("source", source), ("target", target)):
        if not 0 <= peak < peaks or source == target:
            raise ValueError(
                f"{name}: expected two different peaks from 0 to {peaks - 1}, got "
                f"source={source!r}, target={target!r}: e.g. source=0, target=1"
            )
    core, size = np.asarray(found.core.compute()), np.bincount(state, minlength=len(transition))
    ends = [
        np.bincount(state[core == peak], minlength=size.size) * 2 >= np.maximum(size, 1)
        for peak in (source, target)
    ]
    for name, end in zip(("source", "target"), ends, strict=True):
        if not end.any():
            raise ValueError(
                f"{name}: expected microstates with half of their samples in its core, got none: "
                "run markov with more microstates"
            )
    inside = np.flatnonzero(transition.sum(axis=1) > 0)
    value = np.full(size.size, np.nan)
    model = transition[np.ix_(inside, inside)]
    value[inside] = kernels.committor(model, ends[0][inside], ends[1][inside])
    return v.assign(
        ds, {v.committor: value[state]}, inputs=(*inputs, v.peak_label, v.log_density),
        parameters={"source": int(source), "target": int(target)},
    )  # fmt: skip
