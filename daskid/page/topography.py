"""Figures of the density and its peaks; of many peaks only the largest are drawn one by one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from daskid import variables as v
from daskid.page.facts import Facts
from daskid.page.figures import figure, svg
from daskid.page.numbers import count, exact, plus_minus
from daskid.page.peaks import plateau
from daskid.page.results import barriers, joined, largest
from daskid.plot import density, peaks
from daskid.plot.labels import FONT
from daskid.plot.rows import DARK
from daskid.typing import Array, Floats, Ints

NAMED = 8  # ticks of a matrix; of so many peaks it has numbers too
CROWD = 12  # more peaks than this leave no room for the support of branches
ON_BRIGHT, ON_DARK = "#010101", "#fefefe"  # the same in any scheme, unlike ink and paper
TREE = (v.peak_log_density, v.peak_log_density_error, v.peak_size, v.merge_peak,
        v.merge_log_density, v.merge_log_density_error)  # fmt: skip
MATRIX = (v.peak_log_density, v.peak_size, v.saddle_peak, v.saddle_log_density)


def describe(ds: xr.Dataset) -> dict[str, Any]:
    """Return, lazily, what the figures of this room draw of samples, as far as it is there."""
    found: dict[str, Any] = {}
    if v.kstar.name in ds.variables:
        (found["kstar"],) = density.drawn(ds, v.kstar)
    if {v.log_density.name, v.log_density_error.name} <= {*ds.variables}:
        found["log_density"] = density.histogram_points(ds)
    needs = {x.name for x in (v.rows, v.peak_label, v.peak_halo, v.peak_sample)}
    if needs <= {*ds.variables} and ds.sizes["feature"] > 1:
        found["basins"] = peaks.basins_points(ds)
    return found


def log_density(facts: Facts) -> str:
    """Return how many samples have which log density, or nothing."""
    points = facts.pictures.get("log_density")
    if points is None or not np.isfinite(points["log_density"]).any():
        return ""
    level = points["log_density"][np.isfinite(points["log_density"])]
    alt = (
        f"Log densities of samples: half of them are above {np.median(level):.2f}, the greatest "
        f"is {level.max():.2f}."
    )
    caption = f"{alt} Bar: the median error of a sample, to either side."
    if points["peaks"] is not None:
        caption += " Ticks at the axis: peaks."
    return figure(svg(density.draw_histogram(points), "density", alt), caption)


def tree(facts: Facts) -> str:
    """Return the tree of the peaks, or nothing."""
    if any(x.name not in facts.values for x in TREE) or facts.values.sizes["peak"] < 2:
        return ""
    chosen = largest(facts)
    points = {x.name: facts.values[x.name].values for x in TREE}
    support = facts.values.get(v.merge_support.name)
    many = chosen.size > CROWD
    shares = None if support is None or many else support.values
    ax = peaks.draw_tree(induced(points, shares, chosen))
    ax.set_xticklabels([str(chosen[int(text.get_text())]) for text in ax.get_xticklabels()],
                       rotation=90 if many else 0)  # fmt: skip
    alt = "Tree of the density peaks: branches end at peaks and join at saddles."
    alt += _left_out(facts, chosen)
    caption = f"{alt} Bars: one standard error."
    if shares is not None:
        caption += " Percent: share of replicates that have the branch."
    return figure(svg(ax, "tree", alt), f"{caption} {_deepest(facts)}".strip())


def _deepest(facts: Facts) -> str:
    """Say which peak is hardest to leave, where all are drawn."""
    found = barriers(facts)
    if not found or largest(facts).size < facts.values.sizes["peak"]:
        return ""
    c, r = max(found.items(), key=lambda item: item[1].value)
    return f"The highest barrier, {plus_minus(r.value, r.error)}, is out of peak {c} {r.at}."


def induced(points: Mapping[str, Array], support: Array | None, chosen: Ints) -> dict[str, Any]:
    """Return the tree of the chosen peaks alone, numbered by their place among the chosen."""
    place = {int(c): i for i, c in enumerate(chosen)}
    top: dict[int, int | None] = {}
    kept, pairs = [], []
    for m, (a, b) in enumerate(np.asarray(points[v.merge_peak.name]).tolist()):
        one, other = top.get(a, place.get(a)), top.get(b, place.get(b))
        if one is not None and other is not None:
            kept.append(m)
            pairs.append(sorted((one, other)))
        both = [c for c in (one, other) if c is not None]
        top[a] = min(both, default=None)
    return {
        v.peak_log_density.name: points[v.peak_log_density.name][chosen],
        v.peak_log_density_error.name: points[v.peak_log_density_error.name][chosen],
        v.merge_peak.name: np.array(pairs, dtype=np.int64).reshape(-1, 2),
        v.merge_log_density.name: points[v.merge_log_density.name][kept],
        v.merge_log_density_error.name: points[v.merge_log_density_error.name][kept],
        v.merge_support.name: None if support is None else support[kept],
    }


def matrix(facts: Facts) -> str:
    """Return the matrix of saddles, or nothing."""
    if any(x.name not in facts.values for x in MATRIX) or facts.values.sizes["peak"] < 3:
        return ""
    chosen = largest(facts)
    pair = facts.values[v.saddle_peak.name].values
    both = np.isin(pair, chosen).all(axis=1)
    points = {
        v.peak_log_density.name: facts.values[v.peak_log_density.name].values[chosen],
        v.saddle_peak.name: np.searchsorted(chosen, pair[both]),
        v.saddle_log_density.name: facts.values[v.saddle_log_density.name].values[both],
    }
    touch, most = int(both.sum()), chosen.size * (chosen.size - 1) // 2
    some = f"all {most:,} pairs touch" if touch == most else (
        f"{touch:,} of {count(most, 'pair touches', 'pairs touch')}, the others are blank"
    )  # fmt: skip
    alt = (
        f"Log densities of peaks, on the diagonal, and of saddles between them: {some}."
        f"{_left_out(facts, chosen)}"
    )
    drawings = "".join(
        f'<div class="only-{scheme}">'
        + svg(_matrix(points, chosen, dark=scheme == "dark"), f"matrix-{scheme}", alt)
        + "</div>"
        for scheme in ("light", "dark")
    )
    return figure(drawings, alt, "matrix")


def _matrix(points: dict[str, Any], chosen: Ints, *, dark: bool) -> Axes:
    """Draw the matrix; blank is the color of the page, and the highest the farthest from it."""
    ax = peaks.draw_topography(points)
    (image,) = ax.images
    if dark:
        image.set_cmap(DARK)
    _name_ticks(ax, chosen)
    if chosen.size <= NAMED:
        _write_levels(ax, dark=dark)
    return ax


def _write_levels(ax: Axes, *, dark: bool) -> None:
    """Write the log densities into the cells, in the color that can be read there."""
    (image,) = ax.images
    levels: Floats = np.ma.filled(np.ma.asarray(image.get_array()), np.nan)
    low, high = image.get_clim()
    for (i, j), level in np.ndenumerate(levels):
        if np.isfinite(level):
            bright = (2 * level > low + high) == dark
            ax.text(j, i, f"{level:.1f}", ha="center", va="center", fontsize=FONT - 1,
                    color=ON_BRIGHT if bright else ON_DARK)  # fmt: skip


def _name_ticks(ax: Axes, chosen: Ints) -> None:
    step = -(-chosen.size // NAMED)
    at, names = np.arange(chosen.size)[::step], [str(c) for c in chosen[::step]]
    ax.set_xticks(at, names)
    ax.set_yticks(at, names)


def _left_out(facts: Facts, chosen: Ints) -> str:
    total = int(facts.values.sizes["peak"])
    if chosen.size == total:
        return ""
    return f" The {chosen.size} peaks of most samples; {total - chosen.size:,} are left out."


def basins(facts: Facts) -> str:
    """Return the samples in the colors of their peaks, or nothing."""
    points = facts.pictures.get("basins")
    if points is None:
        return ""
    names = joined(points["names"]) or "their first two principal components"
    alt = f"Samples by {names} in the color of their peak; numbers are peaks."
    total, named = points["peak_count"], len(peaks.numbered(points))
    if named < total:
        alt += f" Of {total:,} peaks {named} of the densest are numbered"
        marked = len(points["peaks"])
        alt += ", the others are dots." if marked == total else f", the {marked} densest marked."
    return figure(svg(peaks.draw_basins(points), "basins", alt), alt, "plane")


def surviving(facts: Facts) -> str:
    """Return the number of peaks against z, or nothing."""
    if v.surviving_peaks.name not in facts.values:
        return ""
    curve = facts.values[v.surviving_peaks.name]
    z, peak_count = curve["threshold"].values, curve.values
    used = facts.values.get(v.peak_z.name)
    points = {"z": z, "peaks": peak_count, "used": None if used is None else used.values}
    alt = (
        f"Number of peaks against z: {peak_count[0]:,} at {exact(z[0])}, {peak_count[-1]:,} at "
        f"{exact(z[-1])}."
    )
    found = plateau(facts)
    caption = f"{alt} A plateau says that the number does not hang on z."
    if found is not None and found[1] > found[0]:
        caption += f" That around the z used is from {exact(found[0])} to {exact(found[1])}."
    return figure(svg(peaks.draw_persistence(points), "persistence", alt), caption)
