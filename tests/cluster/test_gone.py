"""Workers that are gone, paused, silent or failing: an error that says so, not a wait for ever."""

import os
import signal
import subprocess
import sys
import time

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster
from distributed import wait as wait_for
from survival import wait_until

import daskid
from daskid.blockwise.search import pool, workers
from daskid.storage.rows import MemoryRows

LOST_WORKER = "distributed.deploy.lost-worker-timeout"
LOCAL = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "threads_per_worker": 1}


@pytest.fixture(autouse=True)
def on_client():
    """Let a current client be used: the tests' default is one thread."""
    with dask.config.set(scheduler=None):
        yield


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(workers, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(workers, "GONE_SECONDS", 1.0)


def kill_all(client):
    """Kill all workers; return a computation that is asked for while there are none."""
    for pid in client.run(os.getpid).values():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not client.nthreads())
    return client.compute(da.ones(4, chunks=2).sum())


def test_lost_worker_timeout__a_local_cluster_hangs_without_the_setting():
    """The mechanism, in distributed 2026.8.

    When a worker's process ends, its nanny unregisters it, and starts another process. That it was
    unregistered reaches ``SpecCluster._update_worker_status``, which reads
    ``lost-worker-timeout`` *then* and looks once, so much later: if no worker of that name is
    with the scheduler, it closes the nanny and takes it out of ``cluster.workers``. A nanny
    that is in the middle of a restart is told to close like any other; it waits until
    the new worker is up, and ends it. The name stays in ``worker_spec``, but nothing starts
    what is missing there: that is done by ``scale`` and ``adapt`` only. So a worker that takes
    longer than 15 s to come back (imports on a busy machine) is gone for good, and when
    all are, ``compute`` waits for ever, as ``no-workers-timeout`` is not set either.

    As the setting is read when a worker is lost, one that holds only while the cluster is
    made has no effect.
    """
    with (
        dask.config.set({LOST_WORKER: "1 ms"}),  # for 15 s: no restart is that fast
        LocalCluster(n_workers=2, **LOCAL) as cluster,
        Client(cluster) as client,
    ):
        nannies = [*cluster.workers.values()]
        total = kill_all(client)
        wait_until(lambda: all(nanny.status.name == "closed" for nanny in nannies))
        assert cluster.workers == {}
        assert [*cluster.worker_spec] == [0, 1]
        with pytest.raises(TimeoutError):
            wait_for(total, timeout=2)
        assert client.nthreads() == {}


def test_lost_worker_timeout__connect_cures_it():
    with dask.config.set({LOST_WORKER: "50 ms"}), daskid.connect("local", workers=2) as client:
        nannies = [*client.cluster.workers.values()]
        total = kill_all(client)
        wait_for(total, timeout=100)
        assert total.result() == 4
        wait_until(lambda: len(client.nthreads()) == 2)
        assert [nanny.status.name for nanny in nannies] == ["running"] * 2


def test_lost_worker_timeout__a_longer_one_is_kept():
    with dask.config.set({LOST_WORKER: "1 hour"}), daskid.connect("local", workers=1):
        assert dask.config.get(LOST_WORKER) == "1 hour"


def test_no_workers__plain_computations_end_in_an_error(impatient):
    lost = pytest.raises(TimeoutError, match=r"expected one or more, got none .* dask computation")
    with daskid.connect("local", workers=1) as client:
        assert da.ones(4, chunks=2).sum().compute() == 4
        client.cluster.scale(0)
        wait_until(lambda: not client.nthreads())
        with lost:
            da.ones(4, chunks=2).sum().compute()
        with Client(client.cluster), lost:  # one that daskid did not make
            pool.compute(da.ones(4, chunks=2).sum())


def test_no_workers__the_scheduler_gives_up_too():
    with (
        dask.config.set({"distributed.scheduler.no-workers-timeout": "1 hour"}),
        daskid.connect("local", workers=1) as client,
    ):
        assert client.cluster.scheduler.no_workers_timeout == 180


