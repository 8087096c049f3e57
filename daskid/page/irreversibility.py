"""What a run says of the direction of time, of passages both ways, and of other noise levels."""

import numpy as np

from daskid import variables as v
from daskid.page.facts import Facts
from daskid.page.markup import table
from daskid.page.notes import notes
from daskid.page.numbers import exact, number, plus_minus
from daskid.page.results import has, joined
from daskid.page.text import escape, one_line

RAISED, NO_POWER = 1, -1
MAX_TESTS = 12
"""Tests of a kind in the table: those with the least p."""


def sentences(facts: Facts) -> list[str]:
    """Return the findings: that no direction of time was seen, or could be."""
    said = [] if _raised(facts) else _sentence(facts)
    return said + _tubes(facts)


def cautions(facts: Facts) -> list[str]:
    """Return that -ln p is not a potential, where time has a direction."""
    return _sentence(facts) if _raised(facts) else []


def _raised(facts: Facts) -> bool:
    return has(facts, v.irreversible) and int(facts.values[v.irreversible.name]) == RAISED


def _sentence(facts: Facts) -> list[str]:
    if not has(facts, v.irreversible):
        return []
    held = facts.values[v.irreversible.name]
    said = one_line(held.attrs.get("sentence", ""), 1000)
    flag = int(held)
    plain = {
        RAISED: "-ln p is not a potential here: time has a direction.",
        NO_POWER: "Whether time has a direction cannot be seen: there is no power.",
    }
    said = said[:1].upper() + said[1:] + "." * (not said.endswith((".", "…")))
    return [said if len(said) > 1 else plain.get(flag, "No direction of time was seen.")]


def _tubes(facts: Facts) -> list[str]:
    if not has(facts, v.reactive_difference_p):
        return []
    p = float(facts.values[v.reactive_difference_p.name])
    if not np.isfinite(p):
        return []
    differ = "differ" if p < 0.05 else "are not seen to differ"
    return [f"The mean reactive paths there and back {differ} (p = {number(p, 2)})."]


def test_table(facts: Facts) -> str:
    """Return the tests of the direction of time as a table, or nothing."""
    rows = [*_entropy(facts), *_cycles(facts), *_areas(facts)]
    if not rows:
        return ""
    head = ["quantity", "value ± error", "p, of all tests together"]
    names = (v.entropy_production_error, v.cycle_winding_error, v.area_rate_error)
    words = dict.fromkeys(
        str(facts.values[x.name].attrs.get("covers", "")) for x in names if x.name in facts.values
    )
    return table("Is there a direction of time?", head, rows, "numbers") + notes(
        [("", text) for text in words]
    )


def _row(facts: Facts, name: str, variable: v.Variable, at: tuple[int, ...]) -> list[str]:
    value, error, p = (
        float(facts.values[f"{variable.name}{end}"].values[at])
        for end in ("", "_error", "_p_value")
    )
    return [name, plus_minus(value, error), number(p, 2) if np.isfinite(p) else ""]


def _entropy(facts: Facts) -> list[list[str]]:
    if not has(facts, v.entropy_production, v.entropy_production_error,
                   v.entropy_production_p_value):  # fmt: skip
        return []
    units = one_line(facts.values[v.entropy_production.name].attrs.get("units", ""), 20)
    name = "entropy production, at least" + (f" [{units}]" if units else "")
    return [_row(facts, escape(name), v.entropy_production, ())]


def _cycles(facts: Facts) -> list[list[str]]:
    if not has(facts, v.cycle_winding, v.cycle_winding_error, v.cycle_p_value, v.cycle_peak):
        return []
    p = facts.values[v.cycle_p_value.name].values
    corners = facts.values[v.cycle_peak.name].values
    rows = []
    for i in np.argsort(p, kind="stable")[:MAX_TESTS].tolist():
        ring = [int(c) for c in corners[i] if c >= 0]
        name = "turns round " + " \N{RIGHTWARDS ARROW} ".join(map(str, [*ring, *ring[:1]]))
        value, error = (
            float(facts.values[x.name].values[i]) for x in (v.cycle_winding, v.cycle_winding_error)
        )
        rows.append([name, plus_minus(value, error), number(float(p[i]), 2)])
    return rows


def _areas(facts: Facts) -> list[list[str]]:
    if not has(facts, v.area_rate, v.area_rate_error, v.area_rate_p_value):
        return []
    p = facts.values[v.area_rate_p_value.name].values
    units = one_line(facts.values[v.area_rate.name].attrs.get("units", ""), 20)
    above = np.column_stack(np.triu_indices(len(p), 1))
    above = above[np.isfinite(p[tuple(above.T)])]
    order = np.argsort(p[tuple(above.T)], kind="stable")[:MAX_TESTS]
    return [
        _row(
            facts,
            escape(f"area rate of components {i} and {j}" + (f" [{units}]" if units else "")),
            v.area_rate,
            (i, j),
        )
        for i, j in above[order].tolist()
    ]


def kramers_sentences(facts: Facts) -> list[str]:
    """Return how passage times follow the barrier over noise levels."""
    needs = (v.kramers_slope, v.kramers_slope_error, v.kramers_peak, v.kramers_differs)
    if not has(facts, *needs):
        return []
    slope, error, pair, differs = (facts.values[x.name].values for x in needs)
    lines = []
    for i in np.flatnonzero(np.isfinite(slope))[:3].tolist():
        a, b = pair[i].tolist()
        against = {1: ", which is not 1", 0: ", 1 within its errors"}.get(int(differs[i]), "")
        lines.append(
            f"Over noise levels ln tau of {a} \N{RIGHTWARDS ARROW} {b} grows with the barrier "
            f"with a slope of {plus_minus(float(slope[i]), float(error[i]))}{against}."
        )
    return lines


def kramers_table(facts: Facts) -> str:
    """Return slopes and barriers without noise as a table, or nothing."""
    needs = (
        v.kramers_peak, v.kramers_slope, v.kramers_slope_error, v.zero_noise_barrier,
        v.zero_noise_barrier_error, v.zero_noise_barrier_model_error,
    )  # fmt: skip
    if not has(facts, *needs):
        return ""
    pair, slope, spread, barrier, error, model = (facts.values[x.name].values for x in needs)
    rows = [
        [
            f"{pair[i, 0]} \N{RIGHTWARDS ARROW} {pair[i, 1]}", plus_minus(slope[i], spread[i]),
            plus_minus(barrier[i], error[i]),
            number(float(model[i]), 2) if np.isfinite(model[i]) else "",
        ]
        for i in range(len(pair))
    ]  # fmt: skip
    head = ["passage", "slope of ln tau", "barrier of V without noise", "error of the line itself"]
    used = facts.values.get(v.kramers_sigma.name)
    levels = "" if used is None else joined([exact(float(s)) for s in used.values])
    title = "Passage times over noise levels" + (f", sigma = {levels}" if levels else "")
    return table(title, head, rows, "numbers")
