"""A Markov model of microstates, lumped to the peaks: relaxation times, tests, committors."""

import logging
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from daskid import variables as v
from daskid.blockwise import landscape as blockwise
from daskid.estimators.landscape.blocks import check_count
from daskid.estimators.landscape.microstates import (
    DEALS,
    FINE,
    Frames,
    Model,
    check_lag,
    counts,
    frames,
    halves,
    model,
    scatter,
    shares,
)
from daskid.kernels.landscape import markov as kernels
from daskid.kernels.landscape import microstates as cells
from daskid.typing import Array, Floats, Ints

log = logging.getLogger("daskid")

ROWS, ROW_BYTES = 20_000, 1 << 26
"""Rows among which centers are sought, and what they may hold."""
TIMESCALES, AFTER = 4, 5
"""Relaxation times, and lags of the Chapman-Kolmogorov test."""
LONGEST, LEVEL = 1024, 1.03
"""Frames of the longest lag tried; by what a time may grow over twice the lag to be level."""
TESTED = 4
"""Lags that are tested at most: what a lag eight times as long does not mend, is not the lag."""
TINY = 1e-9
"""Least of errors, and of differences."""
COVERS = (
    "The scatter between halves of {blocks} blocks of frames; the microstates are those of the "
    "data, and that a lag is too short is left out: see whether times are level over lags."
)


