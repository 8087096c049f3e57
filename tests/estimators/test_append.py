"""append: the bits of a search from scratch, whatever is killed, without searching again."""

from itertools import pairwise

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from append_check import made, names_beside, points
from hypothesis import given, settings
from hypothesis import strategies as st
from knn_check import check_same, dataset

import daskid
from daskid.blockwise.search import append as blocks
from daskid.estimators.neighbors.append import append
from daskid.storage import ledger, run

DIMS = ("sample", "feature")
RESULTS = ("neighbor_distance", "neighbor_index", "location", "multiplicity")


@st.composite
def searches(draw):
    n, d = draw(st.integers(30, 60)), draw(st.integers(1, 3))
    x = points(n, d, draw(st.integers(0, 1000)), high=draw(st.sampled_from([1, 4, 40])))
    x = x.astype(draw(st.sampled_from(["f4", "f8"])))
    coords = {}
    options = {
        "metric": draw(st.sampled_from(["euclidean", "cityblock", "chebyshev", "cosine"])),
        "duplicates": draw(st.sampled_from(["merge", "keep"])),
        "exclude": draw(st.sampled_from([0, 0, 2])),
    }
    if options["metric"] == "cosine":
        x[:, 0] = np.abs(x[:, 0]) + 1
    elif draw(st.booleans()):  # the smallest and the largest value are one place
        coords["period"] = np.r_[x[:, 0].max() - x[:, 0].min(), np.zeros(d - 1)]
    if draw(st.booleans()):
        coords["weight"] = np.r_[2.0, np.zeros(d - 1)] if draw(st.booleans()) else np.full(d, 0.5)
    ends = sorted({*draw(st.lists(st.integers(20, n - 1), min_size=1, max_size=3)), n})
    if draw(st.booleans()):
        coords["trajectory"] = np.searchsorted(ends, np.arange(n), side="right")
    if draw(st.booleans()):
        coords["row"] = np.arange(n)
    return x, coords, ends, options, draw(st.integers(1, n))


@given(searches())
@settings(max_examples=12)
def test_append__has_the_bits_of_a_search_from_scratch(tmp_path, search):
    x, coords, ends, options, chunk = search
    whole = dataset(x, **coords)
    try:
        expected = daskid.knn(whole.isel(sample=slice(ends[0])), k=3, **options)
    except ValueError:  # too few locations at first
        return
    path = tmp_path / "run.zarr"
    made(path, whole.isel(sample=slice(ends[0])), 3, **options)
    for start, stop in pairwise(ends):
        new = whole.isel(sample=slice(start, stop)).chunk({"sample": chunk})
        if "row" in new:
            new["row"] = new["row"] - start
        append(path, new)
    expected = daskid.knn(whole, k=3, **options)
    out = daskid.open_run(path)
    check_same(out, expected)
    assert set(out.coords) == set(whole.coords)
    for name in ("rows", *whole.coords):
        np.testing.assert_array_equal(out[name], whole[name], err_msg=name)
    # what a later search finds there is its own result
    again = daskid.knn(out, k=3, store=str(path), **options)
    assert again.neighbor_distance.attrs["method"] == "append"


def test_append__a_new_begin_of_the_period_changes_old_distances(tmp_path):
    """0.1 and 0.1 + p were one place; from 0.0 on, they are brought to other values."""
    p, path = 0.7, tmp_path / "run.zarr"
    rng = np.random.default_rng(1)
    x = np.r_[0.1, np.nextafter(0.1 + p, 2), 0.1 + p * rng.random(40)]
    x = np.r_[x, np.nextafter(0.1, 0), 0.1 + p * rng.random(5)][:, np.newaxis]
    whole = dataset(x, period=[p])
    made(path, whole.isel(sample=slice(42)))
    check_same(append(path, whole.isel(sample=slice(42, None))), daskid.knn(whole, k=4))
    assert int(daskid.open_run(path).neighbor_distance.attrs["pairs"]) == 47 * 47  # all


