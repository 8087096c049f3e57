"""Committors on the microstates of a Markov model."""

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from daskid import variables as v
from daskid.estimators.landscape.cores import cores
from daskid.estimators.landscape.microstates import (
    FINE,
    Model,
    counts,
    frames,
    halves,
    model,
    shares,
)
from daskid.kernels.landscape import markov as kernels
from daskid.typing import Array, Floats, Ints

INPUTS = v.microstate, v.microstate_transition, v.implied_timescale
COVERS = (
    "The scatter between halves of {blocks} blocks of frames; which microstates are in the cores, "
    "how coarse they are, and that the lag is too short are left out."
)


def committor(ds: xr.Dataset, *, source: int = 0, target: int = 1, seed: int = 0) -> xr.Dataset:
    """Return the probability to reach the core of one peak before that of another; *computes*.

    Solved on the microstates of :func:`daskid.markov` [1]_. The cores are those of
    :func:`daskid.transitions`; a microstate is in one if the share of its samples that are
    is at least half of the largest such share.

    Parameters
    ----------
    ds
        Holds what :func:`daskid.markov` and :func:`daskid.peaks` add, and ``log_density``.
    source, target
        Two peaks.
    seed
        Of the deals of blocks into halves, from which errors come.

    Returns
    -------
    ``ds`` with ``committor`` and ``committor_error`` (sample): those of the sample's microstate,
    0 in the core of the source, 1 in that of the target, NaN where the microstate is not
    in the model, or never in that of a half.

    Raises
    ------
    SchemaError
        If there is no Markov model, or no peaks.
    ValueError
        If source and target are the same or not peaks, no sample is in the core of one, or it
        is not in the model, as it is never left or never entered.

    References
    ----------
    .. [1] F. Noé et al., "Constructing the equilibrium ensemble of folding pathways from short
       off-equilibrium simulations", PNAS 106, 19011 (2009). https://doi.org/10.1073/pnas.0905466106
    """
    state, transition = (np.asarray(x.compute()) for x in v.read(ds, *INPUTS)[:2])
    found = cores(ds)
    _check_peaks(source, target, found.depth.size)
    core = np.asarray(found.core.compute())
    known = transition.sum(axis=1) > 0
    ends = [
        _members(name, peak, state, core, known)
        for name, peak in (("source", source), ("target", target))
    ]
    _check_apart(*ends)
    made = frames(ds, v.read(ds, v.microstate)[0], len(transition))
    count = counts(made, int(ds[v.implied_timescale.name].attrs["lag"]))
    with threadpool_limits(1, user_api="blas"):  # of small matrices, where threads only wait
        whole = model(count.sum(axis=0), tolerance=FINE)
        share = shares(whole, made.states)
        value = _solved(whole, ends, made.states)
        apart = [
            np.subtract(*(_solved(model(x, share), ends, made.states) for x in deal))
            for deal in halves(count, seed)
        ]
    error = _typical(np.array(apart))
    return v.assign(
        ds, {v.committor: value[state], v.committor_error: error[state]},
        inputs=(*INPUTS, v.peak_label, v.log_density, *made.inputs),
        parameters={"source": int(source), "target": int(target), "seed": int(seed)},
        attrs={v.committor_error: {"covers": COVERS.format(blocks=made.blocks)}},
    )  # fmt: skip


def _check_peaks(source: int, target: int, peaks: int) -> None:
    if peaks < 2:
        raise ValueError(
            f"source, target: expected two peaks, got {peaks}: the landscape has one state, from "
            "which there is no way to another"
        )
    for name, peak in (("source", source), ("target", target)):
        if not 0 <= peak < peaks or source == target:
            raise ValueError(
                f"{name}: expected two different peaks from 0 to {peaks - 1}, got "
                f"source={source!r}, target={target!r}: e.g. source=0, target=1"
            )


def _members(name: str, peak: int, state: Ints, core: Ints, known: Array) -> Array:
    """Return which microstates are in the core of a peak: (states,)."""
    size = np.bincount(state, minlength=known.size)
    part = np.bincount(state[core == peak], minlength=known.size) / np.maximum(size, 1)
    if not part.any():
        raise ValueError(
            f"{name}: expected a peak with samples in its core, got {peak}, which has none: see "
            "the attribute without_core of transition_count"
        )
    inside: Array = (2 * part >= part.max()) & known
    if not inside.any():
        raise ValueError(
            f"{name}: expected a peak that is both entered and left, got {peak}, whose "
            "microstates are not in the model: choose another, or take longer trajectories"
        )
    return inside


def _check_apart(first: Array, last: Array) -> None:
    if (first & last).any():
        raise ValueError(
            "source, target: expected cores in different microstates, got some that hold much of "
            "both: run markov with more microstates"
        )


def _solved(fitted: Model, ends: list[Array], states: int) -> Floats:
    """Return the committor of each microstate, NaN of those outside of the model."""
    out = np.full(states, np.nan)
    first, last = (end[fitted.inside] for end in ends)
    if first.any() and last.any():
        out[fitted.inside] = kernels.committor(fitted.transition, first, last)
    return out


def _typical(apart: Floats) -> Floats:
    """Return the standard errors from differences of halves, of those deals that know them."""
    known = ~np.isnan(apart)
    number = known.sum(axis=0)
    square = np.where(known, apart, 0.0) ** 2
    error = 0.5 * np.sqrt(square.sum(axis=0) / np.maximum(number, 1))
    return np.where(number > 0, error, np.nan)
