"""Rows brought together with near ones, a file for each cell: one shuffle beside the run.

Stages, each a folder of pieces and markers, so that a job that was killed goes on: cuts from a
sample; blocks of the source, sorted by cell; cells, in the form that a search gives them; what was
found in each cell, from which each strip of the result gets its lists. Cuts are made from a sample,
and rows that are equal can't be cut apart: a cell that turns out too large for the plan is dealt
out to several (``cells.json``), so that no data take more memory than was planned.
"""

import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from math import ceil
from typing import Any, NamedTuple

import numpy as np

from daskid.blockwise.search import pool
from daskid.blockwise.search.blocks import Labels, read_locations
from daskid.blockwise.search.pruned import CUT_BYTES, UNEVEN, sampled
from daskid.blockwise.search.results import Target, check_own, commit, fitting
from daskid.blockwise.search.scan import Source
from daskid.kernels import trees
from daskid.kernels.neighbors import Block, Lists, Space, empty_lists
from daskid.storage import ledger, pieces
from daskid.storage.place import at, remove, within
from daskid.typing import Array, Ints

SAMPLED = 128
"""Rows a cell that cuts are made of."""
RECORD = "cells.json"
CUTS, SORTED, CELLS, FOUND = "cuts", "sorted", "cells", "found"
ROWS, BOX, COUNTS = 0, 1, -1
"""Pieces of a cell, and of what it found."""


class Given(NamedTuple):
    """What all tasks are given; a strip, and a block of the source, have ``rows`` rows.

    ``exact``: few features are seen as they are (:func:`daskid.kernels.trees.view_of`).
    """

    n: int
    space: Space
    k: int
    rows: int
    target: Target
    exact: bool = True

    @property
    def parts(self) -> int:
        """Number of strips, of blocks, and of cells that are cut."""
        return ceil(self.n / self.rows)

    def span(self, part: int) -> tuple[int, int]:
        """Return the first row of a strip or block, and the one after its last."""
        return part * self.rows, min((part + 1) * self.rows, self.n)

    def folder(self, stage: str) -> str:
        """Return the folder of a stage."""
        return within(self.target.folder, stage)

    @property
    def fingerprint(self) -> str:
        """What pieces are computed from."""
        return f"{self.target.fingerprint} {self.rows} dealt"

    @property
    def record(self) -> Any:
        """The file that says what cells there are."""
        return at(self.target.folder, RECORD)


class Share(NamedTuple):
    """A cell: rows ``start`` to ``stop - 1`` of those that a cut cell has, in their order."""

    cut: int
    start: int
    stop: int


def stage(
    given: Given, name: str, task: Callable[..., None], todo: list[Any], needs: int
) -> Iterator[int]:
    """Run the tasks of a stage that are not done; yield the number of each as it is done."""
    folder = given.folder(name)
    at(folder).mkdir(exist_ok=True)
    fit = fitting(folder, given.fingerprint)
    yield from sorted(fit)
    left = [number for number in range(len(todo)) if number not in fit]
    for i, _ in pool.run(task, [(given, number, *todo[number]) for number in left], needs=needs):
        yield left[i]


def write(given: Given, name: str, number: int, found: dict[int, tuple[Array, ...]]) -> None:
    """Write what a task has and enter it, in this order."""
    folder = given.folder(name)
    checksum = pieces.write(folder, number, found, given.fingerprint)
    check_own(given.target, f"{name} {number}")
    ledger.mark(folder, number, checksum)


def begun(given: Given, name: str, number: int) -> bool:
    """Return whether a task is done: its worker died before it could say so; count its try."""
    done = ledger.marked(given.folder(name), number)
    if not done:
        ledger.count_try(given.folder(name), number)
    return done


def read(given: Given, name: str, number: int, piece: int) -> tuple[Array, ...]:
    """Return a piece of what a task of a stage has left."""
    return pieces.read(given.folder(name), number, piece, given.fingerprint)


def sort(given: Given, rows: list[Any], gather: Callable[..., None], needs: int) -> int:
    """Bring the rows into cells; return how many there are.

    Parameters
    ----------
    given, needs
        What tasks are given, and what they hold.
    rows
        The source and its labels.
    gather
        Task that writes a cell: ``gather(given, number, share)``.
    """
    shares = _recorded(given)
    if shares and len({*stage(given, CELLS, gather, [], needs)}) == len(shares):
        return len(shares)
    for _ in stage(given, CUTS, _cut, [(rows,)], needs):
        pass
    for _ in stage(given, SORTED, _sort_block, [(rows,)] * given.parts, needs):
        pass
    if not shares:
        counts = (read(given, SORTED, block, COUNTS) for block in range(given.parts))
        shares = dealt(counts, given.parts, given.rows)
        ledger.write(given.record, json.dumps(shares).encode())
    for _ in stage(given, CELLS, gather, [(share,) for share in shares], needs):
        pass
    remove(given.folder(SORTED))
    return len(shares)


def _recorded(given: Given) -> list[Share]:
    """Return the cells that an earlier attempt has begun with."""
    return (
        [Share(*x) for x in json.loads(given.record.read_text())] if given.record.exists() else []
    )