def test_append__looks_at_each_pair_with_a_new_row_once(tmp_path, monkeypatch):
    """M (N + M) pairs, counted where they are compared."""
    x, seen = np.random.default_rng(0).random((600, 5)), []
    x[7], x[-1] = x[3], x[5]  # copies are not compared
    made(tmp_path / "run.zarr", dataset(x[:500]))
    pair, alone = blocks.update_pair, blocks.update

    def both(own, other, x, y, space):
        seen.append(len(x.rows) * len(y.rows))
        pair(own, other, x, y, space)

    def one(own, x, y, space):
        seen.append(len(x.rows) * len(y.rows))
        alone(own, x, y, space)

    monkeypatch.setattr(blocks, "update_pair", both)
    monkeypatch.setattr(blocks, "update", one)
    out = append(tmp_path / "run.zarr", dataset(x[500:]))
    check_same(out, daskid.knn(dataset(x), k=4))
    assert sum(seen) == 99 * (499 + 99) == out.neighbor_distance.attrs["pairs"]


def test_append__merges_what_fills_the_scratch(tmp_path, monkeypatch):
    """New rows, all nearer than the old ones: lists are merged before all are compared."""
    rng = np.random.default_rng(0)
    x = np.r_[rng.random((600, 2)), rng.random((800, 2)) / 2]
    made(tmp_path / "run.zarr", dataset(x[:600]))
    merged, merge_all = [], blocks._merge_all
    monkeypatch.setattr(blocks, "_merge_all", lambda *a: merged.append(len(a[2])) or merge_all(*a))
    monkeypatch.setattr(blocks, "new_rows", lambda *_: 128)
    search = blocks.search_new
    monkeypatch.setitem(
        append.__globals__,
        "search_new",
        lambda *a, **options: search(*a, **(options | {"scratch": 3000})),
    )
    out = append(tmp_path / "run.zarr", dataset(x[600:]))
    check_same(out, daskid.knn(dataset(x), k=4))
    assert len(merged) > 1


def test_append__drops_what_was_computed_from_old_neighbors(tmp_path):
    path, x = tmp_path / "run.zarr", np.random.default_rng(0).random((300, 2))
    ds = made(path, dataset(x[:250]).assign_attrs(source_note="mine"))
    daskid.save(daskid.twonn(ds).assign(mine=("feature", [1.0, 2.0]), scalar=3.0), path)
    out = append(path, dataset(x[250:]))
    assert set(out.data_vars) == {"rows", *RESULTS, "mine", "scalar"}
    assert out.source_note == "mine"
    assert 'append {"rows": 50}' in out.history
    assert names_beside(path) == ["run.zarr"]
    expected = daskid.twonn(daskid.knn(dataset(x), k=4))
    assert float(daskid.twonn(out).id_twonn) == float(expected.id_twonn)


def test_append__the_same_rows_are_added_once(tmp_path):
    path, x = tmp_path / "run.zarr", points(90, 3)
    made(path, dataset(x[:50]))
    for part in (x[50:70], x[50:70], x[70:], x[50:70]):
        append(path, dataset(part))
    check_same(daskid.open_run(path), daskid.knn(dataset(x), k=4))


@pytest.mark.parametrize("kind", ["npy", "zarr", "copied"])
def test_append__a_source_that_has_grown(tmp_path, kind):
    path, x = tmp_path / "run.zarr", points(300, 3, high=40)
    x[-1] = x[0]

    def source(n):
        if kind == "npy":
            np.save(tmp_path / "x.npy", x[:n])
            return tmp_path / "x.npy"
        if kind == "zarr":
            if n < 300:
                zarr.create_array(tmp_path / "x.zarr", data=x[:n], chunks=(64, 2))
            else:
                zarr.open_array(tmp_path / "x.zarr", mode="r+").append(x[200:])
            return tmp_path / "x.zarr"
        xr.Dataset({"x": (DIMS, x[:n])}).to_netcdf(tmp_path / "x.nc", engine="scipy")
        return tmp_path / "x.nc"

    made(path, daskid.open_rows(source(200)))
    opened = daskid.open_rows(source(300))
    out = append(path, opened)
    check_same(out, daskid.knn(dataset(x), k=4))
    assert (run.record(str(path))["source"] is None) == (kind == "copied")
    np.testing.assert_array_equal(out.row, np.arange(300))
    check_same(append(path, opened), out)
    # as if the grown source had been searched in the first place
    other = made(tmp_path / "other.zarr", opened)
    assert all(out[n].fingerprint == other[n].fingerprint for n in RESULTS)


