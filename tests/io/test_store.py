"""save and open_run: nothing is lost, written twice, or moved out of reach."""

import json
import shutil
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from made_steps import (
    SOURCES,
    D,
    N,
    analyzed,
    committed,
    field,
    gride,
    hashes,
    knn,
    same,
    times,
    twonn,
    values,
)

from daskid import open_rows, open_run, save
from daskid import variables as v
from daskid.io import store as runs
from daskid.storage import rows as storage


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


def test_save__computes_rows_for_the_copy_and_once_for_all_else(path):
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
    assert calls == [(N, D)] * 2


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
