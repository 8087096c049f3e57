"""The page: one whole file, nothing loaded, nothing injected, nothing said that is not there."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import dask
import dask.array as da
import made_run
import numpy as np
import pytest
import xarray as xr

from daskid.page import report, summary
from daskid.variables import SchemaError

VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}
HOSTILE = '<script>alert(1)</script>"\' onload="x'
LONG = "long" * 2500
RIGHT_TO_LEFT = "\u05e9\u05dc\u05d5\u05dd \u202eabc"


class Page(HTMLParser):
    """The parts of a page that tests ask about; fails where tags are not balanced."""

    def __init__(self, text):
        super().__init__()
        self.text, self.open, self.tags, self.words = text, [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    def all(self, *names):
        return [attrs for tag, attrs in self.tags if tag in names]

    @property
    def sections(self):
        return [attrs["id"] for attrs in self.all("section")]

    @property
    def shown(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def page(tmp_path):
    def make(ds):
        return Page(
            report(ds, tmp_path / "page.html", interactive=False).read_text(encoding="utf-8")
        )

    return make


def hostile():
    ds = made_run.run().assign_attrs(
        source=HOSTILE, history=LONG, note=RIGHT_TO_LEFT, source_shape="\x00\x1b[31m\ud800"
    )
    ds = ds.assign_coords(name=("feature", np.array([HOSTILE, RIGHT_TO_LEFT + LONG], object)))
    ds["rows"].attrs["units"] = HOSTILE
    ds["neighbor_distance"].attrs |= {"units": HOSTILE, "method": HOSTILE}
    ds["id_gride"].attrs |= {"step": HOSTILE, "fingerprint": HOSTILE}
    ds["neighbor_distance"].attrs["parameters"] = '{"metric": "<img src=x onerror=y>"}'
    ds["id_twonn_error"].attrs["covers"] = HOSTILE
    return ds


@pytest.fixture(scope="module", params=["whole", "hostile"])
def any_page(request, tmp_path_factory):
    ds = made_run.run(3000) if request.param == "whole" else hostile()
    out = report(ds, tmp_path_factory.mktemp("page") / "page.html", interactive=False)
    return Page(out.read_text(encoding="utf-8"))


def test_report__is_balanced_html_with_landmarks_and_headings(any_page):
    assert any_page.text.startswith("<!doctype html>")
    (html,) = any_page.all("html")
    assert html["lang"] == "en"
    for tag in ("header", "nav", "main", "footer", "h1", "title"):
        assert len(any_page.all(tag)) == 1
    levels = [int(tag[1]) for tag, _ in any_page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_report__ids_are_unique_and_references_meet_them(any_page):
    ids = [attrs["id"] for _, attrs in any_page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'(?:href="#|url\(#|aria-labelledby=")([^")]+)', any_page.text))
    assert used
    assert used <= set(ids)


def test_report__loads_nothing(any_page):
    for _, attrs in any_page.tags:
        for name, value in attrs.items():
            if name in ("src", "srcset", "data", "poster", "action") or name.endswith("href"):
                assert value.startswith(("#", "data:image/png;base64,"))
            assert not name.startswith("on")
    assert not any_page.all("script", "link", "iframe", "object", "embed", "base", "form")
    assert "@import" not in any_page.text
    assert not re.search(r"url\((?!#)", any_page.text)


def test_report__figures_have_words(any_page):
    figures = [a for a in any_page.all("svg", "img") if a.get("role") == "img" or "alt" in a]
    assert len(figures) == len(any_page.all("svg", "img")) >= 3
    assert all(len(a.get("aria-label") or a["alt"]) > 20 for a in figures)
    assert len(any_page.all("figcaption")) == len(any_page.all("figure")) == 3


def test_report__tables_have_captions_and_headers(any_page):
    tables = any_page.all("table")
    assert len(any_page.all("caption")) == len(tables) >= 5
    assert all(attrs["scope"] in ("row", "col") for attrs in any_page.all("th"))


def test_report__says_the_summary_and_draws_the_figures(page):
    made = page(made_run.run())
    for sentence in summary(made_run.run()):
        assert sentence.removeprefix("Warning: ") in made.shown
    assert made.sections == ["summary", "data", "dimension", "provenance"]
    labels = " ".join(a["aria-label"] for a in made.all("svg"))
    assert "400 rows" in labels
    assert "396 locations" in labels
    assert "slope 2.02" in labels
    assert "2.02 at 0.0131; 2.00 at 0.0210; 1.98 at 0.0340" in labels


def test_report__text_in_figures_is_text(page):
    shown = page(made_run.run(3000)).shown
    for words in ("phi [rad]", "ln μ = ln(r₂ / r₁)", "intrinsic dimension", "rows per cell"):
        assert words in shown


def test_report__colors_follow_the_page(page):
    text = page(made_run.run(3000)).text
    drawings = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert "var(--blue)" in drawings
    assert "var(--vermilion)" in drawings
    assert not re.search("#[0-9a-f]{6}", re.sub(r"base64,[^\"]*", "", drawings))
    assert "prefers-color-scheme: dark" in text


def test_report__data_provenance_and_commands(page):
    shown = page(made_run.run().assign_attrs(created="2026-11-22", rows_dropped=3)).shown
    for words in (
        "chunks 3 chunks of up to 150 rows", "type float64, 6.4 kB", "rows dropped 3",
        "coincident samples 4", "distinct locations 396", "neighbors stored 8 a sample",
        "metric euclidean", "exclude 5", "0 phi 2π",
        "knn k = 8, metric = euclidean, exclude = 5, duplicates = merge", "created 2026-11-22",
        "pairs 79,800", "seconds 1.50", "most memory of a process 1.23 GB", "method strips",
        "numpy", "daskid_version 0.1.0",
    ):  # fmt: skip
        assert words in shown, words
    opened = "daskid open /data/torsions.zarr RUN.zarr --variable phi_psi --period"
    assert f"{opened} 6.283185307179586 --drop-nonfinite daskid knn RUN.zarr --k 8 --" in shown
    assert "daskid mle RUN.zarr --k 7" in shown


def test_report__commands_are_quoted_for_the_shell(page):
    ds = made_run.run().assign_attrs(source="/a b; rm -r c")
    ds["id_mle"].attrs["parameters"] = '{"k": null, "flag": true, "off": false, "list": [1, 2]}'
    shown = page(ds).shown
    assert "daskid open '/a b; rm -r c' RUN.zarr" in shown
    assert "daskid mle RUN.zarr --flag --list '[1, 2]'" in shown


def test_report__commands_of_uneven_periods_and_of_rows_in_memory(page):
    ds = made_run.run().assign_coords(
        period=("feature", [0.0, 360.0]), weight=("feature", [1.0, 0.5])
    )
    assert "--period 0.0,360.0 --weights 1.0,0.5" in page(ds).shown
    plain = ds.drop_vars("period").assign_coords(weight=("feature", [1.0, 1.0]))
    assert "--weights" not in page(plain).shown
    assert "--period" not in page(plain).shown
    memory = page(ds.assign_attrs(source="in memory")).shown
    assert "daskid open" not in memory
    assert "# the rows were not read from a file" in memory


def test_report__cautions_are_in_sight(page):
    made = page(made_run.run(id_twonn_samples=((), 300), id_mle=((), np.nan)))
    assert "TwoNN used 300 of 396 locations" in made.shown
    assert "Levina-Bickel gave no number." in made.shown
    assert [a for _, a in made.tags if a.get("role") == "note"]
    clean = made_run.run().drop_vars("id_gride_error_kind")
    assert not [a for _, a in page(clean).tags if a.get("role") == "note"]


def test_report__errors_have_a_note_on_what_they_cover(page):
    text = page(made_run.run()).text
    assert "2.021 ± 0.018<sup>a</sup>" in text
    nothing = page(made_run.run(id_twonn=((), np.nan), id_mle_error=((), np.nan))).text
    assert "<td>no number</td>" in nothing
    assert "<td>1.990, error unknown</td>" in nothing
    assert "<sup>a</sup> <bdi>Shared neighbors.</bdi>" in text
    assert "1.9800 ± 0.0040<sup>c</sup>" in text
    assert "<sup>c</sup> <bdi>Fisher information alone" in text


@pytest.mark.parametrize(
    ("names", "sections", "figures"),
    [
        (["rows"], ["summary", "data", "provenance"], 1),
        (["neighbor_distance", "location"], ["summary", "data", "provenance"], 0),
        (["id_twonn", "id_twonn_error"], ["summary", "dimension", "provenance"], 0),
        (["id_gride", "id_gride_error"], ["summary", "dimension", "provenance"], 0),
        (["neighbor_distance", "id_twonn"], ["summary", "data", "dimension", "provenance"], 1),
    ],
)
def test_report__leaves_out_what_is_missing(page, names, sections, figures):
    ds = made_run.run()
    made = page(ds[names].drop_attrs(deep=False))
    assert made.sections == sections
    assert len(made.all("figure")) == figures
    assert [a["href"] for a in made.all("a") if a["href"] != "#main"] == [f"#{s}" for s in sections]


def test_report__hostile_text_is_text(page):
    made = page(hostile())
    assert "<script" not in made.text
    assert "alert(1)" in made.shown
    assert "<img src=x onerror=y>" in made.shown
    assert len(made.all("img")) == 0
    assert not set(made.text) & {"\x00", "\x1b"}


def test_report__long_text_is_cut_with_the_whole_in_its_title(page):
    made = page(hostile())
    assert LONG not in made.shown
    assert LONG[:199] + "…" in made.shown
    assert LONG in [attrs.get("title") for attrs in made.all("bdi")]


def test_report__foreign_scripts_stay_in_their_place(page):
    assert f"<bdi>{RIGHT_TO_LEFT}</bdi>" in page(hostile()).text


def test_report__computes_once_and_two_columns_only(page):
    calls = []

    def counting(graph, keys, **options):
        calls.append(keys)
        return dask.get(graph, keys, **options)

    def refuse(block):
        raise AssertionError("read a neighbor that is not needed")

    first = da.from_array(made_run.distances()[:, :2], (100, 2))
    other = da.ones((made_run.N, 6), chunks=(100, 6))
    other = other.map_blocks(refuse, dtype="f8", meta=np.empty((0, 0)))
    table = da.concatenate([first, other], axis=1)
    ds = made_run.run(neighbor_distance=(("sample", "neighbor"), table))
    with dask.config.set(scheduler=counting):
        page(ds)
    assert len(calls) == 1


def test_report__leaves_the_run_as_it_is(page):
    ds = made_run.run().load()
    before = ds.copy(deep=True)
    page(ds)
    xr.testing.assert_identical(ds, before)


def test_report__stays_small_when_the_run_is_large(tmp_path):
    n = 200_000
    ds = made_run.run(n)
    assert report(ds, tmp_path / "large.html", interactive=False).stat().st_size < 1_000_000


def test_report__replaces_a_page_and_returns_its_path(tmp_path):
    out = tmp_path / "page.html"
    out.write_text("old")
    assert report(made_run.run()[["rows"]], str(out)) == out
    assert out.read_text(encoding="utf-8") != "old"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_report__refuses_where_it_cannot_write(tmp_path):
    with pytest.raises(ValueError, match="out: expected a file, got the folder"):
        report(made_run.run(), tmp_path)
    with pytest.raises(ValueError, match="out: expected an existing folder, got"):
        report(made_run.run(), tmp_path / "none" / "page.html", interactive=False)


def test_report__refuses_what_is_no_run(tmp_path):
    with pytest.raises(SchemaError, match=r"ds: expected an xarray\.Dataset, got dict"):
        report({}, tmp_path / "page.html", interactive=False)
    with pytest.raises(SchemaError, match="ds: expected 'rows' or a result"):
        report(xr.Dataset(), tmp_path / "page.html", interactive=False)
    assert list(tmp_path.iterdir()) == []