@pytest.mark.parametrize("kind", ["npy", "nc"])
def test_append__a_source_that_begins_otherwise_is_refused(tmp_path, kind):
    path, x = tmp_path / "run.zarr", np.random.default_rng(0).random((300, 3))

    def source(x):
        if kind == "npy":
            np.save(tmp_path / "x.npy", x)
        else:
            xr.Dataset({"x": (DIMS, x)}).to_netcdf(tmp_path / "x.nc", engine="scipy")
        return tmp_path / f"x.{kind}"

    made(path, daskid.open_rows(source(x[:200])))
    before = run.record(str(path))
    opened = daskid.open_rows(source(np.r_[x[:1] + 1, x[1:]]))
    with pytest.raises(ValueError, match="source: expected its first 200 rows as"):
        append(path, opened)
    assert run.record(str(path)) == before
    assert names_beside(path) == ["run.zarr", f"x.{kind}"]


def test_append__other_rows_come_behind_those_at_rest(tmp_path):
    path, x = tmp_path / "run.zarr", points(300, 3)
    np.save(tmp_path / "a.npy", x[:200])
    np.save(tmp_path / "b.npy", x[200:])
    made(path, daskid.open_rows(tmp_path / "a.npy"), exclude=3)
    out = append(path, daskid.open_rows(tmp_path / "b.npy"))
    check_same(out, daskid.knn(dataset(x), k=4, exclude=3))
    np.testing.assert_array_equal(out.row, np.arange(300))
    assert "b.npy (100 rows)" in out.attrs["appended"]


def test_append__coordinates_of_samples_go_on(tmp_path):
    path, x = tmp_path / "run.zarr", points(60, 2)
    times = np.datetime64("2026-01-01", "ns") + np.arange(60) * np.timedelta64(6, "h")
    whole = dataset(x, time=times, label=np.array([f"frame {i}" for i in range(60)]))
    made(path, whole.isel(sample=slice(50)))
    out = append(
        path, whole.isel(sample=slice(50, None)).assign_coords(more=("sample", np.arange(10)))
    )
    np.testing.assert_array_equal(out.time, times)
    assert out.label.values.tolist() == whole.label.values.tolist()
    assert "more" not in out.coords


