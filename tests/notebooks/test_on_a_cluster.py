"""05_on_a_cluster: a worker and the kernel are killed; run again, it goes on with the same bits."""

import os
import signal
import threading
from pathlib import Path

import dask
import numpy as np
import pytest
from distributed.utils import get_mp_context
from survival import FEATURES, SAMPLES, TILES, K, folder_of, started, wait_for_marks, wait_until

import daskid
from daskid.storage import ledger
from daskid.storage.run import read_rows

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "05_on_a_cluster.ipynb"


@pytest.fixture
def address(tmp_path):
    """A scheduler and two workers, processes of their own."""
    file = tmp_path / "scheduler.json"
    given = ("--scheduler-file", str(file), "--host", "127.0.0.1")
    alone = ("--nthreads", "1", "--no-nanny", "--no-dashboard")
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        get_mp_context().set_forkserver_preload(["distributed", "daskid", "survival"])
        module = "distributed.cli.dask_"
        with (
            started(f"{module}scheduler", *given, "--port", "0", "--no-dashboard") as scheduler,
            started(f"{module}worker", *given, *alone),
            started(f"{module}worker", *given, *alone),
        ):
            wait_until(file.exists, scheduler)
            with daskid.connect(str(file)) as client:
                client.wait_for_workers(2)
                yield client.scheduler.address


def executed(folder, address, on_kernel=None):
    """Run the notebook as it is in the repository; return what its cells printed."""
    notebook = nbformat.read(NOTEBOOK, 4)
    env = {**os.environ, "SCHEDULER": address, "FOLDER": str(folder)}
    env["DASK_DASKID__PROGRESS"] = "none"
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {}})
    with client.setup_kernel(env=env):
        if on_kernel is not None:
            on_kernel(client.km.provisioner.pid)
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    return "".join(out.text for out in outputs if out.output_type == "stream")


def drawn():
    """Return the rows that the notebook draws."""
    return np.random.default_rng(5).standard_normal((SAMPLES, FEATURES)).astype("f4")


def written(run, tiles):
    """Return when tiles of the result were written."""
    return {t: Path(run, "neighbor_distance", "c", str(t), "0").stat().st_mtime_ns for t in tiles}


def test_notebook__survives_a_killed_worker_and_a_killed_kernel(address, tmp_path, monkeypatch):
    run = str(tmp_path / "run.zarr")
    np.save(tmp_path / "rows.npy", drawn())
    with dask.config.set(scheduler="threads"):  # first: what it compiles is kept for the others
        here = daskid.knn(daskid.open_rows(str(tmp_path / "rows.npy")), k=K, method="strips")

    def kill(kernel):
        def wait():
            wait_for_marks(run, 5)
            os.kill(kernel, signal.SIGKILL)

        threading.Thread(target=wait, daemon=True).start()

    with pytest.raises(nbclient.exceptions.DeadKernelError):
        executed(tmp_path, address, kill)
    folder = folder_of(run)
    wait_until(lambda: not ledger.held(folder))
    done = written(run, ledger.marks(folder))
    assert 5 <= len(done) < TILES
    told = executed(tmp_path, address)
    assert written(run, done) == done  # no finished tile was written again
    assert address in told
    assert "1 workers left" in told
    assert "intrinsic dimension 1" in told
    for name in ("neighbor_distance", "neighbor_index"):
        np.testing.assert_array_equal(read_rows(run, name, 0, SAMPLES), here[name])
