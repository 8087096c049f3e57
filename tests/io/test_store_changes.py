"""What changed is named, never mixed in; overwriting drops what depends on it and no more."""

import shutil

import numpy as np
import pytest
import zarr
from made_steps import analyzed, committed, field, gride, hashes, knn, same, times, twonn, values

from daskid import open_rows, open_run, save
from daskid import variables as v
from daskid.io import store as runs


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
