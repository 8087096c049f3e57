"""Cells of near rows, each read where its rows may be neighbors: lists of a run.

Rows are brought into cells (``shuffle``), and within these into leaves; each cell is searched in
all cells that may hold neighbors of its rows, near ones first. How many tasks there are, or how
often they were killed, changes no bit.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from daskid.blockwise.search import pool, shuffle
from daskid.blockwise.search.job import Found, Job, Means
from daskid.blockwise.search.progress import progress
from daskid.blockwise.search.results import verified
from daskid.blockwise.search.shuffle import BOX, CELLS, COUNTS, FOUND, ROWS, Given, Share
from daskid.kernels import trees
from daskid.kernels.neighbors import empty_lists
from daskid.storage.rows import MemoryRows
from daskid.typing import Array, Ints


class Boxes(NamedTuple):
    """Of all cells: (q, cells) boxes, (cells,) errors of coordinates and numbers of rows."""

    low: Array
    high: Array
    error: Array
    size: Ints


def search_cells(job: Job, means: Means) -> Found:
    """Fill the lists of a run; pairs are those that were not skipped.

    Raises
    ------
    ValueError
        If there is no run to fill.
    RuntimeError
        If cells do not hold every row once: they were made by machines that round differently.
    """
    if means.target is None:
        raise ValueError("target: expected a run, got none: search in memory")
    given = Given(job.source.shape[0], job.space, job.k, means.rows, means.target)
    done = verified(given.target, given.n, given.rows)
    rows = [pool.share(x) if isinstance(x, MemoryRows) else x for x in (job.source, *job.labels)]
    pairs = 0
    with progress("knn", job.locations**2, "pairs") as advance:
        if len(done) < given.parts:
            cells = shuffle.sort(given, rows, _gather, means.needs)
            pairs = _search(given, cells, job.locations, means.needs, advance)
            shuffle.collect(given, cells, job.location, rows[1], done, means.needs)
    return Found(None, None, pairs)


def _gather(given: Given, number: int, share: Share) -> None:
    """Put the rows of a cell into leaves."""
    if shuffle.begun(given, CELLS, number):
        return
    leaves, _ = trees.leaves_of(shuffle.gathered(given, share), shuffle.view_of(given)[0])
    size = np.array([leaves.rows.shape[0]])
    box = leaves.low.min(axis=1), leaves.high.max(axis=1), leaves.error.max(keepdims=True), size
    shuffle.write(given, CELLS, number, {ROWS: tuple(leaves), BOX: box})


def _boxes(given: Given, cells: int) -> Boxes:
    """Read the boxes of all cells."""
    found = (shuffle.read(given, CELLS, cell, BOX) for cell in range(cells))
    low, high, error, size = zip(*found, strict=True)
    of_cells = np.stack(low, axis=1), np.stack(high, axis=1)
    return Boxes(*of_cells, np.concatenate(error), np.concatenate(size))


def _search(
    given: Given, cells: int, locations: int, needs: int, advance: Callable[[int], None]
) -> int:
    """Search all cells; return the pairs that were not skipped."""
    boxes = _boxes(given, cells)
    shuffle.check_whole(int(boxes.size.sum()), locations)
    shared = pool.share(boxes)
    for cell in shuffle.stage(given, FOUND, _search_cell, [(shared,)] * cells, needs):
        advance(int(boxes.size[cell]) * locations)
    return sum(int(shuffle.read(given, FOUND, cell, COUNTS)[0][0]) for cell in range(cells))


def _search_cell(given: Given, number: int, boxes: Boxes) -> None:
    """Search the rows of a cell in all cells that may hold neighbors, near ones first."""
    if shuffle.begun(given, FOUND, number):
        return
    view, _ = shuffle.view_of(given)
    own = trees.Leaves(*shuffle.read(given, CELLS, number, ROWS))
    lists = empty_lists(own.rows.shape[0], given.k)
    counts = np.array(trees.update_leaves(lists, own, own, view))
    bound = trees.bounds_to(own, boxes.low, boxes.high, view)
    for cell in np.argsort(bound.min(axis=0), kind="stable"):
        within = bound[:, cell] <= trees.ceilings(lists, own, view, boxes.error[cell])
        if cell != number and within.any():
            other = trees.Leaves(*shuffle.read(given, CELLS, int(cell), ROWS))
            counts += trees.update_leaves(lists, own, other, view)
            del other  # before the next one is read
    location = own.who[0].copy()
    del own, bound
    found = shuffle.by_strip(given, location, lists)
    shuffle.write(given, FOUND, number, {COUNTS: (counts,), **found})
