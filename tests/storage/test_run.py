"""A run at rest: the record says what counts; writes are refused where they would harm."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import zarr

from daskid.storage import run

RECORD = {"source": None, "rows_shape": [2, 1], "rows_attrs": {}}


@pytest.fixture
def path(tmp_path):
    path = str(tmp_path / "a.zarr")
    run.create(path, RECORD, {"title": "made up"})
    return path


def add(path, name, values=(1.0, 2.0), **attrs):
    values = np.asarray(values)
    run.create_array(path, name, values.shape, values.shape, "f8", ("sample",), attrs)
    run.write_rows(path, name, 0, values)


def test_record__holds_what_is_committed_and_there(path):
    add(path, "a")
    add(path, "b")
    assert run.record(path)["committed"] == {}
    run.commit(path, {"a": "1", "b": "2"})
    run.delete(path, {"b"})
    record = run.record(path)
    assert record["committed"] == {"a": "1"}
    assert record["lost"] == {"b": "2"}
    run.retract(path, {"a"})
    assert run.record(path)["committed"] == {}
    assert "lost" not in run.attributes(path)[run.RECORD]


def test_commit__keeps_attributes_and_writes_history(path):
    add(path, "a", step="knn", parameters='{"k": 3}')
    add(path, "b", step="knn", parameters='{"k": 3}')
    add(path, "c")
    run.commit(path, {"a": "1", "b": "2", "c": "3"}, frozenset({"b", "other"}))
    attrs = run.attributes(path)
    assert attrs["title"] == "made up"
    assert attrs["coordinates"] == "b"
    assert len(attrs["history"].splitlines()) == 1
    assert attrs["history"].endswith('knn {"k": 3}')
    run.commit(path, {"a": "4"})
    assert len(run.attributes(path)["history"].splitlines()) == 2
    assert run.attributes(path)["coordinates"] == "b"


def test_commit__is_one_write(path, monkeypatch):
    add(path, "a")
    writes = []
    put = zarr.core.attributes.Attributes.put
    monkeypatch.setattr(
        zarr.core.attributes.Attributes, "put", lambda *a: (writes.append(1), put(*a))[1]
    )
    run.commit(path, {"a": "1"})
    assert writes == [1]


def test_create__leaves_no_group_without_a_record(tmp_path, monkeypatch):
    """A kill after the first write must not leave what the next save takes for something else."""
    path = str(tmp_path / "a.zarr")
    monkeypatch.setattr(zarr.Group, "update_attributes", None)
    run.create(path, {"source": None}, {})
    assert run.is_run(path)


def test_is_run__is_false_for_anything_else(tmp_path):
    zarr.open_group(str(tmp_path / "group.zarr"), mode="w")
    zarr.create_array(str(tmp_path / "array.zarr"), shape=(3,), dtype="f8")
    (tmp_path / "text").write_text("hello")
    for name in ("group.zarr", "array.zarr", "text", "nothing", "."):
        assert not run.is_run(str(tmp_path / name))


@pytest.mark.parametrize("left", [0, 40])
def test_record__names_damaged_metadata(path, left):
    file = f"{path}/zarr.json"
    os.truncate(file, left)
    with pytest.raises(
        ValueError, match=r"expected Zarr metadata in '.*zarr\.json', got a damaged"
    ):
        run.record(path)


def test_arrays__pass_over_damaged_ones(path):
    add(path, "a", step="knn")
    add(path, "b")
    os.truncate(f"{path}/b/zarr.json", 30)
    assert run.arrays(path) == {"a": {"step": "knn"}}
    add(path, "b", (5.0, 6.0))
    np.testing.assert_array_equal(zarr.open_array(path, path="b")[:], [5, 6])


def test_record__asks_for_its_own_format(tmp_path):
    run.create(str(tmp_path / "a.zarr"), {"format": 7}, {})
    with pytest.raises(ValueError, match=r"run: expected format 1, got 7 in .*: use the version"):
        run.record(str(tmp_path / "a.zarr"))


def test_record__asks_for_a_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected a run of daskid, got .*daskid open"):
        run.record(str(tmp_path))


def test_write_rows__fills_a_range(path):
    run.create_array(path, "a", (5, 2), (2, 2), "f8", ("sample", "neighbor"), {})
    run.write_rows(path, "a", 2, np.ones((2, 2)))
    values = zarr.open_array(path, path="a")
    np.testing.assert_array_equal(values[:, 0], [np.nan, np.nan, 1, 1, np.nan])
    np.testing.assert_array_equal(run.read_rows(path, "a", 1, 3), [[np.nan] * 2, [1, 1]])
    run.annotate(path, "a", {"pairs": 3})
    assert run.arrays(path)["a"] == {"pairs": 3}
    metadata = json.loads(Path(path, "a", "zarr.json").read_text())
    assert metadata["dimension_names"] == ["sample", "neighbor"]


def test_adopt__replaces_and_cleans_up(path, tmp_path):
    add(path, "a")
    scratch = run.scratch(path)
    run.create(scratch, {}, {})
    add(scratch, "a", (8.0, 9.0))
    add(scratch, "b")
    run.adopt(path, scratch, {"a", "b"})
    run.clean(path, scratch)
    np.testing.assert_array_equal(zarr.open_array(path, path="a")[:], [8, 9])
    assert sorted(run.arrays(path)) == ["a", "b"]
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]


def test_check_writable__takes_a_run_a_new_path_and_an_empty_folder(path, tmp_path):
    (tmp_path / "empty").mkdir()
    for good in (path, path + "/", str(tmp_path / "new.zarr"), str(tmp_path / "empty")):
        run.check_writable(good)
    run.check_writable(f"{path}/layer")  # the run of a layer, in the run of its model
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "empty"]


def test_check_writable__asks_for_the_parent(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"store: expected an existing folder .*create it"):
        run.check_writable(str(tmp_path / "no" / "a.zarr"))


def test_check_writable__refuses_what_holds_something_else(tmp_path):
    (tmp_path / "text").write_text("hello")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "text").write_text("hello")
    zarr.open_group(str(tmp_path / "group.zarr"), mode="w")
    for name in ("text", "folder", "group.zarr"):
        with pytest.raises(FileExistsError, match=r"store: .*which holds something else: choose"):
            run.check_writable(str(tmp_path / name))


@pytest.mark.parametrize("format", [2, 3])
def test_check_writable__refuses_a_path_inside_a_source(tmp_path, format):
    zarr.open_group(str(tmp_path / "g.zarr"), mode="w", zarr_format=format)
    zarr.create_array(str(tmp_path / "a.zarr"), shape=(3,), dtype="f8", zarr_format=format)
    for name in ("g.zarr", "a.zarr"):
        with pytest.raises(FileExistsError, match=r"inside the Zarr store '.*': choose another"):
            run.check_writable(str(tmp_path / name / "run"))


@pytest.fixture
def read_only(tmp_path):
    """A folder that even root can't write to."""
    folder = tmp_path / "mount"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=False, capture_output=True)
    if not os.path.ismount(folder):
        pytest.skip("needs the right to mount a file system")
    run.create(str(folder / "a.zarr"), {"source": None}, {})
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_check_writable__refuses_a_read_only_folder(read_only):
    for name in ("new.zarr", "a.zarr"):
        with pytest.raises(
            PermissionError, match=r"store: expected a writable folder, .*read-only"
        ):
            run.check_writable(str(read_only / name))


def test_check_writable__refuses_where_the_system_says_no(path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match=r"read-only: choose another path or change"):
        run.check_writable(path)
