"""The layers of a network on the page: sentences, a table, pictures."""

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.page.facts import Facts
from daskid.page.markup import table
from daskid.page.notes import notes
from daskid.page.numbers import count, number, plus_minus
from daskid.page.results import has
from daskid.page.text import foreign, one_line
from daskid.typing import Floats

COLUMNS = (
    ("dimension", v.profile_id, v.profile_id_error),
    ("of the clone", v.profile_clone, v.profile_clone_error),
    ("components", v.profile_components, v.profile_components_error),
    ("overlap with labels", v.profile_label, v.profile_label_error),
    ("peaks and labels (ARI)", v.profile_rand, v.profile_rand_error),
    ("overlap with the next", v.profile_next, v.profile_next_error),
    ("with the last", v.profile_last, v.profile_last_error),
    ("imbalance to the next", v.profile_to_next, v.profile_to_next_error),
    ("and back", v.profile_from_next, v.profile_from_next_error),
)
SURE = 2.0
"""Errors by which two dimensions differ, from which on one is called larger."""
COVERS = (
    "Errors are those of independent samples in given layers; not that another training of the "
    "network gives other layers."
)


def sentences(facts: Facts) -> list[str]:
    """Return the findings."""
    found = []
    if has(facts, v.profile_id, v.profile_id_error, v.profile_depth):
        found += _dimension(facts)
    if has(facts, v.profile_label, v.profile_label_chance):
        value = facts.values[v.profile_label.name].values
        error = facts.values[v.profile_label_error.name].values
        if np.isfinite(value[[0, -1]]).all():
            ends = [plus_minus(value[i], error[i]) for i in (0, -1)]
            chance = number(float(facts.values[v.profile_label_chance.name].values[0]), 2)
            found.append(
                f"Neighbors share their label with probability {ends[0]} in the first layer, "
                f"{ends[1]} in the last ({chance} by chance)."
            )
    if has(facts, v.layer_peaks):
        numbers = ", ".join(str(n) for n in facts.values[v.layer_peaks.name].values)
        splits = int(facts.values[v.layer_splits.name].values.sum())
        merges = int(facts.values[v.layer_merges.name].values.sum())
        found.append(
            f"Density peaks from layer to layer: {numbers}; {count(splits, 'split')}, "
            f"{count(merges, 'merge')}."
        )
    return found


def _dimension(facts: Facts) -> list[str]:
    """Say whether the dimension first rises and then falls, with what makes it sure."""
    names = _names(facts.ds)
    value = facts.values[v.profile_id.name].values
    error = facts.values[v.profile_id_error.name].values
    if not np.isfinite(value).any():
        return []
    top = int(np.nanargmax(value))
    before = _least(value[:top], error[:top], value[top], error[top])
    after = _least(value[top + 1 :], error[top + 1 :], value[top], error[top])
    said = f"The largest dimension is {plus_minus(value[top], error[top])}, in {names[top]}"
    if before > SURE and after > SURE:
        return [f"{said}: it first rises, then falls along the layers (a hunchback)."]
    if max(before, after) > SURE:
        return [f"{said}; it is {'lower before' if before > SURE else 'lower after'} it."]
    return [f"{said}; no layer is lower by more than {number(SURE, 1)} standard errors."]


def _least(value: Floats, error: Floats, top: float, spread: float) -> float:
    """Return by how many standard errors the lowest of some values is below another one."""
    if not np.isfinite(value).any():
        return 0.0
    i = int(np.nanargmin(value))
    return float((top - value[i]) / np.hypot(error[i], spread))


def _names(ds: xr.Dataset) -> list[str]:
    if "layer" in ds.coords:
        return [one_line(name, 40) for name in ds["layer"].values]
    return [f"layer {i}" for i in range(ds.sizes["layer"])]


def layer_table(facts: Facts) -> str:
    """Return the table of the layers, or nothing."""
    if not has(facts, v.profile_depth, v.profile_features):
        return ""
    shown = [(head, x, e) for head, x, e in COLUMNS if has(facts, x, e)]
    shown = [one for one in shown if np.isfinite(facts.values[one[1].name].values).any()]
    depth = facts.values[v.profile_depth.name].values
    features = facts.values[v.profile_features.name].values
    peaks = facts.values[v.profile_peaks.name].values if has(facts, v.profile_peaks) else None
    rows = []
    for i, name in enumerate(_names(facts.ds)):
        cells = [foreign(name, 40), number(float(depth[i]), 2), f"{features[i]:,}"]
        if peaks is not None:
            cells.append(str(peaks[i]) if peaks[i] >= 0 else "")
        for _, x, e in shown:
            value, error = (float(facts.values[n.name].values[i]) for n in (x, e))
            known = plus_minus(value, error) if error > 0 else number(value)
            cells.append(known if np.isfinite(value) else "")
        rows.append(cells)
    head = ["layer", "depth", "features", *(["peaks"] if peaks is not None else [])]
    return table("Layers", [*head, *(h for h, _, _ in shown)], rows, "numbers") + notes(
        [("", COVERS)]
    )


