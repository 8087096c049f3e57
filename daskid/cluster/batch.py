"""Clusters whose workers are jobs of a batch system, kept alive through dask-jobqueue."""

import asyncio
import ipaddress
import logging
import os
import re
import time
from pathlib import Path
from typing import Any, cast

import dask
import psutil
from dask.utils import format_bytes, parse_bytes
from distributed import Security

from daskid.cluster.queues import NEVER, QUEUES, Queue, jobs, last_words, written

log = logging.getLogger("daskid")

LOOK_SECONDS, DIAL_SECONDS = 1.0, 120.0
"""How often a batch system is asked while nobody is there; time of a job to dial back."""
MISSING, DEATHS = 2, 3
"""Looks that do not find a job until it is gone; jobs in a row that die before they work."""
FAILED = re.compile(r"stderr:\n(.*)", re.DOTALL)


def batch(
    system: str,
    *,
    workers: int | None,
    cores: int | None,
    memory: str | int | None,
    interface: str | None,
    walltime: str | None,
    insecure: bool,
    settings: dict[str, Any],
) -> tuple[Any, "Keeper"]:
    """Return a cluster of jobs, one process a core, and who keeps their number.

    Raises
    ------
    ImportError
        Without dask-jobqueue.
    ValueError
        If memory or interface are given neither here nor in dask's settings of the site.
    PermissionError
        If the scheduler would listen to others without TLS.
    ConnectionError
        If the batch system is not there.
    """
    queue = QUEUES[system]
    made = _cluster_class(queue)
    site = dask.config.get(f"jobqueue.{system}")
    held = memory or site["memory"]
    if held is None:
        raise ValueError(
            f"memory: expected the memory of a job, got none: give memory='8 GiB', or set "
            f"jobqueue.{system}.memory in dask's settings"
        )
    interface = interface or site["interface"]
    address = address_of(interface, f"jobqueue.{system}.interface in dask's settings")
    security = secured(address, insecure)
    processes = int(cores or site["cores"] or 1)
    logs = site["log-directory"] or str(Path(dask.config.get("daskid.job-logs")).expanduser())
    Path(logs).mkdir(parents=True, exist_ok=True)
    options = {"walltime": walltime} if walltime is not None else {}
    try:
        jobs(system)
        cluster = made(
            cores=processes,
            processes=site["processes"] or processes,
            memory=format_bytes(parse_bytes(held)).replace(" ", ""),
            interface=interface,
            security=security,
            shared_temp_directory=logs,
            log_directory=logs,
            job_cls=_reporting(made.job_cls),
            worker_extra_args=[*site["worker-extra-args"], "--dashboard-address", "127.0.0.1:0"],
            job_script_prologue=[*site["job-script-prologue"], *_exports(settings)],
            scheduler_options={"dashboard_address": "127.0.0.1:0"},
            **options,
        )
    except RuntimeError as error:
        raise ConnectionError(f"{system}: {error}") from error
    return cluster, Keeper(cluster, system, workers or 1, logs)


def _cluster_class(queue: Queue) -> Any:
    try:
        import dask_jobqueue.config
    except ImportError as error:
        raise ImportError(
            "connect: batch systems need dask-jobqueue: pip install 'daskid[hpc]'"
        ) from error
    # its defaults go where it is first imported within a dask.config.set that ends
    if "cores" not in dask.config.get("jobqueue.slurm", {}):
        dask_jobqueue.config.reconfigure()  # type: ignore[no-untyped-call]
    return getattr(dask_jobqueue, queue.cluster)


def _exports(settings: dict[str, Any]) -> list[str]:
    """Return what a job's shell exports so that its workers have daskid's settings."""
    names = ((n.upper().replace("-", "_").replace(".", "__"), x) for n, x in settings.items())
    return [f"export DASK_{name}='{x}'" for name, x in names if "SCHEDULER" not in name]


def address_of(interface: str | None, setting: str = "") -> str:
    """Return the address of a network interface.

    Raises
    ------
    ValueError
        If there is none of that name, or none is named.
    """
    found = {
        name: each.address
        for name, addresses in psutil.net_if_addrs().items()
        for each in addresses
        if each.family.name == "AF_INET"
    }
    if interface is not None and interface in found:
        return str(found[interface])
    raise ValueError(
        f"interface: expected the network interface through which workers reach this machine, got "
        f"{interface!r}: give one of {', '.join(f'{n} ({a})' for n, a in found.items())}"
        + (f", or set {setting}" if setting else "")
    )


def secured(address: str, insecure: bool, *, temporary: bool = True) -> Security | None:
    """Return the certificates with which a scheduler may listen at an address; loopback needs none.

    Those of dask's settings, see :func:`daskid.cluster.certs`, else some for this cluster alone
    where they can be handed to workers (``temporary``).

    Raises
    ------
    PermissionError
        If there are none, and ``insecure`` is not given.
    """
    if ipaddress.ip_address(address).is_loopback:
        return None
    if os.geteuid() == 0:
        log.warning("connect: you are root: whoever reaches the scheduler acts as root")
    if insecure:
        log.warning(
            "connect: listens at %s without TLS: whoever reaches it runs code as you", address
        )
        return None
    if dask.config.get("distributed.comm.tls.scheduler.cert", None):
        return Security(require_encryption=True)
    try:
        if not temporary:
            raise ImportError
        return cast(Security, Security.temporary())
    except ImportError as error:
        raise PermissionError(
            f"connect: expected TLS where others can reach the scheduler ({address}), got no "
            "certificates in dask's settings (daskid certs DIR)"
            + (" nor the package cryptography (pip install 'daskid[hpc]')" if temporary else "")
            + ", and not insecure=True"
        ) from error


