"""A run in plain sentences, every one of them computed."""

import xarray as xr

from daskid import variables as v
from daskid.page import (
    density,
    dimension,
    irreversibility,
    landscape,
    layers,
    peaks,
    transitions,
)
from daskid.page.facts import Facts, gather, parameters, samples, time_step
from daskid.page.numbers import count
from daskid.page.text import one_line


def summary(ds: xr.Dataset) -> list[str]:
    """Return what the run says, in plain sentences; those to be wary of start with ``Warning:``.

    *Computes* the small variables, and counts. Every sentence states what is in ``ds``;
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
    parts = (
        layers.sentences, dimension.sentences, landscape.sentences, transitions.sentences,
        irreversibility.sentences, irreversibility.kramers_sentences, peaks.sentences,
        density.sentences, _data, _dropped, _coincident, _neighbors,
    )  # fmt: skip
    return [sentence for part in parts for sentence in part(facts)]


def cautions(facts: Facts) -> list[str]:
    """Return what a reader must know before using a number."""
    parts = (
        _approximate, irreversibility.cautions, dimension.cautions, density.cautions,
        peaks.cautions, landscape.cautions, transitions.cautions, _time_order,
    )  # fmt: skip
    return [sentence for part in parts for sentence in part(facts)]


def _data(facts: Facts) -> list[str]:
    if v.rows.name not in facts.ds:
        n = samples(facts)
        return [] if n is None else [f"{count(n, 'sample')}."]
    rows = facts.ds[v.rows.name]
    n, d = rows.sizes["sample"], rows.sizes["feature"]
    periodic = periods(facts.ds)
    part = "all" if periodic == d else f"{periodic:,}"
    turn = f", {part} of them periodic" if periodic else ""
    every = f", one every {step}" if (step := time_step(facts)) else ""
    return [f"{count(n, 'sample')} of {count(d, 'feature')} ({rows.dtype}){turn}{every}."]


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


def _approximate(facts: Facts) -> list[str]:
    """Say that neighbors were missed, wherever something was computed from approximate ones."""
    known = (facts.ds[n].attrs.get(v.APPROXIMATE) for n in facts.ds.variables if n in v.VARIABLES)
    words = next((str(words) for words in known if words), None)
    if words is None:
        return []
    certain = facts.values.get(v.neighbor_certified.name)
    share = "" if certain is None else f"; {float(certain):.1%} of the samples are certainly exact"
    return [
        f"Neighbors are approximate: {one_line(words, 60)}{share}. What was missed is not "
        "random: dimensions come out too low, and distances too large."
    ]


def _time_order(facts: Facts) -> list[str]:
    known = parameters(facts.ds, v.neighbor_distance.name)
    if v.time.name not in facts.ds.variables or known.get("exclude", None) != 0:
        return []
    return [
        "Samples are frames in time and neighbors in time were not left out (exclude = 0): "
        "frames that follow each other closely can bias a dimension either way."
    ]
