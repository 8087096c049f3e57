"""A client of a cluster that is there, or of one made for it."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
from dask.utils import parse_bytes, parse_timedelta
from distributed import Client

from daskid.blockwise.search.pool import gather
from daskid.cluster.batch import batch
from daskid.cluster.others import Ended, gateway, processes

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

    keeper: Any = None
    """Who submits jobs of a batch system again, where workers are such jobs."""

    def __init__(self, **options: Any) -> None:
        Client.__init__(self, **options)

    def get(self, *args: Any, **options: Any) -> Any:
        """Compute a graph, see :meth:`distributed.Client.get`."""
        sync, options["sync"] = options.get("sync", True), False
        futures = Client.get(self, *args, **options)
        return gather(self, futures) if sync else futures

    def patience(self, seconds: float) -> float:
        """Return how long to wait for a worker: ``seconds``, or as long as jobs may come."""
        return seconds if self.keeper is None else float(self.keeper.patience())

    def close(self, *args: Any, **options: Any) -> Any:
        """Close the client, and the jobs made for it."""
        closed = Client.close(self, *args, **options)
        if self.keeper is not None:
            self.keeper.close()
        return closed


def connect(
    where: str,
    *,
    workers: int | None = None,
    cores: int | None = None,
    memory: str | int | None = None,
    interface: str | None = None,
    walltime: str | None = None,
    insecure: bool = False,
) -> Client:
    """Return the client of a cluster; it becomes the current one, on which searches run.

    What is computed with it ends in an error where no worker is left to finish it. Workers of
    ``"local"`` have ten minutes to come back when they were killed: to this end dask's setting
    ``distributed.deploy.lost-worker-timeout`` is raised for the rest of this process.

    Jobs of a batch system are kept at their number: one that ends (``scancel``, walltime, a lost
    node) is submitted again. Defaults of a site (partition, account, prologue, ...) are those of
    dask-jobqueue, in ``~/.config/dask/jobqueue.yaml``; the keywords override them. What the jobs
    write is kept in the folder of dask's setting ``daskid.job-logs``.

    Parameters
    ----------
    where
        ``"local"`` makes a cluster of single-thread processes on this machine, on the loopback
        interface only, which ends with the client; ``"slurm"``, ``"sge"``, ``"pbs"`` or
        ``"lsf"`` make one of jobs (tested on real ones: Slurm, Grid Engine; needs
        ``pip install 'daskid[hpc]'``); ``"mpi"`` starts processes through ``mpiexec`` within an
        allocation (``daskid[mpi]``), ``"gateway"`` a cluster of a Dask Gateway
        (``daskid[gateway]``); else the address of a scheduler (``tcp://host:8786``,
        ``tls://...``) or the path of a scheduler file.
    workers
        Number of processes of ``"local"`` (default: one a core), or of jobs (default: 1).
    cores
        Of a job (default: the site's, else 1); a job has one process a core.
    memory
        Of a process of ``"local"`` (default: an equal share), or of a job (default: the site's).
    interface
        Network interface through which jobs reach this machine (default: the site's). Any but
        loopback is encrypted: with the certificates of dask's settings, else with some made
        for this cluster alone.
    walltime
        Of a job, in the words of the batch system (default: the site's).
    insecure
        Let the scheduler listen without TLS; whoever reaches it runs code as you.

    Raises
    ------
    ConnectionError
        If there is no scheduler at the address; if the batch system refuses a job, in its own
        words, or a job ends before it has worked, with what it wrote last.
    ValueError
        If keywords are given for a cluster that is there, or are out of range.
    PermissionError
        If the scheduler would listen to others without TLS.
    ImportError
        If a batch system is asked for without dask-jobqueue.

    Examples
    --------
    >>> import daskid
    >>> with daskid.connect("local", workers=1) as client:
    ...     sum(client.nthreads().values())
    1
    """
    for name, number in (("workers", workers), ("cores", cores)):
        if number is not None and number < 1:
            raise ValueError(f"{name}: expected 1 or more, got {number}")
    given: dict[str, Any] = {
        "workers": workers, "cores": cores, "memory": memory, "interface": interface,
        "walltime": walltime,
    }  # fmt: skip
    if where in CLUSTERS:
        return CLUSTERS[where](where, insecure=insecure, **given)
    unwanted = {name: x for name, x in given.items() if x is not None}
    if unwanted:
        raise ValueError(
            f"{', '.join(unwanted)}: expected none for a cluster that is there, got {unwanted}: "
            "give them where the cluster is made"
        )
    return _there(where)


def _there(where: str) -> Client:
    address = {"scheduler_file": where} if Path(where).is_file() else {"address": where}
    try:
        return WatchedClient(**address, timeout=TIMEOUT)
    except (OSError, ValueError, TypeError) as error:
        raise ConnectionError(
            f"scheduler: expected one at {where!r}, got no answer in {TIMEOUT} ({error}): check "
            f"the address, and that the scheduler runs; clusters are made by {', '.join(CLUSTERS)}"
        ) from error


def _local(_: str, *, workers: int | None, memory: str | int | None, **given: Any) -> Client:
    unwanted = {name: x for name, x in given.items() if x}
    if unwanted:
        raise ValueError(
            f"{', '.join(unwanted)}: expected for jobs of a batch system only, got {unwanted}: "
            "'local' takes workers and memory"
        )
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


def _batch(system: str, **given: Any) -> Client:
    patience = max(dask.config.get(LOST_WORKER), RESTART, key=parse_timedelta)
    dask.config.set({LOST_WORKER: patience})
    with dask.config.set({**SETTINGS, "distributed.scheduler.no-workers-timeout": None}):
        cluster, keeper = batch(system, settings=SETTINGS, **given)
    client = WatchedClient(address=cluster)
    client.keeper = keeper
    try:
        keeper.arrive(client)
    except BaseException:
        client.close()
        raise
    return client


def _mpi(_: str, **given: Any) -> Client:
    with dask.config.set(SETTINGS):
        started, file = processes(**given)
    try:
        client = WatchedClient(scheduler_file=file, timeout=TIMEOUT)
    except BaseException:
        started.close()
        raise
    client.keeper = started
    client.wait_for_workers(1)
    return client


def _gateway(_: str, *, insecure: bool, **given: Any) -> Client:
    cluster = gateway(**given)
    client = WatchedClient(address=cluster, security=cluster.security)
    client.keeper = Ended(cluster)
    return client


def _matters(record: logging.LogRecord) -> bool:
    """Return whether a nanny's message is more than that a busy worker, told to end, was killed."""
    return not record.msg.startswith("Worker process still alive after")


CLUSTERS: dict[str, Callable[..., Client]] = {
    "local": _local, "slurm": _batch, "sge": _batch, "pbs": _batch, "lsf": _batch,
    "mpi": _mpi, "gateway": _gateway,
}  # fmt: skip
"""What makes a cluster, by the word for it."""