def test_compute__is_that_of_dask():
    x = da.arange(10, chunks=3)
    both = x.sum(), {"twice": 2 * x, "none": None}
    with LocalCluster(n_workers=1, **LOCAL) as cluster, Client(cluster):
        total, rest = pool.compute(*both)
        with pytest.raises(ZeroDivisionError):
            pool.compute(x.map_blocks(lambda block: 1 // 0, dtype=int))
    with dask.config.set(scheduler="synchronous"):
        here, also = pool.compute(*both)
    assert total == here == 45
    np.testing.assert_array_equal(rest["twice"], also["twice"])


def hold(seconds):
    """Keep memory beyond the task."""
    import builtins

    builtins.held = bytearray(300 << 20)
    time.sleep(seconds)


@pytest.fixture
def small_worker():
    """A worker that is paused at 200 MB, and not killed."""
    settings = {"target": False, "spill": False, "pause": 0.5, "terminate": False}
    with (
        dask.config.set({f"distributed.worker.memory.{k}": x for k, x in settings.items()}),
        LocalCluster(n_workers=1, memory_limit="400MB", **LOCAL) as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_paused_for_good__the_tile_and_sizes_are_named(impatient, small_worker, monkeypatch):
    monkeypatch.setattr(workers, "GONE_SECONDS", 3.0)
    results = pool.run(hold, [(5.0,), (0.0,), (0.0,)], needs=300 << 20)
    # longer than a worker may be paused, and yet no reason to give up: it runs
    assert next(results) == (0, None)
    with pytest.raises(
        MemoryError,
        match=r"tile 1 can't start, all 1 are paused as their memory is full \(\d+.* MiB in one\): "
        r"it needs about 300.00 MiB .*limit is 381.47 MiB: use workers with more memory",
    ):
        list(results)
    with pytest.raises(MemoryError, match="a dask computation can't start, all 1 are paused"):
        pool.compute(da.ones(4, chunks=2).sum())


class Silent:
    """A source that does not answer."""

    shape, dtype = (100, 2), np.dtype("f8")

    def read(self, start, stop):
        """Hang."""
        time.sleep(1000)


class Failing(Silent):
    """A source that has gone."""

    def read(self, start, stop):
        """Fail."""
        raise FileNotFoundError(2, "No such file or directory", "/gone/rows.npy")


def read(source, start, stop):
    return source.read(start, stop)


def test_silent_source__is_told_from_a_busy_worker(impatient, monkeypatch):
    with daskid.connect("local", workers=1):
        list(pool.run(spin, [(0.0,)]))  # imports what the functions here need
        time.sleep(2)  # a heartbeat after that
        monkeypatch.setattr(workers, "STILL_SECONDS", 3.0)
        list(pool.run(spin, [(6.0,)]))
        with pytest.raises(TimeoutError, match="expected tile 1 to end, got no result and no CPU"):
            list(pool.run(read, [(MemoryRows(np.ones((3, 2))), 0, 2), (Silent(), 0, 2)]))


def spin(seconds):
    """Compute for so long."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        sum(range(10_000))


def test_failing_source__its_error_names_the_file_and_the_tile():
    with (
        daskid.connect("local", workers=1),
        pytest.raises(FileNotFoundError, match=r"No such file .*/gone/rows.npy") as raised,
    ):
        list(pool.run(read, [(MemoryRows(np.ones((3, 2))), 0, 2), (Failing(), 0, 2)]))
    assert raised.value.__notes__ == ["in tile 1, on a worker"]


QUIET = """
import os, signal, time, daskid
if __name__ == "__main__":
    with daskid.connect("local", workers=1) as client:
        os.kill(*client.run(os.getpid).values(), signal.SIGKILL)
        client.submit(abs, -1).result()
        busy = client.submit(time.sleep, 1000)
        while not any(client.processing().values()):
            time.sleep(0.05)
"""


def test_close__a_busy_worker_is_no_news_but_a_restart_is(tmp_path):
    script = tmp_path / "quiet.py"
    script.write_text(QUIET)
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0
    assert "Restarting worker" in ended.stderr
    assert "still alive" not in ended.stderr
