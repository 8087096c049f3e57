"""A client of a cluster that is there, or of one made on this machine."""

from pathlib import Path

import dask
from dask.utils import parse_bytes
from distributed import Client

TIMEOUT = "20s"
SETTINGS = {
    # time to restart after a memory kill: after the default of 15 s a worker is closed for good
    "distributed.deploy.lost-worker-timeout": "10 minutes",
    # results of the search are on disk, not in workers: there is nothing to spill
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": 0.90,
    "distributed.worker.memory.terminate": 0.97,
}


def connect(where: str, *, workers: int | None = None, memory: str | int | None = None) -> Client:
    """Return the client of a cluster; it becomes the current one, on which searches run.

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
        return Client(**address, timeout=TIMEOUT)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"scheduler: expected one at {where!r}, got no answer in {TIMEOUT} ({error}): "
            "check the address, and that the scheduler runs"
        ) from error


def _local(workers: int | None, memory: str | int | None) -> Client:
    if workers is not None and workers < 1:
        raise ValueError(f"workers: expected 1 or more, got {workers}")
    with dask.config.set(SETTINGS):
        return Client(
            n_workers=workers or dask.system.CPU_COUNT,
            threads_per_worker=1,
            memory_limit="auto" if memory is None else parse_bytes(memory),
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        )
