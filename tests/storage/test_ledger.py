"""The ledger: same plan or an error, one writer, marks whole or not there, checksums."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from daskid.storage import ledger

PLAN = {"k": 5, "metric": "euclidean", "rows": "abc"}
HOLD = """
import sys, time
from daskid.storage import ledger
with ledger.writing(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path):
    folder = ledger.folder_of(str(tmp_path / "run.zarr"), "knn")
    with ledger.writing(folder):
        pass
    return folder


@pytest.fixture
def writer(folder):
    """Another process that holds the lock."""
    command = [sys.executable, "-c", HOLD, folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_folder__beside_the_run(tmp_path):
    run = tmp_path / "run.zarr"
    assert ledger.folder_of(str(run), "knn") == str(tmp_path / "run.zarr.work" / "knn")


def test_begin__finds_the_same_plan(folder):
    assert ledger.plan_of(folder) is None
    assert not ledger.begin(folder, PLAN)
    ledger.mark(folder, 3, "sum")
    assert ledger.begin(folder, dict(PLAN))
    assert ledger.begin(folder, dict(PLAN), overwrite=True)
    assert ledger.plan_of(folder) == PLAN
    assert ledger.marks(folder) == {3: "sum"}


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({**PLAN, "k": 6}, r"\(k=5\), got k=6: finish it .* or overwrite it"),
        ({**PLAN, "exclude": 2}, r"\(exclude=None\), got exclude=2"),
        (
            {"k": 5, "metric": "cityblock"},
            "metric=euclidean, rows=abc.*metric=cityblock, rows=None",
        ),
    ],
)
def test_begin__names_what_changed(folder, plan, message):
    ledger.begin(folder, PLAN)
    ledger.mark(folder, 0, "sum")
    with pytest.raises(ValueError, match=message):
        ledger.begin(folder, plan)
    assert ledger.plan_of(folder) == PLAN
    assert ledger.marks(folder) == {0: "sum"}


def test_begin__overwrite_forgets_all_but_the_lock(folder):
    ledger.begin(folder, PLAN)
    ledger.mark(folder, 0, "sum")
    ledger.count_try(folder, 0)
    with ledger.writing(folder):
        assert not ledger.begin(folder, {**PLAN, "k": 6}, overwrite=True)
        assert ledger.held(folder)
    assert ledger.plan_of(folder) == {**PLAN, "k": 6}
    assert (ledger.marks(folder), ledger.tries(folder)) == ({}, {})


def test_begin__marks_without_a_plan_are_forgotten(folder):
    ledger.mark(folder, 7, "of a job whose plan was never written")
    assert not ledger.begin(folder, PLAN)
    assert ledger.marks(folder) == {}


def test_marks_and_tries(folder):
    for tile in (0, 11, 11):
        ledger.count_try(folder, tile)
    ledger.mark(folder, 11, "a")
    ledger.mark(folder, 11, "b")
    ledger.mark(folder, 2, "c")
    ledger.unmark(folder, 2)
    ledger.unmark(folder, 2)
    assert ledger.tries(folder) == {0: 1, 11: 2}
    assert ledger.marks(folder) == {11: "b"}


@pytest.mark.parametrize(
    "write", [lambda f: ledger.mark(f, 1, "s"), lambda f: ledger.begin(f, PLAN)]
)
def test_write__cut_off_is_never_seen(folder, write, monkeypatch):
    def cut(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", cut)
    with pytest.raises(KeyboardInterrupt):
        write(folder)
    assert [p.name for p in Path(folder).iterdir() if p.name.endswith(".partial")]
    assert ledger.marks(folder) == {}
    assert ledger.plan_of(folder) is None


def test_write__is_on_disk_before_it_has_its_name(folder, monkeypatch):
    done = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda f: (done.append("fsync"), fsync(f))[1])
    monkeypatch.setattr(Path, "replace", lambda p, t: (done.append("rename"), replace(p, t))[1])
    ledger.mark(folder, 1, "s")
    assert done == ["fsync", "rename"]


def test_checksum__of_values_shape_dtype_and_fingerprint():
    x = np.arange(6.0)
    sums = [
        ledger.checksum("f", x, x),
        ledger.checksum("g", x, x),
        ledger.checksum("f", x),
        ledger.checksum("f", x, np.r_[x[:5], np.nextafter(5.0, 6)]),
        ledger.checksum("f", x, x.reshape(2, 3)),
        ledger.checksum("f", x, x.view("i8")),
    ]
    assert len(set(sums)) == len(sums)
    assert ledger.checksum("f", x.copy(), x) == sums[0]


def test_writing__second_process_is_refused_and_told_of_the_first(folder, writer):
    with (
        pytest.raises(BlockingIOError, match=f"only writer of .*knn.*process {writer.pid} on"),
        ledger.writing(folder),
    ):
        raise AssertionError("two writers")
    assert ledger.held(folder)


def test_writing__lock_goes_with_a_killed_process(folder, writer):
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert not ledger.held(folder)
    with ledger.writing(folder):
        assert ledger.held(folder)


def test_writing__waits_for_one_who_only_looks(folder):
    with open(Path(folder) / ledger.LOCK) as file:  # noqa: PTH123
        import fcntl
        import threading

        fcntl.flock(file, fcntl.LOCK_SH)
        threading.Timer(ledger.LOOK_SECONDS, lambda: fcntl.flock(file, fcntl.LOCK_UN)).start()
        with ledger.writing(folder):
            pass


def test_writing__cleared_lock_is_made_again(folder):
    # who opened the file before it was deleted must not hold a lock that nobody else sees
    with ledger.writing(folder):
        ledger.clear(folder)
        with ledger.writing(folder):
            assert ledger.held(folder)


def test_held__leaves_nothing_behind(tmp_path):
    assert not ledger.held(str(tmp_path / "nothing"))
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_writing__full_disk_says_what_is_kept(folder, number):
    with (
        pytest.raises(OSError, match=r"full disk .*make room and run again.*are kept") as caught,
        ledger.writing(folder),
    ):
        raise OSError(number, "No space left on device")
    assert caught.value.errno == number
    with pytest.raises(PermissionError, match="mine"), ledger.writing(folder):
        raise PermissionError(errno.EACCES, "mine")


def test_clear__drops_the_folder_around_it_if_empty(folder):
    other = Path(folder).parent / "other"
    other.mkdir()
    ledger.clear(folder)
    assert other.exists()
    ledger.clear(str(other))
    assert not other.parent.exists()


def test_race__many_writers_one_at_a_time(tmp_path):
    # writers that clear the folder at the end, as a search does
    code = """
import sys, time
from pathlib import Path
from daskid.storage import ledger
folder, flag, done = sys.argv[1], Path(sys.argv[2]), 0
while done < 10:
    try:
        with ledger.writing(folder):
            flag.mkdir()
            flag.rmdir()
            ledger.clear(folder)
            done += 1
    except BlockingIOError:
        pass
"""
    command = [sys.executable, "-c", code, str(tmp_path / "work" / "knn"), str(tmp_path / "flag")]
    writers = [subprocess.Popen(command) for _ in range(3)]
    deadline = time.monotonic() + 120
    assert [w.wait(timeout=deadline - time.monotonic()) for w in writers] == [0, 0, 0]
