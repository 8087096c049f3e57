"""Pairs of strips, each pair once: what a task does, and how tasks are made one result.

A strip is searched within itself first: its lists bound its k-th distances. A task of a round
(``schedule``) takes a strip and those some places after it, and brings both sides up to date from
one pass over their pairs. It starts from the bounds alone, as others may hold what is nearer,
and writes what it finds below them: sparse, a piece for each strip, into one file.
When a round is done, the pieces of each strip are merged into its lists, which bound what the
next round finds; the last merge is a tile of the result. A round ends early when the scratch is
full: bounds are tighter after it, so that any data fit. Merges are idempotent, and pieces
found from looser bounds hold more, not less: any task may run twice.
"""

from math import ceil
from typing import NamedTuple

import numpy as np

from daskid.blockwise.search.blocks import Labels, first_rows, read_locations
from daskid.blockwise.search.results import Target, check_own, commit
from daskid.blockwise.search.scan import Source
from daskid.blockwise.search.schedule import Work
from daskid.kernels.merging import merge_new, new_entries
from daskid.kernels.neighbors import (
    Block,
    Lists,
    Space,
    empty_lists,
    seeded_lists,
    update_pair,
    update_self,
)
from daskid.storage import ledger, pieces
from daskid.storage.place import within
from daskid.storage.rows import block_rows
from daskid.typing import Array, Floats, Ints

BOUND, LIST = 0, 1
"""Pieces of the lists of a strip: the k-th distances, and all of them."""


class Given(NamedTuple):
    """What all tasks are given: how rows are compared, and what strips and blocks there are."""

    shape: tuple[int, int]
    space: Space
    k: int
    rows: int
    block_bytes: int
    target: Target

    @property
    def tiles(self) -> int:
        """Number of strips."""
        return ceil(self.shape[0] / self.rows)

    def span(self, tile: int) -> tuple[int, int]:
        """Return the first row of a strip, and the one after its last."""
        return tile * self.rows, min((tile + 1) * self.rows, self.shape[0])

    @property
    def found(self) -> str:
        """The folder of what tasks find: ``TASK.pieces``."""
        return within(self.target.folder, "found")

    def lists(self, version: int) -> str:
        """Return the folder of the lists of strips after so many rounds: ``TILE.pieces``."""
        return within(self.target.folder, f"lists-{version}")

    @property
    def fingerprint(self) -> str:
        """What pieces are computed from."""
        return f"{self.target.fingerprint} {self.rows}"


class Rows(NamedTuple):
    """The rows, and who they are."""

    source: Source
    location: Source | None
    frame: Source | None
    trajectory: Source | None

    def locations(self, given: Given, start: int, stop: int) -> Block:
        """Return the rows of a range that stand for their location."""
        return read_locations(self.source, Labels(*self[1:]), given.space, start, stop)

    def step(self, given: Given) -> int:
        """Return the rows of a block."""
        return block_rows(given.shape, 8, self.source.chunk_rows(), given.block_bytes)


def search_alone(
    source: Source,
    location: Source | None,
    frame: Source | None,
    trajectory: Source | None,
    given: Given,
    tile: int,
) -> None:
    """Search a strip within itself; write its lists."""
    folder = given.lists(0)
    if ledger.marked(folder, tile):  # its worker died before it could say so
        return
    ledger.count_try(folder, tile)
    rows = Rows(source, location, frame, trajectory)
    x, step = rows.locations(given, *given.span(tile)), rows.step(given)
    lists = empty_lists(len(x.rows), given.k)
    for a in range(0, len(x.rows), step):
        block, own = _rows_of(x, a, a + step), _lists_of(lists, a, a + step)
        update_self(own, block, given.space)
        for b in range(a + step, len(x.rows), step):
            other, theirs = _rows_of(x, b, b + step), _lists_of(lists, b, b + step)
            update_pair(own, theirs, block, other, given.space)
    _write_lists(given, folder, tile, lists)


def _rows_of(block: Block, start: int, stop: int) -> Block:
    return Block(block.rows[start:stop], np.ascontiguousarray(block.who[:, start:stop]))


