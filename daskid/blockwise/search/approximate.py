"""Neighbors in the cells nearest to a row: how many cells, what is found, how much is missed.

Rows are in memory, side by side with those of their cell. Exact lists of a few random rows say in
which cells neighbors are, so that the number of cells follows from the recall that is asked
for; those of other random rows, compared with what is found, say what the recall is. A task
holds a part of the rows; nothing depends on how many tasks there are.
"""

import time
from math import ceil
from typing import Any, NamedTuple

import numpy as np

from daskid.blockwise.search import Job, pool
from daskid.blockwise.search.blocks import read_locations
from daskid.blockwise.search.cells import arranged, coordinates, split_rows
from daskid.blockwise.search.progress import progress
from daskid.kernels.cells import Cells, Rows, ranks_of, search_cells
from daskid.kernels.neighbors import Block, Lists, Space, empty_lists, update
from daskid.storage.rows import block_rows
from daskid.typing import Array, Floats, Ints

LEAST_SIZE, MOST_SIZE = 32, 512
"""Rows of a cell; between, a fifth of the root of their number."""
SAMPLE, MISSES = 1000, 3
"""Random rows: at least so many, and so many that one neighbor in ... of them may be missed."""
TASK_ROWS, EXACT_ROWS, EXACT_BLOCK = 4096, 256, 16_384
MORE = 1.05
"""Factor by which the number of cells is raised until the recall is reached."""
Z = 1.959964


class Measured(NamedTuple):
    """A mean over random rows, and its 95 % interval."""

    mean: float
    low: float
    high: float


class Approximate(NamedTuple):
    """Lists of all rows, the recall on random ones, the share that is certainly exact."""

    distance: Floats
    location: Ints
    recall: Measured
    samples: int
    certified: float
    cost: dict[str, Any]


class Given(NamedTuple):
    """What every task is given."""

    rows: Rows
    cells: Cells
    space: Space
    k: int


def search_approximate(job: Job, recall: float, seed: int) -> Approximate:
    """Return lists in which a share ``recall`` of the neighbors is, or more.

    Parameters
    ----------
    job
        What is searched, without periods, by sums of squares.
    recall
        What the lower end of the measured recall's interval must reach.
    seed
        What all that is random follows from.
    """
    start = time.monotonic()
    given = _given(job, seed)
    n, cells = given.rows.cell.size, given.cells.radius.size
    shared = pool.share(given)
    tuning, measuring = _samples(n, recall, seed)
    lists = _exact(shared, given, np.r_[tuning, measuring])
    known = [Lists(lists.distance[s], lists.location[s]) for s in np.split(
        np.arange(tuning.size + measuring.size), [tuning.size]
    )]  # fmt: skip
    probes = 1
    for rows, exact in zip((tuning, measuring), known, strict=True):
        probes = _probes(_ranks(given, rows, exact), recall, probes, cells)
    found, certified, pairs = _search(shared, given, probes)
    share = recalled(Lists(found.distance[measuring], found.location[measuring]), known[1])
    measured = interval(share)
    # who is certain has found all: that is no estimate
    measured = measured._replace(low=max(measured.low, float(certified.mean())))
    place = np.empty(job.source.shape[0], np.int64)
    place[given.rows.who[0]] = np.arange(n)
    place = place[job.location]
    seconds = round(job.seconds + time.monotonic() - start, 3)
    cost = {"method": "cells", "cells": cells, "probes": min(probes, cells), "seconds": seconds}
    return Approximate(
        found.distance[place],
        found.location[place],
        measured,
        measuring.size,
        float(certified[place].mean()),
        {**cost, "pairs": pairs + (tuning.size + measuring.size) * n},
    )


def _given(job: Job, seed: int) -> Given:
    """Return all locations, side by side with those of their cell."""
    space, features = job.space, job.source.shape[1]
    step, n = block_rows(job.source.shape, 8, job.source.chunk_rows()), job.source.shape[0]
    blocks = [
        read_locations(job.source, job.labels, space, a, min(a + step, n))
        for a in range(0, n, step)
    ]  # fmt: skip
    values = np.concatenate([block.rows for block in blocks])
    who = np.concatenate([block.who for block in blocks], axis=1)
    del blocks
    factor = np.full(features, space.scale)
    if space.weight.size:
        factor = factor * np.sqrt(space.weight)
    size = int(np.clip(np.sqrt(len(values)) / 5, LEAST_SIZE, MOST_SIZE))
    parts = split_rows(values, space.center, factor, size, seed)
    rows, cells = arranged(values, who, space.center, factor, space.scale, parts)
    return Given(rows, cells, space, job.k)


