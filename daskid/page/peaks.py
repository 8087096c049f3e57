"""What a run says of the peaks of its density, in plain sentences and a table."""

import numpy as np

from daskid import variables as v
from daskid.page.facts import Facts, parameters, samples
from daskid.page.markup import table
from daskid.page.numbers import count, exact, number, plus_minus, share
from daskid.page.results import Result, barriers, has, heights, joined, largest, lowest
from daskid.page.text import foreign, one_line

NAMED = 3  # the largest peaks in a sentence
WARNED = 5  # the peaks in a warning
LIKELY = 0.95
TINY = 10  # samples
DEFAULT = 1.65


def sentences(facts: Facts) -> list[str]:
    """Return the findings."""
    if v.peak_size.name not in facts.values:
        return []
    parts = (_number, _saddle, _halo, _parts, _plateau, _support)
    return [sentence for part in parts for sentence in part(facts)]


def cautions(facts: Facts) -> list[str]:
    """Return what a reader must know before believing a peak."""
    if v.peak_size.name not in facts.values:
        return []
    return [*_unsupported(facts), *_alone(facts)]


def _number(facts: Facts) -> list[str]:
    size = facts.values[v.peak_size.name].values
    said = f"{count(size.size, 'density peak')}{_z(facts)}"
    if size.size == 0:
        return [f"{said}."]
    if size.size == 1:
        return [f"{said}: no other stands out of the noise."]
    order = np.argsort(-size, kind="stable")[:NAMED].tolist()
    named = joined([f"{share(int(size[c]), int(size.sum()))} (peak {c})" for c in order])
    those = "they" if size.size <= NAMED else "the largest"
    return [f"{said}; {those} hold {named} of the samples."]


def _z(facts: Facts) -> str:
    if v.peak_z.name not in facts.values:
        return ""
    z = float(facts.values[v.peak_z.name])
    how = "the default value" if z == DEFAULT else "given"
    if parameters(facts.ds, v.peak_z.name).get("z") == "calibrated":
        how = "calibrated: 5 % of single Gaussians of such data show a second one"
        error = facts.values[v.peak_z.name].attrs.get("error")
        how += "" if error is None else f"; +- {float(error):.2f} from the simulation"
    return f" at z = {z:.3g} ({how})"


def _saddle(facts: Facts) -> list[str]:
    found = lowest(facts)
    if found is None:
        return []
    level = facts.values[v.saddle_log_density.name].values
    error = facts.values[v.saddle_log_density_error.name].values
    top = int(level.argmax())
    a, b = facts.values[v.saddle_peak.name].values[top].tolist()
    c, least = found
    highest = (
        f"The highest saddle, between peaks {min(a, b)} and {max(a, b)}, is at the log density "
        f"{plus_minus(float(level[top]), float(error[top]))}."
    )
    if has(facts, v.barrier_minimax):  # what is said of the landscape says it
        return [highest]
    return [
        highest,
        f"The lowest barrier, out of peak {c} {least.at}, is a drop of log density by "
        f"{plus_minus(least.value, least.error)} (in kT, for samples at equilibrium; raw: between "
        "samples chosen as the highest of many, so that noise makes it larger; see barriers).",
    ]


def _halo(facts: Facts) -> list[str]:
    n = samples(facts)
    if facts.halo is None or not n or facts.values[v.peak_size.name].size < 2:
        return []
    part = "No sample is" if facts.halo == 0 else f"{share(facts.halo, n)} of the samples are"
    return [f"{part} in the halo, less dense than the highest saddle of their peak."]


def _parts(facts: Facts) -> list[str]:
    if v.merge_peak.name not in facts.values:
        return []
    parts = facts.values[v.peak_size.name].size - facts.values[v.merge_peak.name].shape[0]
    return [f"The peaks make {parts:,} parts that no saddle connects."] if parts > 1 else []


def plateau(facts: Facts) -> tuple[float, float] | None:
    """Return the least and the greatest z, around the one used, that leave as many peaks."""
    needs = (v.surviving_peaks, v.peak_z, v.peak_size)
    if any(variable.name not in facts.values for variable in needs):
        return None
    curve = facts.values[v.surviving_peaks.name]
    z, left = curve["threshold"].values, curve.values
    used, peaks = float(facts.values[v.peak_z.name]), facts.values[v.peak_size.name].size
    below, above = z[(z < used) & (left != peaks)], z[(z > used) & (left != peaks)]
    low = z[(z > below.max(initial=-np.inf)) & (z <= used)]
    high = z[(z < above.min(initial=np.inf)) & (z >= used)]
    return float(low.min(initial=used)), float(high.max(initial=used))


