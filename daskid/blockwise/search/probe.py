"""How fast this machine searches these rows: a few seconds of the real kernels on a few of them."""

import time

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from daskid.kernels.neighbors import (
    Block,
    Space,
    compared,
    empty_lists,
    update,
    update_pair,
)
from daskid.typing import Array

SECONDS = 2.0
ROWS = 1024


def pairs_per_second(rows: Array, space: Space, k: int, *, once: bool) -> float:
    """Return the pairs that one thread compares in a second, once kernels are compiled.

    Parameters
    ----------
    rows
        (n, d) rows from the beginning of the source.
    space, k
        How they are compared, and the length of the lists.
    once
        Whether a pair serves both its rows.
    """
    rows = compared(rows, space)
    who = np.stack([np.arange(len(rows)), np.arange(len(rows)), np.zeros(len(rows), np.int64)])
    every = Block(rows, who)
    some = Block(rows[:ROWS], np.ascontiguousarray(who[:, :ROWS]))
    few = Block(rows[:8], np.ascontiguousarray(who[:, :8]))

    def search(x: Block) -> None:
        if once:
            update_pair(empty_lists(len(x.rows), k), empty_lists(len(rows), k), x, every, space)
        else:
            update(empty_lists(len(x.rows), k), x, every, space)

    with threadpool_limits(1, user_api="blas"):
        search(few)  # compiles
        pairs, start = 0, time.perf_counter()
        while (spent := time.perf_counter() - start) < SECONDS:
            search(some)
            pairs += len(some.rows) * len(rows)
    return pairs / spent
