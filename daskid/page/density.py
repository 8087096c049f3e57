"""What a run says of its densities, in plain sentences and a table."""

import numpy as np

from daskid import variables as v
from daskid.page.facts import Facts, parameters
from daskid.page.numbers import count, number, share
from daskid.page.results import densities
from daskid.page.text import one_line

LIMIT = 0.01  # of samples with too few neighbors, or balls too large: from here on it is said
METHODS = {"pak": "PAk", "kstar": "k* neighbors", "knn": "the {} nearest neighbors"}


def sentences(facts: Facts) -> list[str]:
    """Return where the densities come from."""
    how = _method(facts)
    start = f"Densities, by {how}, are" if how else "Neighborhoods are"
    return [
        f"{start} in a dimension of {number(r.value, 4)}{_source(facts)}." for r in densities(facts)
    ]


def cautions(facts: Facts) -> list[str]:
    """Return what a reader must know before using a density."""
    parts = (_capped, _half_period, _frames, _metric)
    return [sentence for part in parts for sentence in part(facts)]


def lines(facts: Facts) -> list[tuple[str, str]]:
    """Return what densities were made with, as names and values."""
    found = [("dimension", number(r.value, 4) + _source(facts)) for r in densities(facts)]
    if _method(facts):
        found.append(("method", _method(facts)))
    if "block" in (known := parameters(facts.ds, v.log_density_error.name)):
        frames = one_line(known["block"], 20)
        found.append(("errors", f"neighbors within {frames} frames of each other count as one"))
    ranks = facts.pictures.get("kstar")
    if ranks is not None and ranks.size:
        low, middle, high = np.percentile(ranks, (0, 50, 100))
        found.append(("neighbors, k*", f"{middle:,.0f} in the median, {low:,.0f} to {high:,.0f}"))
    for name, variable, words in (
        ("share", v.kstar_capped, "lists too short for k*"),
        ("share_beyond_half_period", v.kstar, "balls beyond half a period"),
    ):
        part = _attribute(facts, variable, name)
        if part is not None:
            found.append((words, f"{_percent(part)} of locations"))
    return found + _spread(facts)


def _spread(facts: Facts) -> list[tuple[str, str]]:
    points = facts.pictures.get("log_density")
    if points is None:
        return []
    level, error = (x[np.isfinite(x)] for x in (points["log_density"], points["error"]))
    lost = len(points["log_density"]) - level.size
    found = [("not finite", count(lost, "sample"))] if lost else []
    if level.size:
        low, high = np.percentile(level, (5, 95))
        found.append(("log density", f"{low:.2f} to {high:.2f} in 90 % of samples"))
    if error.size:
        found.append(("its error", f"{number(float(np.median(error)), 2)} in the median"))
    return found


def _method(facts: Facts) -> str:
    known = parameters(facts.ds, v.log_density.name)
    name = str(known.get("method"))
    return METHODS.get(name, "").format(one_line(known.get("k", "k"), 20))


def _source(facts: Facts) -> str:
    source = one_line(facts.values[v.kstar_dimension.name].attrs.get("source", ""), 80)
    return f" ({source.replace('r_kstar', 'radius of k* neighbors')})" if source else ""


def _attribute(facts: Facts, variable: v.Variable, name: str) -> float | None:
    value = facts.ds[variable.name].attrs.get(name) if variable.name in facts.ds else None
    return float(value) if isinstance(value, int | float | np.number) else None


def _capped(facts: Facts) -> list[str]:
    part = _attribute(facts, v.kstar_capped, "share")
    enough = _attribute(facts, v.kstar_capped, "enough")
    if part is None or part <= LIMIT:
        return []
    stored = facts.ds.sizes.get("neighbor", 0)
    more = "there are no more of them"
    if enough is None or enough > stored:
        more = "run knn with " + ("a larger k" if enough is None else f"k = {int(enough):,}")
    of = f"the {stored:,} neighbors stored" if stored else "the neighbors stored"
    return [
        f"In {_percent(part)} of locations the density is still constant at the end of {of}, so "
        f"that it is smoothed too little and its error is larger than need be: {more}."
    ]


def _half_period(facts: Facts) -> list[str]:
    part = _attribute(facts, v.kstar, "share_beyond_half_period")
    if part is None or part <= LIMIT:
        return []
    return [
        f"The balls of {_percent(part)} of locations reach beyond half a period, where they "
        "overlap themselves and their density is wrong: take more samples, or a smaller k."
    ]


def _frames(facts: Facts) -> list[str]:
    known = {v.time.name, v.trajectory.name} & {*map(str, facts.ds.variables)}
    apart = parameters(facts.ds, v.neighbor_distance.name).get("exclude")
    if not (known or apart) or v.log_density_error.name not in facts.ds:
        return []
    if "block" in parameters(facts.ds, v.peak_support.name):
        return []
    if "block" in parameters(facts.ds, v.log_density_error.name):
        return []
    return [
        "Samples are frames in time, and the errors of log densities take them as independent: "
        "they are too small where frames remember each other, and z then lets false peaks pass. "
        "Run density with a block of frames longer than that memory, or knn with exclude; and "
        "significance with such a block."
    ]


def _metric(facts: Facts) -> list[str]:
    metric = parameters(facts.ds, v.neighbor_distance.name).get("metric", "euclidean")
    if metric == "euclidean" or v.log_density.name not in facts.ds:
        return []
    return [
        f"Distances are not Euclidean ({one_line(metric, 40)}): log densities are right up to a "
        "constant, their differences are not affected."
    ]


def _percent(part: float) -> str:
    return share(round(1e6 * part), 10**6)
