"""Blocks of rows against each other on local threads, each pair once: lists in memory.

All lists are there at a time: a thread that holds two blocks brings those of both up to date.
Blocks are large, as merging a few new neighbors into a list takes as long as a thousand pairs,
and twice as many as threads, so that all have work.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from math import ceil
from threading import Lock

import numpy as np

from daskid.blockwise.search import pool
from daskid.blockwise.search.blocks import read_rows
from daskid.blockwise.search.job import Found, Job, Means
from daskid.blockwise.search.progress import progress
from daskid.kernels.neighbors import Lists, empty_lists, update_pair, update_self


def search_in_memory(job: Job, means: Means) -> Found:
    """Return the lists of all rows, found on local threads."""
    source, space, k, labels = job[:4]
    n = source.shape[0]
    first = np.flatnonzero(job.location == np.arange(n))
    cuts = np.linspace(0, first.size, ceil(first.size / means.rows) + 1).astype(np.int64)
    locks = [Lock() for _ in cuts[1:]]
    lists = empty_lists(first.size, k)

    def search(i: int, j: int) -> int:
        """Search a pair of blocks; return how many pairs of rows that is."""
        with ExitStack() as held:
            for lock in sorted({i, j}):  # in order: no two threads wait for each other
                held.enter_context(locks[lock])
            return _search(i, j)

    def _search(i: int, j: int) -> int:
        spans = [slice(*cuts[[b, b + 1]]) for b in (i, j)]
        x, y = (read_rows(source, labels, space, first[span]) for span in spans)
        own, theirs = (Lists(lists.distance[s], lists.location[s]) for s in spans)
        size, other = len(own.distance), len(theirs.distance)
        if i == j:
            update_self(own, x, space)
            return size * (size + 1) // 2
        update_pair(own, theirs, x, y, space)
        return size * other

    pairs = 0
    with progress("knn", first.size * (first.size + 1) // 2, "pairs") as advance:
        for _, done in pool.run(search, list(meetings(len(locks)))):
            advance(done)
            pairs += done
    if first.size == n:
        return Found(*lists, pairs)
    slots = np.searchsorted(first, job.location)
    return Found(lists.distance[slots], lists.location[slots], pairs)


def meetings(blocks: int) -> Iterator[tuple[int, int]]:
    """Yield all pairs of blocks, and each with itself first: those of a round have no block twice.

    Examples
    --------
    >>> list(meetings(4))[4:]
    [(3, 0), (1, 2), (3, 1), (2, 0), (3, 2), (0, 1)]
    """
    yield from ((block, block) for block in range(blocks))
    ring = blocks - 1 + blocks % 2  # the last of an even number stays, the others go round
    for turn in range(ring):
        if blocks % 2 == 0:
            yield blocks - 1, turn
        for step in range(1, (ring + 1) // 2):
            yield (turn + step) % ring, (turn - step) % ring
