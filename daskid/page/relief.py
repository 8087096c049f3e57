"""Figures of the landscape and of the transitions in it, with what they say as text."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from daskid import plot
from daskid import variables as v
from daskid.blockwise.gather import rows_at
from daskid.page.facts import Facts
from daskid.page.figures import figure, svg, twice
from daskid.page.landscape import climb, energy, of_states
from daskid.page.numbers import count, exact, number, plus_minus
from daskid.page.results import has, joined, largest, model_lag
from daskid.page.text import one_line
from daskid.page.transitions import counted, time_units, times
from daskid.plot import landscape as pictures
from daskid.variables.energy import energy_scale

TREE = (v.peak_log_density, v.peak_log_density_error, v.merge_peak, v.merge_log_density,
        v.merge_log_density_error)  # fmt: skip
TUBES = (v.reactive_path, v.reactive_position, v.reactive_position_error, v.reactive_spread)
FEW = 4
"""States whose numbers all fit into the text of a figure."""


def describe(ds: xr.Dataset) -> dict[str, Any]:
    """Return, lazily, what the figures and tables of this room take of samples and features."""
    known = {*ds.variables}
    found: dict[str, Any] = {}
    if {v.rows.name, v.free_energy.name, v.free_energy_error.name} <= known:
        found["surface"] = pictures.surface_points(ds)
    if {v.rows.name, v.committor.name} <= known:
        found["committor"] = pictures.committor_points(ds)
    if {x.name for x in TUBES} <= known:
        found["tubes"] = ds[[x.name for x in TUBES]]
    for kind, variable in (("peak", v.peak_sample), ("edge", v.edge_sample)):
        if v.edge_sample.name in known and variable.name in known:
            found |= _where(ds, kind, variable)
    return found


def _where(ds: xr.Dataset, kind: str, variable: v.Variable) -> dict[str, Any]:
    """Describe the rows and times of samples."""
    (sample,) = v.read(ds, variable)
    found = {}
    for name, own in (("rows", v.row), ("times", v.time)):
        if own.name in ds.variables and ds[own.name].dtype.kind in "iuf":
            (values,) = v.read(ds, own)
            column = values.astype(np.float64).reshape((-1, 1))
            found[f"{name} of {kind}"] = rows_at(column, sample.ravel())[:, 0]
    return found


def disconnectivity(facts: Facts) -> str:
    """Return the disconnectivity graph, or nothing."""
    if not has(facts, *TREE) or facts.values.sizes["peak"] < 2:
        return ""
    _, units = energy_scale(facts.ds)
    alt = (
        f"Disconnectivity graph: {count(facts.values.sizes['peak'], 'state')} at the free energy "
        f"of their lowest samples, in {units}, joined at the saddles of the best paths."
    )
    if of_states(facts) and facts.values.sizes["peak"] <= FEW:
        alt += f" {_climbs(facts)}"
    caption = f"{alt} Bars: one standard error of the density there. Dots grow with probability."
    drawn = svg(pictures.disconnectivity(small_tables(facts)), "disconnectivity", alt)
    return figure(drawn, caption, "tree")


def _climbs(facts: Facts) -> str:
    p = facts.values.sizes["peak"]
    found = (climb(facts, a, b) for a in range(p) for b in range(p) if a != b)
    said = [
        f"{one.a} to {one.b} {energy(facts, one.minimax, one.error)}"
        for one in found
        if np.isfinite(one.minimax)
    ]
    return f"Climbs: {'; '.join(said)}." if said else ""


def small_tables(facts: Facts) -> xr.Dataset:
    """Return the small tables, and what says of what energies and periods are."""
    names = (v.period.name, v.free_energy.name, v.rows.name, "name", v.weight.name)
    more = {n: facts.ds[n] for n in names if n in facts.ds.variables and n not in facts.values}
    return facts.values.assign(more)


def surface(facts: Facts) -> str:
    """Return the free energy over a plane, or nothing."""
    points = facts.pictures.get("surface")
    if points is None:
        return ""
    names = joined([one_line(n, 40) for n in points["names"]]) or (
        "the first two principal components"
    )
    mean = "" if len(points["names"]) == 1 else ", the mean of the samples in each cell"
    alt = f"Free energy in {points['energy_units']} over {names}{mean}."
    if "mark state" in points:
        alt += " Numbers and dots: states."
    if "mark edge" in points:
        alt += " Diamonds: edge states, the samples on either side of the saddles."
        if len(points["names"]) != 1:
            alt += " Lines: paths of steepest ascent from there to the states."
    return _twice(lambda dark: pictures.draw_surface(points, dark=dark), "surface", alt)


def _twice(draw: Callable[[bool], Axes], name: str, alt: str, more: str = "") -> str:
    return figure(twice(draw, name, alt), f"{alt} {more}".strip())


def pmf(facts: Facts) -> str:
    """Return the potential of mean force, or nothing."""
    if not has(facts, v.pmf, v.pmf_error, v.pmf_position):
        return ""
    attrs = facts.values[v.pmf.name].attrs
    names = joined([one_line(n, 40) for n in np.atleast_1d(attrs.get("features", []))])
    units = one_line(attrs.get("units", "kT"), 20)
    error = facts.values[v.pmf_error.name].values
    error = error[np.isfinite(error)]
    some = f", error {number(float(np.median(error)), 2)} in the median" if error.size else ""
    alt = f"Potential of mean force along {names} in {units}{some}."
    others = facts.ds.sizes.get("feature", 0) > np.atleast_1d(attrs.get("features", [])).size
    more = (
        "It averages over all other features, so that it is not the free energy at a sample: "
        "barriers along a feature are lower than those of the landscape, or absent. "
    ) * others + (one_line(facts.values[v.pmf_error.name].attrs.get("covers", ""), 600))
    tables = small_tables(facts)
    return _twice(lambda dark: pictures.pmf(tables, dark=dark), "pmf", alt, more)


def barriers(facts: Facts) -> str:
    """Return the matrices of barriers, of more than two states, or nothing."""
    if not of_states(facts) or facts.values.sizes["peak"] < 3:
        return ""
    tables, drawn = small_tables(facts), []
    _, units = energy_scale(facts.ds)
    for kind, words in (
        ("minimax", "on the best path, which may lead through other states"),
        ("direct", "straight over the border of both; others do not touch"),
    ):
        value = facts.values[f"barrier_{kind}"].values
        known = int(np.isfinite(value).sum())
        alt = (
            f"Barriers in {units}, the climb from the state of the row to that of the column, "
            f"{words}: {count(known, 'entry', 'entries')}."
        )
        drawn.append(_twice(_matrix(tables, kind), kind, alt))
    return "".join(drawn)


def _matrix(tables: xr.Dataset, kind: Any) -> Callable[[bool], Axes]:
    return lambda dark: pictures.barrier_matrix(tables, kind, dark=dark)


def network(facts: Facts) -> str:
    """Return the network of states, and the matrix of the times where they are many."""
    if not counted(facts):
        return ""
    p, units = facts.values.sizes["peak"], time_units(facts)
    tables = small_tables(facts)
    if p <= FEW:
        said = (
            f"{a} to {b} {times(facts, v.mean_first_passage_time, a, b)}"
            for a in range(p)
            for b in range(p)
            if a != b
        )
        unit = f", in {units}" if units else ""
        alt = f"Mean first passage times with 95 % intervals{unit}: {'; '.join(said)}."
        more = "Disks: probability of a state. Arrows: transitions, the wider the more of them."
        if not np.isfinite(_off_diagonal(facts)).all():
            more += " Dashed: never seen, so that it takes more than that."
        return figure(svg(pictures.network(tables), "network", alt), f"{alt} {more}")
    alt = (
        f"Network of {count(p, 'state')}: those with many transitions between them are near and "
        "joined by wide lines; disks grow with probability."
    )
    drawn = figure(svg(pictures.network(tables), "network", alt), alt)
    alt = (
        f"Mean first passage times{f' in {units}' if units else ''} from the state of the row to "
        "that of the column; blank: never seen."
    )
    return drawn + _twice(lambda dark: pictures.passage_matrix(tables, dark=dark), "passages", alt)


def _off_diagonal(facts: Facts) -> Any:
    value = facts.values[v.mean_first_passage_time.name].values
    return value[~np.eye(len(value), dtype=bool)]


def timescales(facts: Facts) -> str:
    """Return the relaxation times against lag, or nothing."""
    if not has(facts, v.implied_timescale, v.implied_timescale_error):
        return ""
    held = facts.values[v.implied_timescale.name]
    said = "; ".join(
        f"{number(t)} at {exact(lag)}"
        for lag, t in zip(held["lag"].values, held.values[:, 0], strict=True)
        if np.isfinite(t)
    )
    alt = f"Relaxation times against the lag; the longest: {said}."
    caption = (
        "Relaxation times of Markov models against their lag. Where a line is level the model "
        "holds; in the gray part times are shorter than the lag, and nothing is known of them. "
        "Bands: one standard error."
    )
    return figure(svg(pictures.implied_timescales(facts.values), "timescales", alt), caption)


def test(facts: Facts) -> str:
    """Return the test of Chapman and Kolmogorov, or nothing."""
    needs = (v.stay_predicted, v.stay_predicted_error, v.stay_observed, v.stay_observed_error)
    lag = model_lag(facts)
    if lag is None or not has(facts, *needs):
        return ""
    first, last = (facts.values[x.name].values[-1] for x in (v.stay_predicted, v.stay_observed))
    spread, error = (facts.values[x.name].values[-1] for x in needs[1::2])
    chosen = largest(facts)[:FEW].tolist() if has(facts, v.peak_size) else []
    said = "; ".join(
        f"state {c} predicted {plus_minus(first[c], spread[c])}, "
        f"seen {plus_minus(last[c], error[c])}"
        for c in chosen
    )
    after = exact(float(facts.values["after"].values[-1]))
    alt = f"Probability to be in a state again, here after {after}: {said}."
    caption = (
        f"Test of Chapman and Kolmogorov: the probability to be in a state again as the model of "
        f"lag {exact(lag)} predicts it (lines) and as models of longer lags see it (points)."
    )
    return figure(svg(pictures.chapman_kolmogorov(facts.values), "chapman", alt), caption)


def committor(facts: Facts) -> str:
    """Return the committor over a plane, or nothing."""
    points = facts.pictures.get("committor")
    if points is None:
        return ""
    names = joined([one_line(n, 40) for n in points["names"]]) or (
        "the first two principal components"
    )
    ends = "the target before the source" if points["source"] is None else (
        f"the core of state {points['target']} before that of state {points['source']}"
    )  # fmt: skip
    alt = f"Committor over {names}: the probability to reach {ends}."
    more = "From where it is one half either is as likely: edge states of the dynamics lie there."
    return figure(svg(pictures.draw_committor(points), "committor", alt), f"{alt} {more}")


def tubes(facts: Facts) -> str:
    """Return the mean reactive paths, or nothing."""
    held = facts.pictures.get("tubes")
    if held is None:
        return ""
    alt = "Mean reactive paths in both directions, and the minimax path."
    more = "Ellipses: standard deviation of the frames; crosses: standard error of their mean."
    ds = small_tables(facts).assign(held)
    return figure(svg(plot.landscape.tubes(ds), "tubes", alt), f"{alt} {more}")


def kramers(facts: Facts) -> str:
    """Return the passage times against the barrier over noise levels, or nothing."""
    if not has(facts, v.kramers_slope):
        return ""
    alt = "Logarithms of passage times against the barrier in kT, over noise levels."
    return figure(
        svg(plot.kramers.arrhenius(facts.values), "kramers", alt),
        f"{alt} Lines: fits, with errors on both axes.",
    )
