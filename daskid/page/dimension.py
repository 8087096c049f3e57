"""What a run says of its dimension, in plain sentences."""

import numpy as np

from daskid import variables as v
from daskid.page import frames
from daskid.page.facts import Facts, parameters, samples
from daskid.page.numbers import aligned, count, number, plus_minus, share
from daskid.page.results import Result, kept_at, kinds, method, of, results, same
from daskid.page.text import one_line

NOTABLE = 0.05  # of the dimension: a change by less is called small
READS_LOW = 10.0


def sentences(facts: Facts) -> list[str]:
    """Return the findings."""
    first = [_twonn, frames.sentences]
    if frames.misled(facts) is not None:
        first = [_two_passages, frames.sentences, _twonn]
    parts = (*first, _blocks, _gride, _mle, _covers)
    return [sentence for part in parts for sentence in part(facts)]


def cautions(facts: Facts) -> list[str]:
    """Return what a reader must know before using a dimension."""
    parts = (_no_number, _unused, _ties, _reads_low, frames.cautions, _too_small)
    return [sentence for part in parts for sentence in part(facts)]


def _two_passages(facts: Facts) -> list[str]:
    r = frames.misled(facts)
    if r is None:
        return []
    some = "" if r.samples is None else f", from {count(r.samples, 'frame')} against all"
    return [f"Intrinsic dimension {plus_minus(r.value, r.error)} ({method(r)}){_where(r)}{some}."]


def _twonn(facts: Facts) -> list[str]:
    fit = ", fit" if parameters(facts.ds, v.id_twonn.name).get("method") == "fit" else ""
    good = [r for r in of(facts, v.id_twonn.name) if np.isfinite(r.value)]
    if frames.misled(facts) is not None:
        return [
            f"Plain TwoNN{fit}, which counts every frame of a passage, reads "
            f"{plus_minus(r.value, r.error)}{_where(r)}{_from(r)}."
            for r in good
        ]
    return [
        f"Intrinsic dimension {plus_minus(r.value, r.error)} (TwoNN{fit}){_where(r)}{_from(r)}."
        for r in good
    ]


def _blocks(facts: Facts) -> list[str]:
    good = [r for r in of(facts, v.id_blocks.name) if np.isfinite(r.value)]
    if len(good) < 2:
        return []
    large, small = good[0], good[-1]
    change = large.value - small.value
    said = f"In blocks of {_size(small)} samples TwoNN reads {plus_minus(small.value, small.error)}"
    told = f"{said}, in blocks of {_size(large)} it reads {plus_minus(large.value, large.error)}"
    if same(large, small):
        return [f"{told}: the number of samples does not matter within errors."]
    if change > 0:
        why = "frames of one passage" if frames.misled(facts) else "noise dimensions"
        return [f"{told}: a rise with the number of samples, as of {why}."]
    return [f"{told}: it falls with the number of samples."]


def _size(r: Result) -> str:
    return f"{kept_at(r):,}"


def _gride(facts: Facts) -> list[str]:
    good = [r for r in of(facts, v.id_gride.name) if np.isfinite(r.value)]
    if not good:
        return []
    if len(good) == 1:
        (r,) = good
        return [f"Intrinsic dimension {plus_minus(r.value, r.error)} (Gride, {r.at}){_where(r)}."]
    low, high = min(good, key=lambda r: r.value), max(good, key=lambda r: r.value)
    change = high.value - low.value
    if same(low, high):
        return [
            f"Gride reads {_digits(low, high)} to {_digits(high, low)}{_over(good)}: "
            "stable within its errors."
        ]
    verdict = "the dimension depends on the scale"
    if frames.misled(facts):
        verdict = "small ranks count frames of one passage"
    if change < NOTABLE * high.value:
        verdict = f"a small change ({100 * change / high.value:.1g} %), larger than its errors"
    return [f"Gride {_course(good, low, high)}: {verdict}."]


def _digits(one: Result, other: Result) -> str:
    """Return the value to the digits that the larger of two errors allows."""
    return aligned(one.value, float(np.nanmax([one.error, other.error, 0])))[0]


def _course(good: list[Result], low: Result, high: Result) -> str:
    first, last = good[0], good[-1]
    if first is high and last is low:
        return f"falls from {_read(first)} to {_read(last)}"
    if first is low and last is high:
        return f"rises from {_read(first)} to {_read(last)}"
    return f"varies between {_read(low)} and {_read(high)}"


def _read(r: Result) -> str:
    return plus_minus(r.value, r.error) + (_where(r) or f" at {r.at}")


