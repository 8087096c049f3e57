"""Neighbors in the cells nearest to a row: how many cells, what is found, how much is missed.

Rows are brought into cells, some thousand rows a part, in files of a run or in memory. Exact lists
of a few random rows say in which cells neighbors are, so that the number of cells follows from
the recall that is asked for; those of other random rows, compared with what is found, say what
the recall is. A task holds a part and another one; nothing depends on how many tasks there are.
"""

import time
from math import ceil
from typing import Any, NamedTuple

import numpy as np

from daskid.blockwise.search import Job, Target, pool, shelves, shuffle, strip_rows
from daskid.blockwise.search.job import Means
from daskid.blockwise.search.known import rows_at
from daskid.blockwise.search.progress import progress
from daskid.blockwise.search.results import LISTS, verified
from daskid.blockwise.search.shelves import Chart, Files, Gather, Pieces, Sample, Shelf
from daskid.blockwise.search.shuffle import COUNTS, FOUND, ROWS, Given
from daskid.kernels.cells import (
    Cells,
    cells_of,
    certify,
    in_blocks,
    nearest_cells,
    ranks_of,
    search_cells,
)
from daskid.kernels.neighbors import Lists, empty_lists
from daskid.storage.rows import MemoryRows
from daskid.typing import Array, Floats, Ints

LEAST_SIZE, MOST_SIZE = 32, 2048
"""Rows of a cell; between, a fifth of the root of their number."""
SAMPLE, MISSES = 1000, 3
"""Random rows: at least so many, and so many that one neighbor in ... of them may be missed."""
MORE = 1.05
"""Factor by which the number of cells is raised until the recall is reached."""
EXACT = "exact"
"""Folder of exact lists of random rows."""
NOWHERE = Target("", "", "")
Z = 1.959964


class Measured(NamedTuple):
    """A mean over random rows, and its 95 % interval."""

    mean: float
    low: float
    high: float


class Approximate(NamedTuple):
    """What is found: lists, None where they were written to a run; the recall on random rows.

    ``certified`` is the share of rows whose list is certainly exact.
    """

    distance: Floats | None
    location: Ints | None
    recall: Measured
    samples: int
    certified: float
    cost: dict[str, Any]


def search_approximate(
    job: Job, recall: float, seed: int, means: Means | None = None
) -> Approximate:
    """Find lists in which a share ``recall`` of the neighbors is, or more.

    Parameters
    ----------
    job
        What is searched, without periods, by sums of squares.
    recall
        What the lower end of the measured recall's interval must reach.
    seed
        What all that is random follows from.
    means
        The run whose lists are filled, and how; what an earlier attempt left beside it, and still
        reads back, is kept. None for results in memory.

    Raises
    ------
    RuntimeError
        If cells do not hold every row once: they were made by machines that round differently.
    """
    start, needs = time.monotonic(), means.needs if means else 0
    wanted = _samples(job, recall, seed)
    shelf = _shelf(job, means, wanted, seed)
    shared, (chart, sample) = pool.share(shelf), shelves.chart_of(shelf)
    shuffle.check_whole(chart.rows, job.locations)
    exact, cell = _exact(job, shelf, shared, chart, sample, needs)
    rank = np.empty(cell.shape, np.int64)
    ranks_of(sample.points, sample.cell, cell, chart.blocks, rank)
    half = np.random.default_rng([seed, job.locations, 2]).permutation(wanted.size) % 2 == 0
    probes = 1
    for part in (half, ~half):
        probes = _probes(rank[part], recall, probes, chart.part.size)
    lists, certified, pairs = _search(job, shelf, shared, chart, probes, needs)
    found = _distances(job, shelf, lists, wanted[~half], needs)
    measured = interval(recalled(found, exact.distance[~half, -1:]))
    # who is certain has found all: that is no estimate
    measured = measured._replace(low=max(measured.low, certified))
    cost = {
        "method": "cells",
        "cells": chart.part.size,
        "probes": probes,
        "pairs": pairs,
        "seconds": round(job.seconds + time.monotonic() - start, 3),
        "peak_memory": pool.peak_memory(),
    }
    distance, location = lists or (None, None)
    return Approximate(distance, location, measured, len(found), certified, cost)


def _samples(job: Job, recall: float, seed: int) -> Ints:
    """Return random locations to tune and to measure with, ascending."""
    n = job.source.shape[0]
    first = np.flatnonzero(job.location == np.arange(n))
    most = 2 * max(SAMPLE, ceil(MISSES / (1 - recall)))
    some = np.random.default_rng([seed, first.size, 1]).permutation(first.size)[:most]
    return first[np.sort(some)]


def _shelf(job: Job, means: Means | None, wanted: Ints, seed: int) -> Shelf:
    """Return the rows in cells."""
    n, features = job.source.shape
    size = int(np.clip(np.sqrt(job.locations) / 5, LEAST_SIZE, MOST_SIZE))
    how, rows = Gather(size, seed, wanted), [job.source, *job.labels]
    target = means.target if means else None
    step = means.rows if means else strip_rows(n, features, job.k)
    given = Given(n, job.space, job.k, step, target or NOWHERE, exact=False)
    if target is None:
        return shelves.in_memory(given, rows, how)
    return shelves.in_files(given, rows, how, means.needs if means else 0)


