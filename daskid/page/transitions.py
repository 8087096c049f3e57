"""What a run says of its transitions: rates, times, relaxation, tests, as sentences and tables."""

import numpy as np

from daskid import variables as v
from daskid.page.facts import Facts, parameters
from daskid.page.landscape import ALL_PAIRS
from daskid.page.markup import table
from daskid.page.notes import notes
from daskid.page.numbers import count, exact, interval, number, plus_minus
from daskid.page.results import MAX_PEAKS, covers, has, joined, largest, model_lag, relaxations
from daskid.page.text import escape, one_line

LEVEL = 3.0
"""Errors, and percent, by which a time may still grow with the lag, to be called level."""
TINY = 1e-9
"""Least of errors."""
NEEDS = (
    v.transition_count, v.transition_rate, v.transition_rate_low, v.transition_rate_high,
    v.mean_first_passage_time, v.mean_first_passage_time_low, v.mean_first_passage_time_high,
)  # fmt: skip


def counted(facts: Facts) -> bool:
    """Return whether transitions between several states were counted."""
    return has(facts, *NEEDS) and facts.values.sizes["peak"] > 1


def sentences(facts: Facts) -> list[str]:
    """Return the findings."""
    found = [*_passages(facts), *_seen(facts)] if counted(facts) else []
    return found + _relaxation(facts)


def cautions(facts: Facts) -> list[str]:
    """Return what a reader must know before using a rate or a time."""
    found = [*_lone(facts), *_gaps(facts)] if counted(facts) else []
    return found + _rising(facts) + _test(facts)


def time_units(facts: Facts) -> str:
    """Return the units of times, empty if they are not known."""
    held = facts.values[v.mean_first_passage_time.name]
    return one_line(held.attrs.get("units", ""), 40)


def lone(facts: Facts) -> list[int]:
    """Return the states without a core."""
    text = str(facts.values[v.transition_count.name].attrs.get("without_core", ""))
    return [int(part) for part in text.split(",") if part.strip().isdecimal()]


def _attribute(facts: Facts, name: str) -> int:
    value = facts.values[v.transition_count.name].attrs.get(name, 0)
    return int(value) if isinstance(value, int | np.integer) else 0


def times(facts: Facts, variable: v.Variable, a: int, b: int, units: str = "") -> str:
    """Return a rate or a time between two states, with its 95 % interval."""
    value, low, high = (
        float(facts.values[f"{variable.name}{end}"].values[a, b]) for end in ("", "_low", "_high")
    )
    return interval(value, low, high, units)


def _passages(facts: Facts) -> list[str]:
    size = facts.values[v.peak_size.name].values if has(facts, v.peak_size) else np.zeros(0)
    known = [c for c in np.argsort(-size, kind="stable").tolist() if c not in lone(facts)]
    if len(known) < 2:
        return ["No two states have a core: nothing can be said of transitions."]
    a, b = known[:2]
    units = time_units(facts)
    said = (
        f"{x} \N{RIGHTWARDS ARROW} {y} takes {times(facts, v.mean_first_passage_time, x, y, units)}"
        for x, y in ((a, b), (b, a))
    )
    return [f"{', '.join(said)}: mean first passage times from core to core, with 95 % intervals."]


def _seen(facts: Facts) -> list[str]:
    number_of = facts.values[v.transition_count.name].values
    pairs, p = int((number_of > 0).sum()), len(number_of)
    total = count(int(number_of.sum()), "transition")
    if pairs == p * (p - 1):
        return [f"{total} between states, some of each kind."]
    return [f"{total} between states; of {p * (p - 1):,} kinds {pairs:,} were seen."]


def _relaxation(facts: Facts) -> list[str]:
    found, lag = relaxations(facts), model_lag(facts)
    if not found or lag is None:
        return []
    units = one_line(found[0].units, 40)
    named = joined([plus_minus(r.value, r.error) for r in found[:3]])
    what = "time is" if len(found) == 1 else "times are"
    tail = f" {units}" if units else ""
    return [f"The longest relaxation {what} {named}{tail}, by a Markov model of lag "
            f"{exact(lag)}{tail}."]  # fmt: skip


def _lone(facts: Facts) -> list[str]:
    without = lone(facts)
    if not without:
        return []
    named = joined([str(c) for c in without[:MAX_PEAKS]])
    what = f"State {named} has" if len(without) == 1 else f"States {named} have"
    return [f"{what} no core, fewer than 10 frames: no transition to or from there was counted."]


def _gaps(facts: Facts) -> list[str]:
    gaps = _attribute(facts, "gaps")
    if not gaps:
        return []
    return [f"{count(gaps, 'gap')} in time: what happened there is not known, stays end at it."]


def _rising(facts: Facts) -> list[str]:
    lag = model_lag(facts)
    if lag is None or not has(facts, v.implied_timescale_error):
        return []
    held, error = (
        facts.values[v.implied_timescale.name],
        facts.values[v.implied_timescale_error.name],
    )
    every = np.asarray(held["lag"].values, np.float64)
    own = int(np.abs(every - lag).argmin())
    later = np.flatnonzero((every > 1.5 * lag) & (every < 0.5 * held.values[own, 0]))
    if not later.size:
        return []
    rise = held.values[later, 0] - held.values[own, 0]
    reach = np.maximum(LEVEL * error.values[own, 0], 0.01 * LEVEL * held.values[own, 0])
    if not (rise > reach).any():
        return []
    worst, unit = int(later[rise.argmax()]), _unit(facts)
    start, end = (
        f"{number(held.values[i, 0])} at {exact(x)}{unit}"
        for i, x in ((own, lag), (worst, every[worst]))
    )
    return [
        f"The longest relaxation time still grows with the lag, from {start} to {end}: the Markov "
        "model has too short a lag or too few microstates."
    ]


