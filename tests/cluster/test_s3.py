"""Source and run in a bucket, by HTTP: analyze is killed, goes on, and finds the same bits."""

import os
from contextlib import contextmanager
from threading import Event, Lock

import dask
import numpy as np
import pytest
import zarr
from survival import K, folder_of, started, wait_for_marks
from thorough import thorough

import daskid
from daskid.storage import leases, ledger, place, run

SAMPLES, FEATURES = 12_000, 8


class Gate:
    """The application of a server that takes so many markers of tiles, then nothing more.

    A job that is to be killed in the middle is then in the middle, however fast it is.
    """

    def __init__(self, app):
        self.app, self.left, self.folder = app, None, ""
        self.opened, self.lock = Event(), Lock()

    @contextmanager
    def shut_after(self, markers, folder):
        self.left, self.folder = markers, folder
        self.opened.clear()
        try:
            yield
        finally:
            self.left = None
            self.opened.set()

    def __call__(self, environ, start_response):
        if environ["REQUEST_METHOD"] == "PUT" and self._is_shut(environ["PATH_INFO"]):
            self.opened.wait()
            start_response("503 Slow Down", [("Content-Length", "0")])
            return [b""]
        return self.app(environ, start_response)

    def _is_shut(self, path):
        with self.lock:
            shut = self.left == 0
            if self.left and path.endswith(".ok") and path.split("/")[-2] == self.folder:
                self.left -= 1
            return shut


@pytest.fixture(scope="module")
def gate():
    """Give moto's server, its gate open."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    server.start()
    server._server.app = gate = Gate(server._server.app)
    gate.address = server.get_host_and_port()
    yield gate
    server.stop()


@pytest.fixture(scope="module")
def bucket(gate):
    """A bucket of moto's server, reached as the environment says."""
    host, port = gate.address
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }.items():  # fmt: skip
            patch.setenv(name, value)
        place.bucket_of.cache_clear()
        import boto3

        boto3.client("s3").create_bucket(Bucket="bucket")
        yield "s3://bucket"
    place.bucket_of.cache_clear()


@pytest.fixture(scope="module")
def rows(bucket):
    """Rows in the bucket."""
    x = np.random.default_rng(5).standard_normal((SAMPLES, FEATURES)).astype("f4")
    store = place.store_of(f"{bucket}/rows.zarr")
    zarr.create_array(store, data=x, chunks=(2000, FEATURES), dimension_names=("sample", "x"))
    return f"{bucket}/rows.zarr", x


COMMANDS = {
    "strips": ("knn", "{target}", "--k", str(K), "--method", "strips"),
    "tiles": ("knn", "{target}", "--k", str(K), "--method", "tiles"),
    "analyze": ("analyze", "{source}", "--out", "{target}", "--k", str(K), "--method", "strips"),
}


@pytest.mark.parametrize(
    "name", ["strips", *(pytest.param(name, marks=thorough) for name in ("tiles", "analyze"))]
)
def test_run_in_a_bucket__killed_and_resumed(bucket, gate, rows, tmp_path, monkeypatch, name):
    source, x = rows
    target, tries = f"{bucket}/{name}.zarr", {}
    if name != "analyze":
        daskid.save(daskid.open_rows(source), target)
    stage = "found" if name == "tiles" else ""
    command = [word.format(source=source, target=target) for word in COMMANDS[name]]
    with gate.shut_after(2, stage or "knn"), started("daskid.cli", *command) as driver:
        wait_for_marks(target, 2, driver, stage)
        assert ledger.held(folder_of(target))
        driver.kill()
    assert not ledger.held(folder_of(target))
    folder = place.within(folder_of(target), stage) if stage else folder_of(target)
    done, begun = set(ledger.marks(folder)), ledger.tries(folder)
    clear = ledger.clear
    monkeypatch.setattr(ledger, "clear", lambda f: (tries.update(ledger.tries(folder)), clear(f)))
    with dask.config.set(scheduler="threads"):
        rest = daskid.open_rows(source) if name == "analyze" else daskid.open_run(target)
        (daskid.analyze if name == "analyze" else daskid.knn)(rest, k=K, store=target)
    assert done
    assert name == "tiles" or all(tries[tile] == begun[tile] for tile in done)
    np.save(tmp_path / "rows.npy", x)
    with dask.config.set(scheduler="threads"):
        here = daskid.knn(daskid.open_rows(str(tmp_path / "rows.npy")), k=K)
    there = daskid.open_run(target)
    np.testing.assert_array_equal(here.neighbor_distance, there.neighbor_distance)
    np.testing.assert_array_equal(here.neighbor_index, there.neighbor_index)
    assert name != "analyze" or "log_density" in run.record(target)["committed"]
    assert not place.at(f"{target}.work").exists()


def test_lease__one_writer_and_the_next_when_it_is_dead(bucket, monkeypatch):
    folder = f"{bucket}/lease.zarr.work/knn"
    key = place.at(folder, ledger.LOCK)
    with ledger.writing(folder):
        assert ledger.held(folder)
        with pytest.raises(BlockingIOError, match=f"only writer of .*process {os.getpid()} on"):
            ledger.writing(folder).__enter__()
    assert not key.is_file()
    key.put(b"process 1 on another-host")
    assert ledger.held(folder)
    with pytest.raises(BlockingIOError, match="process 1 on another-host"):
        ledger.writing(folder).__enter__()
    monkeypatch.setattr(leases, "LOST", -1.0)
    with ledger.writing(folder):
        assert str(os.getpid()) in key.read_text()
    assert not key.is_file()


def test_bucket__what_is_not_there_or_taken_is_said(bucket):
    ds = daskid.datasets.torus(50, 2, seed=0)
    place.at(f"{bucket}/other", "letter.txt").put(b"keep")
    with pytest.raises(FileExistsError, match="which holds something else"):
        daskid.save(ds, f"{bucket}/other")
    with pytest.raises(PermissionError, match="expected a bucket that can be written"):
        daskid.save(ds, "s3://nobodys/run.zarr")
    with pytest.raises(FileNotFoundError, match="expected a run of daskid"):
        daskid.open_run(f"{bucket}/nothing.zarr")


def test_save__rows_in_memory_are_copied_into_the_bucket(bucket):
    ds = daskid.datasets.torus(500, 2, seed=0).assign(energy=("sample", np.arange(500.0)))
    there = daskid.save(ds, f"{bucket}/copied.zarr")
    np.testing.assert_array_equal(there.rows, ds.rows)
    np.testing.assert_array_equal(there.energy, ds.energy)
    daskid.save(ds.assign(energy=ds.energy + 1), f"{bucket}/copied.zarr", overwrite=True)
    assert daskid.open_run(f"{bucket}/copied.zarr").energy[3] == 4
    assert not place.at(f"{bucket}/copied.zarr.work").exists()