def _exact(
    job: Job, shelf: Shelf, shared: Any, chart: Chart, sample: Sample, needs: int
) -> tuple[Lists, Ints]:
    """Return the exact lists of some rows, and the cells that hold these neighbors."""
    every = [np.arange(len(sample.rows))]
    x = cells_of(sample.rows, sample.who, sample.points, chart.error, every)
    distance = np.full((every[0].size, job.k), np.inf)
    location, cell = np.full(distance.shape, -1), np.full(distance.shape, -1)
    total, given = every[0].size * job.locations, (pool.share(x), job.k)
    with progress("knn_approximate: tune", total, "pairs") as advance:
        for part, found in shelves.each(shelf, shared, EXACT, _exact_in, given, needs):
            new = found(ROWS)
            i = np.flatnonzero(new[0][:, 0] <= distance[:, -1])
            both = [np.c_[a[i], b[i]] for a, b in zip((distance, location), new, strict=False)]
            order = np.lexsort(both[::-1], axis=1)[:, : job.k]
            both.append(np.c_[cell[i], chart.first[part] + new[2][i]])
            for kept, values in zip((distance, location, cell), both, strict=True):
                kept[i] = np.take_along_axis(values, order, axis=1)
            advance(every[0].size * int(shelf.box(part)[3][0]))
    return Lists(distance, location), cell


def _exact_in(shelf: Shelf, part: int, x: Cells, k: int) -> Pieces:
    """Return the lists of some rows among those of a part, and the cells of these."""
    y, lists = shelf.cells(part), empty_lists(len(x.rows), k)
    reach = np.full(len(x.rows), np.inf, x.columns.dtype)
    far, blocks = np.zeros(reach.size, bool), in_blocks(y.center)
    search_cells(*lists, x, y, False, reach, far, shelf.view.rule, blocks)
    order = np.argsort(y.who[0])
    row = order[np.searchsorted(y.who[0][order], np.maximum(lists.location, y.who[0].min()))]
    return {ROWS: (*lists, np.searchsorted(y.start, row, "right") - 1)}


def _probes(rank: Ints, recall: float, least: int, cells: int) -> int:
    """Return how many cells are needed, ``least`` at least."""
    probes = least
    while probes < cells and interval((rank < probes).mean(axis=1)).low < recall:
        probes = max(probes + 1, int(probes * MORE))
    return min(probes, cells)


def _search(
    job: Job, shelf: Shelf, shared: Any, chart: Chart, probes: int, needs: int
) -> tuple[Lists | None, float, int]:
    """Search all parts; return lists that are not in files, the share that is certain, pairs."""
    n, certain, pairs = job.source.shape[0], 0, 0
    lists = None if isinstance(shelf, Files) else empty_lists(n, job.k)
    given = pool.share(chart), probes, job.k
    with progress("knn_approximate", job.locations, "rows") as advance:
        for _, found in shelves.each(shelf, shared, FOUND, _search_part, given, needs):
            (compared, size), sure = found(COUNTS)
            pairs, certain = pairs + int(compared), certain + int(job.multiplicity[sure].sum())
            if lists is not None:
                location, distance, index = found(ROWS)
                lists.distance[location], lists.location[location] = distance, index
            advance(int(size))
    if lists is not None and job.locations < n:
        lists = Lists(lists.distance[job.location], lists.location[job.location])
    return lists, certain / n, pairs


def _search_part(shelf: Shelf, part: int, chart: Chart, probes: int, k: int) -> Pieces:
    """Search the rows of a part in the cells nearest to them, in whichever parts these are."""
    own, rule = shelf.cells(part), shelf.view.rule
    first, lists = int(chart.first[part]), empty_lists(len(own.rows), k)
    reach, wanted = np.empty(len(own.rows), own.columns.dtype), np.zeros(shelf.parts, bool)
    nearest_cells(own, first, chart.blocks, chart.part, probes, reach, wanted)
    pairs = _among(shelf, part, own, lists, wanted, reach, np.zeros(reach.size, bool))
    certified = np.empty(reach.size, bool)
    certify(
        lists.distance, own, first, chart.blocks, chart.radius, reach, chart.error, rule, certified
    )
    short = lists.location[:, -1] < 0
    if short.any():  # too few neighbors in these: all other cells
        reach[~short] = -np.inf
        pairs += _among(shelf, part, own, lists, np.ones(shelf.parts, bool), reach, short)
    location = own.who[0].copy()
    del own
    counts = np.array([pairs, reach.size]), location[certified | short]
    if isinstance(shelf, Files):
        return {COUNTS: counts, **shuffle.by_strip(shelf.given, location, lists)}
    return {COUNTS: counts, ROWS: (location, *lists)}


def _among(
    shelf: Shelf, part: int, own: Cells, lists: Lists, wanted: Array, reach: Array, further: Array
) -> int:
    """Bring the lists of a part up to date with cells of others, near ones first."""
    pairs, parts = 0, np.flatnonzero(wanted)
    for number in parts[np.argsort(abs(parts - part), kind="stable")].tolist():
        other = own if number == part else shelf.cells(number)
        pairs += search_cells(
            *lists, own, other, number == part, reach, further, shelf.view.rule,
            in_blocks(other.center),
        )  # fmt: skip
        del other  # before the next one is read
    return pairs


def _distances(job: Job, shelf: Shelf, lists: Lists | None, rows: Ints, needs: int) -> Floats:
    """Return the distances that were found for some rows; of parts in files, write all lists."""
    if lists is not None:
        return lists.distance[rows]
    assert isinstance(shelf, Files)
    given, location = shelf.given, job.labels.location
    done = verified(given.target, given.n, given.rows)
    shared = pool.share(location) if isinstance(location, MemoryRows) else location
    shuffle.collect(given, shelf.parts, job.location, shared, done, needs)
    return rows_at(given.target.store, LISTS[0], rows)


def recalled(found: Floats, last: Floats) -> Floats:
    """Return for each row the share of its neighbors that were found: distances up to the last.

    Of rows at the distance of the k-th neighbor, any are as good as others.
    """
    share: Floats = (found <= last).mean(axis=1)
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