class Verdict(NamedTuple):
    """Errors by which a model is apart from what is seen, and may be, of how many comparisons."""

    apart: float
    limit: float
    comparisons: int

    @property
    def passes(self) -> bool:
        """Whether it is not further apart than chance explains."""
        return self.apart <= self.limit


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
    as that of a model of that lag. It fails where some of these are further apart, in errors of
    their difference, than the farthest of so many comparisons is by chance in 5 % of models that
    are right: 3.8 errors for two basins (8 comparisons), 4.1 for three, 6.2 for thirty where all
    blocks of the record visit all basins, more where fewer do. Where nothing can be compared (one
    basin, a lag that fits in once) it passes, of 0 ``comparisons``.

    Parameters
    ----------
    ds
        Holds ``rows`` and ``peak_label``, in the order of time, as for
        :func:`daskid.transitions`.
    lag
        In frames. By default the first of 1, 2, 4, ... that passes its test, of the first four from
        which on the longest time grows by less than 3 % to twice the lag and that are shorter than
        this time; the first of these if none passes, which the log and the attributes say.
    microstates
        How many.
    seed
        Of the centers and of the deals of blocks.

    Returns
    -------
    ``ds`` with ``implied_timescale`` (lag, timescale), ``stay_predicted`` and ``stay_observed``
    (after, peak), with errors, and that of their difference, ``stay_difference_error``, which is
    smaller, as both are of the same frames; ``microstate`` (sample); ``microstate_peak``, the peak
    of most
    samples of a microstate, ``microstate_probability`` (center) and ``microstate_transition``
    (center, next_center), at the lag that ``implied_timescale`` names in its attributes, with
    ``passes``, 1 or 0, ``apart``, the largest distance in its test, in errors, how many
    ``comparisons`` there were, and the ``limit`` of ``apart`` for so many (of the one that is
    furthest beyond its limit, or nearest to it); states that
    are not connected have a row of zeros. Times, and the coordinates ``lag`` and ``after``, are in
    units of ``time`` (seconds for dates).

    Raises
    ------
    SchemaError
        If there are no rows or no peaks.
    ValueError
        If ``lag`` is not shorter than the shortest trajectory and the longest stretch without a
        gap, if ``microstates`` are too few or more than samples, or as
        :func:`daskid.transitions` does.

    Notes
    -----
    Errors come from halves of 64 blocks of frames, as those of :func:`daskid.barriers`. A
    block counts the pairs that begin in it. Streams over the rows; holds 2 bytes a sample and
    the counts of all blocks at a lag: 8 bytes times 64 times the square of ``microstates``.

    References
    ----------
    .. [1] J.-H. Prinz et al., "Markov models of molecular kinetics: generation and validation",
       J. Chem. Phys. 134, 174105 (2011), Sect. III-IV. https://doi.org/10.1063/1.3565032
    """
    for name, value, least in (("microstates", microstates, 2), ("seed", seed, 0)):
        check_count(name, value, least)
    if lag is not None:
        check_count("lag", lag, 1)
    v.read(ds, v.rows, v.peak_label)
    state, number = _microstates(ds, microstates, seed)
    found = frames(ds, state, number)
    check_lag(lag or 1, found)
    lags = _lags(lag, found)
    lump: Ints = found.shared.argmax(axis=1)
    with threadpool_limits(1, user_api="blas"):  # of small matrices, where threads only wait
        times, errors = _over_lags(found, lags, seed)
        tried = [lag] if lag is not None else _level(lags, times)
        freedom = _freedom(found, lump)
        chosen, fitted = _passing(found, tried, lump, seed, freedom)
    values: dict[v.Variable, Any] = {
        v.implied_timescale: times * found.step,
        v.implied_timescale_error: errors * found.step,
        v.microstate: found.state,
        v.microstate_peak: lump,
        **fitted,
    }
    out = v.assign(
        ds.drop_vars(["lag", "after"], errors="ignore"), values,
        inputs=(v.rows, v.peak_label, *found.inputs),
        parameters={"lag": lag, "microstates": int(microstates), "seed": int(seed)},
        attrs=_attrs(found, chosen, _tested(fitted, freedom)),
    )  # fmt: skip
    unit = {"units": found.unit} if found.unit else {}
    after = chosen * found.step * np.arange(1, len(values[v.stay_predicted]) + 1)
    return out.assign_coords(
        lag=("lag", np.array(lags) * found.step, {"long_name": "lag", **unit}),
        after=("after", after, {"long_name": "time since", **unit}),
    )


def _attrs(found: Frames, lag: int, tested: Verdict) -> dict[v.Variable, dict[str, Any]]:
    unit = {"units": found.unit} if found.unit else {}
    covers = {"covers": COVERS.format(blocks=found.blocks)}
    told = {"lag": lag, "passes": int(tested.passes), **tested._asdict()}
    return {
        v.implied_timescale: {**told, **unit},
        v.implied_timescale_error: {**covers, **unit},
        v.stay_predicted_error: covers,
        v.stay_observed_error: covers,
        v.stay_difference_error: covers,
    }


def _microstates(ds: xr.Dataset, number: int, seed: int) -> tuple[Any, int]:
    """Return the microstate of each sample, lazy, and how many there are."""
    (rows,) = v.read(ds, v.rows)
    period, weight = v.compared(ds)
    n, d = rows.shape
    if number > n:
        raise ValueError(
            f"microstates: expected as many as samples or fewer, got {number} for {n} samples: "
            f"e.g. microstates={max(n // 10, 2)}"
        )
    wanted = max(min(ROWS, ROW_BYTES // (8 * d)), 10 * number)
    some: Array = np.asarray(rows[:: max(n // wanted, 1)].compute())
    center = cells.spread(cells.embedded(some, period, weight), number, seed)
    return blockwise.microstates(rows, center, period, weight), len(center)


def _lags(lag: int | None, found: Frames) -> list[int]:
    reach = min(found.shortest, found.longest)
    tried = {2**j for j in range(LONGEST.bit_length()) if 2**j * 10 < reach}
    return sorted(tried | {lag or 1})


def _timescales(fitted: Model) -> Floats:
    return kernels.timescales(fitted.transition, fitted.stationary, TIMESCALES)


def _over_lags(found: Frames, lags: list[int], seed: int) -> tuple[Floats, Floats]:
    """Return timescales and their errors, in frames: (lags, timescales)."""
    out, error = np.empty((2, len(lags), TIMESCALES))
    for i, lag in enumerate(lags):
        count = counts(found, lag)
        fitted = model(count.sum(axis=0), tolerance=FINE)
        share = shares(fitted, found.states)
        pairs = [[_timescales(model(x, share)) for x in deal] for deal in halves(count, seed)]
        out[i], error[i] = lag * _timescales(fitted), lag * scatter(pairs)
    return out, error


def _level(lags: list[int], times: Floats) -> list[int]:
    """Return some lags from the first on from which the longest time is level, to that time."""
    longest = times[:, 0]
    level = np.flatnonzero(longest[1:] < LEVEL * longest[:-1])
    first = int(level[0]) if level.size else len(lags) - 1
    later = [i for i in range(first + 1, len(lags)) if lags[i] < longest[i]]
    return [lags[i] for i in (first, *later)][:TESTED]


def _passing(
    found: Frames, lags: list[int], lump: Ints, seed: int, freedom: Floats
) -> tuple[int, dict[v.Variable, Any]]:
    """Return the first lag whose model passes its test, or the first, and the model."""
    models = {}
    for lag in lags:
        models[lag] = _model(found, lag, lump, seed)
        if _tested(models[lag], freedom).passes:
            return lag, models[lag]
    log.warning(
        "markov: no model of lag %s frames passes the test of Chapman and Kolmogorov, that of %d "
        "is kept: take more microstates, or features that tell slow states apart",
        ", ".join(map(str, lags)), lags[0],
    )  # fmt: skip
    return lags[0], models[lags[0]]


def _freedom(found: Frames, lump: Ints) -> Floats:
    """Return the degrees of freedom of the errors of each peak."""
    number = counts(found, 1).sum(axis=2)
    peaks = np.arange(found.shared.shape[1])
    return kernels.freedom(number @ (lump[:, np.newaxis] == peaks), DEALS)


def _tested(fitted: dict[v.Variable, Any], freedom: Floats) -> Verdict:
    """Return how far prediction and observation are apart, and how far they may be.

    What is the same on both sides, as after one lag, or has no error, is not compared.
    """
    width = fitted[v.stay_difference_error]
    off = np.abs(fitted[v.stay_predicted] - fitted[v.stay_observed])
    compared = np.isfinite(off + width) & (np.maximum(off, width) > TINY)
    number = int(compared.sum())
    limit = np.broadcast_to(kernels.farthest_by_chance(number, freedom), off.shape)
    apart = np.where(compared, off / np.maximum(width, TINY), 0.0)
    farthest = np.unravel_index((apart / limit).argmax(), off.shape)
    return Verdict(float(apart[farthest]), float(limit[farthest]), number)


def _model(found: Frames, lag: int, lump: Ints, seed: int) -> dict[v.Variable, Any]:
    """Return the model of a lag, and the two sides of its test with errors."""
    count = counts(found, lag)
    fitted = model(count.sum(axis=0), tolerance=FINE)
    full = np.zeros(count.shape[1:])
    full[np.ix_(fitted.inside, fitted.inside)] = fitted.transition
    share = shares(fitted, found.states)
    peaks = found.shared.shape[1]
    steps = min(AFTER, (min(found.shortest, found.longest) - 1) // lag)

    def stays(count: Ints, steps: int) -> tuple[Floats, Floats]:
        """Return (steps, peaks), and that of both halves of each deal."""
        one, *both = (
            [
                kernels.stay_probabilities(*part[1:], lump[part.inside], peaks, steps)
                for part in (model(x, share) for x in some)
            ]
            for some in ((count.sum(axis=0),), *halves(count, seed))
        )
        return one[0], np.array(both)

    predicted, dealt = stays(count, steps)
    later = [stays(counts(found, lag * k), 1) for k in range(1, steps + 1)]
    observed = np.concatenate([one for one, _ in later])
    seen = np.concatenate([both for _, both in later], axis=2)
    return {
        v.microstate_probability: share,
        v.microstate_transition: full,
        v.stay_predicted: predicted,
        v.stay_predicted_error: scatter(dealt),
        v.stay_observed: observed,
        v.stay_observed_error: scatter(seen),
        v.stay_difference_error: scatter(dealt - seen),
    }