def _lists_of(lists: Lists, start: int, stop: int) -> Lists:
    return Lists(lists.distance[start:stop], lists.location[start:stop])


def _write_lists(given: Given, folder: str, tile: int, lists: Lists) -> None:
    kept = {BOUND: (lists.distance[:, -1],), LIST: tuple(lists)}
    checksum = pieces.write(folder, tile, kept, given.fingerprint)
    check_own(given.target, f"strip {tile}")
    ledger.mark(folder, tile, checksum)


def search_pairs(
    source: Source,
    location: Source | None,
    frame: Source | None,
    trajectory: Source | None,
    given: Given,
    task: int,
    work: Work,
    version: int,
) -> int:
    """Search a strip and others; write what is new, return how many bytes that takes.

    ``version`` is that of the lists that bound what is searched.
    """
    folder = given.found
    if ledger.marked(folder, task):
        return pieces.size_of(folder, task)
    ledger.count_try(folder, task)
    rows = Rows(source, location, frame, trajectory)
    x = rows.locations(given, *given.span(work.tile))
    own = seeded_lists(_bounds(given, version, work.tile), given.k)
    with pieces.writing(folder, task, given.fingerprint) as (put, checksum):
        for other in work.partners(given.tiles):
            bounds, found = _bounds(given, version, other), []
            start, stop = given.span(other)
            for a in range(start, stop, rows.step(given)):
                y = rows.locations(given, a, min(a + rows.step(given), stop))
                seeds, bounds = np.split(bounds, [len(y.rows)])
                lists = seeded_lists(seeds, given.k)
                update_pair(own, lists, x, y, given.space)
                found.append(_packed(given, lists))
                del y, lists  # before the next ones
            put(other, *(np.concatenate(parts) for parts in zip(*found, strict=True)))
        put(work.tile, *_packed(given, own))
    check_own(given.target, f"task {task}")
    ledger.mark(folder, task, checksum())
    return pieces.size_of(folder, task)


def _bounds(given: Given, version: int, tile: int) -> Floats:
    (bounds,) = pieces.read(given.lists(version), tile, BOUND, given.fingerprint)
    return bounds


def _packed(given: Given, lists: Lists) -> tuple[Array, Floats, Array]:
    count, distance, location = new_entries(*lists)
    small = given.shape[0] <= np.iinfo("u4").max
    return count.astype("u4"), distance, location.astype("u4") if small else location


def merge(given: Given, tile: int, version: int, tasks: Ints, last: bool) -> None:
    """Merge what tasks found for a strip into its lists of ``version - 1``; write the next ones.

    ``last``: they are a tile of the result.
    """
    folder = given.target.folder if last else given.lists(version)
    if ledger.marked(folder, tile):
        return
    ledger.count_try(folder, tile)
    lists = _read_lists(given, version - 1, tile)
    for task in tasks:
        count, new, where = pieces.read(given.found, int(task), tile, given.fingerprint)
        merge_new(*lists, count, new, where)
    if last:
        commit(given.target, tile, given.span(tile)[0], *lists)
    else:
        _write_lists(given, folder, tile, lists)


def _read_lists(given: Given, version: int, tile: int) -> Lists:
    return Lists(*pieces.read(given.lists(version), tile, LIST, given.fingerprint))


def share_lists(location: Source, given: Given, tile: int, version: int) -> None:
    """Write a tile of the result: to every row the list of its location, in whichever strip."""
    if ledger.marked(given.target.folder, tile):
        return
    ledger.count_try(given.target.folder, tile)
    start, stop = given.span(tile)
    wanted = location.read(start, stop)
    distance = np.empty((wanted.size, given.k))
    index = np.empty(distance.shape, np.int64)
    for other in np.unique(wanted // given.rows):
        first = first_rows(Labels(location), *given.span(other)) + other * given.rows
        here = wanted // given.rows == other
        slots = np.searchsorted(first, wanted[here])
        lists = _read_lists(given, version, int(other))
        distance[here], index[here] = lists.distance[slots], lists.location[slots]
    commit(given.target, tile, start, distance, index)
