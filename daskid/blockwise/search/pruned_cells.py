"""Cells of near rows, each read where its rows may be neighbors: lists of a run.

Four stages, each a folder of pieces and markers beside the run, so that a job that was killed
goes on: cuts from a sample; blocks of the source, sorted by cell; cells, their rows in leaves;
what each cell found. The last one gives each strip of the result its lists. Cuts are made from a
sample, and rows that are equal can't be cut apart: a cell that turns out too large for the plan is
dealt out to several (``cells.json``), so that no data take more memory than was planned.
"""

import itertools
import json
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
from daskid.blockwise.search.pruned import CUT_BYTES, UNEVEN, sampled
from daskid.blockwise.search.results import Target, check_own, commit, verified
from daskid.blockwise.search.scan import Source
from daskid.kernels import trees
from daskid.kernels.neighbors import Block, Space, empty_lists
from daskid.storage import ledger, pieces
from daskid.storage.rows import MemoryRows
from daskid.typing import Array, Ints

SAMPLED = 128
"""Rows a cell that cuts are made of."""
RECORD = "cells.json"
CUTS, SORTED, CELLS, FOUND = "cuts", "sorted", "cells", "found"
ROWS, BOX, COUNTS = 0, 1, -1
"""Pieces of a cell, and of what it found."""


class Given(NamedTuple):
    """What all tasks are given; a strip, and a block of the source, have ``rows`` rows."""

    n: int
    space: Space
    k: int
    rows: int
    target: Target

    @property
    def parts(self) -> int:
        """Number of strips, of blocks, and of cells that are cut."""
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
        return f"{self.target.fingerprint} {self.rows} dealt"

    @property
    def record(self) -> Path:
        """The file that says what cells there are."""
        return Path(self.target.folder, RECORD)


class Share(NamedTuple):
    """A cell: rows ``start`` to ``stop - 1`` of those that a cut cell has, in their order."""

    cut: int
    start: int
    stop: int


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
            cells = _sort(given, rows, means.needs)
            pairs = _search(given, cells, job.locations, means.needs, advance)
            _collect(given, cells, job.location, rows[1], done, means.needs)
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


def _sort(given: Given, rows: list[Any], needs: int) -> int:
    """Bring the rows into cells; return how many there are."""
    shares = _recorded(given)
    if shares and len({*_stage(given, CELLS, _gather, [], needs)}) == len(shares):
        return len(shares)
    for _ in _stage(given, CUTS, _cut, [(rows,)], needs):
        pass
    for _ in _stage(given, SORTED, _sort_block, [(rows,)] * given.parts, needs):
        pass
    if not shares:
        shares = _dealt(given)
        ledger.write(given.record, json.dumps(shares).encode())
    for _ in _stage(given, CELLS, _gather, [(share,) for share in shares], needs):
        pass
    shutil.rmtree(given.folder(SORTED), ignore_errors=True)
    return len(shares)


def _recorded(given: Given) -> list[Share]:
    """Return the cells that an earlier attempt has begun with."""
    return (
        [Share(*x) for x in json.loads(given.record.read_text())] if given.record.exists() else []
    )


