"""Cells of near rows, each read where its rows may be neighbors: lists of a run.

Four stages, each a folder of pieces and markers beside the run, so that a job that was killed
goes on: cuts from a sample; blocks of the source, sorted by cell; cells, their rows in leaves;
what each cell found. The last one gives each strip of the result its lists.
"""

import shutil
from collections import defaultdict
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from daskid.blockwise.search import pool
from daskid.blockwise.search.blocks import Labels, read_locations
from daskid.blockwise.search.job import Found, Job, Means
from daskid.blockwise.search.progress import progress
from daskid.blockwise.search.pruned import sampled
from daskid.blockwise.search.results import Target, check_own, commit, verified
from daskid.blockwise.search.scan import Source
from daskid.kernels import trees
from daskid.kernels.neighbors import Block, Space, empty_lists
from daskid.storage import ledger, pieces
from daskid.storage.rows import MemoryRows
from daskid.typing import Array, Ints

SAMPLED = 128
"""Rows a cell that cuts are made of."""
SAMPLE_BYTES = 64 << 20
CUTS, SORTED, CELLS, FOUND = "cuts", "sorted", "cells", "found"
ROWS, BOX, COUNTS = 0, 1, -1
"""Pieces of a cell, and of what it found."""


class Given(NamedTuple):
    """What all tasks are given; a strip, a block of the source and a cell have ``rows`` rows."""

    n: int
    space: Space
    k: int
    rows: int
    target: Target

    @property
    def parts(self) -> int:
        """Number of strips, of blocks and of cells."""
        return ceil(self.n / self.rows)

    def span(self, part: int) -> tuple[int, int]:
        """Return the first row of a strip or block, and the one after its last."""
        return part * self.rows, min((part + 1) * self.rows, self.n)

    def folder(self, stage: str) -> str:
        """Return the folder of a stage."""
        return str(Path(self.target.folder, stage))

    @property
    def fingerprint(self) -> str:
        """What pieces are computed from."""
        return f"{self.target.fingerprint} {self.rows}"


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
    with progress("knn", given.n * job.locations, "pairs") as advance:
        if len(done) < given.parts:
            _sort(given, rows, means.needs)
            pairs = _search(given, job, means.needs, advance)
            _collect(given, done, means.needs)
    return Found(None, None, pairs)


def _stage(given: Given, stage: str, task: Callable[..., None], todo: list[Any], needs: int) -> Any:
    """Run the tasks of a stage that are not done; yield the number of each as it is done."""
    folder = given.folder(stage)
    Path(folder).mkdir(exist_ok=True)
    for path in Path(folder).glob("*.partial"):  # of writers that were killed
        path.unlink(missing_ok=True)
    marks = ledger.marks(folder)
    looked = [(folder, number, mark, given.fingerprint) for number, mark in marks.items()]
    numbers = list(marks)
    fit = {numbers[i] for i, same in pool.run(pieces.fits, looked) if same}
    for number in set(numbers) - fit:
        ledger.unmark(folder, number)
    yield from sorted(fit)
    left = [number for number in range(len(todo)) if number not in fit]
    for i, _ in pool.run(task, [(given, number, *todo[number]) for number in left], needs=needs):
        yield left[i]


def _write(given: Given, stage: str, number: int, found: dict[int, tuple[Array, ...]]) -> None:
    """Write what a task has and enter it, in this order."""
    folder = given.folder(stage)
    checksum = pieces.write(folder, number, found, given.fingerprint)
    check_own(given.target, f"{stage} {number}")
    ledger.mark(folder, number, checksum)


def _begun(given: Given, stage: str, number: int) -> bool:
    """Return whether a task is done: its worker died before it could say so; count its try."""
    done = ledger.marked(given.folder(stage), number)
    if not done:
        ledger.count_try(given.folder(stage), number)
    return done


def _read(given: Given, stage: str, number: int, piece: int) -> tuple[Array, ...]:
    return pieces.read(given.folder(stage), number, piece, given.fingerprint)


