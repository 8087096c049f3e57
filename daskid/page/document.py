"""The page around its sections."""

from datetime import UTC, datetime
from importlib.resources import files

import xarray as xr

from daskid.page import explore, figures, relief, topography
from daskid.page.facts import gather
from daskid.page.sections import all_sections
from daskid.page.text import escape, foreign, one_line

# what the page may load: nothing but the images, the style and the scripts that it holds
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(ds: xr.Dataset, *, interactive: bool) -> str:
    """Return the whole page; *computes*."""
    rooms = (figures, topography, relief) if isinstance(ds, xr.Dataset) else ()
    drawn = {name: points for room in rooms for name, points in room.describe(ds).items()}
    if interactive and rooms:
        drawn["explore"] = explore.describe(ds)
    facts = gather(ds, drawn)
    links, sections = all_sections(facts)
    anyone = "layers" if "layer" in ds.dims else "a run"
    title = ds.attrs.get("title") or ds.attrs.get("source", anyone)
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    style = (files("daskid.page") / "page.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}{explore.policy(facts)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>daskid: {escape(one_line(title, 80))}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the results</a>
<header>
<p class="product">daskid report</p>
<h1>{foreign(title, 120)}</h1>
<p class="made">Page made <time>{made}</time></p>
<nav aria-label="Sections"><ul>{links}</ul></nav>
</header>
<main id="main">
{sections}
</main>
<footer><p>Made by daskid. What it says of the data is computed from the run.</p></footer>
{explore.scripts(facts)}
</body>
</html>
"""
