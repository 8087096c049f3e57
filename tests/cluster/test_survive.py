"""Killed anywhere, damaged, out of room: a search resumes with the same bits, or says why not."""

import os
import random
import re
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest import mock

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster
from survival import (
    TILES,
    Count,
    K,
    Place,
    every_try,
    folder_of,
    started,
    wait_for_marks,
    wait_until,
)
from thorough import thorough

import daskid
from daskid.blockwise.search import pool, workers
from daskid.storage import ledger


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("survive"))


@pytest.fixture
def run(place, tmp_path):
    return place.new_run(tmp_path / "run.zarr")


@pytest.fixture
def kept(monkeypatch):
    """The tries of every tile, kept where the end of a search clears its ledger."""
    found = {}

    def clear(folder):
        found.update(every_try(folder))

    monkeypatch.setattr(ledger, "clear", clear)
    return found


@pytest.fixture
def on_client():
    """Let a current client be used: the tests' default is one thread."""
    with dask.config.set(scheduler=None):
        yield


def finish(run):
    """Resume here, in another process than the one that was killed."""
    with dask.config.set(scheduler="threads"):
        daskid.knn(daskid.open_run(run), k=K, store=run)


def interrupt(place, run, marks):
    """Search until so many tiles are done, then kill; return what was done."""
    with started("daskid.cli", *place.knn(run)) as driver:
        wait_for_marks(run, marks, driver)
        driver.kill()
    return Count(run)


def test_driver_killed__resumes_with_the_same_bits(place, run, kept):
    moments = random.Random(7)
    counts = []
    for least in (0, 6):
        with started("daskid.cli", *place.knn(run)) as driver:
            wait_until(lambda: ledger.held(folder_of(run)), driver)
            wait_for_marks(run, least, driver)
            with suppress(subprocess.TimeoutExpired):
                driver.wait(moments.uniform(0, 0.1))
            driver.kill()
        counts.append(Count(run))
    finish(run)
    assert 6 <= len(counts[-1].done) < TILES
    assert [count.begun_again(kept) for count in counts] == [set(), set()]
    assert sorted(kept) == list(range(TILES))
    assert place.same_bits(run)


STAGES = {
    "tiles": (("lists-0", 2), ("found", 3), ("", 1)),
    "pruned": (("sorted", 3), ("cells", 2), ("found", 3)),
}


@thorough
@pytest.mark.parametrize("method", STAGES)
def test_driver_killed_in_each_stage__resumes_with_the_same_bits(place, run, kept, method):
    counts = []
    for number, (stage, least) in enumerate(STAGES[method]):
        with started("daskid.cli", *place.knn(run, "auto" if number else method)) as driver:
            wait_for_marks(run, least, driver, stage)
            driver.kill()
        counts.append(Count(run))
        assert counts[-1].done
    finish(run)
    assert [count.begun_again(kept) for count in counts] == [set()] * len(counts)
    assert place.same_bits(run)


def damage(run, tiles):
    """Truncate, corrupt, replace and delete a chunk, one of each tile."""
    cut, flipped, foreign, missing, unmarked_partial = (
        Path(run, name, "c", str(tile), "0")
        for name, tile in zip(("neighbor_distance", "neighbor_index") * 3, tiles, strict=False)
    )
    cut.write_bytes(cut.read_bytes()[:-100])
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 1
    flipped.write_bytes(content)
    shutil.copy(foreign.parents[1] / str(tiles[4]) / "0", foreign)
    missing.unlink()
    unmarked_partial.with_suffix(".0.partial").write_bytes(b"of a writer that was killed")


def test_damaged_tiles__are_found_and_computed_again(place, run, kept):
    count = interrupt(place, run, 8)
    tiles = sorted(count.done)[:5]
    damage(run, tiles)
    finish(run)
    assert count.begun_again(kept) == set(tiles[:4])
    assert place.same_bits(run)
    assert not list(Path(run).rglob("*.partial"))


def test_second_writer__is_refused_then_changed_source(place, tmp_path):
    own = Path(shutil.copy(place.source, tmp_path / "own.npy"))
    run = str(tmp_path / "run.zarr")
    daskid.save(daskid.open_rows(str(own)), run)
    with started("daskid.cli", *place.knn(run)) as driver:
        wait_for_marks(run, 1, driver)
        driver.send(signal.SIGSTOP)  # it would be done before the second one has started
        words = f"only writer of {folder_of(run)!r}, got another one (process {driver.pid} on"
        with pytest.raises(BlockingIOError, match=re.escape(words)):
            finish(run)
        driver.kill()
    values = np.load(own)
    values[3, 3] += 1
    np.save(own, values)
    with pytest.raises(ValueError, match="changed files") as changed:
        finish(run)
    assert f"source: expected {str(own)!r} as it was" in str(changed.value)


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 2 MB, and a function that makes it larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs root and a tmpfs")
    yield (
        folder,
        lambda: subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True),
    )
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk__says_so_and_resumes_when_there_is_room(place, small_disk, kept):
    folder, enlarge = small_disk
    run = place.new_run(folder / "run.zarr")
    words = r"got a full disk .*make room and run again; tiles that are done are kept"
    with pytest.raises(OSError, match=words):
        finish(run)
    count = Count(run)
    assert count.done
    enlarge()
    finish(run)
    assert count.begun_again(kept) == set()
    assert place.same_bits(run)


