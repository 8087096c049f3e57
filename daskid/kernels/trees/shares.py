"""What skipping leaves would save, from a sample: measured at two sizes, carried on to all rows.

With the same leaves and lists the share of pairs that are left falls as a power of the number of
rows, the faster the more rows there are: what two samples say of it is too much, not too little.
"""

import time
from math import log
from typing import NamedTuple

import numpy as np

from daskid.kernels.neighbors import Block, Space, empty_lists
from daskid.kernels.trees.entries import new_desk
from daskid.kernels.trees.leaves import leaves_of
from daskid.kernels.trees.view import view_of
from daskid.kernels.trees.visits import search
from daskid.typing import Array

RATIO = 4
"""Rows of the larger sample for each of the smaller one."""
LEAST_LEAVES = 4
QUERIES = 256
"""Rows that are searched for in each sample, in whole leaves."""


class Estimate(NamedTuple):
    """``share`` of the pairs of (row, leaf) that are left, and seconds of a core for all rows."""

    share: float
    seconds: float


def estimate(rows: Array, space: Space, k: int, n: int) -> Estimate:
    """Return what a search by leaves is likely to take.

    Parameters
    ----------
    rows
        (m, d) random rows of those that are searched, in the form that is compared; some
        thousands say most, and fewer than ``8 k`` nothing: then all pairs count as left.
    space, k, n
        How rows are compared, length of the lists, number of rows in all.
    """
    m = rows.shape[0]
    large = _measured(rows, space, k)
    if m < 8 * k or m // RATIO < LEAST_LEAVES * 64:
        return Estimate(1.0, _carried(large, large, m, n, 1.0))
    small = _measured(rows[: m // RATIO], space, k)
    power = max(0.0, log(small[0] / large[0]) / log(RATIO))
    share = min(1.0, large[0] * max(1.0, n / m) ** -power)
    return Estimate(share, _carried(small, large, m, n, share))


def _carried(
    small: tuple[float, float], large: tuple[float, float], m: int, n: int, share: float
) -> float:
    """Return seconds for n rows: a row's own ones, and those of its pairs."""
    more = large[0] * m - small[0] * (m // RATIO)
    pair = (large[1] - small[1]) / more if more > 0 else 0.0
    pair = min(max(pair, 0.0 if more > 0 else large[1] / (large[0] * m)), large[1] / (large[0] * m))
    alone = large[1] - pair * large[0] * m
    return n * (alone + pair * share * n)


def _measured(rows: Array, space: Space, k: int) -> tuple[float, float]:
    """Return the share of pairs left among some rows, and seconds of a row, compiled before."""
    m = rows.shape[0]
    space = space._replace(exclude=0)
    who = np.stack([np.arange(m), np.arange(m), np.zeros(m, np.int64)])
    view = view_of(rows, space)
    leaves, _ = leaves_of(Block(rows, who), view)
    number, k = leaves.seen.shape[0], min(k, m - 1)
    chosen = np.unique(np.linspace(0, number - 1, max(1, QUERIES // view.leaf)).astype(int))
    desk = new_desk(leaves.seen, k)
    searched, seconds = 0, 0.0
    for turn in (False, True):
        for g in chosen if turn else chosen[:1]:
            size = min(view.leaf, m - int(g) * view.leaf)
            lists = empty_lists(size, k)
            start = time.thread_time()
            search(*lists, leaves, leaves, view.rule, desk, int(g), int(g) + 1, True)
            seconds += turn * (time.thread_time() - start)
            searched += turn * size
        if not turn:
            desk.counts[:] = 0
    return float(desk.counts[0]) / (searched * m), seconds / searched