def _sort(given: Given, rows: list[Any], needs: int) -> None:
    """Bring the rows into cells."""
    whole = set(_stage(given, CELLS, _gather, [], needs))
    if len(whole) == given.parts:
        return
    for _ in _stage(given, CUTS, _cut, [(rows,)], needs):
        pass
    for _ in _stage(given, SORTED, _sort_block, [(rows,)] * given.parts, needs):
        pass
    for _ in _stage(given, CELLS, _gather, [()] * given.parts, needs):
        pass
    shutil.rmtree(given.folder(SORTED), ignore_errors=True)


def _locations(given: Given, rows: list[Source | None], part: int) -> Block:
    source, *labels = rows
    assert source is not None
    return read_locations(source, Labels(*labels), given.space, *given.span(part))


def _cut(given: Given, number: int, rows: list[Source | None]) -> None:
    """Read all rows, keep a sample, make the view and the cuts of it."""
    if _begun(given, CUTS, number):
        return
    rng, some = np.random.default_rng(0), []
    features = rows[0].shape[1] if rows[0] is not None else 1
    most = min(SAMPLED * given.parts, max(1024, SAMPLE_BYTES // (8 * features)))
    for part in range(given.parts):
        block = _locations(given, rows, part).rows
        size = min(len(block), ceil(most / given.parts))
        some.append(block[np.sort(rng.choice(len(block), size, replace=False))])
    sample = np.concatenate(some)
    view = trees.view_of(sampled(sample), given.space)
    points, _ = trees.coordinates(sample, view)
    cuts = trees.cuts_of(points, given.parts, not view.rule.exact)
    _write(given, CUTS, number, {ROWS: trees.packed(view, cuts)})


def _view(given: Given) -> tuple[trees.View, trees.Cuts]:
    return trees.unpacked(_read(given, CUTS, 0, ROWS), given.space)


def _sort_block(given: Given, number: int, rows: list[Source | None]) -> None:
    """Sort the rows of a block by cell."""
    if _begun(given, SORTED, number):
        return
    view, cuts = _view(given)
    block = _locations(given, rows, number)
    cell = trees.cells_of(trees.coordinates(block.rows, view)[0], cuts)
    own = ((c, np.flatnonzero(cell == c)) for c in np.unique(cell))
    parts: dict[int, tuple[Array, ...]]
    parts = {int(c): (block.rows[i], np.ascontiguousarray(block.who[:, i])) for c, i in own}
    parts.setdefault(0, (block.rows[:0], block.who[:, :0]))  # rows have a dtype and features
    _write(given, SORTED, number, parts)


def _gather(given: Given, number: int) -> None:
    """Put the rows of a cell into leaves."""
    if _begun(given, CELLS, number):
        return
    view, _ = _view(given)
    found = [_read(given, SORTED, block, number) for block in range(given.parts)]
    found = [part for part in found if part] or [_read(given, SORTED, 0, 0)]
    if not any(len(rows) for rows, _ in found):
        nothing = np.empty(0)
        _write(given, CELLS, number, {ROWS: (), BOX: (nothing, nothing, nothing, nothing)})
        return
    rows, who = np.concatenate([r for r, _ in found]), np.concatenate([w for _, w in found], axis=1)
    del found
    leaves, _ = trees.leaves_of(Block(rows, who), view)
    size = np.array([leaves.rows.shape[0]])
    box = leaves.low.min(axis=1), leaves.high.max(axis=1), leaves.error.max(keepdims=True), size
    _write(given, CELLS, number, {ROWS: tuple(leaves), BOX: box})


def _boxes(given: Given) -> Boxes:
    """Read the boxes of all cells; those without rows are infinitely far."""
    found = [_read(given, CELLS, cell, BOX) for cell in range(given.parts)]
    q = max(low.size for low, *_ in found)
    some = next(low for low, *_ in found if low.size)
    low, high = np.full((q, given.parts), np.inf, some.dtype), np.full((q, given.parts), np.inf)
    error, size = np.zeros(given.parts), np.zeros(given.parts, np.int64)
    high = high.astype(some.dtype)
    for cell, (a, b, e, s) in enumerate(found):
        if a.size:
            low[:, cell], high[:, cell], error[cell], size[cell] = a, b, e[0], s[0]
    return Boxes(low, high, error, size)


def _search(given: Given, job: Job, needs: int, advance: Callable[[int], None]) -> int:
    """Search all cells; return the pairs that were not skipped."""
    boxes = _boxes(given)
    _check_whole(int(boxes.size.sum()), job.locations)
    copies = np.flatnonzero(job.location != np.arange(given.n))
    copies = copies[np.argsort(job.location[copies], kind="stable")]
    shared = pool.share(boxes), pool.share(np.stack([job.location[copies], copies]))
    for cell in _stage(given, FOUND, _search_cell, [shared] * given.parts, needs):
        advance(int(boxes.size[cell]) * job.locations)
    return sum(int(_read(given, FOUND, cell, COUNTS)[0][0]) for cell in range(given.parts))


def _check_whole(got: int, expected: int) -> None:
    if got != expected:
        raise RuntimeError(
            f"cells: expected {expected} rows, each once, got {got}: blocks were sorted by "
            "machines that round differently: search with overwrite on machines of one kind, or "
            "use method='strips'"
        )


def _search_cell(given: Given, number: int, boxes: Boxes, copies: Ints) -> None:
    """Search the rows of a cell in all cells that may hold neighbors, near ones first."""
    if _begun(given, FOUND, number):
        return
    found: dict[int, tuple[Array, ...]] = {COUNTS: (np.zeros(2, np.int64),)}
    if boxes.size[number]:
        view, _ = _view(given)
        own = trees.Leaves(*_read(given, CELLS, number, ROWS))
        lists = empty_lists(own.rows.shape[0], given.k)
        counts = np.array(trees.update_leaves(lists, own, own, view))
        bound = trees.bounds_to(own, boxes.low, boxes.high, view)
        for cell in np.argsort(bound.min(axis=0), kind="stable"):
            within = bound[:, cell] <= trees.ceilings(lists, own, view, boxes.error[cell])
            if cell != number and boxes.size[cell] and within.any():
                other = trees.Leaves(*_read(given, CELLS, int(cell), ROWS))
                counts += trees.update_leaves(lists, own, other, view)
                del other  # before the next one is read
        found = {COUNTS: (counts,), **_by_strip(given, own.who[0], lists, copies)}
    _write(given, FOUND, number, found)


def _by_strip(
    given: Given, location: Ints, lists: trees.Lists, copies: Ints
) -> dict[int, tuple[Array, ...]]:
    """Return lists by strip: rows, and theirs; copies have those of their location."""
    order = np.argsort(location)
    slot = np.searchsorted(location, copies[0], sorter=order)
    slot = order[np.minimum(slot, order.size - 1)]
    mine = location[slot] == copies[0]
    row = np.concatenate([location, copies[1, mine]])
    slot = np.concatenate([np.arange(location.size), slot[mine]])
    strip = row // given.rows
    parts: dict[int, tuple[Array, ...]] = {}
    for s in np.unique(strip):
        i = slot[strip == s]
        parts[int(s)] = row[strip == s], lists.distance[i], lists.location[i]
    return parts


def _collect(given: Given, done: set[int], needs: int) -> None:
    """Write the strips of the result."""
    cells = defaultdict(list)
    for cell in range(given.parts):
        for strip in pieces.numbers(given.folder(FOUND), cell, given.fingerprint):
            cells[strip].append(cell)
    tasks = [(given, strip, cells[strip]) for strip in range(given.parts) if strip not in done]
    for _ in pool.run(_collect_strip, tasks, needs=needs):
        pass


def _collect_strip(given: Given, strip: int, cells: list[int]) -> None:
    if ledger.marked(given.target.folder, strip):
        return
    ledger.count_try(given.target.folder, strip)
    start, stop = given.span(strip)
    lists, times = empty_lists(stop - start, given.k), np.zeros(stop - start, np.int64)
    for cell in cells:
        row, distance, location = _read(given, FOUND, cell, strip)
        lists.distance[row - start], lists.location[row - start] = distance, location
        times[row - start] += 1
    if (times != 1).any():
        _check_whole(int((times == 1).sum()), times.size)
    commit(given.target, strip, start, *lists)