@pytest.mark.parametrize(
    ("method", "stage"),
    [("strips", ""), ("tiles", "found"), ("pruned", "found")],
)
def test_worker_killed__the_search_goes_on(place, run, kept, on_client, method, stage):
    def kill():
        wait_for_marks(run, 3, stage=stage)
        os.kill(pids[0], signal.SIGKILL)
        counts.append(Count(run))

    counts = []
    place.warm(method)
    local = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "threads_per_worker": 1}
    with LocalCluster(n_workers=2, **local) as cluster, Client(cluster) as client:
        pids = [*client.run(os.getpid).values()]
        killer = threading.Thread(target=kill)
        killer.start()
        daskid.knn(daskid.open_run(run), k=K, method=method, store=run)
        killer.join()
    assert counts[0].begun_again(kept) == set()
    assert place.same_bits(run)


def test_worker_killed_in_an_approximate_search__same_bits(place, run, on_client):
    """Whoever is told to go on computes the lost cells again, from shuffled rows that are kept."""
    options = {"k": K, "recall": 0.9}
    with dask.config.set(scheduler="threads"):
        expected = daskid.knn_approximate(daskid.open_rows(str(place.source)), **options)
    killed = []

    def kill():
        wait_for_marks(run, 3, stage="cells")
        os.kill(pids[0], signal.SIGKILL)
        killed.append(pids[0])

    local = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "threads_per_worker": 1}
    with LocalCluster(n_workers=2, **local) as cluster, Client(cluster) as client:
        pids = [*client.run(os.getpid).values()]
        killer = threading.Thread(target=kill)
        killer.start()
        found = daskid.knn_approximate(daskid.open_run(run), store=run, **options)
        killer.join()
        assert killed[0] not in client.run(os.getpid).values()
    for name in ("neighbor_index", "neighbor_distance", "neighbor_recall"):
        np.testing.assert_array_equal(found[name].values, expected[name].values)


@contextmanager
def cluster_of_processes(file):
    file.unlink(missing_ok=True)
    given = ("--scheduler-file", str(file), "--no-dashboard", "--host", "127.0.0.1")
    module = "distributed.cli.dask_"
    alone = ("--nthreads", "1", "--no-nanny", "--death-timeout", "5")
    with (
        started(f"{module}scheduler", *given, "--port", "0") as scheduler,
        started(f"{module}worker", *given, *alone),
    ):
        wait_until(file.exists, scheduler)
        yield scheduler


@pytest.mark.parametrize(("method", "stage"), [("strips", ""), ("tiles", "found")])
def test_scheduler_killed__an_error_then_resumes(
    place, run, kept, on_client, tmp_path, method, stage
):
    file, counts = tmp_path / "scheduler.json", []

    def kill():
        wait_for_marks(run, 2, stage=stage)
        scheduler.kill()
        counts.append(Count(run))

    with cluster_of_processes(file) as scheduler:
        with dask.config.set({"distributed.comm.timeouts.connect": "3s"}):
            client = Client(scheduler_file=str(file))
        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(ConnectionError, match=r"scheduler: .*run again; tiles .* are kept"):
            daskid.knn(daskid.open_run(run), k=K, method=method, store=run)
        killer.join()
        client.close()
    with cluster_of_processes(file), Client(scheduler_file=str(file)):
        daskid.knn(daskid.open_run(run), k=K, store=run)
    assert counts[0].begun_again(kept) == set()
    assert place.same_bits(run)


def test_no_workers__an_error_names_the_tile(on_client, monkeypatch):
    monkeypatch.setattr(workers, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(workers, "GONE_SECONDS", 0.3)
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", host="127.0.0.1") as cluster,
        Client(cluster),
        pytest.raises(TimeoutError, match=r"expected one or more, got none .* at tile 0: start"),
    ):
        list(pool.run(abs, [(-1,), (-2,)]))


def grow(_):
    """Allocate beyond any limit, and stay until the nanny sees it."""
    import time

    held = []
    while True:
        held.append(b"x" * (1 << 25))
        time.sleep(0.02)


def test_memory__killed_workers_become_an_error_with_sizes(on_client):
    settings = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.terminate": 0.9,
    }
    with (
        dask.config.set(settings),
        daskid.connect("local", workers=1, memory="400MB"),
        pytest.raises(MemoryError, match=r"tile 0 .*needs about 1.00 GiB .*limit is 381.47 MiB"),
    ):
        list(pool.run(grow, [(0,)], needs=1 << 30))


def test_idle_worker_that_comes_back__is_given_its_time():
    idle = {"last_seen": 1e9, "status": "running", "metrics": {"cpu": 0.0}}
    info = {"workers": {}}
    client = mock.Mock(spec_set=["status", "scheduler_info"], status="running")
    client.scheduler_info = lambda _: info
    watch = workers.Watch(client)
    watch.look("tile 0", still=True)
    info["workers"] = {"here": idle}
    watch.look("tile 0", still=True)
    idle["last_seen"] += workers.STILL_SECONDS + 1
    with pytest.raises(TimeoutError, match="expected tile 0 to end"):
        watch.look("tile 0", still=True)
