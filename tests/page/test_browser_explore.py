"""Interactive pages of real runs in a browser: drawn, linked, for keyboards, on paper, hostile.

Needs ``pip install playwright`` and Debian's ``chromium``; skipped without them.
"""

import re

import made_run
import numpy as np
import pytest

import daskid
from daskid import datasets
from daskid.page import report

pytest.importorskip("bokeh", reason="bokeh is not installed")
pytest.importorskip("datashader", reason="datashader is not installed")

READY = "#explore[data-ready]"
OWNED = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">"
RIGHT_TO_LEFT = "\u05e9\u05dc\u05d5\u05dd \u202e$$x$$"


def molecule():
    """One frame in ten of the shipped trajectory of alanine dipeptide."""
    ds = datasets.alanine_dipeptide("torsions").isel(sample=slice(None, None, 10))
    return daskid.analyze(ds, k=60, exclude=10)


def climate():
    """Four trajectories of a climate of two states, more frames than are drawn one by one."""
    ds = datasets.ghil_sellers(1625, sigma=0.4, step=60, members=4, seed=7)
    return daskid.analyze(ds.load().chunk(sample=1625), k=250, exclude=20)


def hostile(ds):
    """Give a run names, units and trajectories that would like to be markup, or formulas."""
    names = np.array([OWNED, RIGHT_TO_LEFT], object)
    ds = ds.assign_coords(
        name=("feature", names), trajectory=("sample", np.tile(names, made_run.N // 2))
    )
    ds["rows"].attrs["units"] = ds.time.attrs["units"] = OWNED
    return ds.assign_attrs(source=OWNED * 100, title=RIGHT_TO_LEFT)


def layers():
    """The table of a small made-up network."""
    tree = datasets.nucleation(400, distances=((0.0, 0.0), (6.0, 0.0), (10.0, 9.0)), features=8)
    return daskid.layer_profile(tree, labels="true_label", neighbors=30, k=10).to_dataset()


RUNS = {"molecule": molecule, "climate": climate, "layers": layers}
PANELS = ("plane", "tree", "matrix")


@pytest.fixture(scope="module")
def paths(tmp_path_factory, states_run):
    """Pages by name, made when they are asked for; screenshots lie beside them."""
    made = {}

    def page(name):
        if name not in made:
            ds = hostile(states_run()) if name == "hostile" else RUNS[name]()
            made[name] = report(ds, tmp_path_factory.mktemp(name) / "page.html")
        return made[name]

    return page


@pytest.fixture
def visit(browser, paths):
    """Open a page; what it complained of and asked for is checked when the test is over."""
    contexts, complaints, requests = [], [], []

    def opened(name, width=1600, **given):
        size = {"width": width, "height": 900}
        contexts.append(browser.new_context(viewport=size, offline=True, **given))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url[:5]))
        page.goto(paths(name).as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
    assert set(requests) <= {"file:", "data:"}


def selected(page, name):
    """The columns of what is selected in a source."""
    return page.evaluate(
        """name => {
            const named = Bokeh.documents.flatMap(d => [...d.roots()])
                .flatMap(root => [...root.references()]).find(model => model.name === name);
            const at = named.selected.indices;
            return Object.fromEntries(Object.entries(
                named.data instanceof Map ? Object.fromEntries(named.data) : named.data
            ).map(([key, column]) => [key, at.map(i => column[i])]));
        }""",
        name,
    )


def whole(page, name):
    """All columns of a source."""
    return page.evaluate(
        """name => {
            const named = Bokeh.documents.flatMap(d => [...d.roots()])
                .flatMap(root => [...root.references()]).find(model => model.name === name);
            return Object.fromEntries(Object.entries(named.data).map(([k, c]) => [k, [...c]]));
        }""",
        name,
    )


def place(page, panel, x, y):
    """Where a point of a figure is in the window, after it is scrolled into sight."""
    page.locator(f"#{panel}").scroll_into_view_if_needed()
    return page.evaluate(
        """([panel, x, y]) => {
            for (const root of Bokeh.index.roots) {
                if (root.model.name !== panel) continue;
                const box = root.el.getBoundingClientRect();
                const frame = root.frame;
                return [box.x + frame.x_scale.compute(x), box.y + frame.y_scale.compute(y)];
            }
        }""",
        [panel, x, y],
    )


def click(page, panel, x, y):
    page.mouse.click(*place(page, panel, x, y))
    page.wait_for_timeout(300)


def listed(page, head):
    """A column of the table of picked samples, as text."""
    heads = page.locator("#explore-list thead th").all_inner_texts()
    cells = page.locator(f"#explore-rows tr > :nth-child({heads.index(head) + 1})")
    return cells.all_inner_texts()


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (1600, "light")])
@pytest.mark.parametrize("name", [*RUNS, "hostile"])
def test_page__is_drawn_and_fits(visit, paths, name, width, scheme):
    phone = width == 400
    page = visit(name, width, color_scheme=scheme, has_touch=phone, is_mobile=phone)
    if name != "layers":
        page.wait_for_selector(READY)
    page.screenshot(path=paths(name).with_name(f"{width}-{scheme}.png"), full_page=True)
    inner = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert inner[0] <= inner[1]
    assert page.title().startswith("daskid: ")
    stills = page.locator("figure svg:visible")
    assert stills.count() >= 3
    if name == "layers":
        assert page.locator("script").count() == 0
        return
    for panel in PANELS:
        assert painted(page, panel) > 100
        assert not page.locator(f"figure.of-{panel}:visible").count()
        touched = page.locator(f"#{panel} .bk-events").evaluate(
            "e => getComputedStyle(e).touchAction"
        )
        assert not phone or "pan-y" in touched or touched in ("auto", "manipulation")  # it scrolls


