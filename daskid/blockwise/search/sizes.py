"""What the tasks of a method take, fitted to the memory of a worker."""

from math import ceil
from typing import NamedTuple

from dask.utils import format_bytes

from daskid.blockwise.search import pruned, schedule
from daskid.blockwise.search.plan import (
    BLOCK_BYTES,
    FOUND_BYTES,
    FOUND_ENTRIES,
    IMPORTS_BYTES,
    LEAST_BLOCK,
    MOST_BLOCK,
    ROWS_A_NEIGHBOR,
    USABLE,
    VALUE,
    pair_bytes,
    strip_rows,
    task_bytes,
    tile_rows,
)
from daskid.storage.copies import Cost


class Machine(NamedTuple):
    """Processes, threads of each, the memory of each (None: no limit), free bytes of the disk."""

    workers: int
    threads: int
    limit: int | None
    disk: int | None = None


class Data(NamedTuple):
    """What is searched, as far as it takes memory.

    ``itemsize`` is that of the source, ``prepared`` whether rows are brought into another form, in
    float64, before they are compared; ``chunk_bytes`` the size of a chunk, decoded; ``labels`` how
    many integers a row every worker holds; ``copy`` what it takes to copy the rows first.
    """

    n: int
    features: int
    itemsize: int
    k: int
    chunk_bytes: int
    labels: int
    prepared: bool = False
    copy: Cost | None = None

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """What the sizes of tasks follow from."""
        itemsize = VALUE if self.prepared else self.itemsize
        return self.n, self.features, itemsize, self.k, self.chunk_bytes

    @property
    def fixed(self) -> int:
        """Bytes of a worker that runs nothing."""
        return IMPORTS_BYTES + 8 * self.n * self.labels


class Sizes(NamedTuple):
    """What a method takes.

    Rows of a tile, bytes of a block and of a task; how many tasks, pairs and passes over the
    source in all; bytes beside the run, and how many of them may wait to be merged.
    """

    rows: int
    block: int
    task: int
    tasks: int
    pairs: int
    passes: float
    scratch: int = 0
    waiting: int = 0


def strips_sizes(data: Data, machine: Machine, rows: int | None) -> Sizes:
    """Return what strips take; ``rows`` of a strip, where an unfinished job has them."""
    strip = strip_rows(data.n, data.features, data.k) if rows is None else rows
    choices = [(strip, block, task_bytes(*data.shape, block)) for block in _blocks(data)]
    tasks = ceil(data.n / strip)
    return Sizes(*_fitted(data, machine, choices), tasks, data.n**2, tasks)


def tiles_sizes(data: Data, machine: Machine, rows: int | None) -> Sizes:
    """Return what pairs of tiles take; ``rows`` of a tile, where an unfinished job has them."""
    n, features, _, k, _ = data.shape
    tiles = [tile_rows(n, features, k, machine.workers * machine.threads) if rows is None else rows]
    while rows is None and tiles[-1] > strip_rows(n, features, k):
        tiles.append(tiles[-1] // 2)
    choices = [(t, b, pair_bytes(data.shape, t, b)) for t in tiles for b in _blocks(data)]
    tile, block, task = _fitted(data, machine, choices)
    held, waiting = n * 2 * (16 * k + VALUE), FOUND_ENTRIES * n * k * FOUND_BYTES
    tasks, passes = schedule.count(ceil(n / tile), tile), schedule.passes(ceil(n / tile))
    pairs = n * (n + 1) // 2
    return Sizes(tile, block, task, tasks, pairs, passes, held + waiting, waiting)


def pruned_sizes(data: Data, machine: Machine, rows: int | None) -> Sizes:
    """Return what cells take; ``rows`` of a cell, where an unfinished job has them."""
    n, features, itemsize, k, chunk_bytes = data.shape
    cell = pruned.cell_rows(n, features, k) if rows is None else rows
    task = pruned.task_bytes(cell, features, itemsize, k, chunk_bytes)
    sizes = _fitted(data, machine, [(cell, BLOCK_BYTES, task)])
    scratch = pruned.scratch_bytes(n, features, itemsize, k)
    return Sizes(*sizes, 4 * ceil(n / cell) + 1, n * n, 2, scratch)


def _blocks(data: Data) -> list[int]:
    """Return the sizes of blocks that may be taken, the best first."""
    # a block of few rows has most of its candidates computed again: those of the next are nearer
    wide = ROWS_A_NEIGHBOR * data.k * VALUE * data.features
    blocks = [min(max(BLOCK_BYTES, wide), MOST_BLOCK)]
    while blocks[-1] > LEAST_BLOCK:
        blocks.append(blocks[-1] // 2)
    return blocks


def _fitted(
    data: Data, machine: Machine, choices: list[tuple[int, int, int]]
) -> tuple[int, int, int]:
    """Return the first choice with which the tasks of a worker fit into its memory."""
    for choice in choices:
        need = ceil((data.fixed + machine.threads * choice[-1]) / USABLE)
        if machine.limit is None or need <= machine.limit:
            return choice
    raise MemoryError(
        f"memory: expected at least {format_bytes(need)} a worker of {machine.threads} threads, "
        f"got {format_bytes(machine.limit or 0)}: give workers more memory or fewer threads"
    )
