"""doctor: finds what is planted, and nothing on a healthy machine."""

import subprocess
import sys
import time
from importlib import metadata
from types import SimpleNamespace

import dask
import pytest
from click.testing import CliRunner
from distributed import LocalCluster
from threadpoolctl import threadpool_limits

from daskid.blockwise.search.workers import prepare
from daskid.cli import cli
from daskid.cluster.doctor import doctor


@pytest.fixture(scope="module")
def address():
    """A cluster of its own: faults are planted in its workers."""
    with (
        dask.config.set(scheduler=None),
        LocalCluster(
            n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as cluster,
    ):
        yield cluster.scheduler_address


def wrong(*given, **options):
    return {check.name: check for check in doctor(*given, **options) if not check.good}


def test_healthy__nothing_is_wrong(address, tmp_path):
    (tmp_path / "rows.zarr").mkdir()
    found = [*doctor(address, store=str(tmp_path / "rows.zarr"), folder=str(tmp_path))]
    assert [check for check in found if not check.good] == []
    assert {"versions", "clocks", "folder on workers", "store on workers"} <= {
        c.name for c in found
    }


def test_store_and_folder_that_are_not_there(address, tmp_path):
    found = wrong(address, store=str(tmp_path / "gone.zarr"), folder="/proc/1")
    assert set(found) >= {"store", "store on workers", "folder", "folder from workers"}
    assert "/proc" in found["folder"].found


def test_full_disk(tmp_path):
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], check=False)
    if done.returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    try:
        assert "free, tmpfs" in wrong(folder=str(tmp_path))["folder"].found
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def plant(what):
    """Plant a fault in a process of the cluster; return nothing."""
    if what == "versions":
        true = metadata.version
        sys.modules["daskid.cluster.doctor"].version = lambda n: true(n) + "+old" * (n == "zarr")
    if what == "clocks":
        late = SimpleNamespace(time=lambda: time.time() + 60)
        sys.modules["daskid.cluster.doctor"].time = late
    if what == "BLAS threads":
        threadpool_limits(2, user_api="blas")


def test_workers__other_versions_threads_and_clocks(address):
    from distributed import Client

    with dask.config.set(scheduler=None), Client(address) as client:
        prepare(client)
        client.run(plant, "BLAS threads")
        client.run(__import__, "daskid.cluster.doctor")
        client.run(plant, "versions")
        client.run(plant, "clocks")
    found = wrong(address)
    assert set(found) == {"versions", "BLAS threads", "clocks"}
    assert found["clocks"].found in ("60.0 s apart", "59.9 s apart")
    assert found["versions"].found.startswith("zarr ")


def test_nobody_there(monkeypatch):
    monkeypatch.setattr("daskid.cluster.clients.TIMEOUT", "1s")
    assert "got no answer" in wrong("tcp://127.0.0.1:9")["cluster"].found


def test_command__a_line_a_check_and_an_exit_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["doctor", "--store", str(tmp_path / "gone")])
    assert done.exit_code == 1
    assert "ok    folder: " in done.stdout
    assert f"WRONG store: {tmp_path / 'gone'} is not there\n      give the path" in done.stdout
