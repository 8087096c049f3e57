"""save and open_run: nothing is lost, written twice, mixed, or believed without a reason."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr

from daskid import open_rows, open_run, save
from daskid import variables as v
from daskid.io import store as runs
from daskid.storage import rows as storage
from daskid.storage import run

N, D = 20, 3
SOURCES = ("run.zarr", "source.zarr", "source.npy", "array.zarr")


def values(seed=0):
    return np.random.default_rng(seed).standard_normal((N, D)).astype("f4")


def field(x=None, **coords):
    x = values() if x is None else x
    names = {"feature": ["phi", "psi", "chi"], "time": ("sample", np.arange(N) * 0.5)}
    return xr.DataArray(x, dims=("sample", "feature"), coords=names | coords, name="x")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.zarr"


@pytest.fixture(params=["zarr", "npy", "array", "memory", "dask"])
def source(request, tmp_path):
    if request.param == "zarr":
        out = tmp_path / "source.zarr"
        field().to_dataset().drop_vars("feature").to_zarr(out, consolidated=False)
        return out
    if request.param == "npy":
        np.save(tmp_path / "source.npy", values())
        return tmp_path / "source.npy"
    if request.param == "array":
        zarr.create_array(tmp_path / "array.zarr", data=values(), chunks=(7, 2))
        return tmp_path / "array.zarr"
    return field() if request.param == "memory" else field().chunk({"sample": 6, "feature": 1})


@pytest.fixture
def npy(tmp_path):
    np.save(tmp_path / "source.npy", values())
    return tmp_path / "source.npy"


def knn(ds, k=4, shift=0.0):
    """A step in the manner of knn: lists from rows, lazily."""
    (rows,) = v.read(ds, v.rows)
    lists = da.concatenate([rows[:, :1]] * k, axis=1).astype("f8") + shift
    lists = {v.neighbor_distance: lists, v.neighbor_index: lists.astype("i8")}
    inputs = [x for x in (v.rows, v.period, v.weight) if x.name in ds.variables]
    return v.assign(ds, lists, inputs=inputs, parameters={"k": k})


def twonn(ds, method="ml"):
    d = ds.neighbor_distance.data.mean() + (method == "fit")
    outputs = {v.id_twonn: d, v.id_twonn_error: d / 10}
    return v.assign(ds, outputs, inputs=(v.neighbor_distance,), parameters={"method": method})


def gride(ds, scales=2, **parameters):
    d = ds.neighbor_distance.data[0, :scales]
    ds = ds.drop_vars("scale", errors="ignore")
    parameters = {"max_rank": scales, **parameters}
    out = v.assign(ds, {v.id_gride: d}, inputs=(v.neighbor_distance,), parameters=parameters)
    return out.assign_coords(scale=2 ** np.arange(scales))


def analyzed(source, **given):
    return gride(twonn(knn(open_rows(source, **given))))


def hashes(folder):
    files = [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.is_file())
    return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def times(folder):
    return {p: p.stat().st_mtime_ns for p in Path(folder).rglob("*")}


def committed(path):
    return run.record(str(path))["committed"]


def same(a, b):
    xr.testing.assert_equal(a.compute(), b.compute())
    assert set(a.coords) == set(b.coords)


def test_save__keeps_everything_and_leaves_the_source_alone(source, path):
    before = hashes(source) if isinstance(source, Path) else None
    ds = analyzed(source)
    out = save(ds, path)
    same(out, ds)
    assert next(iter(out.data_vars)) == "rows"
    assert out.rows.dtype == np.float32
    assert out.encoding["source"] == str(path)
    assert (before is None) == ("rows" in committed(path))
    if before is not None:
        assert hashes(source) == before
    assert not [p for p in path.parent.iterdir() if p.name not in SOURCES]


def test_save__twice_writes_nothing(source, path):
    save(analyzed(source), path)
    before = times(path)
    save(analyzed(source), path)
    save(open_run(path), path)
    save(analyzed(source).compute(), path)
    save(twonn(knn(open_run(path))), path)
    assert times(path) == before


def test_save__computes_once(path):
    calls = []

    def count(block):
        calls.append(block.shape)
        return block

    x = field().chunk({"sample": N})
    ds = open_rows(x)
    counted = ds.rows.data.map_blocks(count, dtype="f4", meta=np.empty((0, 0), "f4"))
    ds["rows"] = ds.rows.copy(data=counted)
    ds = gride(twonn(knn(ds)))
    save(ds, path)
    assert calls == [(N, D)]


def test_open_run__computes_nothing(npy, path):
    save(knn(twonn(knn(open_rows(npy)))), path)
    with dask.config.set(scheduler=lambda *_, **__: pytest.fail("computed")):
        open_run(path)


def test_save__a_step_at_a_time(npy, path):
    save(open_rows(npy), path)
    first = hashes(path)
    save(knn(open_run(path)), path)
    save(twonn(open_run(path)), path)
    save(gride(open_run(path)), path)
    assert {p for p, h in hashes(path).items() if first.get(p, h) != h} == {path / "zarr.json"}
    same(open_run(path), analyzed(npy))


def test_save__records_provenance(npy, path):
    out = save(analyzed(npy, drop_nonfinite=True), path)
    assert out.source == str(npy)
    assert out.rows.attrs["step"] == "open_rows"
    assert json.loads(out.rows.attrs["parameters"]) == {"drop_nonfinite": True}
    assert out.id_twonn.attrs["step"] == "twonn"
    assert json.loads(out.neighbor_distance.attrs["parameters"]) == {"k": 4}
    assert out.id_twonn.long_name == v.id_twonn.long_name
    assert not {"daskid", "coordinates"} & set(out.attrs)
    lines = [line.split(" ", 1)[1] for line in out.history.splitlines()]
    assert lines[0] == 'open_rows {"drop_nonfinite": true}'
    assert sorted(lines[1:]) == ['gride {"max_rank": 2}', 'knn {"k": 4}', 'twonn {"method": "ml"}']
    save(twonn(open_run(path), "fit"), path, overwrite=True)
    assert open_run(path).history.splitlines()[-1].endswith('twonn {"method": "fit"}')


def test_run__is_plain_zarr(source, path):
    ds = analyzed(source, period=6.5)
    save(ds, path)
    plain = xr.open_zarr(path, consolidated=False).load()
    absent = {"rows"} if isinstance(source, Path) else set()
    assert set(plain.variables) == set(ds.variables) - absent
    assert set(plain.coords) == set(ds.coords)
    for name in plain.variables:
        assert "_FillValue" not in plain[name].encoding
        np.testing.assert_array_equal(plain[name], ds[name])


AWKWARD = {
    "nanoseconds": np.datetime64("2001-02-03", "ns") + np.arange(N) * np.timedelta64(1, "ns"),
    "microseconds": np.datetime64("2001-02-03", "us") + np.arange(N) * np.timedelta64(7, "h"),
    "missing time": np.array(["NaT"] + ["2001-02-03"] * (N - 1), "M8[ns]"),
    "duration": np.arange(N) * np.timedelta64(1, "ms"),
    "text": np.array([f"t\u00e9xt {i}" for i in range(N)]),
    "objects": np.array([f"{i}" for i in range(N)], dtype=object),
    "bytes": np.array([f"{i}" for i in range(N)]).astype("S"),
    "flags": np.arange(N) > 3,
    "small": np.arange(N, dtype="i1"),
    "large": np.arange(N, dtype="u8") + 2**63,
    "holes": np.where(np.arange(N) > 3, np.nan, 1.0),
    "complex": np.arange(N) * 1j,
}


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("kind", AWKWARD)
def test_save__keeps_coordinates_and_variables_of_any_kind(path, kind, lazy):
    x = AWKWARD[kind]
    data = da.from_array(x, chunks=7) if lazy else x
    attrs = {
        "units": "days", "scale_factor": 2.0, "_FillValue": 1, "dtype": "f4", "coordinates": "x y",
        "flag": np.float32(0.5), "odd": object, "list": np.arange(2),
    }  # fmt: skip
    ds = open_rows(field()).assign(mine=("sample", data, attrs))
    ds = ds.assign_coords(also=("sample", data, attrs), feature_like=("feature", [1, 2, 3]))
    out = save(ds, path)
    expected = x.astype(str) if x.dtype.kind in "SO" else x
    for name in ("mine", "also"):
        np.testing.assert_array_equal(out[name].values, expected)
        assert out[name].attrs["flag"] == 0.5
        assert out[name].attrs["list"] == [0, 1]
        assert (x.dtype.kind in "mM") == ("units" not in out[name].attrs)
    assert "mine" in out.data_vars
    assert "also" in out.coords
    before = times(path)
    save(ds, path)
    save(out, path)
    save(out.compute(), path)
    assert times(path) == before


def test_save__refuses_python_objects(path):
    ds = open_rows(field()).assign(mine=("sample", np.array([{}] * N, dtype=object)))
    with pytest.raises(
        TypeError, match="mine: expected numbers, times or text, got Python objects"
    ):
        save(ds, path)


def test_save__time_as_an_index_and_trajectories(tmp_path, path):
    time = np.datetime64("2000-01-01") + np.arange(N) * np.timedelta64(1, "D")
    for names in (np.arange(N) // 10, np.array(["a", "b"])[np.arange(N) // 10]):
        x = xr.DataArray(
            values(), dims=("time", "lat"),
            coords={"time": time, "lat": [1.0, 2.0, 3.0], "trajectory": ("time", names)},
        )  # fmt: skip
        shutil.rmtree(path, ignore_errors=True)
        out = save(open_rows(x), path)
        np.testing.assert_array_equal(out.time, time)
        assert out.time.dtype.kind == "M"
        assert out.trajectory.values.tolist() == names.tolist()
        assert v.read(out, v.time, v.trajectory)


def test_save__user_variables_are_kept(npy, path):
    ds = analyzed(npy).assign(mine=("sample", np.arange(N)), note=3.5, lag=("lag", [1.0, 2.0]))
    ds["doubled"] = ds.id_twonn * 2
    out = save(ds, path)
    same(out, ds)
    again = save(knn(out, k=3), path, overwrite=True)
    gone = {"id_twonn", "id_twonn_error", "id_gride", "scale"}
    assert set(out.variables) - set(again.variables) == gone
    assert again.note == 3.5


def test_save__a_changed_parameter_is_named(npy, path):
    save(analyzed(npy), path)
    before = times(path)
    with pytest.raises(
        ValueError, match=r"store: expected 'neighbor_distance' as .* \(k=4\), got k=3"
    ):
        save(knn(open_rows(npy), k=3), path)
    with pytest.raises(
        ValueError, match=r"'id_twonn' .* \(method=ml\), got method=fit: use another"
    ):
        save(twonn(open_run(path), "fit"), path)
    with pytest.raises(ValueError, match=r"'id_gride' .* \(max_rank=2\), got max_rank=3"):
        save(gride(open_run(path), 3), path)
    assert times(path) == before


def test_save__overwrite_drops_dependents_only(npy, path):
    save(analyzed(npy).assign(mine=2.0), path)
    before = hashes(path)
    out = save(twonn(open_run(path), "fit"), path, overwrite=True)
    same(out, gride(twonn(knn(open_rows(npy)), "fit")).assign(mine=2.0))
    changed = {p.relative_to(path).parts[0] for p, h in hashes(path).items() if before.get(p) != h}
    assert changed == {"zarr.json", "id_twonn", "id_twonn_error"}
    out = save(knn(open_run(path), k=2), path, overwrite=True)
    assert set(out.data_vars) == {"rows", "neighbor_distance", "neighbor_index", "mine"}
    assert "scale" not in out.coords
    assert not (path / "id_twonn").exists()
    save(gride(out, 1), path)
    assert open_run(path).scale.values.tolist() == [1]
    out = save(gride(open_run(path), 2), path, overwrite=True)
    same(out, gride(knn(open_rows(npy), k=2)).assign(mine=2.0))


def test_save__overwrite_keeps_a_coordinate_that_is_needed_again(npy, path):
    save(analyzed(npy), path)
    ds = gride(open_run(path), other=1)
    same(save(ds, path, overwrite=True), ds)


def test_save__overwrite_computes_before_it_deletes(npy, path):
    """What replaces an array may be computed from it."""
    ds = save(analyzed(npy), path)
    ds["neighbor_distance"] = ds.neighbor_distance + 1
    expected = ds.neighbor_distance.values
    out = save(ds, path, overwrite=True)
    np.testing.assert_array_equal(out.neighbor_distance, expected)


def test_save__a_failure_leaves_the_run_as_it_was(npy, path):
    save(analyzed(npy), path)
    before = hashes(path)

    def fail(block):
        raise RuntimeError("no more")

    ds = open_run(path)
    lists = ds.neighbor_distance.data.map_blocks(fail, dtype="f8", meta=np.empty((0, 0)))
    ds = v.assign(ds, {v.neighbor_distance: lists}, inputs=(v.rows,), parameters={"k": 9})
    with pytest.raises(RuntimeError, match="no more"):
        save(ds, path, overwrite=True)
    assert hashes(path) == before
    assert [p.name for p in path.parent.iterdir() if p != npy] == ["run.zarr"]


def test_save__changed_values_are_not_taken_for_stored_ones(npy, path):
    save(analyzed(npy), path)
    for change in (lambda x: x * 2, lambda x: (x * 2).compute(), lambda x: x.compute() * 2):
        ds = open_run(path)
        ds["id_twonn"] = change(ds.id_twonn)
        assert ds.id_twonn.attrs["fingerprint"] == open_run(path).id_twonn.fingerprint
        with pytest.raises(ValueError, match=r"'id_twonn' .*\(same parameters\), got other values"):
            save(ds, path)
    expected = 2 * float(open_run(path).id_twonn)
    assert float(save(ds, path, overwrite=True).id_twonn) == expected
    with pytest.raises(ValueError, match="'id_twonn'"):  # and the true one is not taken for it
        save(twonn(open_run(path)), path)


def test_save__computed_values_are_known_again(npy, path):
    save(open_rows(npy), path)
    in_memory = twonn(knn(open_rows(npy)).compute()).compute()
    in_memory["rows"] = open_run(path).rows
    save(in_memory, path)
    before = times(path)
    save(twonn(knn(open_run(path))), path)
    save(twonn(knn(open_rows(npy))), path)
    save(twonn(open_run(path).load()), path)
    assert times(path) == before
    save(gride(open_run(path).compute()), path)
    assert committed(path)["id_gride"] == gride(open_run(path)).id_gride.fingerprint


def test_save__rows_computed_into_memory_are_the_same_source(source, path):
    ds = open_rows(source)
    save(ds, path)
    out = save(twonn(knn(open_run(path).compute())), path)
    same(out, twonn(knn(ds)))
    moved = out.compute()
    moved["rows"] = moved.rows * 2
    with pytest.raises(ValueError, match="a run of another source"):
        save(moved, path)


def test_save__results_of_another_version_are_not_mixed_in(npy, path):
    save(knn(open_rows(npy)), path)
    other = twonn(knn(open_rows(npy), k=2))[["rows", "id_twonn"]]
    with pytest.raises(
        ValueError, match=r"'id_twonn' computed from the 'neighbor_distance' of the"
    ):
        save(other, path)
    out = save(twonn(open_run(path))[["rows", "id_twonn"]], path)
    same(out, twonn(knn(open_rows(npy))).drop_vars("id_twonn_error"))


def test_save__a_run_of_another_source_is_refused(npy, path, tmp_path):
    save(open_rows(npy), path)
    np.save(tmp_path / "other.npy", values(1)[:7])
    others = [tmp_path / "other.npy", field()]
    words = r"source\.npy, 20 x 3 values\), got .*another source"
    for other in (*map(open_rows, others), open_rows(npy).isel(sample=slice(9))):
        for overwrite in (False, True):
            with pytest.raises(ValueError, match=words):
                save(other, path, overwrite=overwrite)
    zarr.create_array(tmp_path / "x.zarr", data=np.ones((3, 3)))
    with pytest.raises(ValueError, match=r"got .*x\.zarr, 3 x 3 values"):
        save(open_rows(tmp_path / "x.zarr"), path)
    same(open_run(path), open_rows(npy))


def test_save__the_same_file_read_otherwise_is_another_source(tmp_path, path):
    x = values()
    x[4, 1] = np.nan
    zarr.create_array(tmp_path / "x.zarr", data=np.abs(x[:3]), dimension_names=("sample", "time"))
    save(open_rows(tmp_path / "x.zarr", sample="sample"), path)
    with pytest.raises(ValueError, match=r"got other rows from there, or rows that have changed"):
        save(open_rows(tmp_path / "x.zarr", sample="time"), path)


@pytest.mark.parametrize("name", ["period", "weight", "trajectory"])
def test_save__what_changes_the_metric_is_part_of_the_run(npy, path, name):
    plain = open_rows(npy)
    dim = v.VARIABLES[name].dims[0]
    numbers = np.arange(1, plain.sizes[dim] + 1).astype("i8" if dim == "sample" else "f8")
    with_it = plain.assign_coords({name: (dim, numbers)})
    changed = plain.assign_coords({name: (dim, numbers * 2)})
    cases = [
        (plain, with_it, "none", "one"),
        (with_it, plain, "one", "none"),
        (with_it, changed, "same parameters", "other values"),
    ]
    for before, after, old, new in cases:
        shutil.rmtree(path, ignore_errors=True)
        save(knn(before), path)
        with pytest.raises(ValueError, match=rf"'{name}' as .*\({old}\), got {new}"):
            save(after, path)
        out = save(after, path, overwrite=True)
        same(out, after)
        save(knn(after), path)


def test_save__a_label_that_changed_is_named(npy, path):
    ds = open_rows(npy).assign_coords(name=("feature", ["a", "b", "c"]))
    save(twonn(knn(ds)), path)
    other = ds.assign_coords(name=("feature", ["a", "b", "d"]))
    with pytest.raises(ValueError, match="'name'"):
        save(other, path)
    same(save(other, path, overwrite=True), twonn(knn(other)))


def test_save__left_out_rows_and_features_survive(tmp_path, path):
    x = values()
    x[:, 1] = np.nan
    x[[3, 9], 0] = np.inf
    zarr.create_array(tmp_path / "x.zarr", data=x, chunks=(4, 1))
    ds = open_rows(tmp_path / "x.zarr", drop_nonfinite=True)
    out = save(knn(ds), path)
    same(out, knn(ds))
    assert out.row.values.tolist() == [i for i in range(N) if i not in (3, 9)]
    assert out.column.values.tolist() == [0, 2]
    assert (out.rows_dropped, out.features_dropped) == (2, 1)


def test_save__needs_rows_and_a_place(npy, path, tmp_path):
    with pytest.raises(v.SchemaError, match="no 'rows' in the dataset: run open_rows first"):
        save(xr.Dataset(), path)
    (tmp_path / "taken").write_text("hello")
    with pytest.raises(FileNotFoundError, match="store: expected an existing folder"):
        save(open_rows(npy), tmp_path / "no" / "run.zarr")
    for bad in (tmp_path / "taken", npy):
        with pytest.raises(FileExistsError, match="store: expected a run or a new path"):
            save(open_rows(npy), bad)
    zarr.create_array(tmp_path / "x.zarr", data=values())
    before = hashes(tmp_path / "x.zarr")
    for bad in (tmp_path / "x.zarr", tmp_path / "x.zarr" / "run"):
        with pytest.raises(FileExistsError, match="store: expected"):
            save(open_rows(tmp_path / "x.zarr"), bad)
    assert hashes(tmp_path / "x.zarr") == before


def test_save__relative_paths(npy, path, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    ds = open_rows("source.npy")
    monkeypatch.chdir(tmp_path / "elsewhere")
    save(knn(ds), "../run.zarr/")
    monkeypatch.chdir("/")
    same(open_run(path), knn(open_rows(npy)))
    monkeypatch.chdir(tmp_path)
    out = open_run("run.zarr")
    monkeypatch.chdir("/")
    same(out, knn(open_rows(npy)))


def test_open_run__a_moved_run_finds_its_source(npy, path, tmp_path):
    save(analyzed(npy), path)
    (tmp_path / "elsewhere").mkdir()
    shutil.move(path, tmp_path / "elsewhere" / "moved.zarr")
    moved = tmp_path / "elsewhere" / "moved.zarr"
    same(open_run(moved), analyzed(npy))
    before = times(moved)
    save(analyzed(npy), moved)
    assert times(moved) == before


def test_open_run__a_moved_run_with_its_own_rows_is_whole(path, tmp_path):
    ds = analyzed(field())
    save(ds, path)
    shutil.copytree(path, tmp_path / "copy.zarr")
    shutil.rmtree(path)
    same(open_run(tmp_path / "copy.zarr"), ds)
    same(save(twonn(open_run(tmp_path / "copy.zarr")), tmp_path / "copy.zarr"), ds)


def test_open_run__two_runs_of_the_same_rows_do_not_depend_on_each_other(path, tmp_path):
    ds = open_rows(field())
    first = save(ds, path)
    save(ds, tmp_path / "second.zarr")
    shutil.rmtree(tmp_path / "second.zarr")
    assert storage.recall(first.rows.data.name).path == str(path)
    same(first, ds)


def test_open_run__source_that_changed_or_went(source, path):
    if not isinstance(source, Path):
        pytest.skip("rows are in the run")
    ds = save(open_rows(source), path)
    opened = open_rows(source)
    array = source / "x" if (source / "x").exists() else source
    file = array if array.is_file() else next(p for p in (array / "c").rglob("*") if p.is_file())
    os.utime(file, ns=(1, 1))
    again = (lambda: open_run(path), lambda: save(knn(ds), path), lambda: runs.reader_of(str(path)))
    for act in again:
        with pytest.raises(
            ValueError, match=r"source: expected '.*' as it was .* got changed files"
        ):
            act()
    with pytest.raises(
        ValueError, match="as it was when it was opened, got changed files: open it"
    ):
        save(opened, path.parent / "other.zarr")
    source.rename(source.with_suffix(".gone"))
    with pytest.raises(FileNotFoundError, match=r"got nothing there: bring it back"):
        open_run(path)


def test_save__killed_before_the_commit(npy, path, monkeypatch):
    save(open_rows(npy), path)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "commit", killed)
        with pytest.raises(KeyboardInterrupt):
            save(analyzed(npy), path)
    assert (path / "id_twonn").exists()
    same(open_run(path), open_rows(npy))
    new = gride(twonn(knn(open_rows(npy), k=3)), 1)
    same(save(new, path), new)


def test_save__killed_while_the_run_was_made(source, path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "commit", killed)
        with pytest.raises(KeyboardInterrupt):
            save(open_rows(source, period=6.5), path)
    with pytest.raises(ValueError, match=r"run: expected a finished run, .* interrupted .* again"):
        open_run(path)
    same(save(knn(open_rows(source)), path), knn(open_rows(source)))


@pytest.mark.parametrize("point", ["retract", "delete", "adopt", "commit"])
def test_save__killed_while_it_overwrites(npy, path, monkeypatch, point):
    save(analyzed(npy), path)
    original = getattr(run, point)

    def killed(*given):
        original(*given) if point != "commit" else None
        raise KeyboardInterrupt

    new = gride(twonn(knn(open_run(path), k=3)))
    with monkeypatch.context() as patch:
        patch.setattr(run, point, killed)
        with pytest.raises(KeyboardInterrupt):
            save(new, path, overwrite=True)
    left = open_run(path)
    assert set(left.data_vars) == {"rows"}
    same(save(gride(twonn(knn(left, k=3))), path), new)


@pytest.mark.parametrize("damage", ["truncated", "gone", "empty"])
def test_open_run__damaged_results_are_left_out_and_mended(npy, path, damage, caplog):
    save(analyzed(npy), path)
    hurt(path / "id_twonn", damage)
    out = open_run(path)
    assert "id_twonn" in caplog.text
    same(out, analyzed(npy).drop_vars("id_twonn"))
    same(save(twonn(out), path), analyzed(npy))


def hurt(folder, damage):
    if damage == "gone":
        shutil.rmtree(folder)
    else:
        os.truncate(folder / "zarr.json", 0 if damage == "empty" else 50)


@pytest.mark.parametrize("damage", ["truncated", "gone"])
def test_open_run__a_damaged_coordinate_is_an_error(npy, path, damage):
    """Without its period the same run would say something else."""
    ds = gride(twonn(knn(open_rows(npy, period=6.5))))
    save(ds, path)
    hurt(path / "period", damage)
    with pytest.raises(
        ValueError, match=r"run: expected 'period' in .* missing or damaged array: save"
    ):
        open_run(path)
    with pytest.raises(ValueError, match="'period'"):
        save(open_rows(npy), path)
    with pytest.raises(ValueError, match="'period'"):
        save(open_rows(npy, period=7.0), path)
    same(save(open_rows(npy, period=6.5), path), ds)


def test_open_run__damaged_record(npy, path):
    save(open_rows(npy), path)
    os.truncate(path / "zarr.json", 100)
    again = (lambda: open_run(path), lambda: save(open_rows(npy), path), lambda: open_rows(path))
    for act in again:
        with pytest.raises(ValueError, match=r"zarr\.json', got a damaged file: restore it, or"):
            act()
    shutil.rmtree(path)
    same(save(open_rows(npy), path), open_rows(npy))


def test_open_run__no_run(tmp_path, npy):
    for bad in (tmp_path, npy, tmp_path / "nothing"):
        with pytest.raises(FileNotFoundError, match="run: expected a run of daskid, got"):
            open_run(bad)


def test_open_run__arrays_that_a_killed_search_left(npy, path, caplog):
    save(open_rows(npy), path)
    dims = v.neighbor_distance.dims
    run.create_array(str(path), "neighbor_distance", (N, 9), (N, 9), "f8", dims, {})
    same(open_run(path), open_rows(npy))
    assert "left out, unfinished or damaged: neighbor_distance" in caplog.text
    same(save(knn(open_run(path)), path), knn(open_rows(npy)))


def test_open_run__new_values_have_new_names(npy, path):
    old = save(knn(open_rows(npy)), path)
    new = save(knn(open_run(path), k=3), path, overwrite=True)
    assert old.neighbor_distance.data.name != new.neighbor_distance.data.name
    assert new.neighbor_distance.data.name == open_run(path).neighbor_distance.data.name
    with pytest.raises(ValueError, match="'neighbor_distance'"):
        save(twonn(old), path)


def test_clear__makes_room_for_a_step_that_writes_itself(npy, path):
    ds = save(analyzed(npy), path)
    new = {"neighbor_distance": "new", "neighbor_index": "new"}
    wanted = ds.assign({n: ((), 0, {"parameters": '{"k": 9}'}) for n in new})
    with pytest.raises(ValueError, match=r"\(k=4\), got k=9"):
        runs.clear(str(path), new, wanted, overwrite=False)
    runs.clear(str(path), new, wanted, overwrite=True)
    same(open_run(path), open_rows(npy))


def test_reader_of__reads_the_rows_of_a_run(source, path):
    save(open_rows(source), path)
    reader = runs.reader_of(str(path))
    np.testing.assert_array_equal(reader.read(0, N), values())
    assert reader.dtype == "float32"


def test_save__integer_rows_are_read_as_numbers_with_distances(path):
    x = np.arange(12, dtype="i2").reshape(6, 2)
    out = save(xr.Dataset({"rows": (("feature", "sample"), x.T)}), path)
    assert out.rows.dims == ("sample", "feature")
    assert out.rows.dtype == np.float32
    np.testing.assert_array_equal(out.rows, x)
    save(xr.Dataset({"rows": (("feature", "sample"), x.T)}), path)


def test_save__a_run_saved_as_another_run(source, path, tmp_path):
    first = save(analyzed(source), path)
    second = save(first, tmp_path / "second.zarr")
    same(second, first)
    assert second.history.splitlines()[0] == first.history.splitlines()[0]
    assert save(first, tmp_path / "second.zarr").id_twonn.fingerprint == first.id_twonn.fingerprint


def test_save__chunks_are_whole_rows(path):
    n = 3_000_000
    ds = xr.Dataset({"rows": (("sample", "feature"), da.zeros((n, 1), chunks=(n // 3, 1)))})
    ds = ds.assign(small=("sample", np.zeros(n, "i1")), large=("sample", np.zeros(n)))
    save(ds, path)
    chunks = {name: array.chunks for name, array in zarr.open_group(path, mode="r").arrays()}
    assert chunks == {"rows": (1 << 20, 1), "small": (n,), "large": (1 << 20,)}


def test_save__on_a_cluster(npy, path, client):
    ds = analyzed(npy)
    same(save(ds, path), ds)
