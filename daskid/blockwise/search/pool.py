"""Run tasks on the current client, or else on local threads, a few in flight at a time."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import lru_cache
from itertools import islice
from typing import Any

import dask
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

WINDOW = 2
"""Tasks in flight per thread: enough to hide the way to a worker, few enough to hold."""
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


def share(value: Any) -> Any:
    """Return what stands for a large ``value`` in the arguments of tasks."""
    client = current_client()
    return value if client is None else client.scatter(value, broadcast=True, hash=False)


def run(
    function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]
) -> Iterator[tuple[int, Any]]:
    """Yield (position, result) of ``function(*arguments[position])`` in order of completion."""
    left = set(range(len(arguments)))
    with threadpool_limits(1, user_api="blas"):
        client = current_client()
        results = (
            _on_threads(function, arguments)
            if client is None
            else _on_client(client, function, arguments)
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
    client: Any, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]
) -> Iterator[tuple[int, Any]]:
    from distributed import as_completed

    todo = enumerate(arguments)
    driver = os.getpid()

    def submit(i: int, args: tuple[Any, ...]) -> Any:
        return client.submit(_task, driver, i, function, *args, pure=False)

    results = as_completed(
        [submit(*item) for item in islice(todo, WINDOW * threads())], with_results=True
    )
    try:
        for future, (i, result) in results:
            future.release()
            results.update(submit(*item) for item in islice(todo, 1))
            yield i, result
    finally:
        client.cancel(list(results.futures), force=True)


def _task(driver: int, i: int, function: Callable[..., Any], *args: Any) -> tuple[int, Any]:
    if os.getpid() != driver:
        _hold_blas()
    return i, function(*args)


@lru_cache(maxsize=1)
def _hold_blas() -> Any:
    """Hold BLAS to one thread for the life of a worker process: dask owns the cores."""
    return threadpool_limits(1, user_api="blas")