def _over(good: list[Result]) -> str:
    first, last = good[0], good[-1]
    ranks = f"{first.at} to {kept_at(last)}"
    if first.radius is None or last.radius is None:
        return f" for {ranks}"
    return f" at scales {number(first.radius)} to {number(last.radius)}{_units(last)} ({ranks})"


def _mle(facts: Facts) -> list[str]:
    k = parameters(facts.ds, v.id_mle.name).get("k")
    reach = f" over the {k} nearest locations" if isinstance(k, int) else ""
    return [
        f"Levina-Bickel reads {plus_minus(r.value, r.error)}{reach}{_where(r)}."
        for r in of(facts, v.id_mle.name)
        if np.isfinite(r.value)
    ]


def _covers(facts: Facts) -> list[str]:
    found = frames.misled(facts)
    known = of(facts, v.id_twonn.name) if found is None else [found]
    return [
        f"± is one standard error of {method(r)}. {one_line(r.covers, 500).rstrip('.')}."
        for r in known
        if np.isfinite([r.value, r.error]).all() and r.covers != "not recorded"
    ]


def _where(r: Result) -> str:
    if r.radius is None or not np.isfinite(r.radius):
        return ""
    return f" at scale {number(r.radius)}{_units(r)}"


def _units(r: Result) -> str:
    return f" {one_line(r.units, 40)}" if r.units not in ("", "1") else ""


def _from(r: Result) -> str:
    return "" if r.samples is None else f", from {count(r.samples, 'location')}"


def _no_number(facts: Facts) -> list[str]:
    every = results(facts)
    lost = [r for r in every if not np.isfinite(r.value)]
    bare = [r for r in every if np.isfinite(r.value) and not np.isfinite(r.error)]
    return [
        f"{method(group[0])} gave no {what}{_at_all(group)}."
        for what, missing in (("number", lost), ("error", bare))
        for name in dict.fromkeys(r.name for r in missing)
        for group in [[r for r in missing if r.name == name]]
    ]


def _at_all(group: list[Result]) -> str:
    first, *more = [r.at for r in group]
    rest = "".join(f", {at.rpartition(' ')[2]}" for at in more)
    return f" for {first}{rest}" if first else ""


def _unused(facts: Facts) -> list[str]:
    n = samples(facts) if facts.locations is None else facts.locations
    if n is None:
        return []
    worst: dict[str, tuple[int, Result]] = {}
    for r in results(facts):
        if r.name == v.id_window.name:
            continue  # reads a part of them
        if r.samples is not None and r.samples < min(n, worst.get(r.name, (n, r))[0]):
            worst[r.name] = r.samples, r
    return [
        f"{method(r)} used {used:,} of {count(n, 'location')}{' for ' + r.at if r.at else ''}; "
        "the others gave no ratio of distances."
        for used, r in worst.values()
    ]


def _ties(facts: Facts) -> list[str]:
    values = facts.values
    ties = int(values[v.id_twonn_ties.name]) if v.id_twonn_ties.name in values else 0
    if ties == 0:
        return []
    whole = values.get(v.id_twonn_samples.name, facts.locations)
    part = f" ({share(ties, int(whole))})" if whole is not None and int(whole) > 0 else ""
    verb = "has" if ties == 1 else "have"
    return [
        f"{count(ties, 'location')}{part} {verb} two nearest neighbors at the same distance, "
        "as happens on lattices and with rounded numbers: this raises TwoNN."
    ]


def _reads_low(facts: Facts) -> list[str]:
    found = frames.misled(facts)
    plain = of(facts, v.id_twonn.name) or of(facts, v.id_gride.name)[:1]
    nearest = plain if found is None else [found]
    return [
        f"{method(r)} reads low from a dimension of about {READS_LOW:.0f} on, and here it reads "
        f"{number(r.value)}: take it as a lower bound "
        "(for scale: TwoNN reads 14.8 in a 20-dimensional cube of 2,500 samples)."
        for r in nearest
        if r.value > READS_LOW
    ]


def _too_small(facts: Facts) -> list[str]:
    kind = kinds(facts.values, v.id_gride.name) if v.id_gride.name in facts.values else None
    if kind is None:
        return []
    ranks = [r.at.rpartition("= ")[2] for r in of(facts, v.id_gride.name)]
    small = [rank for rank, text in zip(ranks, kind, strict=True) if "too_small" in text]
    if not small:
        return []
    return [f"The errors of Gride for n1 = {', '.join(small)} are too small: "
            "they treat samples as independent."]  # fmt: skip