def dealt(counts: Iterable[tuple[Array, ...]], parts: int, rows: int) -> list[Share]:
    """Return the cells: as they were cut, those that are too large in equal parts.

    Parameters
    ----------
    counts
        Of each block, which of ``parts`` cut cells it has rows of, and how many.
    parts, rows
        How many cells were cut, and the rows that each should have.
    """
    size = np.zeros(parts, np.int64)
    for cuts, count in counts:
        size[cuts] += count
    shares = []
    for cut, n in enumerate(size.tolist()):
        number = 1 if n <= UNEVEN * rows else ceil(n / rows)
        ends = [n * i // number for i in range(number + 1)]
        shares += [Share(cut, a, b) for a, b in itertools.pairwise(ends) if b > a]
    return shares


def locations_of(given: Given, rows: list[Source | None], part: int) -> Block:
    """Return the rows of a block that stand for their location."""
    source, *labels = rows
    assert source is not None
    return read_locations(source, Labels(*labels), given.space, *given.span(part))


def _cut(given: Given, number: int, rows: list[Any]) -> None:
    """Read all rows, keep a sample, make the view and the cuts of it."""
    if begun(given, CUTS, number):
        return
    blocks = (locations_of(given, rows, part).rows for part in range(given.parts))
    write(given, CUTS, number, {ROWS: trees.packed(*cuts_from(blocks, given))})


def cuts_from(blocks: Iterable[Array], given: Given) -> tuple[trees.View, trees.Cuts]:
    """Return how rows are seen, and where they are cut, from one pass over them."""
    rng, size, parts, sample = np.random.default_rng(0), 0, given.parts, np.empty((0, 0))
    for part, block in enumerate(blocks):
        if part == 0:
            most = max(1, min(SAMPLED * parts, CUT_BYTES // (8 * block.shape[1])))
            ends = [most * (p + 1) // parts for p in range(parts)]
            sample = np.empty((most, block.shape[1]), block.dtype)
        some = rng.choice(len(block), min(len(block), ends[part] - size), replace=False)
        sample[size : size + some.size] = block[np.sort(some)]
        size += some.size
        del block  # before the next one is read
    sample = sample[:size]
    few = sampled(sample)[: max(2, CUT_BYTES // (24 * sample.shape[1]))]
    view = trees.view_of(few, given.space, exact=given.exact)
    points, _ = trees.coordinates(sample, view)
    return view, trees.cuts_of(points, parts, not view.rule.exact)


def view_of(given: Given) -> tuple[trees.View, trees.Cuts]:
    """Return how rows are seen, and where they are cut."""
    return trees.unpacked(read(given, CUTS, 0, ROWS), given.space)


def _sort_block(given: Given, number: int, rows: list[Source | None]) -> None:
    """Sort the rows of a block by cell."""
    if begun(given, SORTED, number):
        return
    write(given, SORTED, number, sorted_block(locations_of(given, rows, number), *view_of(given)))


def sorted_block(block: Block, view: trees.View, cuts: trees.Cuts) -> dict[int, tuple[Array, ...]]:
    """Return the rows of a block by cell, and which cells these are and how many rows they have."""
    cell = trees.cells_of(trees.coordinates(block.rows, view)[0], cuts)
    here, count = np.unique(cell, return_counts=True)
    parts: dict[int, tuple[Array, ...]] = {COUNTS: (here, count)}
    for c in here:
        i = np.flatnonzero(cell == c)
        parts[int(c)] = block.rows[i], np.ascontiguousarray(block.who[:, i])
    return parts


def gathered(given: Given, share: Share) -> Block:
    """Return the rows of a cell from all blocks."""
    found = (read(given, SORTED, block, share.cut) for block in range(given.parts))
    return joined(found, share)


def joined(found: Iterable[tuple[Array, ...]], share: Share) -> Block:
    """Return the rows of a cell from what each block has of its cut cell."""
    taken, place = [], 0
    for part in found:
        if part:
            own = slice(max(0, share.start - place), max(0, share.stop - place))
            place += len(part[0])
            taken.append((part[0][own].copy(), part[1][:, own].copy()))
        del part  # most of it may be of other cells
        if place >= share.stop:
            break
    rows, who = zip(*taken, strict=True)
    return Block(np.concatenate(rows), np.concatenate(who, axis=1))


def check_whole(got: int, expected: int) -> None:
    """Raise where cells do not hold every row once."""
    if got != expected:
        raise RuntimeError(
            f"cells: expected {expected} rows, each once, got {got}: blocks were sorted by "
            "machines that round differently: search with overwrite on machines of one kind, or "
            "use method='strips'"
        )


def by_strip(given: Given, location: Ints, lists: Lists) -> dict[int, tuple[Array, ...]]:
    """Return lists by the strip of their location: sorted locations, and theirs."""
    order = np.argsort(location)
    cuts = np.flatnonzero(np.diff(location[order] // given.rows)) + 1
    return {
        int(location[i[0]]) // given.rows: (location[i], lists.distance[i], lists.location[i])
        for i in np.split(order, cuts)
    }


def collect(
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
            row, distance, index = read(given, FOUND, cell, other)
            slot = np.minimum(np.searchsorted(row, wanted[here]), row.size - 1)
            mine = row[slot] == wanted[here]
            lists.distance[here[mine]] = distance[slot[mine]]
            lists.location[here[mine]] = index[slot[mine]]
            times[here[mine]] += 1
    if (times != 1).any():
        check_whole(int((times == 1).sum()), times.size)
    commit(given.target, strip, start, *lists)