def _unit(facts: Facts) -> str:
    units = one_line(facts.values[v.implied_timescale.name].attrs.get("units", ""), 40)
    return f" {units}" if units else ""


def _test(facts: Facts) -> list[str]:
    names = (v.stay_predicted, v.stay_observed, v.stay_difference_error)
    if not has(facts, v.implied_timescale):
        return []
    told = facts.values[v.implied_timescale.name].attrs
    if int(told.get("passes", 1)):
        return []
    if not has(facts, *names):  # of a run that was made before there was this error
        return [f"The Markov model fails the test of Chapman and Kolmogorov. {_remedy(facts)}"]
    predicted, observed, width = (facts.values[x.name].values for x in names)
    apart = np.nan_to_num(np.abs(predicted - observed) / np.maximum(width, TINY))
    nearest = np.abs(apart - float(told.get("apart", np.inf)))  # the one that decided
    k, c = np.unravel_index(int(nearest.argmin()), apart.shape)
    after = exact(float(facts.values["after"].values[k])) + _unit(facts)
    off = plus_minus(abs(float(predicted[k, c] - observed[k, c])), float(width[k, c]))
    return [
        f"The Markov model fails the test of Chapman and Kolmogorov: to be in state {c} again "
        f"after {after} is predicted with {float(predicted[k, c]):.3f}, and seen with "
        f"{float(observed[k, c]):.3f}; they are {off} apart, {float(apart[k, c]):.1f} errors. Of "
        f"{count(int(told.get('comparisons', 0)), 'comparison')} the farthest is "
        f"{float(told.get('limit', 0.0)):.1f} apart by chance, in 5 % of models that are right. "
        f"{_remedy(facts)}"
    ]


def _remedy(facts: Facts) -> str:
    if parameters(facts.ds, v.implied_timescale.name).get("lag") is not None:
        return "Leave lag out, so that it is the first that passes."
    return (
        "So do longer lags, up to that time: take more microstates, or features that tell slow "
        "states apart."
    )


def pair_table(facts: Facts) -> str:
    """Return rates and times of pairs of states as a table, or nothing."""
    if not counted(facts) or not has(facts, v.peak_size):
        return ""
    number_of = facts.values[v.transition_count.name].values
    chosen, units = largest(facts).tolist(), time_units(facts)
    pairs = [(a, b) for a in chosen for b in chosen if a != b]
    every = len(chosen) <= ALL_PAIRS
    if not every:
        pairs = sorted(pairs, key=lambda pair: -number_of[pair])[:MAX_PEAKS]
    unit = f" [{escape(units)}]" if units else ""
    per = f" [1/{escape(units)}]" if units else ""
    head = ["from", "to", "transitions", f"rate{per}, 95 %", f"mean first passage time{unit}, 95 %"]
    rows = [
        [
            str(a), str(b), f"{number_of[a, b]:,}", _rate(facts, a, b),
            times(facts, v.mean_first_passage_time, a, b),
        ]
        for a, b in pairs
    ]  # fmt: skip
    more = "" if every else f", the {len(pairs)} most frequent kinds"
    lines = [
        ("Rates: ", _covers(facts, v.transition_rate_low)),
        ("Times: ", _covers(facts, v.mean_first_passage_time_low)),
        ("Both are ", "from core to core, edge to edge: shorter than from minimum to minimum."),
    ]
    return table(f"Transitions{more}", head, rows, "numbers") + notes(
        lines, "What the intervals cover:"
    )


def _rate(facts: Facts, a: int, b: int) -> str:
    """Return a rate; of one never seen the bound from above."""
    value, high = (
        float(facts.values[x.name].values[a, b])
        for x in (v.transition_rate, v.transition_rate_high)
    )
    if value == 0 and np.isfinite(high):
        return f"less than {number(high)}"
    return times(facts, v.transition_rate, a, b)


def _covers(facts: Facts, variable: v.Variable) -> str:
    return str(facts.values[variable.name].attrs.get("covers", ""))


def core_table(facts: Facts) -> str:
    """Return the cores of the states as a table, or nothing."""
    needs = (v.state_time, v.core_samples, v.core_depth, v.peak_size)
    if not counted(facts) or not has(facts, *needs):
        return ""
    time, frames, depth, _ = (facts.values[x.name].values for x in needs)
    without, units = lone(facts), time_units(facts)
    rows = [
        [
            str(c), f"{frames[c]:,}" + (", too few: no core" if c in without else ""),
            f"{depth[c]:.2f}", number(float(time[c])),
        ]
        for c in largest(facts).tolist()
    ]  # fmt: skip
    unit = f" [{escape(units)}]" if units else ""
    head = ["state", "frames in its core", "depth of the core [kT]", f"time in the state{unit}"]
    total = len(time)
    more = f", those of the {len(rows)} largest of {total:,} states" if len(rows) < total else ""
    return table(f"Cores{more}", head, rows, "numbers")


def time_table(facts: Facts) -> str:
    """Return the relaxation times as a table, or nothing."""
    found, lag = relaxations(facts), model_lag(facts)
    if not found or lag is None:
        return ""
    units = escape(one_line(found[0].units, 40))
    head = ["process", "relaxation time" + (f" [{units}]" if units else "")]
    rows = [[str(i + 1), plus_minus(r.value, r.error)] for i, r in enumerate(found)]
    title = f"Relaxation times longer than the lag, {exact(lag)} {units}".strip()
    return table(title, head, rows, "numbers") + notes(
        [("", covers(facts.values, v.implied_timescale.name, ()))]
    )
