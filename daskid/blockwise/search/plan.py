"""What a search will do and take, before it reads anything.

The tiles are strips of rows: how many rows a strip has depends on the data alone,
never on workers or memory, so that a job can be resumed on any machine. What a
task holds of the other rows at a time is fitted to the memory of a worker.
"""

from dataclasses import dataclass
from math import ceil

from dask.utils import format_bytes, format_time

from daskid.kernels.neighbors import part_rows
from daskid.storage.copies import Cost

STRIP_ROWS, LEAST_ROWS = 8192, 128
STRIPS = 16
"""Strips of a small search: enough for all threads of a laptop to have work."""
STRIP_BYTES = 64 << 20
BLOCK_BYTES = 32 << 20
LEAST_BLOCK, MOST_BLOCK = 2 << 20, 128 << 20
ROWS_A_NEIGHBOR = 4
"""Rows of a block for each neighbor, where rows are so wide that blocks have few."""
MOST_TASKS = 100_000
IMPORTS_BYTES = 408 << 20
"""A worker before its first tile: imports, and kernels once they are compiled (measured)."""
USABLE = 0.9
"""Share of a worker's limit that may be planned for: dask pauses a worker beyond it."""
VALUE = 8


@dataclass(frozen=True)
class Plan:
    """The plan of a search, sizes in bytes.

    ``block_bytes`` is what a task holds of the other rows (counted at 8 bytes a value);
    ``task_bytes`` is all that a task holds, ``worker_bytes`` all that a process with
    ``threads`` tasks holds; ``amplification`` is how often a search of the source as it is would
    decode it for each pass over its rows; ``seconds`` is None until a probe has run.
    """

    method: str
    samples: int
    features: int
    neighbors: int
    strip_rows: int
    block_bytes: int
    tasks: int
    pairs: int
    bytes_read: int
    store_bytes: int
    copy_bytes: int
    amplification: float
    task_bytes: int
    worker_bytes: int
    client_bytes: int
    workers: int
    threads: int
    worker_limit: int | None
    seconds: float | None = None

    def __str__(self) -> str:
        """Return the plan as a table."""
        limit = "none" if self.worker_limit is None else format_bytes(self.worker_limit)
        eta = "not probed" if self.seconds is None else format_time(self.seconds)
        rows = (
            ("method", f"{self.method}: {self.tasks:,} of {self.strip_rows:,} rows each"),
            (
                "samples, features, neighbors",
                f"{self.samples:,}, {self.features:,}, {self.neighbors:,}",
            ),
            ("pairs", f"{self.pairs:,}"),
            ("read", format_bytes(self.bytes_read)),
            ("copied first", self._copied()),
            ("written to the run", format_bytes(self.store_bytes)),
            ("memory of a worker", f"{format_bytes(self.worker_bytes)} (limit: {limit})"),
            ("memory of the client", format_bytes(self.client_bytes)),
            ("workers, threads each", f"{self.workers:,}, {self.threads:,}"),
            ("time, about", eta),
        )
        return "\n".join(f"{name:<30}{value}" for name, value in rows)

    def _copied(self) -> str:
        size = format_bytes(self.copy_bytes)
        if self.amplification > 1:
            size += f" (chunks so large would be decoded {self.amplification:,.0f} times a pass)"
        return size


def strip_rows(n: int, features: int, k: int) -> int:
    """Return the number of rows of a strip: that of a chunk of the result."""
    fits = STRIP_BYTES // (VALUE * features + 40 * k)
    return int(
        max(1, min(n, max(min(LEAST_ROWS, n), min(STRIP_ROWS, fits, max(256, ceil(n / STRIPS))))))
    )


