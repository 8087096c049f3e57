"""append, killed: the old run or the new one, and what was done by then is kept."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import dask
import numpy as np
import pytest
from append_check import made, names_beside, points
from knn_check import check_same, dataset

import daskid
from daskid.blockwise.search import append as blocks
from daskid.estimators.neighbors.append import append
from daskid.storage import ledger, run


class Killed(BaseException):
    """The end of a process."""


def kill(monkeypatch, after):
    """Nothing is written any more after so many changes to the disk; return the changes."""
    done = []

    def dying(change):
        def changed(*arguments, **options):
            if len(done) >= after:
                raise Killed
            done.append((change.__name__, str(arguments[0])))
            return change(*arguments, **options)

        return changed

    for name in ("rename", "replace", "unlink", "rmdir", "mkdir", "remove"):
        monkeypatch.setattr(os, name, dying(getattr(os, name)))
    return done


@pytest.mark.parametrize("grown", [False, True])
def test_append__killed_at_any_write(tmp_path, monkeypatch, grown):
    path, x = tmp_path / "a" / "run.zarr", points(400, 2, high=30)
    path.parent.mkdir()
    np.save(tmp_path / "x.npy", x[:300])
    made(path, daskid.open_rows(tmp_path / "x.npy") if grown else dataset(x[:300]))
    path.rename(tmp_path / "kept.zarr")
    np.save(tmp_path / "x.npy", x)
    new = daskid.open_rows(tmp_path / "x.npy") if grown else dataset(x[300:])
    expected = {n: daskid.knn(dataset(x[:n]), k=4) for n in (300, 400)}

    def killed(after):
        shutil.copytree(tmp_path / "kept.zarr", path)
        # one thread: two that make the same folder make another number of changes each time
        with (
            dask.config.set(scheduler="synchronous"),
            monkeypatch.context() as patch,
            suppress(Killed),
        ):
            done = kill(patch, after)
            append(path, new)
        return done

    killed(10**9)  # compiles, and a cache of kernels may be written
    shutil.rmtree(path)
    done = killed(10**9)
    swap = next(i for i, change in enumerate(done) if change == ("rename", str(path)))
    states, every = set(), max(1, len(done) // int(os.environ.get("DASKID_KILLS", 9)))
    for after in sorted({*range(0, len(done), every), swap, swap + 1, swap + 2, len(done) - 1}):
        shutil.rmtree(path)
        killed(after)
        samples = run.record(str(path))["rows_shape"][0] if path.exists() else 0
        states.add(samples)
        if samples == 0:
            with pytest.raises(FileNotFoundError, match=r"interrupted while .* run it again"):
                daskid.open_run(path)
        if samples == 400 or (samples and not grown):
            check_same(daskid.open_run(path), expected[samples])
        check_same(append(path, new), expected[400])
        assert daskid.open_run(path).sizes["sample"] == 400
        assert names_beside(path) == ["run.zarr"], after
    assert states == {0, 300, 400}


@pytest.mark.parametrize("stage", ["", "new"])
def test_append__goes_on_where_it_was(tmp_path, monkeypatch, stage, caplog):
    path, x = tmp_path / "run.zarr", points(3000, 2, high=90)
    made(path, dataset(x[:1500]))
    folder, mark = ledger.folder_of(str(path), "append"), ledger.mark

    def later(*arguments):
        mark(*arguments)
        if len(ledger.marks(str(Path(folder, stage)))) == 3:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "mark", later)
        with pytest.raises(Killed):
            append(path, dataset(x[1500:]))
    made_by_now, searched = set(ledger.marks(str(Path(folder, stage)))), []
    name = "_compare" if stage else "_fill"
    task = getattr(blocks, name)
    monkeypatch.setattr(blocks, name, lambda *a: searched.append(a[1]) or task(*a))
    damaged = min(made_by_now)
    with file_of(path, stage, damaged).open("r+b") as file:
        file.truncate(20)
    check_same(append(path, dataset(x[1500:])), daskid.knn(dataset(x), k=4))
    every = range(6) if stage else range(12)
    assert set(searched) == set(every) - made_by_now | {damaged}
    assert "damaged" not in caplog.text


def file_of(path, stage, number):
    if stage:
        return Path(ledger.folder_of(str(path), "append"), stage, f"{number}.pieces")
    return zarr_file(path, number)


def zarr_file(path, tile):
    staged = ledger.folder_of(str(path), "append.zarr")
    return Path(staged, "neighbor_index", "c", str(tile), "0")


def test_append__other_rows_start_anew(tmp_path, monkeypatch):
    path, x = tmp_path / "run.zarr", points(700, 2)
    made(path, dataset(x[:500]))
    with monkeypatch.context() as patch:
        patch.setattr(run, "note", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            append(path, dataset(x[500:] + 1))
    check_same(append(path, dataset(x[500:])), daskid.knn(dataset(x), k=4))
    assert names_beside(path) == ["run.zarr"]
