"""connect("sge") and submit on a real Grid Engine: scale, work, a clean queue afterwards."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import dask
import numpy as np
import pytest
import yaml
from survival import wait_until
from thorough import thorough

import daskid
from daskid.cluster import submit as driver
from daskid.cluster.queues import jobs
from daskid.storage.run import record

DEPLOY = Path(__file__).parents[2] / "deploy" / "sge"
JOB = {"memory": "900 MiB", "interface": "lo"}
pytestmark = [thorough, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A Grid Engine of one machine, on which nothing waits or runs."""
    if shutil.which("sge_qmaster") is None:
        pytest.skip("no Grid Engine is installed: deploy/sge/start.sh")
    up = subprocess.run([DEPLOY / "start.sh"], capture_output=True, text=True)
    if up.returncode:
        pytest.skip(f"no Grid Engine can be started here: {up.stderr}")
    logs = str(tmp_path_factory.mktemp("logs"))
    settings = {"daskid.queue-seconds": 1, "daskid.job-logs": logs, "scheduler": None}
    with pytest.MonkeyPatch.context() as patch, dask.config.set(settings):
        patch.setenv("SGE_ROOT", "/var/lib/gridengine")
        patch.setenv("SGE_CELL", "default")
        patch.setenv("DASK_DASKID__JOB_LOGS", logs)
        yield
        subprocess.run([DEPLOY / "stop.sh"], check=True)


def test_search__two_jobs_one_lost_the_same_bits_and_a_clean_queue(lab):
    ds = daskid.datasets.torus(1500, 3, seed=0)
    with dask.config.set(scheduler="synchronous"):
        here = daskid.knn(ds, k=5)
    with daskid.connect("sge", workers=2, **JOB) as client:
        assert client.scheduler.address.startswith("tcp://127.0.0.1:")
        wait_until(lambda: len(client.scheduler_info(-1)["workers"]) == 2)
        first = min(jobs("sge"), key=int)
        subprocess.run(["qdel", first], check=True, capture_output=True)
        there = daskid.knn(ds, k=5)
        wait_until(lambda: first not in jobs("sge") and len(jobs("sge")) == 2)
        wait_until(lambda: len(client.scheduler_info(-1)["workers"]) == 2)
    np.testing.assert_array_equal(here.neighbor_distance, there.neighbor_distance)
    np.testing.assert_array_equal(here.neighbor_index, there.neighbor_index)
    wait_until(lambda: not jobs("sge"))


@pytest.mark.parametrize(
    ("site", "words"),
    [
        ({"queue": "nope"}, 'qsub refused the job: .*"nope"'),
        ({"python": "/nope/python"}, "ended before its worker was there: .*/nope/python: No "),
    ],
)
def test_jobs_that_never_come__say_why(lab, site, words):
    with (
        dask.config.set({f"jobqueue.sge.{name}": x for name, x in site.items()}),
        pytest.raises(ConnectionError, match=words),
    ):
        daskid.connect("sge", **JOB)
    wait_until(lambda: not jobs("sge"))


def test_submit__a_killed_job_is_followed_by_the_next(lab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = np.random.default_rng(5).standard_normal((24_000, 32)).astype("f4")
    np.save("rows.npy", rows)
    daskid.save(daskid.open_rows("rows.npy"), "run.zarr")
    work = ("knn", "run.zarr", "--k", "10", "--method", "strips")
    command = [sys.executable, "-m", "daskid", "submit", "--cluster", "sge"]
    told = subprocess.run(
        [*command, "--walltime", "00:10:00", "--", *work], capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    first = re.match(r"submit: job (\d+); daskid status run.zarr", told.stdout)[1]
    wait_until(lambda: "1 begun" in driver.told("run.zarr"))
    subprocess.run(["qdel", first], check=True, capture_output=True)
    wait_until(lambda: "ended" in driver.told("run.zarr"))
    assert driver.told("run.zarr") == "driver: ended after 2 jobs: done"
    assert "neighbor_distance" in record("run.zarr")["committed"]
    wait_until(lambda: not jobs("sge"))


def test_deploy__the_site_file_is_understood(lab):
    site = yaml.safe_load((DEPLOY / "jobqueue.yaml").read_text())
    names = {f"jobqueue.sge.{name}": x for name, x in site["jobqueue"]["sge"].items()}
    with dask.config.set(names), daskid.connect("sge") as client:
        script = client.cluster.job_script()
    assert {"#$ -q all.q", "#$ -l h_rt=01:00:00"} <= {*script.split("\n")}
    wait_until(lambda: not jobs("sge"))