def _plateau(facts: Facts) -> list[str]:
    found = plateau(facts)
    if found is None:
        return []
    low, high = found
    if high - low < 0.5:
        return ["The number of peaks changes close to the z used: it hangs on that choice."]
    curve = facts.values[v.surviving_peaks.name]
    z = curve["threshold"].values
    beyond = [*np.flatnonzero(z < low)[-1:], *np.flatnonzero(z > high)[:1]]
    others = joined([f"{curve.values[i]:,} at {exact(z[i])}" for i in beyond])
    rest = f" ({others})" if others else ""
    return [f"Every z from {exact(low)} to {exact(high)} leaves as many peaks{rest}."]


def _support(facts: Facts) -> list[str]:
    if v.replicate_peaks.name not in facts.values:
        return []
    every = facts.values[v.replicate_peaks.name].values
    low, high = int(every.min()), int(every.max())
    reach = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return [f"{count(every.size, 'replicate')} of the data{_drawn(facts)} show {reach} peaks."]


def _drawn(facts: Facts) -> str:
    block = parameters(facts.ds, v.peak_support.name).get("block")
    if block is None:
        return ""
    what = "whole trajectories"
    if block != "trajectory":
        what = f"blocks of {one_line(block, 20)} frames"
    return f", drawn anew in {what},"


def _unsupported(facts: Facts) -> list[str]:
    if v.peak_support.name not in facts.values:
        return []
    support = facts.values[v.peak_support.name].values
    weak = np.flatnonzero(support < LIKELY)
    if not weak.size:
        return []
    order = weak[np.argsort(support[weak], kind="stable")].tolist()
    named = [f"peak {c} ({_percent(support[c])})" for c in order[:WARNED]]
    rest = [f"{len(order) - WARNED:,} more"] if len(order) > WARNED else []
    return [
        f"Fewer than {_percent(LIKELY)} of the replicates show {joined(named + rest)}: "
        "new data may not have them."
    ]


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %"


def _alone(facts: Facts) -> list[str]:
    if v.saddle_peak.name not in facts.values:
        return []
    size = facts.values[v.peak_size.name].values
    alone = np.ones(size.size, dtype=bool)
    alone[facts.values[v.saddle_peak.name].values.ravel()] = False
    n = int((alone & (size < TINY)).sum())
    if n == 0 or size.size == 1:
        return []
    verb = "has" if n == 1 else "have"
    return [
        f"{count(n, 'peak')} {verb} fewer than {TINY} samples and no saddle, so that no z could "
        "join them: such peaks are common in thin tails of a density."
    ]


def peak_table(facts: Facts) -> str:
    """Return the largest peaks as a table, or nothing."""
    known = heights(facts)
    if not known:
        return ""
    raw = "" if has(facts, v.barrier_minimax) else ", raw"
    head = ["peak", "samples", "share", "log density", f"lowest barrier{raw}"]
    if v.peak_support.name in facts.values:
        head.append("support")
    if places := _places(facts):
        from daskid.plot.labels import with_units  # imports matplotlib

        points = facts.pictures["basins"]
        head.append(foreign(", ".join(with_units(name, points) for name in points["names"]), 60))
    out = barriers(facts)
    shown = zip(largest(facts).tolist(), known, strict=True)
    rows = [
        _line(facts, c, height, out.get(c)) + ([places[c]] if places else []) for c, height in shown
    ]
    total = facts.values[v.peak_size.name].size
    more = f", the {len(rows)} largest of {total:,}" if len(rows) < total else ""
    return table(f"Density peaks{more}", head, rows, "numbers")


def _places(facts: Facts) -> dict[int, str]:
    """Return where in the plane that is drawn the peaks lie; nothing if some are not drawn."""
    points = facts.pictures.get("basins")
    every = facts.values[v.peak_size.name].size
    if points is None or points["components"] or len(points["peaks"]) < every:
        return {}
    return {c: ", ".join(number(x) for x in at) for c, at in enumerate(points["peaks"].tolist())}


def _line(facts: Facts, c: int, height: Result, out: Result | None) -> list[str]:
    size, support = facts.values[v.peak_size.name].values, facts.values.get(v.peak_support.name)
    barrier = "none: touches no other" if out is None else (
        f"{plus_minus(out.value, out.error)} {out.at}"
    )  # fmt: skip
    cells = [str(c), f"{size[c]:,}", share(int(size[c]), int(size.sum())),
             plus_minus(height.value, height.error), barrier]  # fmt: skip
    return cells if support is None else [*cells, _percent(float(support[c]))]
