"""Clusters that somebody else's software starts: processes of MPI, a Dask Gateway."""

import logging
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import dask
from dask.utils import format_bytes, parse_bytes

from daskid.cluster.batch import address_of, secured
from daskid.cluster.queues import last_words

log = logging.getLogger("daskid")

LOOK_SECONDS, END_SECONDS = 0.1, 10.0
ARRIVE_SECONDS = 120.0
"""Time for the first process to say where the scheduler is."""


class Processes:
    """Scheduler and workers that ``mpiexec`` starts, and their end."""

    def __init__(self, command: list[str], folder: Any, written: Path) -> None:
        self.folder, self.written = folder, written
        with written.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out)

    def arrive(self, file: Path) -> None:
        """Wait until the scheduler says where it is.

        Raises
        ------
        ConnectionError
            With what was written last, if it does not.
        """
        end = time.monotonic() + ARRIVE_SECONDS
        while not file.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                words = last_words(self.written.read_text(errors="replace")) or "nothing"
                raise ConnectionError(
                    f"mpi: expected a scheduler, {shlex.join(map(str, self.process.args))} wrote: "  # type: ignore[arg-type]
                    f"{words}"
                )
            time.sleep(LOOK_SECONDS)

    def patience(self) -> float:
        """Return the seconds that work may wait for a worker: none comes back."""
        return 60.0 if self.process.poll() is None else 0.0

    def close(self) -> None:
        """End all processes."""
        self.process.terminate()  # mpiexec ends what it has started
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()


def processes(
    *,
    workers: int | None,
    memory: str | int | None,
    interface: str | None,
    insecure: bool,
    command: str | None = None,
    **given: Any,
) -> tuple[Processes, str]:
    """Start a scheduler and workers through MPI; return them, and the scheduler's file.

    Raises
    ------
    ImportError
        Without dask-mpi.
    ValueError
        If keywords are given that MPI does not take.
    PermissionError
        If the scheduler would listen to others without certificates.
    ConnectionError
        If there is no ``mpiexec``, or no scheduler comes of it, in its own words.
    """
    _unwanted("mpi", given)
    try:
        import dask_mpi  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        raise ImportError("connect: mpi needs dask-mpi: pip install 'daskid[mpi]'") from error
    interface = interface or "lo"
    security = secured(address_of(interface), insecure, temporary=False)
    folder = tempfile.TemporaryDirectory(prefix="daskid-mpi-", dir=_shared())
    file = Path(folder.name, "scheduler.json")
    launch = shlex.split(command or dask.config.get("daskid.mpiexec", "mpiexec"))
    limit = ["--memory-limit", format_bytes(parse_bytes(memory)).replace(" ", "")] if memory else []
    full = [
        *launch, "-n", str((workers or 1) + 1), sys.executable, "-m", "dask_mpi.cli",
        "--scheduler-file", str(file), "--scheduler-port", "0", "--interface", interface,
        "--protocol", "tcp" if security is None else "tls", "--nthreads", "1", *limit,
        "--no-dashboard", "--local-directory", folder.name,
    ]  # fmt: skip
    try:
        started = Processes(full, folder, Path(folder.name, "written"))
    except FileNotFoundError as error:
        folder.cleanup()
        raise ConnectionError(
            f"mpi: expected the command {launch[0]!r}, it is not on this machine: load the site's "
            "MPI, or name it in dask's setting daskid.mpiexec"
        ) from error
    try:
        started.arrive(file)
    except BaseException:
        started.close()
        raise
    return started, str(file)


def _shared() -> str:
    """Return the folder that all nodes see."""
    folder = Path(dask.config.get("daskid.job-logs")).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


class Ended:
    """A cluster of a gateway, which ends with the client."""

    def __init__(self, cluster: Any) -> None:
        self.cluster = cluster

    def patience(self) -> float:
        """Return the seconds that work may wait for a worker: the gateway starts them again."""
        return float("inf")

    def close(self) -> None:
        """End the cluster."""
        self.cluster.shutdown()


def gateway(
    *, workers: int | None, cores: int | None, memory: str | int | None, **given: Any
) -> Any:
    """Return a new cluster of the Dask Gateway that dask's settings name (``gateway.address``).

    Raises
    ------
    ImportError
        Without dask-gateway.
    ValueError
        If keywords are given that a gateway does not take, or that this one has no option for.
    ConnectionError
        If the gateway does not answer, or refuses.
    """
    _unwanted("gateway", given)
    try:
        from dask_gateway import Gateway  # type: ignore[import-not-found]
    except ImportError as error:
        raise ImportError(
            "connect: gateway needs dask-gateway: pip install 'daskid[gateway]'"
        ) from error
    asked = {
        "worker_cores": cores,
        "worker_memory": None if memory is None else parse_bytes(memory) / 2**30,
    }
    try:
        site = Gateway()
        options = site.cluster_options()
        for name, value in asked.items():
            if value is not None and name not in options:
                raise ValueError(
                    f"{name.removeprefix('worker_')}: expected an option {name!r} of this gateway, "
                    f"it has {sorted(options)}: leave it out, or set it in gateway.cluster.options"
                )
        cluster = site.new_cluster(**{name: x for name, x in asked.items() if x is not None})
    except (OSError, RuntimeError) as error:
        raise ConnectionError(
            f"gateway: expected a cluster, got {type(error).__name__}: {error}: check "
            "gateway.address and gateway.auth in dask's settings"
        ) from error
    cluster.scale(workers or 1)
    return cluster


def _unwanted(where: str, given: dict[str, Any]) -> None:
    unwanted = {name: x for name, x in given.items() if x}
    if unwanted:
        raise ValueError(
            f"{', '.join(unwanted)}: expected none for {where!r}, got {unwanted}: leave them out"
        )
