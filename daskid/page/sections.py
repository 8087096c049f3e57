"""The sections of the page, in order; one without anything to say is an empty text."""

from collections.abc import Callable

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.page import (
    bias,
    explore,
    figures,
    irreversibility,
    landscape,
    layers,
    provenance,
    relief,
    topography,
    transitions,
)
from daskid.page import density as densities
from daskid.page import peaks as topology
from daskid.page.facts import Facts, parameters, samples
from daskid.page.markup import bullets, scripted, section, table
from daskid.page.notes import notes
from daskid.page.numbers import aligned, count, exact, number, period, size
from daskid.page.results import Result, barriers, method, results
from daskid.page.summary import cautions, sentences
from daskid.page.text import escape, foreign

MAX_FEATURES = 12  # named one by one
NOTES = "abcdefghijklmnopqrstuvwxyz"


def summary(facts: Facts) -> str:
    """Say in plain words what was found, and what to be wary of."""
    wary = cautions(facts)
    note = (
        '<div class="caution" role="note"><p><strong>Before using these numbers</strong></p>'
        f"{bullets(wary)}</div>"
    )
    return bullets(sentences(facts), "findings") + (note if wary else "")


def data(facts: Facts) -> str:
    """Say what the rows are: source, shape, chunks, copies, what was dropped, features."""
    lines = [(name, value) for name, value in _data_lines(facts) if value]
    if not lines:
        return ""
    tables = table("The data", (), lines) + _feature_table(facts.ds)
    return f'<div class="pair">{figures.projection(facts)}<div>{tables}</div></div>'


def _data_lines(facts: Facts) -> list[tuple[str, str]]:
    ds = facts.ds
    n = samples(facts)
    known = parameters(ds, v.neighbor_distance.name)
    lines = [("source", _attribute(ds, "source")), ("source shape", _attribute(ds, "source_shape"))]
    if v.rows.name in ds:
        rows = ds[v.rows.name]
        lines += [
            ("rows", f"{count(rows.sizes['sample'], 'sample')} by "
                     f"{count(rows.sizes['feature'], 'feature')}"),
            ("type", f"{rows.dtype}, {size(rows.nbytes)}"),
            ("chunks", _chunks(rows)),
        ]  # fmt: skip
    lines += [
        ("rows dropped", _attribute(ds, "rows_dropped")),
        ("features dropped", _attribute(ds, "features_dropped")),
    ]
    if facts.locations is not None and n is not None:
        lines.append(("coincident samples", f"{n - facts.locations:,}"))
        lines.append(("distinct locations", f"{facts.locations:,}"))
    if v.neighbor_distance.name in ds:
        lines.append(("neighbors stored", f"{ds.sizes['neighbor']:,} a sample"))
        lines += [(name, foreign(known[name])) for name in _KNOWN if name in known]
    return lines


_KNOWN = ("metric", "exclude", "duplicates")


def _attribute(ds: xr.Dataset, name: str) -> str:
    return foreign(ds.attrs[name]) if name in ds.attrs else ""


def _chunks(rows: xr.DataArray) -> str:
    if rows.chunks is None:
        return "in memory"
    lengths = rows.chunks[rows.get_axis_num("sample")]
    return f"{count(len(lengths), 'chunk')} of up to {count(max(lengths), 'row')}"


def _feature_table(ds: xr.Dataset) -> str:
    """Return the features with their names, periods and weights, as far as these are known."""
    known = [str(c) for c in ds.coords if ds[c].dims == ("feature",) and c != v.column.name]
    known.sort(key=lambda name: name != "name")
    if not known or v.rows.name not in ds:
        return ""
    total = ds.sizes["feature"]
    shown = ds[known].isel(feature=slice(MAX_FEATURES))
    rows = [
        [str(i), *(_cell(name, shown[name].values[i]) for name in known)]
        for i in range(min(total, MAX_FEATURES))
    ]
    more = f", the first {MAX_FEATURES} of {total:,}" if total > MAX_FEATURES else ""
    return table(f"Features{more}", ["feature", *(foreign(name, 30) for name in known)], rows)


def _cell(name: str, value: object) -> str:
    if isinstance(value, float | np.floating):
        return period(float(value)) if name == v.period.name else exact(float(value))
    return foreign(value, 60)


def dimension(facts: Facts) -> str:
    """Show the dimension: a table with what each error covers, the fit, the scales."""
    entries = results(facts)
    if not entries:
        return ""
    drawn = (
        figures.twonn_fit, figures.dimension_scale, figures.dimension_window,
        figures.dimension_blocks,
    )  # fmt: skip
    pictures = "".join(draw(facts) for draw in drawn)
    return _results_table(entries) + _pair(pictures) + bias.body(facts)


