"""Run tasks on the current client, or else on local threads, a few in flight at a time."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any

import dask
from dask.utils import format_bytes
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from daskid.blockwise.search.plan import IMPORTS_BYTES
from daskid.blockwise.search.workers import prepare

WINDOW = 2
"""Tasks in flight per thread: enough to hide the way to a worker, few enough to hold."""
LOOK_SECONDS, GONE_SECONDS = 5.0, 60.0
"""How often to look whether anybody is there, and when nobody is for too long."""
ONE_THREAD = ("synchronous", "sync", "single-threaded")
THREADS = ("threads", "threading")


def threads() -> int:
    """Return how many tasks run at once."""
    client = current_client()
    if client is not None:
        return max(1, sum(map(int, client.nthreads().values())))
    if dask.config.get("scheduler", None) in ONE_THREAD:
        return 1
    return int(dask.config.get("num_workers", None) or dask.system.CPU_COUNT)


def current_client() -> Any:
    """Return the current ``distributed.Client``, None if there is none."""
    distributed = sys.modules.get("distributed")
    if distributed is None or dask.config.get("scheduler", None) in (*ONE_THREAD, *THREADS):
        return None
    try:
        return distributed.get_client()
    except ValueError:
        return None


def resources() -> tuple[int, int, int | None]:
    """Return the number of processes, the threads of each, and their memory limit if any."""
    client = current_client()
    if client is None:
        return 1, threads(), None
    workers = client.scheduler_info(-1)["workers"].values()
    if not workers:
        return 1, 1, None
    limits = [w["memory_limit"] for w in workers if w["memory_limit"]]
    return len(workers), max(w["nthreads"] for w in workers), min(limits, default=None)


def share(value: Any) -> Any:
    """Return what stands for a large ``value`` in the arguments of tasks."""
    client = current_client()
    return value if client is None else client.scatter(value, broadcast=True, hash=False)


def run(
    function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], *, needs: int = 0
) -> Iterator[tuple[int, Any]]:
    """Yield (position, result) of ``function(*arguments[position])`` in order of completion.

    Parameters
    ----------
    function, arguments
        What a task calls, and one tuple a task.
    needs
        Bytes that a task takes, for the error of one that was killed.

    Raises
    ------
    MemoryError
        If tasks kill their workers.
    ConnectionError
        If the scheduler is lost.
    TimeoutError
        If there has been no worker for a minute.
    """
    left = set(range(len(arguments)))
    with threadpool_limits(1, user_api="blas"):
        client = current_client()
        results = (
            _on_threads(function, arguments)
            if client is None
            else _on_client(client, function, arguments, needs)
        )
        for i, result in results:
            left.remove(i)
            yield i, result
    if left:
        raise RuntimeError(f"tasks: expected {len(arguments)} results, got none for {sorted(left)}")


def _on_threads(
    function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]
) -> Iterator[tuple[int, Any]]:
    workers = threads()
    with ThreadPoolExecutor(workers, thread_name_prefix="daskid") as pool:
        waiting: dict[Future[Any], int] = {}
        try:
            for i, args in enumerate(arguments):
                if len(waiting) >= WINDOW * workers:
                    yield from _finished(waiting)
                waiting[pool.submit(function, *args)] = i
            while waiting:
                yield from _finished(waiting)
        finally:
            for future in waiting:
                future.cancel()


def _finished(waiting: dict[Future[Any], int]) -> Iterator[tuple[int, Any]]:
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        yield waiting.pop(future), future.result()


def _on_client(
    client: Any, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], needs: int
) -> Iterator[tuple[int, Any]]:
    from distributed import CancelledError
    from distributed.comm.core import CommClosedError

    prepare(client)
    todo = enumerate(arguments)
    finished: SimpleQueue[Any] = SimpleQueue()
    flying: dict[str, tuple[Any, int]] = {}

    def submit(most: int) -> None:
        for i, args in islice(todo, max(0, most - len(flying))):
            future = client.submit(function, *args, pure=False)
            flying[future.key] = future, i
            future.add_done_callback(finished.put)

    try:
        submit(WINDOW * threads())
        while flying:
            future = _next(client, finished, min(i for _, i in flying.values()))
            _, i = flying.pop(future.key)
            result = _result(future, i, needs)
            submit(WINDOW * threads())  # workers come and go
            yield i, result
    except (CancelledError, CommClosedError) as error:
        raise _lost(client, error) from error
    finally:
        if client.status == "running":
            client.cancel([future for future, _ in flying.values()], force=True)


def _next(client: Any, finished: "SimpleQueue[Any]", tile: int) -> Any:
    """Return the next future that is done; raise when there is nobody left to do it."""
    since = time.monotonic()
    while True:
        try:
            return finished.get(timeout=LOOK_SECONDS)
        except Empty:
            waited = time.monotonic() - since
        if client.status != "running":
            if waited < GONE_SECONDS and client.status in ("connecting", "newly-created"):
                continue
            raise _lost(client, f"at tile {tile}")
        if client.nthreads():
            since = time.monotonic()
        elif waited > GONE_SECONDS:
            raise TimeoutError(
                f"workers: expected one or more, got none for {waited:.0f} s at tile {tile}: start "
                "workers, and run again; tiles that are in a store are kept"
            )


def _result(future: Any, tile: int, needs: int) -> Any:
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker as error:
        worker = error.last_worker  # may be gone by now
        raise MemoryError(
            f"workers: tile {tile} killed its worker {worker.address!r}: it needs about "
            f"{format_bytes(needs)} beside the {format_bytes(IMPORTS_BYTES)} of an idle worker, "
            f"the limit is {format_bytes(worker.memory_limit)}: use workers with more memory"
        ) from error


def _lost(client: Any, why: object) -> ConnectionError:
    reason = " ".join(str(why).split())
    return ConnectionError(
        f"scheduler: lost {client.scheduler.address!r} ({reason}): start it again, and run again; "
        "tiles that are in a store are kept"
    )
