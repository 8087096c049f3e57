"""Fixtures that every test file may use."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # every core has a test process already
# kernels compile once a session, not once a process; a fresh folder, as numba does not see
# that a function called from another file has changed
if "PYTEST_XDIST_WORKER" not in os.environ:  # workers share that of their controller
    CACHE = tempfile.TemporaryDirectory(prefix="daskid-numba-")
    os.environ.update(DASKID_NUMBA_CACHE="1", NUMBA_CACHE_DIR=CACHE.name)

import dask
import pytest
from hypothesis import HealthCheck, settings

BUDGETS = {
    "cluster": 600, "estimators": 560, "kernels": 420, "datasets": 180, "cli": 180, "io": 240,
    "blockwise": 270, "page": 380, "notebooks": 270, "recipes": 150,
}  # fmt: skip
"""Seconds that the tests of a folder may take in CI, 90 where nothing is said."""
SPENT = {}


def pytest_runtest_logreport(report):
    parts = Path(report.nodeid.split("::")[0]).parts
    folder = parts[1] if parts[0] == "tests" and len(parts) > 2 else parts[0]
    SPENT[folder] = SPENT.get(folder, 0.0) + report.duration


def pytest_terminal_summary(terminalreporter):
    """Print what each folder took; folders over their budget fail a run that asks for it."""
    for folder, seconds in sorted(SPENT.items()):
        terminalreporter.write_line(f"{folder:<12}{seconds:6.0f} s of {BUDGETS.get(folder, 90)} s")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    over = [f for f, seconds in SPENT.items() if seconds > BUDGETS.get(f, 90)]
    if over and os.environ.get("DASKID_TIME_BUDGETS"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


settings.register_profile(
    "ci",
    max_examples=30,
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
    """Two single-thread workers in their own processes; one that dies is started again."""
    from distributed import LocalCluster

    patient = dask.config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"})
    with (
        patient,
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1"
        ) as cluster,
    ):
        yield cluster


@pytest.fixture
def client(cluster):
    from distributed import Client

    with Client(cluster) as client:
        yield client