def _dealt(given: Given) -> list[Share]:
    """Return the cells: as they were cut, those that are too large in equal parts."""
    size = np.zeros(given.parts, np.int64)
    for block in range(given.parts):
        cuts, count = _read(given, SORTED, block, COUNTS)
        size[cuts] += count
    shares = []
    for cut, n in enumerate(size.tolist()):
        number = 1 if n <= UNEVEN * given.rows else ceil(n / given.rows)
        ends = [n * i // number for i in range(number + 1)]
        shares += [Share(cut, a, b) for a, b in itertools.pairwise(ends) if b > a]
    return shares


def _locations(given: Given, rows: list[Source | None], part: int) -> Block:
    source, *labels = rows
    assert source is not None
    return read_locations(source, Labels(*labels), given.space, *given.span(part))


def _cut(given: Given, number: int, rows: list[Any]) -> None:
    """Read all rows, keep a sample, make the view and the cuts of it."""
    if _begun(given, CUTS, number):
        return
    rng, size = np.random.default_rng(0), 0
    most = max(1, min(SAMPLED * given.parts, CUT_BYTES // (8 * rows[0].shape[1])))
    ends = [most * (part + 1) // given.parts for part in range(given.parts)]
    for part, end in enumerate(ends):
        block = _locations(given, rows, part).rows
        if part == 0:
            sample = np.empty((most, block.shape[1]), block.dtype)
        some = rng.choice(len(block), min(len(block), end - size), replace=False)
        sample[size : size + some.size] = block[np.sort(some)]
        size += some.size
        del block  # before the next one is read
    sample = sample[:size]
    view = trees.view_of(
        sampled(sample)[: max(2, CUT_BYTES // (24 * sample.shape[1]))], given.space
    )
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
    cuts_here, count = np.unique(cell, return_counts=True)
    parts: dict[int, tuple[Array, ...]] = {COUNTS: (cuts_here, count)}
    for c in cuts_here:
        i = np.flatnonzero(cell == c)
        parts[int(c)] = block.rows[i], np.ascontiguousarray(block.who[:, i])
    _write(given, SORTED, number, parts)


def _gather(given: Given, number: int, share: Share) -> None:
    """Put the rows of a cell into leaves."""
    if _begun(given, CELLS, number):
        return
    view, _ = _view(given)
    found, place = [], 0
    for block in range(given.parts):
        if place < share.stop and (part := _read(given, SORTED, block, share.cut)):
            own = slice(max(0, share.start - place), max(0, share.stop - place))
            place += len(part[0])
            found.append((part[0][own].copy(), part[1][:, own].copy()))
            del part  # most of it may be of other cells
    rows, who = np.concatenate([r for r, _ in found]), np.concatenate([w for _, w in found], axis=1)
    del found
    leaves, _ = trees.leaves_of(Block(rows, who), view)
    size = np.array([leaves.rows.shape[0]])
    box = leaves.low.min(axis=1), leaves.high.max(axis=1), leaves.error.max(keepdims=True), size
    _write(given, CELLS, number, {ROWS: tuple(leaves), BOX: box})


def _boxes(given: Given, cells: int) -> Boxes:
    """Read the boxes of all cells."""
    low, high, error, size = zip(*(_read(given, CELLS, c, BOX) for c in range(cells)), strict=True)
    of_cells = np.stack(low, axis=1), np.stack(high, axis=1)
    return Boxes(*of_cells, np.concatenate(error), np.concatenate(size))


def _search(
    given: Given, cells: int, locations: int, needs: int, advance: Callable[[int], None]
) -> int:
    """Search all cells; return the pairs that were not skipped."""
    boxes = _boxes(given, cells)
    _check_whole(int(boxes.size.sum()), locations)
    shared = pool.share(boxes)
    for cell in _stage(given, FOUND, _search_cell, [(shared,)] * cells, needs):
        advance(int(boxes.size[cell]) * locations)
    return sum(int(_read(given, FOUND, cell, COUNTS)[0][0]) for cell in range(cells))


def _check_whole(got: int, expected: int) -> None:
    if got != expected:
        raise RuntimeError(
            f"cells: expected {expected} rows, each once, got {got}: blocks were sorted by "
            "machines that round differently: search with overwrite on machines of one kind, or "
            "use method='strips'"
        )


def _search_cell(given: Given, number: int, boxes: Boxes) -> None:
    """Search the rows of a cell in all cells that may hold neighbors, near ones first."""
    if _begun(given, FOUND, number):
        return
    view, _ = _view(given)
    own = trees.Leaves(*_read(given, CELLS, number, ROWS))
    lists = empty_lists(own.rows.shape[0], given.k)
    counts = np.array(trees.update_leaves(lists, own, own, view))
    bound = trees.bounds_to(own, boxes.low, boxes.high, view)
    for cell in np.argsort(bound.min(axis=0), kind="stable"):
        within = bound[:, cell] <= trees.ceilings(lists, own, view, boxes.error[cell])
        if cell != number and within.any():
            other = trees.Leaves(*_read(given, CELLS, int(cell), ROWS))
            counts += trees.update_leaves(lists, own, other, view)
            del other  # before the next one is read
    location = own.who[0].copy()
    del own, bound
    found = _by_strip(given, location, lists)
    _write(given, FOUND, number, {COUNTS: (counts,), **found})


def _by_strip(given: Given, location: Ints, lists: trees.Lists) -> dict[int, tuple[Array, ...]]:
    """Return lists by the strip of their location: sorted locations, and theirs."""
    order = np.argsort(location)
    cuts = np.flatnonzero(np.diff(location[order] // given.rows)) + 1
    return {
        int(location[i[0]]) // given.rows: (location[i], lists.distance[i], lists.location[i])
        for i in np.split(order, cuts)
    }


def _collect(
    given: Given, cells: int, location: Ints, shared: Any, done: set[int], needs: int
) -> None:
    """Write the strips of the result."""
    finders = defaultdict(list)
    for cell in range(cells):
        for strip in pieces.numbers(given.folder(FOUND), cell, given.fingerprint):
            finders[strip].append(cell)
    tasks = []
    for strip in range(given.parts):
        if strip not in done:
            start, stop = given.span(strip)
            others = np.unique(location[start:stop] // given.rows).tolist()
            tasks.append((given, strip, {other: finders[other] for other in others}, shared))
    for _ in pool.run(_collect_strip, tasks, needs=needs):
        pass


def _collect_strip(
    given: Given, strip: int, finders: dict[int, list[int]], location: Source | None
) -> None:
    """Give every row the list of its location, from the cells that found those of its strip."""
    if ledger.marked(given.target.folder, strip):
        return
    ledger.count_try(given.target.folder, strip)
    start, stop = given.span(strip)
    wanted = np.arange(start, stop) if location is None else location.read(start, stop)
    lists, times = empty_lists(stop - start, given.k), np.zeros(stop - start, np.int64)
    for other, cells in finders.items():
        here = np.flatnonzero(wanted // given.rows == other)
        for cell in cells:
            row, distance, index = _read(given, FOUND, cell, other)
            slot = np.minimum(np.searchsorted(row, wanted[here]), row.size - 1)
            mine = row[slot] == wanted[here]
            lists.distance[here[mine]] = distance[slot[mine]]
            lists.location[here[mine]] = index[slot[mine]]
            times[here[mine]] += 1
    if (times != 1).any():
        _check_whole(int((times == 1).sum()), times.size)
    commit(given.target, strip, start, *lists)
