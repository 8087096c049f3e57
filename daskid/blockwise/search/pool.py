"""Run tasks on the current client, or else on local threads, a few in flight at a time."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from itertools import islice
from math import inf
from queue import Empty, SimpleQueue
from typing import Any

import dask
from dask import base
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from daskid.blockwise.search.workers import PEAK, Watch, killed, lost, peak_bytes, prepare

WINDOW = 2
"""Tasks in flight per local thread: enough that none waits, few enough to hold."""
SENT, REFILLED = 8, 4
"""Tasks in flight per thread of a client's workers, and how few are left when more are sent: what
is sent at a time costs the scheduler half of what it costs one by one."""
AT_ONCE = 64
"""The most tasks that are sent, and results that are fetched, in one message."""
COUNT_SECONDS = 1.0
"""How often workers are counted: asking the scheduler takes as long as a task costs it."""
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


def peak_memory() -> int:
    """Return the most bytes that a process has held, this one or a worker, since it started.

    Of workers as they last reported it, at most a few seconds ago; of lost ones nothing is known.
    """
    client = current_client()
    workers = client.scheduler_info(-1)["workers"].values() if client is not None else ()
    return max([peak_bytes(), *(int(worker["metrics"].get(PEAK, 0)) for worker in workers)])


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


HELD_BYTES = 1 << 26
"""Of a value that the scheduler may hold for all tasks."""


def share(value: Any) -> Any:
    """Return what stands for a large ``value`` in the arguments of tasks.

    The result of a task, as scattered data may be lost with a worker; what the scheduler should
    not hold, such as rows in memory, is scattered to all workers.
    """
    client = current_client()
    if client is None:
        return value
    from distributed.protocol.pickle import dumps

    buffers: list[Any] = []
    dumps(value, buffer_callback=buffers.append)
    if sum(memoryview(each).nbytes for each in buffers) > HELD_BYTES:
        return client.scatter(value, broadcast=True, hash=False)
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "100 GiB"}):
        return client.submit(_same, value, pure=False)


def _same(value: Any) -> Any:
    return value


def run(
    function: Callable[..., Any], arguments: Iterable[tuple[Any, ...]], *, needs: int = 0
) -> Iterator[tuple[int, Any]]:
    """Yield (position, result) of ``function(*arguments[position])`` in order of completion.

    Parameters
    ----------
    function, arguments
        What a task calls, and one tuple a task, taken when there is room for its task.
    needs
        Bytes that a task takes, for the error of one that was killed.

    Raises
    ------
    MemoryError
        If tasks kill their workers, or all workers are paused for good.
    ConnectionError
        If the scheduler is lost.
    TimeoutError
        If there has been no worker for a minute, or no result and no CPU time for ten.
    """
    left: set[int] = set()

    def taken() -> Iterator[tuple[Any, ...]]:
        for i, args in enumerate(arguments):
            left.add(i)
            yield args

    with threadpool_limits(1, user_api="blas"):
        client = current_client()
        results = (
            _on_threads(function, taken())
            if client is None
            else _on_client(client, function, taken(), needs)
        )
        for i, result in results:
            left.remove(i)
            yield i, result
    if left:
        raise RuntimeError(f"tasks: expected all results, got none for {sorted(left)}")


def _on_threads(
    function: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]
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


def compute(*collections: Any) -> tuple[Any, ...]:
    """Compute dask collections; where workers are gone it ends in an error, not never.

    Parameters
    ----------
    collections
        Whatever :func:`dask.compute` takes.

    Returns
    -------
    What it returns.

    Raises
    ------
    MemoryError
        If tasks kill their workers, or all workers are paused for good.
    ConnectionError
        If the scheduler is lost.
    TimeoutError
        If there has been no worker for a minute.
    """
    client = current_client()
    if client is None:
        return tuple(base.compute(*collections))
    prepare(client)

    def get(graph: Any, keys: Any, **options: Any) -> Any:
        return gather(client, client.get(graph, keys, sync=False, **options))

    return tuple(base.compute(*collections, scheduler=get))


def gather(client: Any, futures: Any) -> Any:
    """Return the results of (nested lists of) futures, as long as anybody is there to finish them.

    Raises
    ------
    MemoryError, ConnectionError, TimeoutError
        See :func:`compute`.
    """
    from distributed import CancelledError, KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        return _gathered(client, futures, Watch(client), "a dask computation")
    except KilledWorker as error:
        raise killed(f"task {error.task!r}", 0, error) from error
    except (CancelledError, CommClosedError) as error:
        raise lost(client, error) from error


def _gathered(client: Any, futures: Any, watch: Watch, what: str) -> Any:
    """Return the results of futures; watch out while they are not there, for ``what`` they are."""
    from distributed import futures_of

    loop = client.loop.asyncio_loop
    results = asyncio.run_coroutine_threadsafe(client.gather(futures, asynchronous=True), loop)
    try:
        while not results.done():
            wait([results], timeout=watch.interval)
            if not results.done():
                watch.look(what)
        return results.result()
    finally:
        if client.status == "running" and not results.done():
            client.cancel(futures_of(futures), force=True)


def _on_client(
    client: Any, function: Callable[..., Any], arguments: Iterable[tuple[Any, ...]], needs: int
) -> Iterator[tuple[int, Any]]:
    from distributed import CancelledError
    from distributed.comm.core import CommClosedError

    prepare(client)
    todo = enumerate(arguments)
    finished: SimpleQueue[Any] = SimpleQueue()
    flying: dict[Any, int] = {}
    watch = Watch(client, needs)
    most, counted = 0, -inf

    def submit() -> None:
        nonlocal most, counted
        if time.monotonic() - counted > COUNT_SECONDS:  # workers come and go
            most, counted = threads(), time.monotonic()
        if len(flying) > REFILLED * most:
            return
        while new := [*islice(todo, min(AT_ONCE, SENT * most - len(flying)))]:
            given = zip(*(args for _, args in new), strict=True)
            futures = client.map(function, *given, pure=False)
            for (i, _), future in zip(new, futures, strict=True):
                flying[future] = i
                future.add_done_callback(finished.put)

    try:
        submit()
        while flying:
            done = _next(watch, finished, min(flying.values()))
            tiles = [flying.pop(future) for future in done]
            results = _results(client, watch, done, tiles)
            del done  # workers forget what is fetched
            submit()
            yield from zip(tiles, results, strict=True)
    except (CancelledError, CommClosedError) as error:
        raise lost(client, error) from error
    finally:
        if client.status == "running":
            client.cancel([*flying], force=True)


def _next(watch: Watch, finished: "SimpleQueue[Any]", tile: int) -> list[Any]:
    """Return the futures that are done, one or more; raise when nobody is left to do them."""
    watch.finished()
    while True:
        try:
            done = [finished.get(timeout=watch.interval)]
        except Empty:
            watch.look(f"tile {tile}", still=True)
            continue
        with suppress(Empty):
            while len(done) < AT_ONCE:
                done.append(finished.get_nowait())
        return done


def _results(client: Any, watch: Watch, done: list[Any], tiles: list[int]) -> list[Any]:
    from distributed import KilledWorker

    for future, tile in zip(done, tiles, strict=True):
        if future.status == "error":
            try:
                future.result()
            except KilledWorker as error:
                raise killed(f"tile {tile}", watch.needs, error) from error
            except Exception as error:
                error.add_note(f"in tile {tile}, on a worker")
                raise
    try:  # results that were lost with their workers are computed again
        return list(_gathered(client, done, watch, f"tile {min(tiles)}"))
    except KilledWorker as error:
        raise killed(f"tile {min(tiles)}", watch.needs, error) from error