def _results_table(entries: list[Result]) -> str:
    known = dict.fromkeys(r.covers for r in entries if aligned(r.value, r.error)[1])
    notes = {text: NOTES[i % len(NOTES)] for i, text in enumerate(known)}
    units = next((r.units for r in entries if r.units), "")
    scale = f"scale [{foreign(units, 20)}]" if units not in ("", "1") else "scale"
    rows = [
        [
            escape(method(r)) + (f", {escape(r.at)}" if r.at else ""),
            "" if r.radius is None else number(r.radius),
            _value(r, notes.get(r.covers, "")),
            "" if r.samples is None else f"{r.samples:,}",
        ]
        for r in entries
    ]
    legend = "".join(f"<li><sup>{m}</sup> {foreign(t, 600)}</li>" for t, m in notes.items())
    return (
        table(
            "Intrinsic dimension", ("method", scale, "value ± error", "locations"), rows, "numbers"
        )
        + (f'<div class="notes"><p>What the errors, one standard error each, cover:</p>'
           f"<ul>{legend}</ul></div>" if legend else "")
    )  # fmt: skip


def _value(r: Result, note: str) -> str:
    value, error = aligned(r.value, r.error)
    if error:
        return f"{value} ± {error}<sup>{note}</sup>"
    return f"{value}, error unknown" if np.isfinite(r.value) else value


def density(facts: Facts) -> str:
    """Show the densities: what they were made with, how they are spread."""
    lines = [(escape(name), escape(value)) for name, value in densities.lines(facts)]
    if not lines:
        return ""
    tables = table("Density", (), lines) + _covers(facts, v.log_density_error)
    return f'<div class="pair">{topography.log_density(facts)}<div>{tables}</div></div>'


def peaks(facts: Facts) -> str:
    """Show the peaks: a table, their tree, saddles, places, and what z does to their number."""
    drawn = (topography.basins, topography.tree, topography.matrix, topography.surviving)
    pictures = "".join(draw(facts) for draw in drawn)
    listed = topology.peak_table(facts)
    if listed:
        of_barriers = next((r.covers for r in barriers(facts).values()), "")
        listed += _covers(facts, v.peak_log_density_error, of_barriers)
    return listed + _pair(pictures)


def _covers(facts: Facts, error: v.Variable, barrier: str = "") -> str:
    words = str(facts.ds[error.name].attrs.get("covers", "")) if error.name in facts.ds else ""
    return notes([("", words), ("Of barriers: ", barrier)])


def states(facts: Facts) -> str:
    """Show the landscape: states, how they connect, barriers, edge states, free energies."""
    body = (
        landscape.state_table(facts)
        + _pair(relief.disconnectivity(facts) + relief.surface(facts))
        + landscape.barrier_table(facts)
        + _pair(relief.barriers(facts))
        + landscape.edge_table(facts)
        + _pair(relief.pmf(facts))
    )
    known = {v.free_energy.name, v.pmf.name, v.basin_probability.name} & {*facts.ds.variables}
    if not known:
        return ""
    alone = facts.values.sizes.get("peak") == 1
    return bullets([landscape.ONE] * alone + [landscape.spoken(facts)]) + body


def passages(facts: Facts) -> str:
    """Show the transitions: rates, times, relaxation, tests, the direction of time."""
    said = (
        irreversibility.cautions(facts) + irreversibility.sentences(facts)
        + irreversibility.kramers_sentences(facts)
    )  # fmt: skip
    return (
        bullets(said)
        + transitions.pair_table(facts)
        + _pair(relief.network(facts))
        + transitions.core_table(facts)
        + transitions.time_table(facts)
        + _pair(relief.timescales(facts) + relief.test(facts))
        + _pair(relief.committor(facts) + relief.tubes(facts))
        + irreversibility.test_table(facts)
        + irreversibility.kramers_table(facts)
        + _pair(relief.kramers(facts))
    )


def _pair(pictures: str) -> str:
    return f'<div class="pair">{pictures}</div>' if pictures else ""


def origin(facts: Facts) -> str:
    """List versions, steps with parameters and fingerprints, commands, cost."""
    return provenance.body(facts.ds)


SECTIONS: dict[str, tuple[str, Callable[[Facts], str]]] = {
    "summary": ("Summary", summary),
    "explore": ("Explore", explore.body),
    "data": ("Data", data),
    "layers": ("Layers", layers.body),
    "dimension": ("Dimension", dimension),
    "density": ("Density", density),
    "peaks": ("Peaks", peaks),
    "landscape": ("Landscape", states),
    "transitions": ("Transitions", passages),
    "provenance": ("Provenance", origin),
}


def all_sections(facts: Facts) -> tuple[str, str]:
    """Return the navigation and the sections that have something to say."""
    bodies = {name: (title, body(facts)) for name, (title, body) in SECTIONS.items()}
    present = {name: (title, html) for name, (title, html) in bodies.items() if html}
    links = "".join(
        f'<li{scripted(n)}><a href="#{n}">{title}</a></li>' for n, (title, _) in present.items()
    )
    return links, "".join(section(n, title, html) for n, (title, html) in present.items())
