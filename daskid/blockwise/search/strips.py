"""Strips of rows, each against all rows: what a task does, and which tasks there are."""

import numpy as np

from daskid.blockwise.search import pool
from daskid.blockwise.search.blocks import Labels, part, read_block, read_locations
from daskid.blockwise.search.job import Found, Job, Means
from daskid.blockwise.search.progress import progress
from daskid.blockwise.search.results import Target, commit, verified
from daskid.blockwise.search.scan import Source
from daskid.kernels.neighbors import Space, empty_lists, update
from daskid.storage import ledger
from daskid.storage.rows import MemoryRows, block_rows
from daskid.typing import Floats, Ints


def search_strips(job: Job, means: Means) -> Found:
    """Return the lists of all rows: of every strip in one task."""
    n, step, target = job.source.shape[0], means.rows, means.target
    done = verified(target, n, step)
    shared = [pool.share(x) if isinstance(x, MemoryRows) else x for x in (job.source, *job.labels)]
    space = pool.share(job.space)
    todo = [i for i in range(-(-n // step)) if i not in done]
    tasks = [(*shared, space, job.k, i, step, means.block_bytes, target) for i in todo]
    distance = None if target else np.empty((n, job.k))
    index = None if target else np.empty((n, job.k), np.int64)
    with progress("knn", n * job.locations, "pairs") as advance:
        if done:
            advance(sum(min((i + 1) * step, n) - i * step for i in done) * job.locations)
        for position, result in pool.run(_strip, tasks, needs=means.needs):
            a, b = todo[position] * step, min((todo[position] + 1) * step, n)
            if distance is not None and index is not None:
                distance[a:b], index[a:b] = result
            advance((b - a) * job.locations)
    return Found(distance, index, n * job.locations)


def _strip(
    source: Source,
    location: Source | None,
    frame: Source | None,
    trajectory: Source | None,
    space: Space,
    k: int,
    tile: int,
    step: int,
    block_bytes: int,
    target: Target | None,
) -> tuple[Floats, Ints] | None:
    """Search the rows of a tile among all; return their lists, or write them."""
    if target is not None:
        if ledger.marked(target.folder, tile):  # its worker died before it could say so
            return None
        ledger.count_try(target.folder, tile)
    labels = Labels(location, frame, trajectory)
    stop = min((tile + 1) * step, source.shape[0])
    distance, index = _lists(source, labels, space, k, tile * step, stop, block_bytes)
    if target is None:
        return distance, index
    commit(target, tile, tile * step, distance, index)
    return None


def _lists(
    source: Source, labels: Labels, space: Space, k: int, start: int, stop: int, block_bytes: int
) -> tuple[Floats, Ints]:
    """Return the lists of the rows from ``start`` up to ``stop``; copies share theirs."""
    n = source.shape[0]
    strip = read_block(source, labels, space, start, stop)
    _, first, copy = np.unique(strip.who[0], return_index=True, return_inverse=True)
    x = part(strip, first) if first.size < copy.size else strip
    del strip
    lists = empty_lists(first.size, k)
    rows = block_rows(source.shape, 8, source.chunk_rows(), block_bytes)
    own = start // rows * rows  # the first block, as neighbors are likely to be in it
    for a in [*range(own, n, rows), *range(0, own, rows)]:
        y = read_locations(source, labels, space, a, min(a + rows, n))
        update(lists, x, y, space)
        del y  # before the next one is read
    if first.size == copy.size:
        return lists.distance, lists.location
    return lists.distance[copy], lists.location[copy]
