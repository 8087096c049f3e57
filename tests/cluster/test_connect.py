"""connect: a cluster of its own, one that is there, none; the search runs on it."""

import dask
import numpy as np
import pytest
from distributed import get_client

import daskid


@pytest.fixture
def on_client():
    """Let a current client be used: the tests' default is one thread."""
    with dask.config.set(scheduler=None):
        yield


def test_local__is_current_on_loopback_and_ends_with_the_client(on_client):
    with daskid.connect("local", workers=1) as client:
        assert get_client() is client
        assert client.scheduler.address.startswith("tcp://127.0.0.1:")
        assert all(address.startswith("tcp://127.0.0.1:") for address in client.nthreads())
        cluster = client.cluster
    assert cluster.status.name == "closed"


def test_address__joins_a_cluster_and_the_search_runs_there(cluster, on_client, monkeypatch):
    ds = daskid.datasets.torus(600, 3, seed=0)
    with dask.config.set(scheduler="synchronous"):
        here = daskid.knn(ds, k=5)
    monkeypatch.setattr("daskid.blockwise.search.pool._on_threads", None)  # must not run here
    with daskid.connect(cluster.scheduler_address):
        there = daskid.knn(ds, k=5)
    np.testing.assert_array_equal(here.neighbor_distance, there.neighbor_distance)
    np.testing.assert_array_equal(here.neighbor_index, there.neighbor_index)


def test_address__nobody_there(monkeypatch):
    monkeypatch.setattr("daskid.cluster.clients.TIMEOUT", "1s")
    with pytest.raises(ConnectionError, match=r"scheduler: expected one at .tcp://127\.0\.0\.1:9"):
        daskid.connect("tcp://127.0.0.1:9")


def test_local__keywords_are_for_local_only():
    with pytest.raises(ValueError, match="expected none for a cluster that is there"):
        daskid.connect("tcp://127.0.0.1:9", workers=2)
    with pytest.raises(ValueError, match="workers: expected 1 or more, got 0"):
        daskid.connect("local", workers=0)
