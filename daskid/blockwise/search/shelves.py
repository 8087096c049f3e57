"""Rows in cells, some thousand rows a part: in files of a run, or in memory.

What a task finds for a part is what it leaves in a file, or what it returns.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from daskid.blockwise.search import pool, shuffle
from daskid.blockwise.search.cells import arranged
from daskid.blockwise.search.shuffle import BOX, CELLS, ROWS, Given, Share
from daskid.kernels.cells import Cells, in_blocks
from daskid.kernels.neighbors import Block
from daskid.kernels.trees import View
from daskid.storage.rows import MemoryRows
from daskid.typing import Array, Ints

Pieces = dict[int, tuple[Array, ...]]
Task = Callable[..., Pieces]


class Files(NamedTuple):
    """Parts in files of a run, as many as there are cells of the shuffle."""

    given: Given
    parts: int
    view: View

    def cells(self, part: int) -> Cells:
        """Return the rows of a part."""
        return Cells(*shuffle.read(self.given, CELLS, part, ROWS))

    def box(self, part: int) -> tuple[Array, ...]:
        """Return what others need to know of a part: see :func:`boxed`."""
        return shuffle.read(self.given, CELLS, part, BOX)


class Memory(NamedTuple):
    """Parts that all tasks share, and what others need to know of each."""

    held: list[Cells]
    boxes: list[tuple[Array, ...]]
    view: View

    @property
    def parts(self) -> int:
        """How many there are."""
        return len(self.held)

    def cells(self, part: int) -> Cells:
        """Return the rows of a part."""
        return self.held[part]

    def box(self, part: int) -> tuple[Array, ...]:
        """Return what others need to know of a part: see :func:`boxed`."""
        return self.boxes[part]


Shelf = Files | Memory


class Sample(NamedTuple):
    """Some rows, by their location: rows as compared, who they are, coordinates, their cells."""

    rows: Array
    who: Ints
    points: Array
    cell: Ints


class Chart(NamedTuple):
    """All cells: centers in blocks, radii, and the part of each; the first one of each part.

    ``error`` is the largest of coordinates, ``rows`` how many there are in all.
    """

    blocks: Array
    radius: Array
    part: Ints
    first: Ints
    error: float
    rows: int


def boxed(cells: Cells, wanted: Ints) -> tuple[Array, ...]:
    """Return what others need to know of a part.

    That is centers and radii of cells, the error of coordinates, the number of rows; and of those
    at the ``wanted`` locations what a :class:`Sample` has, with cells as numbered in the part.
    """
    own = np.flatnonzero(np.isin(cells.who[0], wanted))
    cell = np.searchsorted(cells.start, own, "right") - 1
    points, q = np.empty((own.size, cells.center.shape[0]), cells.columns.dtype), len(cells.center)
    for i, (row, c) in enumerate(zip(own, cell, strict=True)):
        columns = cells.columns[q * cells.at[c] : q * cells.at[c + 1]].reshape(q, -1)
        points[i] = columns[:, row - cells.start[c]]
    about = cells.center, cells.radius, cells.error, np.array([len(cells.rows)])
    return *about, cells.rows[own], cells.who[:, own].copy(), points, cell


def chart_of(shelf: Shelf) -> tuple[Chart, Sample]:
    """Return where all cells are, and the rows that were wanted."""
    found = zip(*map(shelf.box, range(shelf.parts)), strict=True)
    center, radius, error, number, rows, who, points, cell = found
    sizes = np.array([one.size for one in radius])
    first = np.r_[0, np.cumsum(sizes)]
    chart = Chart(
        in_blocks(np.concatenate(center, axis=1)), np.concatenate(radius),
        np.repeat(np.arange(sizes.size), sizes), first, float(np.max(error)), int(np.sum(number)),
    )  # fmt: skip
    whose = np.concatenate(who, axis=1)
    cells = np.concatenate([own + a for own, a in zip(cell, first, strict=False)])
    order = np.argsort(whose[0])
    some = (np.concatenate(x)[order] for x in (rows, points))
    return chart, Sample(next(some), whose[:, order], next(some), cells[order])


class Gather(NamedTuple):
    """Puts the rows of a part into cells: their size, a seed, and the locations that are wanted."""

    size: int
    seed: int
    wanted: Ints

    def cells(self, block: Block, view: View, number: int) -> Cells:
        """Return the rows of a part in cells."""
        return arranged(block, view, self.size, [self.seed, number])


def _gather(given: Given, number: int, share: Share, how: Gather) -> None:
    """Write the cells of a part."""
    if not shuffle.begun(given, CELLS, number):
        view, _ = shuffle.view_of(given)
        cells = how.cells(shuffle.gathered(given, share), view, number)
        shuffle.write(given, CELLS, number, {ROWS: tuple(cells), BOX: boxed(cells, how.wanted)})


def in_files(given: Given, rows: list[Any], how: Gather, needs: int) -> Files:
    """Bring rows into cells, in files.

    Parameters
    ----------
    given, rows, needs
        As in :func:`daskid.blockwise.search.shuffle.sort`.
    how
        How rows are put into cells.
    """
    shared = [pool.share(x) if isinstance(x, MemoryRows) else x for x in rows]
    parts = shuffle.sort(given, shared, partial(_gather, how=how), needs)
    return Files(given, parts, shuffle.view_of(given)[0])


def in_memory(given: Given, rows: list[Any], how: Gather) -> Memory:
    """Bring rows into cells in memory; parameters as in :func:`in_files`."""
    with threadpool_limits(1, user_api="blas"):  # the same bits as tasks
        return _in_memory(given, rows, how)


def _in_memory(given: Given, rows: list[Any], how: Gather) -> Memory:
    blocks = [shuffle.locations_of(given, rows, part) for part in range(given.parts)]
    view, cuts = shuffle.cuts_from((block.rows for block in blocks), given)
    sorted_blocks = []
    while blocks:  # a block is dropped when it is sorted
        sorted_blocks.append(shuffle.sorted_block(blocks.pop(0), view, cuts))
    counts = (block[shuffle.COUNTS] for block in sorted_blocks)
    shares = shuffle.dealt(counts, given.parts, given.rows)
    held = []
    for number, share in enumerate(shares):
        found = (block.get(share.cut, ()) for block in sorted_blocks)
        held.append(how.cells(shuffle.joined(found, share), view, number))
    return Memory(held, [boxed(cells, how.wanted) for cells in held], view)


def each(
    shelf: Shelf, shared: Any, stage: str, task: Task, given: tuple[Any, ...], needs: int
) -> Iterator[tuple[int, Callable[[int], tuple[Array, ...]]]]:
    """Run a task for each part; yield its number, and what reads a piece of what it found.

    Parameters
    ----------
    shelf, shared
        The parts, and what stands for them in the arguments of tasks.
    stage
        The folder for what is found, where parts are files.
    task, given
        ``task(shelf, number, *given)`` returns the pieces that it found.
    needs
        Bytes that a task takes.
    """
    if isinstance(shelf, Memory):
        every = [(shared, number, *given) for number in range(shelf.parts)]
        for number, found in pool.run(task, every, needs=needs):
            yield number, found.__getitem__
        return
    todo: list[Any] = [(shared, stage, task, *given)] * shelf.parts
    for number in shuffle.stage(shelf.given, stage, _leave, todo, needs):
        yield number, partial(shuffle.read, shelf.given, stage, number)


def _leave(given: Given, number: int, shelf: Shelf, stage: str, task: Task, *rest: Any) -> None:
    """Write what a task finds, once."""
    if not shuffle.begun(given, stage, number):
        shuffle.write(given, stage, number, task(shelf, number, *rest))
