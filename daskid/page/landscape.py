"""What a run says of its landscape: states, barriers, edge states, as sentences and tables."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.page.facts import Facts, parameters, samples
from daskid.page.markup import table
from daskid.page.notes import notes
from daskid.page.numbers import count, exact, number, plus_minus
from daskid.page.results import MAX_PEAKS, has, joined, largest
from daskid.page.text import escape, one_line
from daskid.typing import Floats, Ints
from daskid.variables.energy import energy_scale

if TYPE_CHECKING:
    from daskid.plot.landscape.tree import Levels

ONE = (
    "One state: a landscape with one state is an answer; nothing is to be climbed in it, and no "
    "transition to be timed."
)
ALL_PAIRS = 6
"""So many states have all their pairs in tables; of more, the lowest climb out of each."""
SURE = 2.0
"""Errors by which a barrier is above zero, from which on it is believed."""
BELOW_KT = (
    "F depends on the coordinates, the metric and the dimension at the level of a kT; "
    "passage times do not."
)


class Climb(NamedTuple):
    """Of a pair of states: the climb on the best path, straight over the border, its bias, in kT.

    ``direct`` is NaN where the basins do not touch.
    """

    a: int
    b: int
    minimax: float
    error: float
    direct: float
    direct_error: float
    bias: float


def of_states(facts: Facts) -> bool:
    """Return whether barriers and basins are there, and more than one state."""
    needs = (
        v.barrier_minimax, v.barrier_minimax_error, v.barrier_direct, v.barrier_direct_error,
        v.basin_probability, v.basin_probability_error, v.peak_size,
    )  # fmt: skip
    return has(facts, *needs) and facts.values.sizes["peak"] > 1


def sentences(facts: Facts) -> list[str]:
    """Return the findings."""
    if has(facts, v.peak_size) and facts.values.sizes["peak"] == 1:
        return [ONE]
    if not of_states(facts):
        return _sigma(facts)
    parts = (_deepest, _between, _shallowest, _sigma)
    return [sentence for part in parts for sentence in part(facts)]


def cautions(facts: Facts) -> list[str]:
    """Return what a reader must know before using a barrier."""
    return [*_dimension(facts), *_weak(facts)] if of_states(facts) else []


def _dimension(facts: Facts) -> list[str]:
    """Return what barriers say of a dimension that is not known well enough."""
    told = facts.values[v.barrier_minimax_error.name].attrs.get("dimension_warning", "")
    text = one_line(told, 300)
    return [f"{text[:1].upper()}{text[1:]}."] if text else []


def _weak(facts: Facts) -> list[str]:
    known = [climb for c in largest(facts).tolist() if (climb := lowest(facts, c)) is not None]
    weak = [climb for climb in known if climb.minimax < SURE * climb.error]
    if not weak:
        return []
    named = [f"{c.a} ({energy(facts, c.minimax, c.error)})" for c in weak[:ALL_PAIRS]]
    more = [f"{len(weak) - ALL_PAIRS:,} more"] if len(weak) > ALL_PAIRS else []
    if len(weak) == 1:
        return [
            f"The barrier out of state {named[0]} is within two errors of zero: it may not be a "
            "state of its own."
        ]
    return [
        f"The barriers out of states {joined(named + more)} are within two errors of zero: these "
        "may not be states of their own."
    ]


def energy(facts: Facts, value: float, error: float) -> str:
    """Return an energy in kT as text, in the units of the free energy."""
    factor, units = energy_scale(facts.ds)
    return plus_minus(factor * value, factor * error, units)


def probabilities(facts: Facts) -> Floats:
    """Return the probability of each state."""
    return np.asarray(facts.values[v.basin_probability.name].values, np.float64)


def climb(facts: Facts, a: int, b: int) -> Climb:
    """Return the barriers from one state to another."""
    names = (
        v.barrier_minimax, v.barrier_minimax_error, v.barrier_direct, v.barrier_direct_error,
        v.barrier_minimax_bias,
    )  # fmt: skip
    known = (
        float(facts.values[x.name].values[a, b]) if x.name in facts.values else float("nan")
        for x in names
    )
    return Climb(a, b, *known)


def lowest(facts: Facts, a: int) -> Climb | None:
    """Return the lowest climb out of a state, to the state straight over that saddle."""
    direct = facts.values[v.barrier_direct.name].values[a]
    if not np.isfinite(direct).any():
        return None
    return climb(facts, a, int(np.nanargmin(direct)))


def by_probability(facts: Facts) -> Ints:
    """Return the states, the most probable first."""
    return np.argsort(-probabilities(facts), kind="stable")


def _deepest(facts: Facts) -> list[str]:
    ups = facts.values[v.barrier_minimax.name].values
    lower = np.where(np.isfinite(ups), ups - ups.T, 0.0).sum(axis=1)
    c = int(lower.argmax())
    share = probabilities(facts)[c]
    error = float(facts.values[v.basin_probability_error.name].values[c])
    out = lowest(facts, c)
    start = f"{count(len(ups), 'state')}; the deepest, {c}, holds {_percent(share, error)}"
    if out is None:
        return [f"{start} and touches no other."]
    below = energy(facts, out.minimax, out.error)
    return [f"{start} and lies {below} below its lowest saddle, to state {out.b}."]


def _percent(share: float, error: float) -> str:
    return f"{plus_minus(100 * share, 100 * error)} %"


def _between(facts: Facts) -> list[str]:
    a, b = by_probability(facts)[:2].tolist()
    found = climb(facts, a, b)
    if not np.isfinite(found.minimax):
        return [f"No path of samples leads from the most probable state, {a}, to the next, {b}."]
    said = (
        f"From the most probable state, {a}, to the next, {b}, the best path climbs "
        f"{energy(facts, found.minimax, found.error)}"
    )
    if not np.isfinite(found.direct):
        return [f"{said}, through other states: the two do not touch."]
    if found.direct > found.minimax:
        straight = energy(facts, found.direct, found.direct_error)
        return [f"{said}, through other states; straight over their border it is {straight}."]
    return [f"{said}, straight over their border."]


def _shallowest(facts: Facts) -> list[str]:
    known = [one for c in range(facts.values.sizes["peak"]) if (one := lowest(facts, c))]
    if len(known) < 2:
        return []
    least = min(known, key=lambda one: one.minimax)
    said = energy(facts, least.minimax, least.error)
    return [f"The shallowest, {least.a}, is left over {said}, to state {least.b}."]


def _sigma(facts: Facts) -> list[str]:
    if v.potential.name not in facts.ds.variables:
        return []
    sigma = facts.ds[v.potential.name].attrs.get("sigma")
    if not isinstance(sigma, int | float | np.number):
        return []
    half = 0.5 * float(sigma) ** 2
    return [f"With noise of strength {exact(float(sigma))}, one kT is {number(half)} of V."]


def state_table(facts: Facts) -> str:
    """Return the states as a table, or nothing."""
    if not has(facts, v.basin_probability, v.basin_probability_error, v.peak_log_density):
        return ""
    factor, units = energy_scale(facts.ds)
    head = [
        "state", "probability", f"free energy of its lowest sample [{units}]",
        f"-ln P of the state [{units}]", "entropy", "in the halo", "lowest sample",
    ]  # fmt: skip
    chosen = largest(facts).tolist() if has(facts, v.peak_size) else []
    from daskid.plot.landscape.tree import levels  # imports matplotlib

    found = levels(_energies(facts))
    rows = [_state(facts, c, factor, found) for c in chosen]
    total = facts.values.sizes["peak"]
    more = f", the {len(rows)} largest of {total:,}" if len(rows) < total else ""
    return table(f"States{more}", [escape(h) for h in head], rows, "numbers") + _state_notes(facts)


def _energies(facts: Facts) -> xr.Dataset:
    """Return the small tables, and the units of energies."""
    name = v.free_energy.name
    return facts.values.assign({name: facts.ds[name]} if name in facts.ds.variables else {})


def _state(facts: Facts, c: int, factor: float, found: "Levels") -> list[str]:
    share, error = _columns(facts, v.basin_probability)
    cells = [
        str(c), _percent(share[c], error[c]),
        plus_minus(float(found.bottom[c]), float(found.error[c])),
        plus_minus(-factor * np.log(share[c]), factor * error[c] / share[c]),
    ]  # fmt: skip
    for variable, scale, tail in ((v.basin_entropy, 1, ""), (v.basin_halo, 100, " %")):
        if has(facts, variable):
            x, e = _columns(facts, variable)
            cells.append(plus_minus(scale * x[c], scale * e[c]) + tail)
        else:
            cells.append("")
    return [*cells, place(facts, "peak", c, facts.values.get(v.peak_sample.name))]


def _columns(facts: Facts, variable: v.Variable) -> tuple[Floats, Floats]:
    """Return the values of a variable and their errors, NaN where these are not known."""
    value = np.asarray(facts.values[variable.name].values, np.float64)
    error = facts.values.get(f"{variable.name}_error")
    return value, np.full(value.shape, np.nan) if error is None else error.values


def place(facts: Facts, kind: str, i: int, position: object) -> str:
    """Return where a sample is found: its row in the source, and its time.

    Parameters
    ----------
    facts
        Have ``pictures`` with the rows and times of the samples of this kind, if they are known.
    kind
        "peak" or "edge".
    i
        Which of them.
    position
        Their positions along ``sample``, an array; -1 for none.
    """
    if position is None:
        return ""
    own = int(np.asarray(position).ravel()[i])
    if own < 0:
        return "none"
    known = facts.pictures.get(f"rows of {kind}")
    at = own if known is None else int(np.asarray(known).ravel()[i])
    when = facts.pictures.get(f"times of {kind}")
    if when is None:
        return str(at)
    units = one_line(facts.ds[v.time.name].attrs.get("units", ""), 20)
    time = float(np.asarray(when).ravel()[i])
    return f"{at} at {escape(f'{time:.10g} {units}'.strip())}"


def _state_notes(facts: Facts) -> str:
    words = facts.values[v.basin_probability_error.name].attrs.get("covers", "")
    single = facts.ds.get(v.peak_log_density_error.name)
    lines = [
        ("Of probabilities: ", str(words)),
        ("Of lowest samples: ", "" if single is None else str(single.attrs.get("covers", ""))),
        ("Left out everywhere: ", f"states that were never visited. {BELOW_KT}"),
    ]
    return notes(lines)


def barrier_table(facts: Facts) -> str:
    """Return the barriers as a table, or nothing."""
    if not of_states(facts):
        return ""
    chosen = largest(facts).tolist()
    every = len(chosen) <= ALL_PAIRS
    pairs = [climb(facts, a, b) for a in chosen for b in chosen if a != b] if every else [
        one for a in chosen if (one := lowest(facts, a)) is not None
    ]  # fmt: skip
    factor, units = energy_scale(facts.ds)
    head = ["from", "to", f"best path [{escape(units)}]", "straight over the border",
            "bias by noise"]  # fmt: skip
    rows = [
        [
            str(one.a), str(one.b),
            _or(plus_minus(factor * one.minimax, factor * one.error), one.minimax, "no path"),
            _or(plus_minus(factor * one.direct, factor * one.direct_error), one.direct,
                "do not touch"),
            f"{factor * one.bias:+.2f}" if np.isfinite(one.bias) else "",
        ]
        for one in pairs
    ]  # fmt: skip
    title = "Barriers: the climb from one state to another" if every else (
        "Barriers: the lowest climb out of each state"
    )  # fmt: skip
    words = str(facts.values[v.barrier_minimax_error.name].attrs.get("covers", ""))
    return table(title, head, rows, "numbers") + notes([("", words)])


def _or(text: str, value: float, instead: str) -> str:
    return text if np.isfinite(value) else instead


def edge_table(facts: Facts) -> str:
    """Return the samples at the saddles, from which a simulation can be started, or nothing."""
    if not has(facts, v.edge_sample, v.saddle_peak, v.saddle_log_density, v.peak_log_density):
        return ""
    pair = facts.values[v.saddle_peak.name].values
    if not len(pair):
        return ""
    from daskid.plot.landscape.tree import levels  # imports matplotlib

    found, (_, units) = levels(_energies(facts)), energy_scale(facts.ds)
    order = np.argsort(found.level, kind="stable")[:MAX_PEAKS].tolist()
    side = facts.values[v.edge_sample.name].values
    rows = [
        [
            f"{pair[s, 0]} and {pair[s, 1]}",
            plus_minus(float(found.level[s]), float(found.spread[s])),
            *(place(facts, "edge", 2 * s + i, side) for i in (0, 1)),
        ]
        for s in order
    ]
    what = "row" if "rows of edge" in facts.pictures else "sample"
    more = f", the {len(rows)} lowest of {len(pair):,}" if len(rows) < len(pair) else ""
    head = ["between", f"free energy over the lowest state [{escape(units)}]",
            f"{what} on the first side", f"{what} on the second side"]  # fmt: skip
    text = (
        "Candidates: the samples next to the saddle of the density, one of either basin; "
        "simulations started again from there say to which state they lead. The saddle of the "
        "density is the dynamical one only where -ln p is a potential of the drift."
    )
    return table(f"Edge states{more}", head, rows, "numbers") + notes(
        [("", text)], "What these are:"
    )


def spoken(facts: Facts) -> str:
    """Return what the energies of this run are, in words."""
    factor, units = energy_scale(facts.ds)
    n = samples(facts)
    if units == "kT" or n is None:
        return "Energies are in kT: differences of -ln p."
    kelvin = parameters(facts.ds, v.free_energy.name)["temperature"]
    return f"One kT is {number(factor, 4)} {units}, at {exact(float(kelvin))} K."
