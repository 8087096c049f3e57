"""A run in plain sentences, every one of them computed."""

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.page.facts import Facts, gather, parameters, samples
from daskid.page.numbers import aligned, count, number, plus_minus, share
from daskid.page.results import Result, kinds, of, results
from daskid.page.text import one_line

SAME = 3.0  # standard errors: what differs by less is called stable
NOTABLE = 0.05  # of the dimension: a change by less is called small
READS_LOW = 10.0


def summary(ds: xr.Dataset) -> list[str]:
    """Return what the run says, in plain sentences; those to be wary of start with ``Warning:``.

    *Computes* the small variables. Every sentence states what is in ``ds``;
    what is missing is not mentioned.

    Parameters
    ----------
    ds
        A run, with any of the variables.

    Raises
    ------
    SchemaError
        If ``ds`` is not a Dataset, or not a run.

    Examples
    --------
    >>> import xarray as xr
    >>> summary(xr.Dataset({"id_twonn": 2.0213, "id_twonn_error": 0.0185}))
    ['Intrinsic dimension 2.021 ± 0.018 (TwoNN).']
    """
    facts = gather(ds)
    return sentences(facts) + [f"Warning: {text}" for text in cautions(facts)]


def sentences(facts: Facts) -> list[str]:
    """Return the findings, the dimension first."""
    parts = (_twonn, _blocks, _gride, _mle, _covers, _data, _dropped, _coincident, _neighbors)
    return [sentence for part in parts for sentence in part(facts)]


def cautions(facts: Facts) -> list[str]:
    """Return what a reader must know before using a number."""
    parts = (_no_number, _unused, _ties, _reads_low, _too_small, _time_order)
    return [sentence for part in parts for sentence in part(facts)]


def _twonn(facts: Facts) -> list[str]:
    fit = parameters(facts.ds, v.id_twonn.name).get("method") == "fit"
    return [
        f"Intrinsic dimension {plus_minus(r.value, r.error)} (TwoNN{', fit' if fit else ''})"
        f"{_where(r)}{_from(r)}."
        for r in of(facts, v.id_twonn.name)
        if np.isfinite(r.value)
    ]


def _blocks(facts: Facts) -> list[str]:
    good = [r for r in of(facts, v.id_blocks.name) if np.isfinite(r.value)]
    if len(good) < 2:
        return []
    large, small = good[0], good[-1]
    change = large.value - small.value
    said = f"In blocks of {_size(small)} samples TwoNN reads {plus_minus(small.value, small.error)}"
    told = f"{said}, in blocks of {_size(large)} it reads {plus_minus(large.value, large.error)}"
    if abs(change) <= SAME * np.hypot(*np.nan_to_num([large.error, small.error])):
        return [f"{told}: the number of samples does not matter within errors."]
    if change > 0:
        return [f"{told}: a rise with the number of samples, as of noise dimensions."]
    return [f"{told}: it falls with the number of samples."]


def _size(r: Result) -> str:
    return f"{int(r.at.rpartition('= ')[2]):,}"


def _gride(facts: Facts) -> list[str]:
    good = [r for r in of(facts, v.id_gride.name) if np.isfinite(r.value)]
    if not good:
        return []
    if len(good) == 1:
        (r,) = good
        return [f"Intrinsic dimension {plus_minus(r.value, r.error)} (Gride, {r.at}){_where(r)}."]
    low, high = min(good, key=lambda r: r.value), max(good, key=lambda r: r.value)
    change = high.value - low.value
    if not change > SAME * np.hypot(*np.nan_to_num([low.error, high.error])):
        return [
            f"Gride reads {_digits(low, high)} to {_digits(high, low)}{_over(good)}: "
            "stable within its errors."
        ]
    verdict = "the dimension depends on the scale"
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
    ranks = f"{first.at} to {last.at.rpartition('= ')[2]}"
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
    known = [r for r in of(facts, v.id_twonn.name) if np.isfinite([r.value, r.error]).all()]
    return [
        f"± is one standard error of TwoNN. {one_line(r.covers, 500).rstrip('.')}."
        for r in known
        if r.covers != "not recorded"
    ]


def _where(r: Result) -> str:
    if r.radius is None or not np.isfinite(r.radius):
        return ""
    return f" at scale {number(r.radius)}{_units(r)}"


def _units(r: Result) -> str:
    return f" {one_line(r.units, 40)}" if r.units not in ("", "1") else ""