def painted(page, panel):
    """The number of pixels of a figure that are not clear."""
    return page.evaluate(
        """panel => [...Bokeh.index.roots].filter(root => root.model.name === panel)
            .map(root => {
                const canvas = root.canvas_view.primary.canvas;
                const data = canvas.getContext('2d')
                    .getImageData(0, 0, canvas.width, canvas.height).data;
                return data.filter((value, i) => i % 4 === 3 && value > 0).length;
            })[0]""",
        panel,
    )


@pytest.mark.parametrize("name", ["molecule", "climate"])
def test_selection__is_the_same_in_all_figures(visit, name):
    page = visit(name)
    page.wait_for_selector(READY)
    peaks, leaves = whole(page, "peaks"), whole(page, "leaves")
    samples = whole(page, "samples")
    one = peaks["number"][1]
    click(page, "plane", peaks["x"][1], peaks["y"][1])
    assert selected(page, "peaks")["number"] == [one]
    assert selected(page, "leaves")["number"] == [one]
    assert selected(page, "samples")["peak"] == [one] * samples["peak"].count(one)
    assert len(selected(page, "samples")["id"]) > 20
    assert set(listed(page, "peak")) == {str(one)}
    assert set(listed(page, "sample")) <= {str(i) for i in selected(page, "samples")["id"]}
    assert len(listed(page, "time")) > 20
    assert f"Peak {one} (" in page.locator("#explore-said").inner_text()
    assert page.locator("#explore-peak").input_value() == str(one)
    # a leaf of the graph
    i = leaves["number"].index(peaks["number"][0])
    click(page, "tree", leaves["x"][i], leaves["y"][i])
    assert set(selected(page, "samples")["peak"]) == {peaks["number"][0]}
    # a saddle in the matrix: both of its peaks
    cells = whole(page, "cells")
    at = next(i for i, (a, b) in enumerate(zip(cells["a"], cells["b"], strict=True)) if a != b)
    pair = {cells["a"][at], cells["b"][at]}
    click(page, "matrix", cells["x"][at], cells["y"][at])
    assert set(selected(page, "samples")["peak"]) == pair
    assert set(selected(page, "leaves")["number"]) == pair
    page.locator("#explore-clear").click()
    assert selected(page, "samples")["id"] == selected(page, "cells")["a"] == []
    assert not page.locator("#explore-list").is_visible()


def test_selection__of_samples_by_a_box_shows_them_and_their_peaks(visit):
    page = visit("molecule")
    page.wait_for_selector(READY)
    page.locator("#plane").get_by_title("Box Select").first.click()
    page.mouse.move(*place(page, "plane", -2.9, 2.4))
    page.mouse.down()
    page.mouse.move(*place(page, "plane", -2.2, 3.0), steps=5)
    page.mouse.up()
    page.wait_for_timeout(300)
    found = selected(page, "samples")
    assert len(found["id"]) > 20
    assert -2.95 < min(found["x"]) < max(found["x"]) < -2.15
    assert set(selected(page, "leaves")["number"]) == set(found["peak"])
    assert len(listed(page, "sample")) == min(len(found["id"]), 100)


def test_page__works_from_the_keyboard(visit):
    page = visit("molecule")
    page.wait_for_selector(READY)
    page.locator("#explore-peak").focus()
    page.keyboard.press("ArrowDown")
    assert set(selected(page, "samples")["peak"]) == {0}
    assert page.locator("#explore-said").get_attribute("role") == "status"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert selected(page, "samples")["id"] == []
    before = page.evaluate("[...Bokeh.index.roots][0].frame.x_range.start")
    page.locator("#plane").get_by_title("Zoom in").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert page.evaluate("[...Bokeh.index.roots][0].frame.x_range.start") > before


def test_page__colors_follow_the_reader(visit):
    page = visit("molecule", color_scheme="light")
    page.wait_for_selector(READY)
    ask = """() => [[...Bokeh.index.roots][0].model.below[0].axis_label_text_color,
        getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()]"""
    light = page.evaluate(ask)
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(300)
    dark = page.evaluate(ask)
    assert light[0] == light[1] != dark[1] == dark[0]


def test_page__has_still_figures_on_paper_and_without_scripts(visit):
    page = visit("molecule")
    page.wait_for_selector(READY)
    page.emulate_media(media="print")
    plain = visit("molecule", java_script_enabled=False)
    for one in (page, plain):
        assert not one.locator("#explore").is_visible()
        assert not one.locator("nav a[href='#explore']").is_visible()
        for panel in PANELS:
            assert one.locator(f"figure.of-{panel}:visible").count() >= 1


def test_page__hostile_text_is_text_where_it_is_hovered_and_listed(visit):
    page = visit("hostile")
    page.wait_for_selector(READY)
    samples = whole(page, "samples")
    i = samples["trajectory"].index(samples["trajectory"][0])
    page.mouse.move(*place(page, "plane", samples["x"][i], samples["y"][i]))
    page.wait_for_timeout(500)
    shown = page.locator(".bk-Tooltip").evaluate_all(
        """found => found.map(e => [...e.shadowRoot.querySelectorAll('div')]
            .map(div => div.innerText).join(' ')).join(' ')"""
    )
    assert re.search("trajectory .*(<script>|\u05e9)", shown)
    page.locator("#explore-peak").select_option("2")
    assert any("<script>" in text for text in listed(page, "trajectory"))
    assert page.locator("#explore-rows script, #explore-rows img").count() == 0
    assert "owned" not in page.title()
    assert page.evaluate("document.images.length") == 0