def _samples(n: int, recall: float, seed: int) -> tuple[Ints, Ints]:
    """Return random rows to tune with, and others to measure with, ascending."""
    most = max(SAMPLE, ceil(MISSES / (1 - recall)))
    some = np.random.default_rng([seed, n, 1]).permutation(n)[: 2 * most]
    half = some.size // 2
    return np.sort(some[:half]), np.sort(some[half:])


def _exact(shared: Any, given: Given, rows: Ints) -> Lists:
    """Return the exact lists of some rows."""
    parts = [rows[a : a + EXACT_ROWS] for a in range(0, rows.size, EXACT_ROWS)]
    lists = empty_lists(rows.size, given.k)
    with progress("knn_approximate: tune", rows.size, "rows") as advance:
        for i, (distance, location) in pool.run(_exact_lists, [(shared, p) for p in parts]):
            own = slice(i * EXACT_ROWS, i * EXACT_ROWS + len(distance))
            lists.distance[own], lists.location[own] = distance, location
            advance(len(distance))
    return lists


def _exact_lists(given: Given, rows: Ints) -> Lists:
    values, who = given.rows.values, given.rows.who
    x, lists = (
        Block(values[rows], np.ascontiguousarray(who[:, rows])),
        empty_lists(len(rows), given.k),
    )
    for a in range(0, len(values), EXACT_BLOCK):
        part = slice(a, a + EXACT_BLOCK)
        y = Block(values[part], np.ascontiguousarray(who[:, part]))
        update(lists, x, y, given.space)
    return lists


def _ranks(given: Given, rows: Ints, exact: Lists) -> Ints:
    """Return for each neighbor of some rows how many cells are nearer than its one."""
    own = given.rows
    cell_of = np.empty(int(own.who[0].max()) + 1, np.int64)
    cell_of[own.who[0]] = own.cell
    wanted = cell_of[exact.location]
    rank = np.empty_like(wanted)
    here = coordinates(own.values[rows], own.middle, own.factor)
    ranks_of(wanted, own.cell[rows], here, given.cells.center, rank)
    return rank


def _probes(rank: Ints, recall: float, least: int, cells: int) -> int:
    """Return how many cells are needed, ``least`` at least."""
    probes = least
    while probes < cells and interval((rank < probes).mean(axis=1)).low < recall:
        probes = max(probes + 1, int(probes * MORE))
    return min(probes, cells)


def _search(shared: Any, given: Given, probes: int) -> tuple[Lists, Array, int]:
    """Return lists, which of them are certainly exact, and the number of pairs compared."""
    n = given.rows.cell.size
    lists, certified, pairs = empty_lists(n, given.k), np.empty(n, bool), 0
    tasks = [(shared, a, min(a + TASK_ROWS, n), probes) for a in range(0, n, TASK_ROWS)]
    with progress("knn_approximate", n, "rows") as advance:
        for i, (found, sure, compared) in pool.run(_search_part, tasks):
            own = slice(i * TASK_ROWS, i * TASK_ROWS + sure.size)
            lists.distance[own], lists.location[own] = found
            certified[own] = sure
            pairs += compared
            advance(sure.size)
    return lists, certified, pairs


def _search_part(given: Given, start: int, stop: int, probes: int) -> tuple[Lists, Array, int]:
    lists, certified = empty_lists(stop - start, given.k), np.empty(stop - start, bool)
    space = given.space
    pairs = search_cells(
        start, *given.rows, *given.cells, probes, space.combine, space.weight, space.exclude,
        *lists, certified,
    )  # fmt: skip
    return lists, certified, pairs


def recalled(found: Lists, exact: Lists) -> Floats:
    """Return for each row the share of its neighbors that were found.

    Of rows at the distance of the k-th neighbor, any are as good as others.
    """
    share: Floats = (found.distance <= exact.distance[:, -1:]).mean(axis=1)
    return share


def interval(share: Floats) -> Measured:
    """Return the mean of shares of random rows, and its 95 % interval.

    Wilson's, with as many trials as would give a share the variance that the mean has: rows
    are random, the neighbors of one are not. Where all rows are alike, a trial for each row.
    """
    n, mean = share.size, float(share.mean())
    spread = float(share.var(ddof=1)) if n > 1 else 0.0
    trials = n * max(1.0, mean * (1 - mean) / spread) if spread > 0 else float(n)
    center = (mean + Z**2 / (2 * trials)) / (1 + Z**2 / trials)
    half = Z * np.sqrt(mean * (1 - mean) / trials + (Z / (2 * trials)) ** 2) / (1 + Z**2 / trials)
    return Measured(mean, max(0.0, float(center - half)), min(1.0, float(center + half)))