def _from(r: Result) -> str:
    return "" if r.samples is None else f", from {count(r.samples, 'location')}"


def _data(facts: Facts) -> list[str]:
    if v.rows.name not in facts.ds:
        n = samples(facts)
        return [] if n is None else [f"{count(n, 'sample')}."]
    rows = facts.ds[v.rows.name]
    n, d = rows.sizes["sample"], rows.sizes["feature"]
    periodic = periods(facts.ds)
    part = "all" if periodic == d else f"{periodic:,}"
    turn = f", {part} of them periodic" if periodic else ""
    return [f"{count(n, 'sample')} of {count(d, 'feature')} ({rows.dtype}){turn}."]


def periods(ds: xr.Dataset) -> int:
    """Return how many features have a period."""
    if v.period.name not in ds.variables:
        return 0
    return int((ds[v.period.name].values > 0).sum())


def _dropped(facts: Facts) -> list[str]:
    rows = _attribute(facts.ds, "rows_dropped")
    columns = _attribute(facts.ds, "features_dropped")
    return [
        f"{count(n, one, many)} left out before anything else."
        for n, one, many in (
            (rows, "row with a non-finite value was", "rows with a non-finite value were"),
            (
                columns,
                "feature nowhere finite was",
                "features nowhere finite were",
            ),
        )
        if n
    ]


def _attribute(ds: xr.Dataset, name: str) -> int:
    try:
        return int(ds.attrs.get(name, 0))
    except (TypeError, ValueError):
        return 0


def _coincident(facts: Facts) -> list[str]:
    n = samples(facts)
    if n is None or facts.locations is None:
        return []
    if parameters(facts.ds, v.neighbor_distance.name).get("duplicates") == "keep":
        return ["Samples that coincide were kept apart (duplicates = keep)."]
    if facts.locations == n:
        return ["No two samples coincide."]
    copies = count(n - facts.locations, "sample coincides", "samples coincide")
    return [
        f"{copies} with an earlier one: {count(facts.locations, 'distinct location')}, "
        "and all geometry is of locations."
    ]


def _neighbors(facts: Facts) -> list[str]:
    if v.neighbor_distance.name not in facts.ds:
        return []
    k = facts.ds[v.neighbor_distance.name].sizes["neighbor"]
    known = parameters(facts.ds, v.neighbor_distance.name)
    metric = f", {one_line(known['metric'], 40)} metric" if "metric" in known else ""
    stored = count(k, "nearest neighbor of each sample is", "nearest neighbors of each sample are")
    exclude = known.get("exclude")
    window = (
        f"; frames within {one_line(exclude, 40)} of each other are no neighbors" if exclude else ""
    )
    return [f"The {stored} known{metric}{window}."]


def _no_number(facts: Facts) -> list[str]:
    return [
        f"{_method(r)} gave no number{' for ' + r.at if r.at else ''}."
        for r in results(facts)
        if not np.isfinite(r.value)
    ] + [
        f"{_method(r)} gave no error{' for ' + r.at if r.at else ''}."
        for r in results(facts)
        if np.isfinite(r.value) and not np.isfinite(r.error)
    ]


def _method(r: Result) -> str:
    """Return what the long name has in parentheses, ``TwoNN``, or all of it."""
    return r.quantity.partition("(")[2].rstrip(")") or r.quantity


def _unused(facts: Facts) -> list[str]:
    n = samples(facts) if facts.locations is None else facts.locations
    if n is None:
        return []
    worst: dict[str, tuple[int, Result]] = {}
    for r in results(facts):
        if r.samples is not None and r.samples < min(n, worst.get(r.name, (n, r))[0]):
            worst[r.name] = r.samples, r
    return [
        f"{_method(r)} used {used:,} of {count(n, 'location')}{' for ' + r.at if r.at else ''}; "
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
    nearest = of(facts, v.id_twonn.name) or of(facts, v.id_gride.name)[:1]
    return [
        f"{_method(r)} reads low from a dimension of about {READS_LOW:.0f} on, and here it reads "
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


def _time_order(facts: Facts) -> list[str]:
    known = parameters(facts.ds, v.neighbor_distance.name)
    if v.time.name not in facts.ds.variables or known.get("exclude", None) != 0:
        return []
    return [
        "Samples are frames in time and neighbors in time were not left out (exclude = 0): "
        "frames that follow each other closely can bias a dimension either way."
    ]
