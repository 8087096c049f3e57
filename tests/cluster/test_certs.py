"""Certificates: those who hold them talk to each other, nobody else gets in."""

import dask
import pytest
from distributed import Client, LocalCluster, Security
from survival import settings_in

import daskid
from daskid.cluster.certs import certs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return certs(tmp_path_factory.mktemp("tls") / "own").parent


def test_certs__owner_alone_reads_them_and_no_key_of_the_authority_is_kept(folder):
    assert folder.stat().st_mode & 0o777 == 0o700
    files = sorted(folder.iterdir())
    assert [f.name for f in files] == ["ca.pem", "daskid-tls.yaml", "node.key", "node.pem"]
    assert {f.stat().st_mode & 0o777 for f in files} == {0o600}
    assert b"PRIVATE" not in (folder / "ca.pem").read_bytes()


@pytest.fixture
def cluster_with(folder):
    """A scheduler and a worker that have the certificates, and so has who uses it."""
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "protocol": "tls://"}
    with (
        dask.config.set(settings_in(folder / "daskid-tls.yaml")),
        dask.config.set(scheduler=None),
        LocalCluster(
            host="127.0.0.1", dashboard_address="127.0.0.1:0", security=Security(), **options
        ) as cluster,
    ):
        yield cluster.scheduler_address


def test_certs__those_with_them_join_and_others_do_not(cluster_with, tmp_path):
    assert cluster_with.startswith("tls://127.0.0.1:")
    with daskid.connect(cluster_with) as client:
        assert client.submit(sum, [1, 2]).result() == 3
    stranger = settings_in(certs(tmp_path / "stranger"))
    with dask.config.set(stranger), pytest.raises(OSError, match=r"\S"):
        Client(cluster_with, timeout="3s", security=Security())
    open_words = {"distributed.comm.require-encryption": False}
    with dask.config.set(open_words), pytest.raises(OSError, match=r"\S"):
        Client(cluster_with.replace("tls://", "tcp://"), timeout="3s", security=Security())


def test_certs__are_not_written_over(folder):
    with pytest.raises(FileExistsError, match="expected no certificates in"):
        certs(folder)
    with pytest.raises(ValueError, match="days: expected 1 or more, got 0"):
        certs(folder / "new", days=0)
