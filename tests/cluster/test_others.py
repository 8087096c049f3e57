"""connect("mpi") with real processes where MPI is installed, connect("gateway") as it is asked."""

import shutil
import subprocess
import sys
import tempfile
from types import ModuleType

import dask
import numpy as np
import pytest
import slurm_lab
from distributed import LocalCluster

import daskid
from daskid.cluster import others


def test_mpi__same_bits_and_all_processes_end(tmp_path):
    pytest.importorskip("dask_mpi", reason="no dask-mpi is installed")
    if shutil.which("mpiexec") is None:
        pytest.skip("no mpiexec is installed")
    ds = daskid.datasets.torus(1500, 3, seed=0)
    here = daskid.knn(ds, k=5)
    with (
        dask.config.set({"daskid.job-logs": str(tmp_path), "scheduler": None}),
        daskid.connect("mpi", workers=2, memory="900 MiB") as client,
    ):
        client.wait_for_workers(2)
        assert client.scheduler.address.startswith("tcp://127.0.0.1:")
        there = daskid.knn(ds, k=5)
        process = client.keeper.process
    assert process.poll() is not None
    np.testing.assert_array_equal(here.neighbor_distance, there.neighbor_distance)
    np.testing.assert_array_equal(here.neighbor_index, there.neighbor_index)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def mpi(monkeypatch, tmp_path):
    """A dask-mpi that is installed, as far as an import can tell."""
    monkeypatch.setitem(sys.modules, "dask_mpi", ModuleType("dask_mpi"))
    with dask.config.set({"daskid.job-logs": str(tmp_path)}):
        yield tmp_path


def test_mpi__what_is_missing_is_said(mpi, monkeypatch):
    with (
        dask.config.set({"daskid.mpiexec": "mpiexec-of-no-site"}),
        pytest.raises(ConnectionError, match="expected the command 'mpiexec-of-no-site'"),
    ):
        daskid.connect("mpi")
    with (
        dask.config.set({"daskid.mpiexec": "ls /nowhere"}),
        pytest.raises(ConnectionError, match=r"expected a scheduler, ls .* unrecognized"),
    ):
        daskid.connect("mpi")
    with pytest.raises(ValueError, match="walltime: expected none for 'mpi'"):
        daskid.connect("mpi", walltime="01:00:00")
    assert list(mpi.iterdir()) == []
    monkeypatch.setitem(sys.modules, "dask_mpi", None)
    with pytest.raises(ImportError, match=r"pip install 'daskid\[mpi\]'"):
        daskid.connect("mpi")


def test_mpi__others_can_reach_it_only_with_certificates(mpi):
    outside = slurm_lab.outside()
    if outside is None:
        pytest.skip("no network interface but loopback")
    with pytest.raises(PermissionError, match=r"got no certificates in .*not insecure=True"):
        daskid.connect("mpi", interface=outside)


class Gateway:
    """The words of a gateway, and a cluster in this process behind them."""

    asked = None
    error = None

    def cluster_options(self):
        return {"worker_memory": 2.0}

    def new_cluster(self, **options):
        if self.error is not None:
            raise self.error
        Gateway.asked = options
        cluster = LocalCluster(
            n_workers=0,
            processes=False,
            protocol="tcp://",
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        )
        cluster.shutdown = cluster.close
        return cluster


@pytest.fixture
def gateway(monkeypatch):
    """A gateway that is installed."""
    module = ModuleType("dask_gateway")
    module.Gateway = Gateway
    monkeypatch.setitem(sys.modules, "dask_gateway", module)
    with dask.config.set(scheduler=None):
        yield monkeypatch


def test_gateway__a_cluster_that_ends_with_the_client(gateway):
    with daskid.connect("gateway", workers=1, memory="4 GiB") as client:
        assert Gateway.asked == {"worker_memory": 4.0}
        assert client.submit(sum, [1, 2]).result() == 3
        assert client.patience(1.0) == np.inf
        cluster = client.cluster
    assert cluster.status.name == "closed"


def test_gateway__what_it_refuses_is_said(gateway):
    with pytest.raises(ValueError, match=r"cores: expected an option .worker_cores. .*memory"):
        daskid.connect("gateway", cores=2)
    with pytest.raises(ValueError, match="interface: expected none for 'gateway'"):
        daskid.connect("gateway", interface="lo")
    gateway.setattr(Gateway, "error", OSError("nobody there"))
    with pytest.raises(ConnectionError, match=r"got OSError: nobody there: check gateway.address"):
        daskid.connect("gateway")
    gateway.setitem(sys.modules, "dask_gateway", None)
    with pytest.raises(ImportError, match=r"pip install 'daskid\[gateway\]'"):
        daskid.connect("gateway")


def test_processes__one_that_does_not_end_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(others, "END_SECONDS", 0.5)
    folder = tempfile.TemporaryDirectory(dir=tmp_path)
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)"
    deaf += "; time.sleep(99)"
    started = others.Processes([sys.executable, "-c", deaf], folder, tmp_path / "written")
    while not (tmp_path / "written").read_text():
        subprocess.run(["sleep", "0.05"], check=True)
    started.close()
    assert started.process.returncode == -9
    assert started.patience() == 0.0
