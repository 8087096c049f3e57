"""Do times follow barriers? Runs at several noise levels on one line."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.kernels.landscape import kramers as kernels
from daskid.kernels.landscape import microstates as cells
from daskid.typing import Floats, Ints

Runs: TypeAlias = Mapping[str, xr.Dataset] | Sequence[xr.Dataset]
Sigmas: TypeAlias = Mapping[str, float] | Sequence[float] | None

NORMAL = 1.959964
"""Standard errors from the middle to the end of a 95 % interval."""
CLEAR = 0.5
"""Of the distance to the second nearest peak, within which a peak has to be."""
COVERS = (
    "The 95 % intervals of the times and the errors of the barriers, of which that of the "
    "dimension is shared by all runs. That both come from the same frames, and where the cores "
    "end, is left out."
)
TABLES = (
    v.barrier_minimax, v.barrier_minimax_error, v.barrier_dimension_slope,
    v.mean_first_passage_time, v.mean_first_passage_time_low, v.mean_first_passage_time_high,
)  # fmt: skip


class Run(NamedTuple):
    """One noise level: peaks in the metric, and their matrices in the order of the first run.

    ``place`` (p, e); ``barrier`` in kT, its ``error``, the part of it ``shared`` by all runs, and
    the mean first passage ``time`` with its ends, (p, p) each.
    """

    place: Floats
    barrier: Floats
    error: Floats
    shared: Floats
    time: Floats
    low: Floats
    high: Floats


class Points(NamedTuple):
    """(a, r) logarithms of times and exponents of a passages in r runs, and their errors."""

    log_time: Floats
    log_error: Floats
    exponent: Floats
    error: Floats
    shared: Floats


def kramers(runs: Runs, *, sigma: Sigmas = None) -> xr.Dataset:
    r"""Set the logarithm of passage times against barriers, over noise levels; *computes*.

    For weak noise :math:`\tau \propto e^{2 \Delta V / \sigma^2}` [1]_: a line of slope 1 through
    :math:`\ln \tau` against the exponent, which is the barrier in kT, as
    :math:`kT = \sigma^2/2`. At noise that can be simulated the true slope is not 1 (0.91 in
    a system of Maier and Stein), so it is fitted, with errors on both axes [2]_, and told. That
    part of the errors of barriers which is from the dimension is the same in all runs.

    Parameters
    ----------
    runs
        Two or more datasets of one system at different noise, by name or in a sequence, each with
        ``rows`` and what :func:`daskid.peaks`, :func:`daskid.barriers` and
        :func:`daskid.transitions` add.
    sigma
        Noise strength of each run; by default what :func:`daskid.free_energy` was given.

    Returns
    -------
    A dataset of its own. For each ``passage`` from peak to peak (``kramers_peak``, in the
    order of the run of least noise): ``kramers_slope`` and ``kramers_intercept`` with their
    ``*_error``; ``kramers_differs``, 1 where the slope is not 1 at 5 %, 0 where that is not
    seen, -1 where fewer than two runs saw the passage (then all is NaN); and
    ``zero_noise_barrier``, the barrier :math:`\Delta V` on a line in :math:`\sigma^2` at no
    noise, with its error and, apart, ``zero_noise_barrier_model_error``: how far a parabola ends
    from there, NaN of two runs. For each passage and ``run``: ``kramers_log_time`` and
    ``kramers_exponent`` with their ``*_error``.

    Raises
    ------
    SchemaError
        If a run lacks a variable.
    ValueError
        If there are fewer than two runs or noise levels, a noise strength is missing or not
        positive, times have different units, or peaks of two runs do not match: their numbers
        differ, or the peak nearest to one is not the only one near.

    Notes
    -----
    Barriers are the minimax ones, and times lead from core to core. In the double well (c = 0.1,
    sigma 0.3, 0.4, 0.5; barriers of 1.3 to 8 kT) the true slopes between cores are 1.005 and 1.003,
    from minimum to minimum 0.98 and 0.96; below 1.5 kT they are up to 1.2: that is no weak noise.

    References
    ----------
    .. [1] H. A. Kramers, "Brownian motion in a field of force and the diffusion model of chemical
       reactions", Physica 7, 284 (1940). https://doi.org/10.1016/S0031-8914(40)90098-2
    .. [2] D. York et al., "Unified equations for the slope, intercept, and standard errors of the
       best straight line", Am. J. Phys. 72, 367 (2004). https://doi.org/10.1119/1.1632486

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskid.estimators.landscape.kramers import kramers
    >>> def run(barrier, time):
    ...     table = {"barrier_minimax": barrier, "barrier_minimax_error": barrier / 20}
    ...     table |= {"barrier_dimension_slope": 0.0, "mean_first_passage_time": time}
    ...     table |= {f"mean_first_passage_time_{x}": time * y for x, y in ENDS.items()}
    ...     square = {n: (("peak", "other_peak"), np.full((2, 2), x)) for n, x in table.items()}
    ...     rows = {"rows": (("sample", "feature"), [[-1.0], [1.0]])}
    ...     return xr.Dataset(square | rows | {"peak_sample": ("peak", [0, 1])})
    >>> ENDS = {"low": 0.8, "high": 1.25}
    >>> out = kramers({"weak": run(6.0, 2000.0), "strong": run(3.0, 110.0)}, sigma=[0.3, 0.42])
    >>> f"{out.kramers_slope[0]:.2f} +- {out.kramers_slope_error[0]:.2f}"
    '0.97 +- 0.12'
    """
    names, given = _named(runs)
    levels = _levels(names, given, sigma)
    found = [_run(name, ds) for name, ds in zip(names, given, strict=True)]
    unit = _unit(names, given)
    order = _matched(names, found, int(np.argmin(levels)))
    points, pair = _points(found, order)
    lines, zero = _fitted(points, levels)
    slope, intercept, slope_error, intercept_error = lines.T
    apart = np.abs(slope - 1.0) > NORMAL * slope_error
    values: dict[v.Variable, Any] = {
        v.kramers_peak: pair,
        v.kramers_slope: slope,
        v.kramers_slope_error: slope_error,
        v.kramers_intercept: intercept,
        v.kramers_intercept_error: intercept_error,
        v.kramers_differs: np.where(np.isnan(slope), -1, apart).astype(np.int8),
        v.zero_noise_barrier: zero[:, 0],
        v.zero_noise_barrier_error: zero[:, 1],
        v.zero_noise_barrier_model_error: zero[:, 2],
        v.kramers_log_time: points.log_time,
        v.kramers_log_time_error: points.log_error,
        v.kramers_exponent: points.exponent,
        v.kramers_exponent_error: points.error,
        v.kramers_sigma: levels,
    }
    prints = [v.fingerprint(ds[x.name]) for ds in given for x in TABLES]
    out = v.assign(
        xr.Dataset(), values, inputs=(), parameters={"runs": names, "of": prints},
        attrs={
            v.kramers_log_time: {"time_units": unit},
            v.kramers_slope_error: {"covers": COVERS},
            v.zero_noise_barrier_model_error: {"model": "a line and a parabola in sigma^2"},
        },
    )  # fmt: skip
    return out.assign_coords(run=("run", names, {"long_name": "run"}))


def _named(runs: Any) -> tuple[list[str], list[xr.Dataset]]:
    several = isinstance(runs, Mapping | Sequence) and not isinstance(runs, xr.Dataset)
    if not several or len(runs) < 2:
        got = len(runs) if several else f"a {type(runs).__name__}"
        raise ValueError(
            f"runs: expected a list or a dict of two datasets or more, at different noise, got "
            f"{got}: e.g. kramers([weak, strong])"
        )
    named = dict(runs) if isinstance(runs, Mapping) else dict(enumerate(runs))
    return [str(name) for name in named], list(named.values())


def _levels(names: list[str], given: list[xr.Dataset], sigma: Sigmas) -> Floats:
    """Return the noise strength of each run."""
    if isinstance(sigma, Mapping):
        found = [sigma.get(name) for name in names]
    elif sigma is not None:
        found = list(sigma)
    else:
        found = [
            ds[v.potential.name].attrs.get("sigma") if v.potential.name in ds.variables else None
            for ds in given
        ]
    if len(found) != len(names):
        raise ValueError(
            f"sigma: expected one for each of {len(names)} runs, got {len(found)}: pass a list of "
            "them"
        )
    for name, value in zip(names, found, strict=True):
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if value is None or not number or not 0 < value < np.inf:
            raise ValueError(
                f"sigma: expected a positive number for run {name!r}, got {value!r}: run "
                "free_energy with sigma=0.5, say, or pass sigma"
            )
    levels = np.array(found, np.float64)
    if np.unique(levels).size < 2:
        raise ValueError(
            f"sigma: expected two different ones or more, got {levels[0]:g} in all runs: add a run "
            "at another noise"
        )
    return levels


def _run(name: str, ds: xr.Dataset) -> Run:
    """Return what is needed of a run. Computes."""
    try:
        rows, sample, *tables = v.read(ds, v.rows, v.peak_sample, *TABLES)
        metric = v.compared(ds)
    except v.SchemaError as missing:
        raise v.SchemaError(f"run {name!r}: {missing}") from None
    peaks = np.asarray(sample.compute())
    if peaks.size < 2:
        raise ValueError(
            f"runs: expected two peaks or more in each, got {peaks.size} in run {name!r}: leave it "
            "out, or run peaks with a smaller z"
        )
    barrier, error, slope, *times = (np.asarray(x.compute(), np.float64) for x in tables)
    attrs = ds[v.barrier_minimax_error.name].attrs
    shared = float(attrs.get("dimension_error", 0.0)) * slope
    place = cells.embedded(np.asarray(rows[peaks].compute()), *metric)
    return Run(place, barrier, error, np.nan_to_num(shared), *times)


def _unit(names: list[str], given: list[xr.Dataset]) -> str:
    units = [str(ds[v.mean_first_passage_time.name].attrs.get("units", "")) for ds in given]
    for name, unit in zip(names, units, strict=True):
        if unit != units[0]:
            raise ValueError(
                f"runs: expected times in one unit, got {units[0]!r} in run {names[0]!r} and "
                f"{unit!r} in run {name!r}: convert the time of one, and count its transitions anew"
            )
    return units[0]


def _matched(names: list[str], found: list[Run], first: int) -> list[Ints]:
    """Return for each run the numbers of its peaks in the order of run ``first``."""
    known = found[first].place
    order = []
    for name, run in zip(names, found, strict=True):
        if run.place.shape != known.shape:
            raise ValueError(
                f"runs: expected {known.shape[0]} peaks of {known.shape[1]} features in each, as "
                f"in run {names[first]!r}, got {run.place.shape[0]} of {run.place.shape[1]} in run "
                f"{name!r}: run peaks with another z, or leave the run out"
            )
        apart = np.linalg.norm(known[:, np.newaxis] - run.place, axis=-1)
        near, second = np.sort(apart, axis=1)[:, :2].T
        number = apart.argmin(axis=1)
        unclear = np.flatnonzero(near > CLEAR * second)
        if unclear.size or np.unique(number).size < number.size:
            peak = int(unclear[0]) if unclear.size else int(np.argmax(np.bincount(number) > 1))
            raise ValueError(
                f"runs: expected one peak of run {name!r} near peak {peak} of run "
                f"{names[first]!r}, got two at {near[peak]:.3g} and {second[peak]:.3g}: run peaks "
                "with another z, or leave the run out"
            )
        order.append(number)
    return order


def _points(found: list[Run], order: list[Ints]) -> tuple[Points, Ints]:
    """Return the points of all passages, NaN where one was not seen, and (a, 2) their peaks."""
    p = len(order[0])
    pair = np.array([(a, b) for a in range(p) for b in range(p) if a != b])
    columns: list[list[Floats]] = []
    for run, number in zip(found, order, strict=True):
        at = tuple(number[pair].T)
        barrier, error, shared, time, low, high = (x[at] for x in run[1:])
        with np.errstate(invalid="ignore", divide="ignore"):
            log_time, width = np.log(time), (np.log(high) - np.log(low)) / (2 * NORMAL)
        seen = (
            np.isfinite(barrier) & np.isfinite(error) & np.isfinite(log_time) & np.isfinite(width)
        )
        columns.append(
            [np.where(seen, x, np.nan) for x in (log_time, width, barrier, error, shared)]
        )
    return Points(*(np.stack(x, axis=1) for x in zip(*columns, strict=True))), pair


def _fitted(points: Points, levels: Floats) -> tuple[Floats, Floats]:
    """Return (a, 4) slopes, intercepts and errors, (a, 3) barriers at no noise; NaN for none."""
    passages = len(points.log_time)
    lines, zero = np.full((passages, 4), np.nan), np.full((passages, 3), np.nan)
    for a, each in enumerate(zip(*points, strict=True)):
        seen = ~np.isnan(each[0])
        log_time, width, exponent, error, shared = (x[seen] for x in each)
        square = levels[seen] ** 2
        if np.unique(square).size < 2:
            continue
        alone = np.sqrt(np.maximum(error**2 - shared**2, 0.0))
        covariance = np.diag(alone**2) + np.outer(shared, shared)
        lines[a] = kernels.line(exponent, log_time, covariance, np.diag(width**2))[:4]
        kt = 0.5 * square
        zero[a] = kernels.at_zero(square, kt * exponent, kt * alone, kt * shared)
    return lines, zero
