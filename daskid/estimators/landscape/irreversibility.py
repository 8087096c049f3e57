"""Whether time has a direction: then minus the log density is no potential of the drift."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import currents as blockwise
from daskid.blockwise import landscape as counted
from daskid.estimators.landscape.blocks import DEFAULT, check_count
from daskid.estimators.landscape.blocks import FEWEST as FEWEST_BLOCKS
from daskid.estimators.landscape.components import Plane, metric, own_image, plane
from daskid.estimators.landscape.cores import TABLES, Clock, Cores, clock, cores, named_cores
from daskid.estimators.landscape.transitions import FEWEST
from daskid.kernels.landscape import irreversibility as kernels
from daskid.typing import Array, Floats, Ints

LEVEL = 0.05
DEGREE, LEADING = 3, 3
"""Of the monomials in the currents that tell the entropy production, and their components."""
PAIRS = 20
"""Pairs of frames for each current, fewer of which say nothing of the entropy production."""
MOST_COMPONENTS, MOST_CYCLES, FEWEST_CHANGES = 5, 32, 10
DRAWS = 1999
COVERS = "The scatter between {groups} blocks of frames, taken as independent; {more}"
BOUND = "how far the truth is above the bound is left out."


class Rings(NamedTuple):
    """(c, l) states along the cycles, -1 behind the last, and (c, 2) the step that marks each."""

    peak: Ints
    mark: Ints


class Chances(NamedTuple):
    """p-values of cycles, areas and entropy production; ``blind`` if none could be small enough."""

    cycle: Floats
    area: Floats
    production: float
    blind: bool


def irreversibility(
    ds: xr.Dataset,
    *,
    odd: str | None = None,
    lag: int = 1,
    components: int = 3,
    core: str | None = None,
    block: str | int | None = None,
    seed: int = 0,
) -> xr.Dataset:
    r"""Look for currents that say in which direction time goes; this step *computes*.

    In equilibrium a record is as likely as the same one backwards, and :math:`-\ln p` is the
    potential of the drift (times the noise). Out of it there are currents, which
    change their sign with time; three kinds are looked at.

    * Turns round independent *cycles* of states: states follow each other as in
      :func:`daskid.transitions`, a tree of the most frequent changes joins them, and each other
      pair of states closes a cycle, whose turns are the net changes of the pair [1]_.
    * Area rates :math:`\langle x_i\,dx_j - x_j\,dx_i \rangle / 2` over time, of the leading
      components [2]_: principal components of the metric, or the features where they are no more
      than ``components``. Over a lag they are those of its chords.
    * Entropy production [3]_, from all currents
      :math:`f = w((x + y)/2)\,(y - x)_j` between frames a lag apart, :math:`w` the monomials up to
      degree 3 of at most three components (less for few frames). With
      :math:`r^2 = E[f]^\top E[f f^\top]^{-1} E[f]` it is :math:`2 r\,\mathrm{artanh}(r)` in this
      time or more, whatever the process.

    All are summed by block of frames. Backwards, a block has the same sums with the other
    sign, so the p-value is the share of all patterns of signs of blocks for which a sum is as
    large: exact if blocks are independent. What the scatter of blocks alone adds to :math:`r^2` is
    taken off. p-values are for all tests together: by Holm's rule, or the share of patterns in
    which any test finds as much [4]_, whichever is smaller.

    Parameters
    ----------
    ds
        Holds ``rows`` and ``log_density`` and what :func:`daskid.peaks` adds, with ``time`` or
        ``trajectory``, its samples in the order of time, trajectory by trajectory.
    odd
        Names (or positions) of features that change their sign when time is reversed, such as
        velocities and winds, with commas between them. They have components of their own; no area
        is told of an odd and an even component, and no cycle through a state that has a
        mirror image in another state.
    lag
        Frames from one of a pair to the other. A longer one sees through noise of the
        measurement, and less of the entropy production.
    components
        How many, 2 to 5.
    core
        Name of other cores than those of the peaks, as for :func:`daskid.transitions`: then no
        density is needed, nor peaks.
    block
        "trajectory", or a number of frames over which they forget each other; by default a 64th
        of all.
    seed
        Of 1999 patterns of signs.

    Returns
    -------
    ``ds`` with ``cycle_peak`` (cycle, corner), ``cycle_winding`` and ``cycle_p_value`` (cycle);
    ``area_rate`` and ``area_rate_p_value`` (component, other_component); ``entropy_production`` and
    ``entropy_production_p_value``: a lower bound, the closer the shorter the lag, NaN of a
    single component or of too few frames; all with their ``*_error``. ``irreversible`` is 1 if a
    p-value is at most 5 %, 0 if none is, and -1 where nothing could be seen: two states, say, and
    one component. Its attribute ``sentence`` says so in words.

    Raises
    ------
    SchemaError
        If there are no peaks, or neither time nor trajectories.
    ValueError
        If time does not increase along a trajectory, a trajectory is in several parts, a number is
        out of range, there are fewer than 8 blocks, the lag is as long as the longest segment, or
        a feature is unknown, or odd with a period.

    Notes
    -----
    The record has to be stationary: a relaxation from a first frame far off has a direction. The
    entropy production is a bound from two frames: in a linear flow that turns three times as
    fast as it relaxes and produces 18 per relaxation time, it is 15 for frames a hundredth of
    that apart, and 8 for a tenth. Vortices that turn against each other have no area, but produce
    entropy. Not seen is not absent: currents in other components, and faster than the lag, are
    missed. Only pairs of states with 10 changes or more mark a cycle, at most 32.

    References
    ----------
    .. [1] J. Schnakenberg, "Network theory of microscopic and macroscopic behavior of master
       equation systems", Rev. Mod. Phys. 48, 571 (1976), Sect. VI.
       https://doi.org/10.1103/RevModPhys.48.571
    .. [2] J. B. Weiss, "Coordinate invariance in stochastic dynamical systems", Tellus A 55,
       208 (2003). https://doi.org/10.3402/tellusa.v55i3.12093
    .. [3] A. M. Timpanaro, G. Guarnieri, J. Goold, G. T. Landi, "Thermodynamic uncertainty
       relations from exchange fluctuation theorems", Phys. Rev. Lett. 123, 090604 (2019).
       https://doi.org/10.1103/PhysRevLett.123.090604
    .. [4] P. H. Westfall, S. S. Young, "Resampling-based multiple testing" (1993), Sect. 2.3.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskid.estimators.landscape.irreversibility import irreversibility
    >>> state = np.tile([0, 0, 1, 1, 2, 2], 200)
    >>> ds = xr.Dataset(
    ...     {
    ...         "rows": (("sample", "feature"), np.eye(3)[state][:, :2]),
    ...         "peak_label": ("sample", state),
    ...         "log_density": ("sample", np.zeros(1200)),
    ...         "peak_sample": ("peak", [0, 2, 4]),
    ...         "peak_log_density": ("peak", np.zeros(3)),
    ...         "merge_peak": (("merge", "side"), [[0, 1], [0, 2]]),
    ...         "merge_log_density": ("merge", [-3.0, -3.0]),
    ...     },
    ...     coords={"time": ("sample", np.arange(1200.0))},
    ... )
    >>> out = irreversibility(ds)
    >>> out.cycle_peak.values.tolist(), out.cycle_winding.values.tolist()
    ([[0, 1, 2]], [199.0])
    >>> out.irreversible.item(), out.irreversible.sentence[:49]
    (1, '-ln p is not a potential here: net flux 0->1->2, ')
    """
    _check(lag, components, seed)
    of_time = _clock(ds)
    (rows,) = v.read(ds, v.rows)
    of_rows = metric(ds, odd)
    leading = plane(rows, of_rows, components)
    states, of_states = _named(ds, core)
    inside, changes, most, length = _states(states, of_time, block, lag)
    rings = Rings(*kernels.cycles(changes, FEWEST_CHANGES, MOST_CYCLES))
    inputs: tuple[v.Variable, ...] = (v.rows, *of_states, *of_time.inputs)
    if odd is not None and len(rings.peak):
        own = own_image(ds, of_rows)
        same = np.where(rings.peak >= 0, own[rings.peak], True).all(axis=1)
        rings, inputs = Rings(*(x[same] for x in rings)), (*inputs, v.peak_sample)
    basis = _basis(leading.parity, rows.shape[0])
    rule = blockwise.Rule(
        lag, length, most, basis, _marks(rings, len(changes)), len(rings.peak)
    )  # fmt: skip
    x = blockwise.components(rows, of_rows.period, of_rows.weight, leading.axes)
    sums = _used(blockwise.sums(x, inside, of_time.time, of_time.trajectory, rule), lag)
    values, tests = _tested(sums, rings, leading, basis, seed)
    flag, words = _judged(values, tests, len(changes), leading, of_time.unit)
    return v.assign(
        ds, {**values, v.irreversible: np.int8(flag)}, inputs=inputs,
        parameters={
            "odd": odd, "lag": int(lag), "components": int(components), "core": core,
            "block": block, "seed": int(seed),
        },
        attrs=_attrs(of_time.unit, len(sums.pairs), words, tests),
    )  # fmt: skip


def _check(lag: int, components: int, seed: int) -> None:
    check_count("lag", lag, 1)
    check_count("components", components, 2)
    check_count("seed", seed, 0)
    if components > MOST_COMPONENTS:
        raise ValueError(
            f"components: expected {MOST_COMPONENTS} at most, got {components}: e.g. components=3"
        )


def _clock(ds: xr.Dataset) -> Clock:
    if v.time.name not in ds.variables and v.trajectory.name not in ds.variables:
        raise v.SchemaError(
            "no 'time' in the dataset: open it with open_rows(..., time=NAME); of samples without "
            "an order nothing can be said of its direction"
        )
    return clock(ds)


def _named(ds: xr.Dataset, core: str | None) -> tuple[Cores, tuple[v.Variable, ...]]:
    """Return the cores, and what was read for them."""
    if core is None:
        return cores(ds), TABLES
    found, named = named_cores(ds, core)
    return found, (named,)


def _states(
    found: Cores, of_time: Clock, block: str | int | None, lag: int
) -> tuple[Any, Ints, int, int]:
    """Return (n,) cores, (p, p) changes, how many blocks there may be, and frames of one.

    A core of too few frames is none, as in :func:`daskid.transitions`.
    """
    core, peaks = found.core, found.depth.size
    met = counted.count(core, of_time.time, of_time.trajectory, peaks, 0.0)
    lone = np.flatnonzero(met.frames < FEWEST)
    if (met.frames[lone] > 0).any():
        core = counted.without(core, lone)
        met = counted.count(core, of_time.time, of_time.trajectory, peaks, 0.0)
    n, records = core.shape[0], met.segments - met.gaps
    length = _length(block, max(n // DEFAULT, 2 * lag))
    if not length and of_time.trajectory is None:
        raise v.SchemaError(
            "no 'trajectory' in the dataset: open it with open_rows(..., trajectory=NAME), or "
            "give block a number of frames"
        )
    return core, met.tally.changes, records + (n // length if length else 0), length


def _length(block: str | int | None, default: int) -> int:
    """Return the frames of a block, 0 for whole trajectories."""
    if block is None or block == "trajectory":
        return default if block is None else 0
    number = int(block) if isinstance(block, str) and block.isdecimal() else block
    check_count("block", number, 1, "'trajectory' or a number of frames, ")
    return int(number)


def _basis(parity: Ints, frames: int) -> kernels.Basis:
    """Return the currents of the highest degree that so many frames can tell apart."""
    parity = parity if parity.size > 1 else parity[:0]
    tried = [kernels.basis(parity, degree, LEADING) for degree in range(DEGREE, 0, -1)]
    return next((b for b in tried if b.target.size * PAIRS <= frames), tried[-1])


def _marks(rings: Rings, peaks: int) -> Ints:
    """Return (p, p) one more than the cycle that a change marks, negative against it."""
    number = np.zeros((peaks, peaks), np.int64)
    for c, (a, b) in enumerate(rings.mark):
        number[a, b], number[b, a] = c + 1, -c - 1
    return number


def _used(sums: kernels.Sums, lag: int) -> kernels.Sums:
    """Return the sums of the groups that have pairs of frames."""
    if not sums.pairs.any():
        raise ValueError(
            f"lag: expected fewer frames than the longest stretch without a gap has, got {lag}: "
            "take a shorter lag"
        )
    kept = (sums.pairs > 0) | sums.winding.any(axis=1)
    if np.count_nonzero(kept) < FEWEST_BLOCKS:
        raise ValueError(
            f"block: expected {FEWEST_BLOCKS} blocks or more, got {np.count_nonzero(kept)}: give "
            "block a smaller number of frames"
        )
    pairs, time, current, product, winding = sums
    return kernels.Sums(pairs[kept], time[kept], current[kept], product[kept], winding[kept])


def _tested(
    sums: kernels.Sums, rings: Rings, leading: Plane, basis: kernels.Basis, seed: int
) -> tuple[dict[v.Variable, Any], Chances]:
    """Return what was found, and the tests."""
    winding = sums.winding.astype(np.float64)
    turns = winding.sum(axis=0)
    expected = np.outer(sums.pairs / sums.pairs.sum(), turns)
    area, *pair = kernels.areas(sums, basis, leading.axes.scale, leading.parity)
    span = sums.time.sum()
    rate = area.sum(axis=0) / span
    bound, scatter, white = np.nan, np.nan, np.empty((len(winding), 0))
    if PAIRS * basis.target.size <= sums.pairs.sum() and sums.current.any():
        bound, scatter, white = kernels.production(sums)
    signed = np.hstack([winding, area])
    p = kernels.p_values(signed, white, DRAWS, seed)
    least = [*map(kernels.least_p_value, signed.T), 1.0 / (DRAWS + 1)]
    known = ~np.isnan(p)
    seen = np.array(least)[known] * np.count_nonzero(known) <= LEVEL
    tests = Chances(p[: turns.size], p[turns.size : -1], float(p[-1]), not seen.any())
    error = kernels.error(area - np.outer(sums.time, rate)) / span
    m = leading.parity.size
    return {
        v.cycle_winding: turns,
        v.cycle_winding_error: kernels.error(winding - expected),
        v.cycle_p_value: tests.cycle,
        v.cycle_peak: rings.peak,
        v.area_rate: _matrix(m, pair, rate, -rate),
        v.area_rate_error: _matrix(m, pair, error, error),
        v.area_rate_p_value: _matrix(m, pair, tests.area, tests.area),
        v.entropy_production: bound,
        v.entropy_production_error: scatter,
        v.entropy_production_p_value: tests.production,
    }, tests


def _matrix(m: int, pair: list[Array], above: Floats, below: Floats) -> Floats:
    out = np.full((m, m), np.nan)
    out[pair[0], pair[1]], out[pair[1], pair[0]] = above, below
    return out


def _judged(
    values: dict[v.Variable, Any], tests: Chances, peaks: int, leading: Plane, unit: str
) -> tuple[int, str]:
    """Return the flag, and what it says in words."""
    every = np.array([*tests.cycle, *tests.area, tests.production])
    states = {0: "no states", 1: "one state", 2: "two states"}.get(peaks, f"{peaks} states")
    without = "" if tests.cycle.size else f"{states}{' without a cycle' if peaks > 2 else ''}"
    if tests.blind:
        return -1, f"{without or 'too few blocks'}: no power to see a net flux"
    if (every <= LEVEL).any():  # cycles say most
        kind = np.repeat([0, 1, 2], [tests.cycle.size, tests.area.size, 1])
        first = int(np.lexsort([every, kind, ~(every <= LEVEL)])[0])
        found = _what(first, values, tests, leading, unit)
        return 1, f"-ln p is not a potential here: {found}, p = {_short(every[first])}"
    looked = [
        *([_number(tests.cycle.size, "cycle")] if tests.cycle.size else []),
        *([_number(tests.area.size, "pair") + " of components"] if tests.area.size else []),
        *(["entropy production"] if np.isfinite(tests.production) else []),
    ]
    more = "" if tests.cycle.size else f"; no cycle of {states}"
    return (
        0,
        f"no direction of time seen in {', '.join(looked)}, p = {_short(np.nanmin(every))}{more}",
    )


def _what(
    number: int, values: dict[v.Variable, Any], tests: Chances, leading: Plane, unit: str
) -> str:
    """Return in words what the test of this number found."""
    if number < tests.cycle.size:
        ring = values[v.cycle_peak][number]
        ring = ring[ring >= 0].tolist()
        if values[v.cycle_winding][number] < 0:
            ring = [ring[0], *ring[:0:-1]]
        return "net flux " + "->".join(map(str, ring))
    if number < tests.cycle.size + tests.area.size:
        p = np.triu(values[v.area_rate_p_value])
        pairs = np.argwhere(np.triu(~np.isnan(p), 1))
        i, j = pairs[number - tests.cycle.size]
        i, j = (i, j) if values[v.area_rate][i, j] > 0 else (j, i)
        return f"rotation from {'feature' if leading.plain else 'component'} {i} to {j}"
    bound, error = values[v.entropy_production], values[v.entropy_production_error]
    return f"entropy production of at least {bound:.2g} +- {error:.1g} per {unit or 'unit of time'}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _short(p: float) -> str:
    """Return one digit of a p-value: 0.03, 2e-9."""
    mantissa, _, power = f"{p:.1g}".partition("e")
    return f"{mantissa}e{int(power)}" if power else mantissa


def _attrs(unit: str, groups: int, words: str, tests: Chances) -> dict[v.Variable, dict[str, Any]]:
    per = {"units": f"1/{unit}"} if unit else {}
    covers = {"covers": COVERS.format(groups=groups, more="slower changes are left out.")}
    bound = {"covers": COVERS.format(groups=groups, more=BOUND)}
    number = int(np.count_nonzero(~np.isnan([*tests.cycle, *tests.area, tests.production])))
    return {
        v.irreversible: {"sentence": words, "tests": number, "level": LEVEL},
        v.cycle_winding_error: covers,
        v.area_rate_error: covers,
        v.entropy_production: per,
        v.entropy_production_error: per | bound,
    }