def _reporting(job: Any) -> Any:
    """Return a class of jobs that keep the words in which the batch system refused them."""

    class Reporting(job):  # type: ignore[misc]
        refused = ""
        status: Any

        async def start(self) -> None:
            try:
                await job.start(self)
            except RuntimeError as error:
                words = FAILED.search(str(error))
                self.refused = last_words(words[1] if words else str(error))
                self.status = type(self.status).running  # or SpecCluster raises where none hears

        async def close(self) -> None:
            await job.close(self)
            self.status = type(self.status).closed  # dask-jobqueue leaves it as it is

    Reporting.config_name = job.config_name
    return Reporting


class Keeper:
    """Keeps the number of jobs of a cluster: what is gone from the queue is submitted again.

    Parameters
    ----------
    cluster
        Of dask-jobqueue, without workers.
    system
        Name of the batch system.
    wanted
        Number of jobs.
    logs
        Folder of what the jobs write.
    """

    def __init__(self, cluster: Any, system: str, wanted: int, logs: str) -> None:
        self.cluster, self.system, self.wanted, self.logs = cluster, system, wanted, logs
        self.missing: dict[str, int] = {}
        self.running: dict[str, float] = {}
        self.deaths = 0
        self.failure = ""
        self.task: Any = None
        cluster.scale(jobs=wanted)

    def arrive(self, client: Any) -> None:
        """Wait for the first worker, and from then on keep the number of jobs.

        Raises
        ------
        ConnectionError
            In the batch system's words, if no job can come.
        """
        said, told = "", time.monotonic()
        while not client.scheduler_info(-1)["workers"]:
            found = jobs(self.system)
            self._raise_if_hopeless(found)
            words = self._waiting(found)
            if words != said and time.monotonic() - told > 10 * LOOK_SECONDS:
                log.warning("connect: waits for the first worker: %s", words)
                said = words
            time.sleep(LOOK_SECONDS)
        self.task = asyncio.run_coroutine_threadsafe(self._keep(), self.cluster.loop.asyncio_loop)

    def _waiting(self, found: dict[str, Any]) -> str:
        numbers = {n: found[n].reason for n in self._numbers() if n in found}
        return ", ".join(f"job {n} ({reason})" for n, reason in numbers.items())

    def _numbers(self) -> list[str]:
        return [job.job_id for job in self.cluster.workers.values() if job.job_id]

    def _raise_if_hopeless(self, found: dict[str, Any]) -> None:
        for job in [*self.cluster.workers.values()]:
            if job.refused:
                raise ConnectionError(
                    f"{self.system}: {QUEUES[self.system].submit} refused the job: {job.refused}"
                )
        for number in self._numbers():
            if number in found and found[number].reason in NEVER:
                raise ConnectionError(
                    f"{self.system}: job {number} waits for ever: {found[number].reason}; compare "
                    "walltime, memory and cores with the limits of the partition"
                )
            if self._gone(number, found):
                raise ConnectionError(
                    f"{self.system}: job {number} ended before its worker was there: "
                    f"{written(self.logs, number)}"
                )
            if number in found and not found[number].waits:
                since = self.running.setdefault(number, time.monotonic())
                if time.monotonic() - since > DIAL_SECONDS:
                    raise ConnectionError(
                        f"{self.system}: job {number} runs, but its worker does not reach "
                        f"{self.cluster.scheduler_address!r}: check interface= and firewalls; "
                        f"{written(self.logs, number)}"
                    )

    def _gone(self, number: str, found: dict[str, Any]) -> bool:
        self.missing[number] = 0 if number in found else self.missing.get(number, 0) + 1
        return self.missing[number] >= MISSING

    async def _keep(self) -> None:
        """Look now and then, and submit again what is gone."""
        while self.cluster.status.name == "running":
            await asyncio.sleep(dask.config.get("daskid.queue-seconds"))
            try:
                found = await asyncio.to_thread(jobs, self.system)
            except RuntimeError as error:
                log.warning("connect: %s; asks again", error)
                continue
            await self._replace(found)

    async def _replace(self, found: dict[str, Any]) -> None:
        cluster = self.cluster
        gone = [
            name
            for name, job in cluster.workers.items()
            if job.refused or (job.job_id and self._gone(job.job_id, found))
        ]
        if cluster.scheduler_info.get("workers"):
            self.deaths = 0
        for name in gone:
            job = cluster.workers.pop(name)
            cluster.worker_spec.pop(name, None)
            self.deaths += 1
            words = job.refused or written(self.logs, str(job.job_id))
            log.warning("connect: job %s is gone (%s)", job.job_id, words)
            if self.deaths >= DEATHS * self.wanted:
                self.failure = f"{self.deaths} jobs in a row ended before they worked: {words}"
        if not self.failure:
            cluster.scale(jobs=self.wanted)
            await cluster._correct_state()

    def patience(self) -> float:
        """Return the seconds that work may wait for a worker: any, as long as jobs come."""
        return 0.0 if self.failure else float("inf")

    def close(self) -> None:
        """End the jobs and the scheduler."""
        if self.task is not None:
            self.task.cancel()
        self.cluster.close()
        for name, file in vars(self.cluster).items():  # keys, in files that go when closed
            if name.startswith("_job_") and hasattr(file, "close"):
                file.close()
