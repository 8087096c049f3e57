"""What workers are given before their first tile, and whether any are left to finish it.

The plugin (one BLAS thread, as dask owns the cores) is registered with whatever client is
current, also one of a cluster that daskid did not make: only a nanny's environment would reach
BLAS otherwise.
"""

import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from dask.utils import format_bytes
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from daskid.blockwise.search.plan import IMPORTS_BYTES

NAME, PEAK = "daskid", "daskid_peak_bytes"
LOOK_SECONDS, GONE_SECONDS, STILL_SECONDS = 5.0, 60.0, 600.0
"""How often to look; when nobody is there, or nobody does anything, for too long."""
STILL_PERCENT = 10.0
"""CPU time of a worker that does nothing but to say that it is there."""
KEPT = "and run again; tiles that are in a store are kept"


def prepare(client: Any) -> None:
    """Register the plugin with a client, once."""
    from distributed import WorkerPlugin

    class Prepared(WorkerPlugin):
        name = NAME
        idempotent = True
        driver = os.getpid()

        def setup(self, worker: Any) -> None:
            if os.getpid() != self.driver:
                threadpool_limits(1, user_api="blas")  # for the life of the process
            worker.metrics[PEAK] = lambda _: peak_bytes()  # comes with each heartbeat

    client.register_plugin(Prepared())


def peak_bytes() -> int:
    """Return the most memory that this process has held since it started."""
    status = Path("/proc/self/status")  # getrusage counts what its parent held, too
    words = status.read_text().split() if status.exists() else []
    if "VmHWM:" in words:
        return 1024 * int(words[words.index("VmHWM:") + 1])
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class Watch:
    """Looks whether anybody is there to finish what a client waits for.

    Parameters
    ----------
    client
        Who waits.
    needs
        Bytes that a task takes, 0 if that is not known.
    """

    def __init__(self, client: Any, needs: int = 0) -> None:
        self.client, self.needs, self.interval = client, needs, LOOK_SECONDS
        self.finished()

    def finished(self) -> None:
        """Start anew: something has been finished."""
        self.present = self.able = time.monotonic()
        self.busy: float | None = None

    def look(self, what: str, *, still: bool = False) -> None:
        """Raise if there is no hope left for ``what``; with ``still`` also where nobody works.

        Raises
        ------
        ConnectionError
            If the scheduler is lost.
        TimeoutError
            If there has been no worker for a minute, or none that does anything for ten.
        MemoryError
            If all workers have been paused for a minute, and run nothing.
        """
        now = time.monotonic()
        if self.client.status != "running":
            coming = self.client.status in ("connecting", "newly-created")
            if coming and now - self.present < GONE_SECONDS:
                return
            raise lost(self.client, f"at {what}")
        workers = [*self.client.scheduler_info(-1)["workers"].values()]
        self.present = now if workers else self.present
        self.able = now if not workers or any(map(_able, workers)) else self.able
        seen = max((w["last_seen"] for w in workers), default=0.0)  # silence is no idleness
        if not workers:
            self.busy = None
        elif self.busy is None or any(map(_busy, workers)):
            self.busy = seen
        patience = getattr(self.client, "patience", float)  # jobs of a batch system may yet come
        if now - self.present > patience(GONE_SECONDS):
            raise TimeoutError(
                f"workers: expected one or more, got none for {now - self.present:.0f} s at "
                f"{what}: start workers, {KEPT}"
            )
        if now - self.able > GONE_SECONDS:
            raise MemoryError(self._paused(what, workers))
        if still and self.busy is not None and seen - self.busy > STILL_SECONDS:
            raise TimeoutError(
                f"workers: expected {what} to end, got no result and no CPU time of any worker for "
                f"{seen - self.busy:.0f} s: look whether the source can still be read, {KEPT}"
            )

    def _paused(self, what: str, workers: list[Any]) -> str:
        held = max(w["metrics"].get("memory", 0) for w in workers)
        return (
            f"workers: {what} can't start, all {len(workers)} are paused as their memory is full "
            f"({format_bytes(held)} in one): {_sizes(self.needs, workers[0]['memory_limit'])}, "
            f"{KEPT}"
        )


def killed(what: str, needs: int, error: Any) -> MemoryError:
    """Return the error of a task that killed its workers."""
    worker = error.last_worker  # may be gone by now
    sizes = _sizes(needs, worker.memory_limit)
    return MemoryError(f"workers: {what} killed its worker {worker.address!r}: {sizes}")


def lost(client: Any, why: object) -> ConnectionError:
    """Return the error of a client whose scheduler is gone."""
    reason = " ".join(str(why).split())
    return ConnectionError(
        f"scheduler: lost {client.scheduler.address!r} ({reason}): start it again, {KEPT}"
    )


def _sizes(needs: int, limit: int) -> str:
    asked = f"it needs about {format_bytes(needs)} beside" if needs else "beside its task there are"
    return (
        f"{asked} the {format_bytes(IMPORTS_BYTES)} of an idle worker, "
        f"the limit is {format_bytes(limit)}: use workers with more memory"
    )


def _able(worker: Any) -> bool:
    counts = worker["metrics"].get("task_counts", {})
    return worker["status"] == "running" or any(
        counts.get(s) for s in ("executing", "long-running")
    )


def _busy(worker: Any) -> bool:
    return bool(worker["metrics"].get("cpu", 100.0) > STILL_PERCENT)
