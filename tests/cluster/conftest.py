"""Workers, schedulers and drivers are forked from a server that has daskid imported."""

import dask
import pytest
from distributed.utils import get_mp_context

PRELOADED = ["distributed", "daskid", "daskid.cli", "daskid.cluster.doctor", "survival", "knn_rows"]


@pytest.fixture(autouse=True, scope="session")
def forked():
    """Start processes in tenths of a second instead of in the seconds that imports take.

    The server does nothing but import: what is forked from it has no threads, no client and no
    compiled kernel. Tests that measure memory take new processes instead.
    """
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        get_mp_context().set_forkserver_preload(PRELOADED)
        yield
