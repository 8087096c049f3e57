"""The interactive figures without a browser: what they hold, and what the page may run."""

import base64
import gzip
import hashlib
import json
import re
import sys

import dask
import dask.array as da
import made_run
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from daskid.page import explore, report
from daskid.page.explore import points, raster, samples
from daskid.page.facts import gather
from daskid.plot.rows import flat, projection_points

pytest.importorskip("bokeh", reason="bokeh is not installed")
pytest.importorskip("datashader", reason="datashader is not installed")

HOSTILE = "</script><script>document.title = 'owned'</script>\"'" + "long" * 2500
RIGHT_TO_LEFT = "\u05e9\u05dc\u05d5\u05dd $$x$$ @id{safe}"


KEPT = [
    "rows", "name", "peak_label", "peak_halo", "peak_sample", "peak_size", "peak_log_density",
    "peak_log_density_error", "saddle_peak", "saddle_log_density", "saddle_log_density_error",
    "merge_peak", "merge_log_density", "merge_log_density_error", "basin_probability",
]  # fmt: skip
"""Of a run that has all: what the figures that two pages compare are drawn from."""


@pytest.fixture
def made(tmp_path):
    def make(ds, **given):
        return report(ds, tmp_path / "page.html", **given).read_text(encoding="utf-8")

    return make


def pieces(ds):
    """What the interactive figures add to a page, and nothing else of it."""
    facts = gather(ds, {"explore": points.describe(ds)})
    policy = f'<meta http-equiv="Content-Security-Policy" content="none{explore.policy(facts)}">'
    return policy + explore.body(facts) + explore.scripts(facts)


def held(text):
    """The JSON that the script is given."""
    (found,) = re.findall(
        r'<script type="application/json" id="explore-data">(.*?)</script>', text, re.DOTALL
    )
    return json.loads(found)


def sources(text):
    """The columns of the figures' sources by name, decoded."""
    found = {}

    def look(value):
        if isinstance(value, dict):
            if value.get("name") == "ColumnDataSource" and "name" in value["attributes"]:
                entries = value["attributes"]["data"]["entries"]
                found[value["attributes"]["name"]] = {k: decoded(x) for k, x in entries}
            for one in value.values():
                look(one)
        elif isinstance(value, list):
            for one in value:
                look(one)

    look(held(text))
    return found


def decoded(column):
    if isinstance(column, list):
        return np.array(column, dtype=object)
    if column["type"] != "ndarray":
        return column
    raw = gzip.decompress(base64.b64decode(column["array"]["data"]))
    return np.frombuffer(raw, column["dtype"]).reshape(column["shape"])


def computed(ds):
    return dask.compute(points.describe(ds))[0]


def scattered(n, d, chunk, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, d)) * np.arange(d, 0, -1)
    return xr.Dataset({"rows": (("sample", "feature"), da.from_array(x, (chunk, -1)))})


# what is held of samples


@given(data=st.data())
@settings(max_examples=20)
def test_count_pixels__equals_naive_for_any_chunks(data):
    n, chunk = data.draw(st.integers(5, 60)), data.draw(st.integers(1, 60))
    x = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=2 * n, max_size=2 * n)), float)
    x = x.reshape(n, 2)
    x[0, 0] = np.nan
    found = dask.compute(points._pixels(da.from_array(x, (chunk, -1))))[0]
    good = x[np.isfinite(x).all(axis=1)]
    bound = np.stack([np.nanmin(x, axis=0), np.nanmax(x, axis=0)])
    np.testing.assert_array_equal(found["bound"], bound)
    low, high = raster.spans(bound)
    place = np.floor((good - low) / (high - low) * raster.PIXELS).astype(int)
    naive = np.zeros((raster.PIXELS, raster.PIXELS), int)
    for column, row in place:
        naive[row, column] += 1
    np.testing.assert_array_equal(found["count"], naive)


def test_count_pixels__of_a_worker_without_datashader(monkeypatch):
    plane = np.random.default_rng(0).standard_normal((500, 2))
    plane[7] = np.nan
    bound = np.array([np.nanmin(plane, axis=0), np.nanmax(plane, axis=0)])
    drawn = raster.count_pixels(plane, bound)
    monkeypatch.setitem(sys.modules, "datashader", None)
    assert drawn.sum() == 499
    np.testing.assert_array_equal(raster.count_pixels(plane, bound), drawn)


@pytest.mark.parametrize(
    ("values", "units", "first"),
    [
        (200001010000 + np.arange(400), "min", "200001010000 min"),
        (1.6e9 + 0.1 * np.arange(400), "s", "1600000000 s"),
        (np.datetime64("2000-01-01") + np.arange(400).astype("m8[ms]"), "", "2000-01-01T00:00:00"),
        (np.arange(400) * np.timedelta64(1, "h"), "", "0 hours"),
    ],
)
def test_texts__tell_every_frame_from_the_others(values, units, first):
    texts = samples._texts(values, units)
    assert texts[0] == first
    assert len({*texts}) == 400