REFUSED = {
    "features": (lambda x: dataset(x[:, :1]), "expected features 2 as in the run, got 1"),
    "dtype": (lambda x: dataset(x.astype("f4")), "expected dtype float64 as .*, got float32"),
    "units": (lambda x: dataset(x).assign(rows=(DIMS, x, {"units": "m"})), "expected units nm"),
    "period": (lambda x: dataset(x, period=[1.0, 0.0]), "period: expected .* got another one"),
    "weight": (lambda x: dataset(x, weight=[1.0, 2.0]), "weight: .* got one, where it has none"),
    "name": (lambda x: dataset(x).assign_coords(name=("feature", ["b", "a"])), "name: .* another"),
    "nan": (lambda x: dataset(np.where(x == x[0, 0], np.nan, x)), "NaN or infinity in"),
    "span": (lambda x: dataset(x + 100), "period: expected values within one period"),
    "time": (lambda x: dataset(x), "time: expected the coordinate .* got none"),
    "kind": (lambda x: dataset(x, time=list("abcdefghij")), "time: expected values of kind"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_append__refuses_what_does_not_fit(tmp_path, case):
    path, x = tmp_path / "run.zarr", points(60, 2)
    ds = dataset(x[:50], period=[20.0, 0.0]).assign_coords(name=("feature", ["a", "b"]))
    ds["rows"].attrs["units"] = "nm"
    if case in ("time", "kind"):
        ds = ds.assign_coords(time=("sample", np.arange(50.0)))
    made(path, ds)
    before, new = run.record(str(path)), REFUSED[case]
    with pytest.raises(ValueError, match=new[1]):
        append(path, new[0](x[50:]))
    assert run.record(str(path)) == before
    assert names_beside(path) == ["run.zarr"]


@pytest.mark.parametrize(
    ("metric", "old", "new", "words"),
    [
        ("cosine", points(50) + 9, np.zeros((3, 2)), "have no direction"),
        ("hamming", points(50, 9, low=0, high=2), np.full((3, 9), 2.0), "expected two values"),
        ("hamming", points(50, 9, low=0, high=2), np.full((3, 9), -1.0), "expected two values"),
    ],
)
def test_append__refuses_what_the_metric_can_t_compare(tmp_path, metric, old, new, words):
    made(tmp_path / "run.zarr", dataset(old), metric=metric)
    with pytest.raises(ValueError, match=words) as caught:
        append(tmp_path / "run.zarr", dataset(new))
    assert "new from 50 on" in caught.value.__notes__[0]


def test_append__refuses_a_trajectory_again_where_frames_are_excluded(tmp_path):
    path, x = tmp_path / "run.zarr", points(60)
    old = dataset(x[:50], trajectory=np.repeat(["a", "b"], 25))
    new = dataset(x[50:], trajectory=["b"] * 10)
    made(path, old, exclude=2)
    with pytest.raises(ValueError, match=r"trajectory: expected .* got 'b' again"):
        append(path, new)
    made(path, old)
    check_same(append(path, new), daskid.knn(dataset(x), k=4))
    made(path, dataset(x[:50]), exclude=2)
    with pytest.raises(ValueError, match="trajectory: expected none, as the run has none"):
        append(path, new)


def test_append__needs_a_run_with_neighbors_and_rows(tmp_path):
    new = dataset(points(5))
    with pytest.raises(FileNotFoundError, match="expected a run of daskid"):
        append(tmp_path / "run.zarr", new)
    assert names_beside(tmp_path / "run.zarr") == []
    daskid.save(dataset(points(50)), tmp_path / "run.zarr")
    with pytest.raises(daskid.SchemaError, match=r"no 'neighbor_distance' in the run .* run knn"):
        append(tmp_path / "run.zarr", new)
    with pytest.raises(daskid.SchemaError, match="no 'rows' in the dataset"):
        append(tmp_path / "run.zarr", xr.Dataset())


@pytest.mark.parametrize("stage", ["save", "knn", "append"])
def test_append__refuses_a_run_that_another_process_writes(tmp_path, stage):
    path, x = tmp_path / "run.zarr", points(60)
    expected = made(path, dataset(x[:50])).compute()
    folder = ledger.folder_of(str(path), stage)
    with (
        ledger.writing(folder),
        pytest.raises(BlockingIOError, match="expected to be the only writer"),
    ):
        append(path, dataset(x[50:]))
    check_same(daskid.open_run(path), expected)
    ledger.clear(folder)
    check_same(append(path, dataset(x[50:])), daskid.knn(dataset(x), k=4))


def test_append__on_workers(tmp_path, client):
    x = points(700, 3, high=30)
    made(tmp_path / "run.zarr", dataset(x[:500]), exclude=2)
    out = append(tmp_path / "run.zarr", dataset(x[500:]))
    check_same(out, daskid.knn(dataset(x), k=4, exclude=2))


def test_append__lazy_rows_are_never_whole(tmp_path):
    """New rows are asked for block by block."""
    sizes, x = [], points(900, 3)

    def block(b):
        sizes.append(len(b))
        return b

    made(tmp_path / "run.zarr", dataset(x[:600]))
    new = da.from_array(x[600:], (50, -1)).map_blocks(block, dtype=float, meta=np.empty((0, 0)))
    out = append(tmp_path / "run.zarr", xr.Dataset({"rows": (DIMS, new)}))
    check_same(out, daskid.knn(dataset(x), k=4))
    assert max(sizes) == 50