def make_plan(
    n: int,
    features: int,
    itemsize: int,
    k: int,
    *,
    chunk_bytes: int,
    workers: int,
    threads: int,
    worker_limit: int | None,
    copy: Cost | None,
    labels: int,
    prepared: bool = False,
) -> Plan:
    """Return the plan of a search by strips.

    Parameters
    ----------
    n, features, itemsize, k
        Rows, features, bytes of a value, neighbors.
    chunk_bytes
        Size of a chunk of the source, decoded.
    workers, threads, worker_limit
        Processes, threads of each, and the memory of each in bytes (None: no limit).
    copy
        What it takes to copy the rows into the run first, None if that is not needed.
    labels
        How many integers a row every worker holds: locations, frames, trajectories.
    prepared
        Whether rows are brought into another form, in float64, before they are compared.

    Raises
    ------
    MemoryError
        If no block fits into the memory of a worker; it names the smallest limit.
    ValueError
        If there would be too many tasks.
    """
    strip = strip_rows(n, features, k)
    tasks = ceil(n / strip)
    if tasks > MOST_TASKS:
        raise ValueError(
            f"rows: expected at most {MOST_TASKS:,} strips, got {tasks:,}: reduce the features, "
            "or search fewer samples"
        )
    fixed = IMPORTS_BYTES + 8 * n * labels
    shape = (n, features, VALUE if prepared else itemsize, k, chunk_bytes)
    block = _fitted_block(shape, fixed, threads, worker_limit)
    task = task_bytes(*shape, block)
    size = n * features * itemsize
    copied = Cost(1.0, 0, 0, 0) if copy is None else copy
    _check_copy(copied, threads, worker_limit)
    return Plan(
        "strips", n, features, k, strip, block, tasks, n * n,
        bytes_read=(tasks + 2) * size + copied.size + copied.scratch,
        store_bytes=n * (k * 16 + 16) + copied.size + copied.scratch,
        copy_bytes=copied.size,
        amplification=copied.amplification,
        task_bytes=task,
        worker_bytes=max(fixed + threads * task, IMPORTS_BYTES + threads * copied.task),
        client_bytes=IMPORTS_BYTES + n * 56,
        workers=workers,
        threads=threads,
        worker_limit=worker_limit,
    )  # fmt: skip


def _check_copy(copied: Cost, threads: int, limit: int | None) -> None:
    need = ceil((IMPORTS_BYTES + threads * copied.task) / USABLE)
    if limit is not None and copied.task and need > limit:
        raise MemoryError(
            f"memory: expected at least {format_bytes(need)} a worker of {threads} threads to copy "
            f"the rows, got {format_bytes(limit)}: chunks of the source are large; give workers "
            "more memory or fewer threads, or rechunk the source"
        )


def _fitted_block(
    shape: tuple[int, int, int, int, int], fixed: int, threads: int, limit: int | None
) -> int:
    """Return the largest block with which the tasks of a worker fit into its memory."""
    _, features, _, k, _ = shape
    # a block of few rows has most of its candidates computed again: those of the next are nearer
    block = min(max(BLOCK_BYTES, ROWS_A_NEIGHBOR * k * VALUE * features), MOST_BLOCK)
    if limit is None:
        return block

    def need() -> int:
        return ceil((fixed + threads * task_bytes(*shape, block)) / USABLE)

    while block > LEAST_BLOCK and need() > limit:
        block //= 2
    if need() > limit:
        raise MemoryError(
            f"memory: expected at least {format_bytes(need())} a worker of {threads} threads, "
            f"got {format_bytes(limit)}: give workers more memory or fewer threads"
        )
    return block


def task_bytes(
    n: int, features: int, itemsize: int, k: int, chunk_bytes: int, block_bytes: int
) -> int:
    """Return the most that a task holds.

    All the time: its strip and lists, and buffers of candidates. In turn: the strip as
    read and as decoded; a block as decoded, and centered in both precisions; the lists
    as they are written.
    """
    rows = strip_rows(n, features, k)
    strip, lists = rows * features * itemsize, rows * k
    part = min(rows, part_rows(features)) * (features * (itemsize + VALUE) + (2 * k + 64) * 24)
    block_rows = min(n, max(1, block_bytes // (VALUE * features)))
    block = block_rows * (features * (itemsize + 12) + VALUE)
    return int(strip + 16 * lists + part + max(strip, block, 32 * lists) + 2 * chunk_bytes)
