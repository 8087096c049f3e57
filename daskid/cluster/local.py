"""A cluster of processes on this machine, on the loopback interface only."""

from collections.abc import Iterator
from contextlib import contextmanager

import dask
from distributed import Client, LocalCluster


@contextmanager
def local(workers: int | None = None) -> Iterator[Client]:
    """Give the client of a cluster of single-thread processes, closed at the end.

    Parameters
    ----------
    workers
        Number of processes; default: one for each core.
    """
    with (
        # a worker that restarts is given time to: the default of 15 s closes it for good
        dask.config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"}),
        LocalCluster(
            n_workers=workers or dask.system.CPU_COUNT,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client