def test_places__are_sent_in_as_many_bytes_as_they_need():
    x = np.linspace(0, 0.06, 400)
    assert samples._small(x) is np.float32
    assert samples._small(101325 + x) is np.float64
    assert samples._small(np.zeros(0)) is np.float32
    assert samples._small(np.array([1.0, np.nan, 3.0])) is np.float32


def test_shades__are_logarithmic_and_none_is_none():
    count = np.array([[0, 1, 10, 100]])
    np.testing.assert_array_equal(raster.shades(count), [[0, 1, 128, 255]])
    assert raster.shades(np.zeros((1, 2), np.uint32)).max() == 0


@pytest.mark.parametrize(("n", "d", "chunk"), [(300, 5, 37), (30, 50, 7), (200, 2, 64)])
def test_describe__puts_samples_where_the_still_figure_has_them(n, d, chunk):
    ds = scattered(n, d, chunk)
    found = computed(ds)
    drawn = flat(ds.rows.values, dask.compute(projection_points(ds))[0])
    np.testing.assert_array_equal(found["chosen"][:, 0], np.arange(n))
    np.testing.assert_allclose(found["plane"], drawn.plane, atol=1e-9)
    assert found["count"] is None


def test_describe__follows_periods_on_and_off_the_plane():
    x = made_run.rows(120, d=2)
    for d in (2, 3):
        rows = np.column_stack([x, x[:, :1]])[:, :d]
        ds = xr.Dataset({"rows": (("sample", "feature"), da.from_array(rows, (50, -1)))})
        ds = ds.assign_coords(period=("feature", np.full(d, 2 * np.pi)))
        turned = ds.assign(rows=ds.rows + 2 * np.pi)
        there, drawn = computed(turned), flat(rows, dask.compute(projection_points(ds))[0])
        if d == 3:
            np.testing.assert_allclose(there["plane"], drawn.plane, atol=1e-9)
        else:  # never negative: drawn from 0 on
            np.testing.assert_allclose(there["plane"], rows % (2 * np.pi), atol=1e-9)


def test_describe__of_one_feature_draws_it_against_log_density(peaks_run):
    ds = peaks_run().isel(feature=[0])
    found = computed(ds)
    at = found["chosen"][:, 0]
    np.testing.assert_array_equal(found["plane"][at >= 0, 1], ds.log_density.values[at[at >= 0]])
    assert points.describe(ds.drop_vars("log_density")) == {}


def test_describe__does_not_compute(peaks_run, no_compute):
    points.describe(peaks_run(12_000))


def test_choose__keeps_samples_of_small_peaks_and_of_saddles_between_large_ones():
    label = np.repeat([0, 1], [10_000, 20])
    drawn = np.arange(0, 5000, 50)
    found = points.choose(
        label, np.array([10_000, 20]), np.array([7, 10_003]), np.array([[0, 1], [1, 5]]),
        np.array([[6, 10_004], [8, 9]]), drawn=drawn, length=300,
    )  # fmt: skip
    kinds = {kind: found[found[:, 1] == kind] for kind in (0, 1, 2)}
    assert set(drawn) | set(range(10_000, 10_020)) <= set(kinds[0][:, 0])
    assert 140 < len(kinds[0]) <= 100 + 20 + 30  # some of the 30 may be drawn anyway
    np.testing.assert_array_equal(kinds[1][:, [0, 2]], [[7, 0], [10_003, 1]])
    np.testing.assert_array_equal(kinds[2][:, [0, 2]], [[6, 0], [10_004, 0]])
    assert (found[len(kinds[0]) + 4 :] == -1).all()


# what the page has of them


def test_explore__columns_are_those_of_the_samples(states_run):
    ds = states_run()
    found = sources(pieces(ds))
    of, at = found["samples"], found["samples"]["id"]
    np.testing.assert_array_equal(of["peak"], ds.peak_label.values[at])
    np.testing.assert_array_equal(of["row"], ds.row.values[at])
    np.testing.assert_allclose(of["x"], ds.rows.values[at, 0], rtol=1e-6)
    assert of["time"][3] == f"{ds.time.values[at[3]]:.10g} ps"
    np.testing.assert_array_equal(found["peaks"]["id"], ds.peak_sample)
    np.testing.assert_array_equal(found["peaks"]["number"], [0, 1, 2])
    assert set(found["saddles"]["id"]) == {17, 230, 181}
    pairs = set(zip(found["saddles"]["a"], found["saddles"]["b"], strict=True))
    assert pairs == {(0, 1), (0, 2)}
    assert sorted(found["leaves"]["number"]) == [0, 1, 2]
    cells = zip(found["cells"]["a"], found["cells"]["b"], found["cells"]["level"], strict=True)
    assert set(cells) == {
        (0, 0, 0.0), (1, 1, -0.5), (2, 2, -1.0), (0, 1, -1.25), (1, 0, -1.25), (0, 2, -4.0),
        (2, 0, -4.0),
    }  # fmt: skip