def nucleation_table(facts: Facts) -> str:
    """Return at which depth classes have a peak of their own, or nothing."""
    if not has(facts, v.nucleation_depth, v.nucleation_depth_error):
        return ""
    names = facts.ds["class"].values if "class" in facts.ds.coords else None
    value = facts.values[v.nucleation_depth.name].values
    error = facts.values[v.nucleation_depth_error.name].values
    rows = [
        [
            foreign(i if names is None else names[i], 40),
            plus_minus(float(value[i]), float(error[i])) if np.isfinite(value[i]) else "never",
        ]
        for i in range(value.size)
    ]
    words = str(facts.values[v.nucleation_depth_error.name].attrs.get("covers", ""))
    return table("Depth at which a class has a density peak of its own", ["class", "depth"], rows,
                 "numbers") + notes([("", words)])  # fmt: skip


def drawings(facts: Facts) -> str:
    """Return the pictures of the layers."""
    from daskid.page.figures import figure, svg, twice  # imports matplotlib
    from daskid.plot import comparison
    from daskid.plot import layers as pictures

    if not has(facts, v.profile_depth) and not has(facts, v.layer_peaks):
        return ""
    ds, drawn = _tables(facts), []
    if has(facts, v.profile_id, v.profile_clone):
        alt = f"Intrinsic dimension against relative depth: {_said(facts, v.profile_id)}."
        more = "Gray: Gaussian clones, of the same mean and covariance. Bars: one standard error."
        drawn.append(figure(svg(pictures.hunchback(ds), "hunchback", alt), f"{alt} {more}"))
    if has(facts, v.profile_next, v.profile_last):
        alt = (
            "Overlap of neighbors against relative depth; with the next layer: "
            f"{_said(facts, v.profile_next)}."
        )
        more = "Dotted: overlap with labels by chance, and the largest possible."
        more = more if has(facts, v.profile_label) else ""
        drawn.append(figure(svg(pictures.overlaps(ds), "overlaps", alt), f"{alt} {more}".strip()))
    if has(facts, v.profile_overlap):
        alt = f"Overlap of neighbors of all pairs of {count(ds.sizes['layer'], 'layer')}."
        drawn.append(figure(
            twice(lambda dark: pictures.overlap_matrix(ds, dark=dark), "overlap", alt), alt
        ))  # fmt: skip
    if has(facts, v.profile_to_next, v.profile_from_next):
        alt = "Information imbalance of each layer to the next, against that from the next to it."
        more = "Below the dotted line the next layer says more of a layer than it says of the next."
        drawn.append(figure(svg(pictures.imbalances(ds), "imbalances", alt), f"{alt} {more}"))
    if has(facts, v.profile_imbalance, v.profile_imbalance_error):
        alt = "Information imbalance from the layer of the row to that of the column."
        drawn.append(figure(
            twice(lambda dark: comparison.layer_matrix(ds, dark=dark), "imbalance", alt), alt
        ))  # fmt: skip
    if has(facts, v.layer_peaks, v.lineage_members) and facts.values.sizes["lineage"]:
        alt = "Density peaks of the layers, as high as their share of the samples, and how they "
        alt += "come of each other: blue bands; samples that go elsewhere are gray."
        drawn.append(figure(svg(pictures.genealogy(ds), "genealogy", alt), alt))
    return "".join(drawn)


def _tables(facts: Facts) -> xr.Dataset:
    return facts.values.assign_coords({n: facts.ds[n] for n in ("layer",) if n in facts.ds.coords})


def _said(facts: Facts, variable: v.Variable) -> str:
    names, value = _names(facts.ds), facts.values[variable.name].values
    return "; ".join(
        f"{name} {number(float(x))}" for name, x in zip(names, value, strict=True) if np.isfinite(x)
    )


def body(facts: Facts) -> str:
    """Return the section, or nothing."""
    pictured = drawings(facts)
    pair = f'<div class="pair">{pictured}</div>' if pictured else ""
    return layer_table(facts) + pair + nucleation_table(facts)
