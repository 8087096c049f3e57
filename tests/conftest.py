"""Fixtures that every test file may use."""

import os

os.environ.setdefault("MPLBACKEND", "agg")

import dask
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci",
    max_examples=60,
    deadline=None,  # kernels compile inside the first example
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("thorough", parent=settings.get_profile("ci"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True, scope="session")
def synchronous():
    """One thread by default: tracebacks are whole and failures repeat."""
    with dask.config.set({"scheduler": "synchronous", "daskid.progress": "none"}):
        yield


@pytest.fixture
def no_compute():
    """Fail if the code under test computes."""

    def refuse(*_, **__):
        raise AssertionError("computed behind the user's back")

    with dask.config.set(scheduler=refuse):
        yield


@pytest.fixture(scope="session")
def cluster():
    """Two single-thread workers in their own processes."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1"
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    from distributed import Client

    with Client(cluster) as client:
        yield client
