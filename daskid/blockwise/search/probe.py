"""How fast this machine searches these rows: a few seconds of the real kernels on a few of them.

Rows are compared with empty lists, which take all that is near, and with lists that nothing can
enter: what a pair takes, and what an entry takes more. A search has so many pairs of the one and
so many entries of the other; lists of few rows that are searched for an instant would be
all entries.
"""

import time

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from daskid.kernels.neighbors import (
    Block,
    Lists,
    Space,
    compared,
    empty_lists,
    seeded_lists,
    update,
    update_pair,
)
from daskid.typing import Array

SECONDS = 2.0
ROWS, OTHERS = 1024, 8192


def entries(n: int, others: int, k: int) -> float:
    """Return how many neighbors enter the lists of ``n`` rows that are shown ``others``."""
    return n * (others if others <= k else k * (1 + float(np.log(others / k))))


def seconds_of(rows: Array, space: Space, k: int, *, once: bool) -> tuple[float, float]:
    """Return the seconds of one thread for a pair, and for an entry, once kernels are compiled.

    Parameters
    ----------
    rows
        (n, d) rows from the beginning of the source, two or more.
    space, k
        How they are compared, and the length of the lists.
    once
        Whether a pair serves both its rows.
    """
    rows = compared(rows[: ROWS + OTHERS], space)
    who = np.stack([np.arange(len(rows)), np.arange(len(rows)), np.zeros(len(rows), np.int64)])
    cut = min(ROWS, len(rows) // 2)
    x, y = (Block(rows[s], np.ascontiguousarray(who[:, s])) for s in np.s_[:cut, cut:])
    a, b = len(x.rows), len(y.rows)
    found = entries(a, b, k) + (entries(b, a, k) if once else 0)

    def search(lists: tuple[Lists, Lists]) -> float:
        start = time.perf_counter()
        if once:
            update_pair(*lists, x, y, space)
        else:
            update(lists[0], x, y, space)
        return time.perf_counter() - start

    with threadpool_limits(1, user_api="blas"):
        turns: list[tuple[float, float]] = []
        spent = 0.0
        while len(turns) < 2 or spent < SECONDS:
            full = search((seeded_lists(np.zeros(a), k), seeded_lists(np.zeros(b), k)))
            cold = search((empty_lists(a, k), empty_lists(b, k)))
            spent += full + cold if turns else 0.0  # the first turn compiles
            turns.append((full, cold))
    full, cold = np.median(turns[1:], axis=0).tolist()
    return full / (a * b), max(0.0, cold - full) / found
