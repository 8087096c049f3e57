"""What a search will do and take, before it reads anything, and how large its tasks are.

How many rows a strip has depends on the data alone, never on workers or memory, so that
a job can be resumed on any machine; so does a tile, which is a strip or several, but where a
worker has too little memory or there are too few for all workers (a job that is resumed
keeps its tiles). What a task holds of the other rows at a time is fitted to the memory of a worker.
"""

from dataclasses import dataclass
from math import ceil

from dask.utils import format_bytes, format_time

from daskid.kernels.neighbors import part_rows

STRIP_ROWS, LEAST_ROWS = 8192, 128
STRIPS = 16
"""Strips of a small search: enough for all threads of a laptop to have work."""
STRIP_BYTES = 64 << 20
BLOCK_BYTES = 32 << 20
MOST_TILES = 1024
"""Twice as many tiles have half the work each, and read all rows twice as often in all."""
LEAST_BLOCK, MOST_BLOCK = 2 << 20, 128 << 20
ROWS_A_NEIGHBOR = 4
"""Rows of a block for each neighbor, where rows are so wide that blocks have few."""
MOST_TASKS = 100_000
BLOCK_IN_MEMORY = 256 << 20
"""What a block of a search in memory takes beside its rows and lists."""
IMPORTS_BYTES = 408 << 20
"""A worker before its first tile: imports, and kernels once they are compiled (measured)."""
USABLE = 0.9
"""Share of a worker's limit that may be planned for: dask pauses a worker beyond it."""
VALUE = 8
TILE_BYTES = 64 << 20
"""Rows and lists of a tile of pairs: large ones are read less often, and find less in all."""
LEAST_TILES = 4
FOUND_BYTES = 12
"""Of an entry that a task found, beside the run."""
FOUND_ENTRIES = 4
"""Entries a neighbor that are found before they are merged."""


@dataclass(frozen=True)
class Plan:
    """The plan of a search, sizes in bytes.

    ``why`` says why this method; ``tile_rows`` is how many rows a task is for, ``strip_rows``
    how many a chunk of the result has; ``scratch_bytes`` lie beside the run until it is done,
    ``waiting_bytes`` of them until they are merged;
    ``block_bytes`` is what a task holds of the other rows (counted at 8 bytes a value);
    ``task_bytes`` is all that a task holds, ``worker_bytes`` all that a process with
    ``threads`` tasks holds; ``amplification`` is how often a search of the source as it is would
    decode it for each pass over its rows; ``seconds`` is None until a probe has run.
    """

    method: str
    why: str
    samples: int
    features: int
    neighbors: int
    strip_rows: int
    tile_rows: int
    block_bytes: int
    tasks: int
    pairs: int
    bytes_read: int
    store_bytes: int
    scratch_bytes: int
    waiting_bytes: int
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
            ("method", f"{self.method}: {self.tasks:,} of {self.tile_rows:,} rows each"),
            ("why", self.why),
            (
                "samples, features, neighbors",
                f"{self.samples:,}, {self.features:,}, {self.neighbors:,}",
            ),
            ("pairs", f"{self.pairs:,}"),
            ("read", format_bytes(self.bytes_read)),
            ("copied first", self._copied()),
            ("written to the run", format_bytes(self.store_bytes)),
            ("scratch beside it, at most", format_bytes(self.scratch_bytes)),
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


def tile_rows(n: int, features: int, k: int, threads: int) -> int:
    """Return the rows of a tile of pairs: strips, as many as fit, and tiles for all threads."""
    rows = strip_rows(n, features, k)
    least = max(LEAST_TILES, 2 * threads)
    while ceil(n / rows) > MOST_TILES or (
        ceil(n / (2 * rows)) >= least and 2 * rows * (4 * features + 24 * k) <= TILE_BYTES
    ):
        rows *= 2
    return rows


def pair_bytes(shape: tuple[int, int, int, int, int], rows: int, block_bytes: int) -> int:
    """Return the most that a task of pairs of tiles holds.

    All the time: its rows and lists. In turn: rows as decoded, in panels and in float64, lists and
    candidates of both sides, what is found for the other one; the merge of a tile.
    """
    _, features, itemsize, k, chunk_bytes = shape
    block = min(rows, max(1, block_bytes // (VALUE * features)))
    lists, candidates = 16 * k, 8 * (2 * k + 64)
    held = rows * (features * itemsize + lists + FOUND_BYTES * k)
    both = (rows + block) * (4 * features + candidates)
    other = block * (features * (itemsize + VALUE) + 2 * lists)
    return int(max(held + both + other, 3 * rows * lists) + 2 * chunk_bytes)


def memory_rows(n: int, features: int, k: int, threads: int) -> int:
    """Return the rows of a block of a search in memory: few blocks, but twice as many as threads.

    Lists that are merged once cost least: one thread takes all rows at once, if that fits.
    """
    fits = max(LEAST_ROWS, BLOCK_IN_MEMORY // (4 * features + 8 * (2 * k + 64)))
    blocks = max(ceil(n / fits), min(2 * threads if threads > 1 else 1, max(1, n // 512)))
    return ceil(n / blocks)


def task_bytes(
    n: int, features: int, itemsize: int, k: int, chunk_bytes: int, block_bytes: int
) -> int:
    """Return the most that a task of a strip holds.

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
