"""Figures to explore a run in: zoom, hover, and a selection that all of them share.

Bokeh draws them, in the page itself and without any network, datashader counts the samples of
large runs: ``pip install 'daskid[page]'``. Without both the page has its still figures only, and
so it has where scripts are off, and on paper.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from daskid import variables as v
from daskid.page.explore.points import MAX_DOTS, OF_PEAK, describe, kept
from daskid.page.facts import Facts
from daskid.page.numbers import count
from daskid.page.results import largest
from daskid.page.text import escape

if TYPE_CHECKING:
    from bokeh.plotting import figure

__all__ = ["body", "describe", "installed", "policy", "scripts"]

PACKAGES = ("bokeh", "datashader")
HEADS = {
    "id": "sample", "row": "row", "time": "time", "trajectory": "trajectory", "peak": "peak",
    "halo": "where", "level": "log density",
}  # fmt: skip
NOTHING = "Nothing is picked: click a peak, a saddle or a sample, or take a peak from the list."
NO_PEAKS = "Nothing is picked: click samples, or draw a box around some."


def installed() -> bool:
    """Return whether what draws the figures is installed."""
    return all(find_spec(name) is not None for name in PACKAGES)


def body(facts: Facts) -> str:
    """Return the figures, the list of peaks, and where the samples that are picked appear."""
    if not facts.pictures.get("explore"):
        return ""
    panels = "".join(
        f'<figure><div id="{name}" class="panel" role="group" aria-label="{escape(alt)}"></div>'
        f"<figcaption>{escape(alt)}</figcaption></figure>"
        for name, alt in _texts(facts)
    )
    heads = "".join(f'<th scope="col">{words}</th>' for _, words in _columns(facts))
    nothing = NOTHING if _peaked(facts) else NO_PEAKS
    return (
        f'{_picker(facts)}<p id="explore-said" role="status">{nothing}</p>'
        f'<div class="panels">{panels}'
        '<div id="explore-list" class="wide list" tabindex="0" role="group" '
        'aria-label="Samples that are picked" hidden><table class="numbers">'
        f"<caption>Samples that are picked</caption><thead><tr>{heads}</tr></thead>"
        '<tbody id="explore-rows"></tbody></table></div></div>'
    )


def _peaked(facts: Facts) -> bool:
    return "state" in facts.pictures["explore"]


def _picker(facts: Facts) -> str:
    clear = '<button type="button" id="explore-clear">Clear</button>'
    if not _peaked(facts):
        return f'<p class="picker">{clear}</p>'
    size = facts.values[v.peak_size.name].values
    options = "".join(
        f'<option value="{c}">peak {c}, {count(int(size[c]), "sample")}</option>'
        for c in largest(facts).tolist()
    )
    return (
        '<p class="picker"><label for="explore-peak">Samples of</label> '
        f'<select id="explore-peak"><option value="">no single peak</option>{options}</select> '
        f"{clear}</p>"
    )


def _columns(facts: Facts) -> list[tuple[str, str]]:
    from daskid.page.explore.samples import identities

    known = identities(facts)
    return [(name, words) for name, words in HEADS.items() if name in known]


def _texts(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield the name of each figure and what it shows, in words."""
    from daskid.page.explore import states

    points = facts.pictures["explore"]
    n, shown = points["samples"], int(kept(points).sum())
    one = f"All {count(n, 'sample')}, one by one." if points["count"] is None else (
        f"{count(n, 'sample')}: shades show how many, on a logarithmic scale; dots are "
        f"{shown:,} of them, {MAX_DOTS:,} at random"
        + (f" and up to {OF_PEAK} of each peak." if _peaked(facts) else ".")
    )  # fmt: skip
    more = ""
    if _peaked(facts):
        more = " Colors and numbers: peaks. Diamonds: samples at saddles."
    yield "plane", one + more
    if states.drawn(facts):
        p = int(facts.values.sizes["peak"])
        some = "" if p == largest(facts).size else f", the {largest(facts).size} of most samples"
        yield (
            "tree",
            (
                f"Disconnectivity graph of {count(p, 'state')}{some}: each at its free energy, "
                "with one standard error, joined at saddles (diamonds)."
            ),
        )
        yield (
            "matrix",
            (
                f"Log densities of {count(p, 'peak')}{some}, on the diagonal, and of the saddles "
                "between them; pairs that do not touch are blank."
            ),
        )


def scripts(facts: Facts) -> str:
    """Return what makes the figures: the data, BokehJS and the script of the page, inline."""
    if not facts.pictures.get("explore"):
        return ""
    code = "".join(f"<script>{text}</script>" for text in _sources())
    return f'<script type="application/json" id="explore-data">{_data(facts)}</script>{code}'


def policy(facts: Facts) -> str:
    """Return what a page may run: these scripts by their hashes, and nothing else."""
    if not facts.pictures.get("explore"):
        return ""
    return "; script-src " + " ".join(f"'sha256-{_hash(text)}'" for text in _sources())


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _sources() -> tuple[str, ...]:
    """Return BokehJS without widgets, tables and formulas, and the script of the page."""
    from bokeh.resources import Resources

    own = (files("daskid.page.explore") / "explore.js").read_text(encoding="utf-8")
    bokeh, *_ = Resources(mode="inline", components=["bokeh"]).js_raw
    return bokeh, own


def _data(facts: Facts) -> str:
    """Return the figures and what else the script is given, as JSON without any markup."""
    from bokeh.embed import json_item

    whole: dict[str, Any] = {
        "figures": [json_item(plot, name) for name, plot in _figures(facts).items()],
        "columns": _columns(facts),
        "nothing": NOTHING if _peaked(facts) else NO_PEAKS,
    }
    text = json.dumps(whole, default=_plain, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a figure holds {type(value).__name__}, which JSON does not")


def _figures(facts: Facts) -> "dict[str, figure]":
    from daskid.page.explore import samples, states

    found = {"plane": samples.plane(facts)}
    if states.drawn(facts):
        found |= {"tree": states.tree(facts), "matrix": states.matrix(facts)}
    return found
