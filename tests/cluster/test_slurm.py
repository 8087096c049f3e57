"""connect("slurm") on a real Slurm: the same bits, jobs replaced, errors in Slurm's own words."""

import os
import re
import subprocess
import sys
import threading
import time

import dask
import numpy as np
import pytest
import slurm_lab
import yaml
from survival import every_try, wait_until
from thorough import thorough

import daskid
from daskid.cluster import submit as driver
from daskid.cluster.doctor import doctor
from daskid.storage import ledger
from daskid.storage.run import record

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="starting a Slurm needs root")
JOB = {"memory": "900 MiB", "interface": "lo"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    logs = tmp_path_factory.mktemp("logs")
    settings = {"daskid.queue-seconds": 1, "daskid.job-logs": str(logs), "scheduler": None}
    with slurm_lab.slurm(), dask.config.set(settings):
        yield logs


@pytest.fixture(scope="module")
def client(lab):
    with daskid.connect("slurm", workers=2, **JOB) as client:
        yield client
    wait_until(lambda: not slurm_lab.jobs())


def both_work(client):
    wait_until(lambda: len(client.scheduler_info(-1)["workers"]) == 2)


def test_search__same_bits_as_in_one_process_and_nobody_listens_outside(client):
    ds = daskid.datasets.torus(1500, 3, seed=0)
    with dask.config.set(scheduler="synchronous"):
        here = daskid.knn(ds, k=5)
    there = daskid.knn(ds, k=5)
    np.testing.assert_array_equal(here.neighbor_distance, there.neighbor_distance)
    np.testing.assert_array_equal(here.neighbor_index, there.neighbor_index)
    both_work(client)
    addresses = [client.scheduler.address, *client.scheduler_info(-1)["workers"]]
    assert all(address.startswith("tcp://127.0.0.1:") for address in addresses)
    assert client.dashboard_link.startswith("http://127.0.0.1:")


def test_scancel__same_bits_two_workers_again_and_no_marked_tile_twice(
    client, tmp_path, monkeypatch
):
    rows = np.random.default_rng(5).standard_normal((24_000, 32)).astype("f4")
    np.save(tmp_path / "rows.npy", rows)
    run = str(tmp_path / "run.zarr")
    ds = daskid.open_rows(str(tmp_path / "rows.npy"))
    folder = ledger.folder_of(run, "knn")
    both_work(client)
    first, marked, tries = min(slurm_lab.jobs()), set(), {}

    def cancel():
        wait_until(lambda: len(ledger.marks(folder)) >= 2)
        marked.update(ledger.marks(folder))
        subprocess.run(["scancel", first], check=True)

    clear = ledger.clear
    monkeypatch.setattr(ledger, "clear", lambda f: (tries.update(every_try(f)), clear(f)))
    thread = threading.Thread(target=cancel)
    thread.start()
    there = daskid.knn(ds, k=20, store=run, method="strips")
    thread.join()
    assert 0 < len(marked) < len(tries), "the job was to be cancelled in the middle"
    assert all(tries[tile] == 1 for tile in marked)
    both_work(client)
    assert len(slurm_lab.jobs()) == 2
    assert first not in slurm_lab.jobs()
    with dask.config.set(scheduler="threads"):
        here = daskid.knn(ds, k=20, method="strips")
    np.testing.assert_array_equal(here.neighbor_distance, there.neighbor_distance)
    np.testing.assert_array_equal(here.neighbor_index, there.neighbor_index)


@pytest.mark.parametrize(
    ("site", "given", "words"),
    [
        ({"queue": "nope"}, {}, "sbatch refused the job: .*invalid partition specified: nope"),
        ({}, {"memory": "900 GiB"}, r"sbatch refused the job: .*[Mm]emory specification"),
        ({"python": "/nope/python"}, {}, "ended before its worker was there: .*/nope/python: No "),
        (
            {"queue": "short"},
            {"walltime": "01:00:00"},
            "waits for ever: Partition(TimeLimit|Config)",
        ),
    ],
)
def test_jobs_that_never_come__say_why(lab, site, given, words):
    with (
        dask.config.set({f"jobqueue.slurm.{name}": x for name, x in site.items()}),
        pytest.raises(ConnectionError, match=words),
    ):
        daskid.connect("slurm", **(JOB | given))
    wait_until(lambda: len(slurm_lab.jobs()) in (0, 2))


@thorough
def test_outside__tls_or_refused(lab, monkeypatch):
    outside = slurm_lab.outside()
    if outside is None:
        pytest.skip("no network interface but loopback")
    with daskid.connect("slurm", memory="900 MiB", interface=outside) as client:
        assert client.scheduler.address.startswith("tls://")
        assert client.submit(sum, [1, 2]).result() == 3
    monkeypatch.setattr("distributed.Security.temporary", missing)
    with pytest.raises(PermissionError, match="expected TLS where others can reach"):
        daskid.connect("slurm", memory="900 MiB", interface=outside)


def missing():
    raise ImportError("no cryptography")


def test_no_memory_no_interface__before_anything_is_submitted(lab):
    with pytest.raises(ValueError, match=r"memory: expected the memory of a job, got none"):
        daskid.connect("slurm", interface="lo")
    with pytest.raises(ValueError, match=r"interface: expected .* got 'ib7': give one of .*lo"):
        daskid.connect("slurm", memory="1 GiB", interface="ib7")


def daskid_here(*words, check=True):
    command = [sys.executable, "-m", "daskid", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


@thorough
@pytest.mark.parametrize("workers", [(), ("--scheduler", "slurm", "--workers", "2")])
def test_submit__a_killed_driver_is_followed_by_the_next_until_it_is_done(
    lab, tmp_path, monkeypatch, workers
):
    for name, x in JOB.items():  # of workers that are jobs of their own
        monkeypatch.setenv(f"DASK_JOBQUEUE__SLURM__{name.upper()}", x)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DASK_DASKID__JOB_LOGS", str(tmp_path / "logs"))
    before = set(slurm_lab.jobs())
    rows = np.random.default_rng(5).standard_normal((24_000, 32)).astype("f4")
    np.save("rows.npy", rows)
    work = ("analyze", "rows.npy", "--out", "run.zarr", "--k", "10", "--method", "strips", *workers)
    told = daskid_here("submit", "--walltime", "00:10:00", "--option=--mem=2G", "--", *work)
    first = re.match(r"submit: job (\d+); daskid status run.zarr", told.stdout)[1]
    again = daskid_here("submit", "--", *work, check=False)
    assert again.returncode == 1
    assert f"no other job, got job {first}" in again.stderr
    wait_until(lambda: "1 begun" in driver.told("run.zarr"))
    subprocess.run(["scancel", "--full", "--signal=KILL", first], check=True)
    wait_until(lambda: "exit" in driver.told("run.zarr") or "done" in driver.told("run.zarr"))
    assert driver.told("run.zarr") == "driver: ended after 2 jobs: done"
    wait_until(lambda: not set(slurm_lab.jobs()) - before)  # the job after the last as well
    assert "log_density" in record("run.zarr")["committed"]
    assert "driver: ended after 2 jobs: done" in daskid_here("status", "run.zarr").stdout


@thorough
def test_submit__a_walltime_of_a_minute_and_more_work_than_that(lab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DASK_DASKID__JOB_LOGS", str(tmp_path / "logs"))
    before = set(slurm_lab.jobs())
    np.save("rows.npy", np.random.default_rng(5).standard_normal((120_000, 64)).astype("f4"))
    daskid.save(daskid.open_rows("rows.npy"), "run.zarr")
    work = ("knn", "run.zarr", "--k", "10", "--method", "strips")
    daskid_here("submit", "--walltime", "00:01:00", "--option=--mem=2G", "--", *work)
    while "ended" not in driver.told("run.zarr"):
        assert not driver.state_of("run.zarr")["idle"], "a whole walltime achieved nothing"
        time.sleep(1)
    jobs = int(re.match(r"driver: ended after (\d+) jobs: done", driver.told("run.zarr"))[1])
    assert jobs > 1
    assert "neighbor_distance" in record("run.zarr")["committed"]
    wait_until(lambda: not set(slurm_lab.jobs()) - before)


@thorough
def test_cancel__both_jobs_go(lab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DASK_DASKID__JOB_LOGS", str(tmp_path / "logs"))
    before = set(slurm_lab.jobs())
    np.save("rows.npy", np.zeros((300, 3)) + np.arange(300)[:, None])
    daskid_here("submit", "--option=--hold", "--", "analyze", "rows.npy", "--out", "run.zarr")
    assert "waits (JobHeldUser)" in driver.told("run.zarr")
    daskid_here("cancel", "run.zarr")
    assert driver.told("run.zarr").endswith("cancelled")
    wait_until(lambda: not set(slurm_lab.jobs()) - before)
    assert daskid_here("cancel", "run.zarr", check=False).returncode == 1


@thorough
def test_driver__is_interrupted_before_walltime_and_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", np.random.default_rng(5).standard_normal((200_000, 64)).astype("f4"))
    state = {"walltime": "00:08", "command": ["analyze", "rows.npy", "--out", "run.zarr"]}
    assert driver._run(state, time.monotonic()) == driver.INTERRUPTED


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 5400), ("00:45", 45), ("02:00:05", 7205), ("1-12", 129600), ("2-00:30:00", 174600)],
)
def test_walltime__in_the_forms_of_slurm(text, seconds):
    assert driver.seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "1h", "1:2:3:4", "-5", "x-1"])
