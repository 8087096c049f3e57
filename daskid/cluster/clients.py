"""A client of a cluster that is there, or of one made on this machine."""

import logging
from pathlib import Path
from typing import Any

import dask
from dask.utils import parse_bytes, parse_timedelta
from distributed import Client

from daskid.blockwise.search.pool import gather

TIMEOUT = "20s"
LOST_WORKER = "distributed.deploy.lost-worker-timeout"
RESTART = "10 minutes"
"""Time for a worker to restart; after the default of 15 s its nanny is closed for good."""
SETTINGS = {
    # later than daskid's own watch, whose error says more
    "distributed.scheduler.no-workers-timeout": "3 minutes",
    # a few percent of a core for each worker, whether it works or not
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    # results of the search are on disk, not in workers: there is nothing to spill
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": 0.90,
    "distributed.worker.memory.terminate": 0.97,
}


class WatchedClient(Client):
    """A client whose computations end in an error where nobody is left to finish them."""

    def __init__(self, **options: Any) -> None:
        Client.__init__(self, **options)

    def get(self, *args: Any, **options: Any) -> Any:
        """Compute a graph, see :meth:`distributed.Client.get`."""
        sync, options["sync"] = options.get("sync", True), False
        futures = Client.get(self, *args, **options)
        return gather(self, futures) if sync else futures


def connect(where: str, *, workers: int | None = None, memory: str | int | None = None) -> Client:
    """Return the client of a cluster; it becomes the current one, on which searches run.

    What is computed with it ends in an error where no worker is left to finish it. Workers of
    ``"local"`` have ten minutes to come back when they were killed: to this end dask's setting
    ``distributed.deploy.lost-worker-timeout`` is raised for the rest of this process.

    Parameters
    ----------
    where
        ``"local"`` makes a cluster of single-thread processes on this machine, on the loopback
        interface only, which ends with the client; else the address of a scheduler
        (``tcp://host:8786``, ``tls://...``) or the path of a scheduler file.
    workers, memory
        For ``"local"``: number of processes (default: one a core), and the memory of each
        (default: an equal share).

    Raises
    ------
    ConnectionError
        If there is no scheduler at the address.
    ValueError
        If ``workers`` or ``memory`` are given for a cluster that is there, or are out of range.

    Examples
    --------
    >>> import daskid
    >>> with daskid.connect("local", workers=1) as client:
    ...     sum(client.nthreads().values())
    1
    """
    if where == "local":
        return _local(workers, memory)
    if workers is not None or memory is not None:
        raise ValueError(
            f"workers, memory: expected none for a cluster that is there, got {workers}, {memory}: "
            "give them where the cluster is made"
        )
    address = {"scheduler_file": where} if Path(where).is_file() else {"address": where}
    try:
        return WatchedClient(**address, timeout=TIMEOUT)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"scheduler: expected one at {where!r}, got no answer in {TIMEOUT} ({error}): "
            "check the address, and that the scheduler runs"
        ) from error


def _local(workers: int | None, memory: str | int | None) -> Client:
    if workers is not None and workers < 1:
        raise ValueError(f"workers: expected 1 or more, got {workers}")
    # read whenever a worker is lost, not when the cluster is made: it has to stay
    patience = max(dask.config.get(LOST_WORKER), RESTART, key=parse_timedelta)
    dask.config.set({LOST_WORKER: patience})
    logging.getLogger("distributed.nanny").addFilter(_matters)
    with dask.config.set(SETTINGS):
        return WatchedClient(
            n_workers=workers or dask.system.CPU_COUNT,
            threads_per_worker=1,
            memory_limit="auto" if memory is None else parse_bytes(memory),
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        )


def _matters(record: logging.LogRecord) -> bool:
    """Return whether a nanny's message is more than that a busy worker, told to end, was killed."""
    return not record.msg.startswith("Worker process still alive after")