def test_explore__graph_has_the_heights_of_the_still_one(states_run):
    found = sources(pieces(states_run()))
    factor = 8.31446261815324e-3 * 300  # the table of barriers in kJ/mol
    np.testing.assert_allclose(list(found["leaves"]["y"]), factor * np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(list(found["joints"]["y"]), factor * np.array([1.25, 4.0]))


@pytest.mark.parametrize(
    ("without", "panels"),
    [
        ((), ["plane", "tree", "matrix"]),
        (("merge_log_density",), ["plane"]),
        (("peak_label",), ["plane", "tree", "matrix"]),
        (("log_density", "log_density_error"), ["plane", "tree", "matrix"]),
        (("rows",), []),
    ],
)
def test_explore__draws_what_there_is(peaks_run, without, panels):
    text = pieces(peaks_run().drop_vars(list(without)))
    assert re.findall(r'<div id="(\w+)" class="panel"', text) == panels
    if panels:
        assert [figure["target_id"] for figure in held(text)["figures"]] == panels
    assert ('id="explore-peak"' in text) == ("peak_label" not in without and bool(panels))


def test_report__runs_its_own_two_scripts_only(made):
    text = made(scattered(50, 2, 20))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    allowed = re.findall(r"'sha256-([^']+)'", policy)
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == len(allowed) == 2
    for script, known in zip(scripts, allowed, strict=True):
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() == known
    assert "unsafe-eval" not in policy
    assert policy.count("unsafe-inline") == 1  # of styles
    assert policy.startswith("default-src 'none'")
    assert len(re.findall("<script", text)) == 3  # and the data


def test_explore__hostile_text_is_no_markup_in_the_data(states_run):
    ds = states_run().assign_coords(
        trajectory=("sample", np.array([HOSTILE, RIGHT_TO_LEFT] * (made_run.N // 2), object)),
        name=("feature", np.array([HOSTILE, RIGHT_TO_LEFT], object)),
    )
    ds.time.attrs["units"] = HOSTILE
    ds["rows"].attrs["units"] = HOSTILE
    text = pieces(ds)
    assert "<script>document" not in text
    assert len(re.findall("<script", text)) == 3
    data = held(text)
    assert "</script><script>docu" in json.dumps(data)
    (line,) = re.findall(r'id="explore-data">(.*?)</script>', text)
    assert not set(line) & set("<>&")
    assert "longlonglonglonglonglonglong" not in line  # cut where it is drawn and listed
    labels = re.findall(r'"axis_label": ?\{"type": ?"object", ?"name": ?"(\w+)"', json.dumps(data))
    assert labels
    assert set(labels) == {"PlainText"}  # a formula would be fetched from a network


def test_report__large_runs_stay_small_and_are_computed_once(tmp_path, peaks_run):
    calls = []

    def counting(graph, keys, **options):
        calls.append(keys)
        return dask.get(graph, keys, **options)

    ds = peaks_run(made_run.N * 100).drop_vars(["merge_peak", "merge_log_density"])
    with dask.config.set(scheduler=counting):
        out = report(ds, tmp_path / "page.html")
    assert len(calls) == 1
    assert out.stat().st_size < 2_600_000
    text = out.read_text(encoding="utf-8")
    assert points.MAX_DOTS <= sources(text)["samples"]["id"].size < points.MAX_DOTS + 100
    assert '"name":"Image"' in text


# without


def test_report__without_bokeh_is_the_still_page(made, states_run, monkeypatch):
    ds = states_run()[KEPT]
    still = made(ds, interactive=False)
    monkeypatch.setitem(sys.modules, "datashader", None)
    assert not explore.installed()
    other = made(ds)
    assert "<script" not in other
    assert "script-src" not in other
    assert 'id="explore"' not in other
    stamp = re.compile(r"<time>[^<]*</time>")
    assert stamp.sub("", other) == stamp.sub("", still)
    with pytest.raises(ImportError, match=r"interactive: expected bokeh and datashader"):
        made(ds, interactive=True)


def test_report__both_pages_hold_the_same_still_figures(made, states_run):
    ds = states_run()[KEPT]
    of = [re.findall(r"<figure[^>]*>(?=<svg|<div class=.only)", made(ds, interactive=x))
          for x in (True, False)]  # fmt: skip
    assert of[0] == of[1]
    assert {
        '<figure class="of-plane">',
        '<figure class="of-tree">',
        '<figure class="of-matrix">',
    } < {*of[0]}