def test_walltime__other_forms(text):
    with pytest.raises(ValueError, match="walltime: expected HH:MM:SS"):
        driver.seconds_of(text)


def test_deploy__the_site_file_is_understood(lab):
    site = yaml.safe_load((slurm_lab.DEPLOY / "jobqueue.yaml").read_text())
    names = {f"jobqueue.slurm.{name}": x for name, x in site["jobqueue"]["slurm"].items()}
    with dask.config.set(names), daskid.connect("slurm") as client:
        script = client.cluster.job_script()
    assert {"#SBATCH -p normal", "#SBATCH -t 01:00:00", "#SBATCH --mem=2G"} <= {*script.split("\n")}


@thorough
@pytest.mark.parametrize(
    ("site", "given", "name"),
    [
        ({"queue": "nope"}, {}, "partition"),
        ({}, {"memory": "900 GiB"}, "memory"),
        ({}, {"cores": 64}, "cores"),
        ({"queue": "short"}, {"walltime": "01:00:00"}, "walltime"),
        ({}, {"interface": "ib7"}, "cluster"),
        ({"python": "/nope/python"}, {}, "cluster"),
    ],
)
def test_doctor__finds_what_is_wrong_with_the_jobs(lab, site, given, name, tmp_path):
    with dask.config.set({f"jobqueue.slurm.{key}": x for key, x in site.items()}):
        found = [*doctor("slurm", folder=str(tmp_path), **(JOB | given))]
    assert [check.name for check in found if not check.good] == [name]
    assert found[-1].remedy
