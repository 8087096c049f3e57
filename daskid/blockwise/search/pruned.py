"""Leaves of near rows against the leaves that may hold neighbors: others are skipped.

In memory, the tree is shared by all tasks, each of which takes some leaves; a run is filled by
cells of leaves that are read where they are needed (``pruned_cells``).
"""

from math import ceil, inf

import numpy as np
from dask.utils import format_bytes

from daskid.blockwise.search import pool
from daskid.blockwise.search.blocks import read_rows
from daskid.blockwise.search.job import Found, Job, Means
from daskid.blockwise.search.plan import IMPORTS_BYTES, USABLE, strip_rows
from daskid.blockwise.search.progress import progress
from daskid.config import memory_limit
from daskid.kernels import trees
from daskid.kernels.neighbors import Lists, Space, compared, empty_lists
from daskid.typing import Array

SAMPLE, PARTS = 4096, 8
"""Rows that the view is made from; tasks a thread."""
UNEVEN = 1.25
"""Rows of the largest cell, for each of a strip: cuts are made from a sample."""
SEEN_BYTES, ENTRY_BYTES = 8 * 33 + 24, 16
"""Coordinates of a row and who it is, at the most; an entry of a list."""
CUT_BYTES, PANEL_BYTES = 64 << 20, 24 << 20
"""Sampled rows that cuts are made from, in float64; rows whose coordinates are being computed."""


def cell_rows(n: int, features: int, k: int) -> int:
    """Return the rows of a cell: those of a strip of the result."""
    return strip_rows(n, features, k)


def task_bytes(rows: int, features: int, itemsize: int, k: int, chunk_bytes: int) -> int:
    """Return the most that a task of a run holds.

    Where cuts are made: a block, a sample, and what its axes take. Where a block is sorted: its
    rows as read, as compared and by cell, and their coordinates. Where a cell is put into leaves:
    its rows in both orders, coordinates in two. Where it is searched: its leaves and lists, and
    another one as read and as decoded; then its lists thrice, as are those of a strip.
    """
    row, cell = features * itemsize, ceil(UNEVEN * rows)
    cut = rows * row + CUT_BYTES * (1 + itemsize // 4)
    sort = rows * (3 * row + SEEN_BYTES) + PANEL_BYTES
    gather = 2 * cell * (row + SEEN_BYTES) + PANEL_BYTES
    search = cell * (3 * (row + SEEN_BYTES) + k * ENTRY_BYTES)
    return max(cut, sort, gather, search, 3 * cell * k * ENTRY_BYTES) + 2 * chunk_bytes


def scratch_bytes(n: int, features: int, itemsize: int, k: int) -> int:
    """Return the bytes beside the run: the rows twice while they are sorted, and the lists."""
    row = features * itemsize
    return n * (2 * row + 24 + SEEN_BYTES + k * ENTRY_BYTES)


def memory_bytes(n: int, features: int, itemsize: int, k: int) -> int:
    """Return what a search in memory holds beside its source: rows in order, and all lists."""
    return n * (2 * features * itemsize + 2 * SEEN_BYTES + 3 * k * ENTRY_BYTES)


def search_leaves(job: Job, means: Means) -> Found:
    """Return the lists of all rows, from one tree in memory.

    Raises
    ------
    ValueError
        If there is a run to fill.
    MemoryError
        If rows in order, and all lists, do not fit into this process or into a worker.
    """
    if means.target is not None:
        raise ValueError("target: expected none, got a run: fill it by cells")
    source, space, k, labels = job[:4]
    n = source.shape[0]
    _check_memory(memory_bytes(job.locations, source.shape[1], _itemsize(job), k))
    first = np.flatnonzero(job.location == np.arange(n))
    block = read_rows(source, labels, space, first)
    view = trees.view_of(sampled(block.rows), space)
    leaves, order = trees.leaves_of(block, view)
    del block
    number, leaf = leaves.seen.shape[0], view.leaf
    step, shared = ceil(number / (PARTS * pool.threads())), pool.share(leaves)
    starts = range(0, number, step)
    tasks = [(shared, view, k, a, min(a + step, number)) for a in starts]
    lists, pairs = empty_lists(first.size, k), 0
    with progress("knn", first.size**2, "pairs") as advance:
        for i, (found, counts) in pool.run(_search_some, tasks, needs=means.needs):
            rows = order[starts[i] * leaf : (starts[i] + step) * leaf]
            lists.distance[rows], lists.location[rows] = found
            pairs += counts.pairs
            advance(rows.size * first.size)
    if first.size == n:
        return Found(*lists, pairs)
    slots = np.searchsorted(first, job.location)
    return Found(lists.distance[slots], lists.location[slots], pairs)


def _itemsize(job: Job) -> int:
    return 8 if job.space.prepare is not None else np.dtype(job.source.dtype).itemsize


def _check_memory(need: int) -> None:
    """Raise where a tree of all rows does not fit, here or into one of the workers."""
    _, _, limit = pool.resources()
    room = memory_limit() if limit is None else min(memory_limit(), USABLE * limit - IMPORTS_BYTES)
    if need > room:
        raise MemoryError(
            f"rows: expected all of them and their lists by method='pruned' in at most "
            f"{format_bytes(max(0, int(room)))}, got {format_bytes(need)}: search into a run, "
            "knn(..., store='RUN.zarr'), which holds one cell of rows at a time, use "
            "method='strips', or raise daskid.memory in dask's configuration"
        )


def _search_some(
    leaves: trees.Leaves, view: trees.View, k: int, first: int, last: int
) -> tuple[Lists, trees.Counts]:
    rows = min(last * view.leaf, leaves.rows.shape[0]) - first * view.leaf
    lists = empty_lists(rows, k)
    return lists, trees.update_leaves(lists, leaves, leaves, view, first, last)


def sampled(rows: Array) -> Array:
    """Return some of the rows, always the same ones."""
    if rows.shape[0] <= SAMPLE:
        return rows
    chosen = np.random.default_rng(0).choice(rows.shape[0], SAMPLE, replace=False)
    return np.asarray(rows[np.sort(chosen)])


def pruned_seconds(sample: Array | None, space: Space, k: int, n: int) -> float:
    """Return the seconds of a core that a search by leaves is likely to take.

    Parameters
    ----------
    sample
        (m, d) random rows as read, some thousands; None where none may be read: the answer is
        infinite then, as the number of features says nothing.
    space, k, n
        How rows are compared, length of the lists, number of rows.
    """
    if sample is None:
        return inf
    return trees.estimate(compared(sample, space), space, k, n).seconds
