"""Runs that were killed, hurt, or lost their source: left out, named, mended."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from made_steps import N, analyzed, gride, hashes, knn, same, twonn

from daskid import open_rows, open_run, save
from daskid import variables as v
from daskid.io import store as runs
from daskid.storage import run


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
    assert "not finished yet, their step goes on where it was: neighbor_distance" in caplog.text
    same(save(knn(open_run(path)), path), knn(open_rows(npy)))
