"""New rows for lists that are known: each pair of a new row with another one is looked at once.

A task holds some of the new rows with their lists, and reads all others block by block: old rows
get what is nearer than the last entry of their list, as sparse pieces beside the run, which
are few. When there are more of them than planned, they are merged into the lists of the old
rows, which bound what is found from then on. At the end every strip of the result gets its
lists. Entries are exact: the bits are those of a search from scratch.

In the ledger's folder: ``new/TASK``, lists of new rows; ``found/TASK``, what is new in those of old
ones, a piece for each strip; ``lists/STRIP``, lists with all that was merged, those of
``merged/TASK``. A file is replaced whole and merges are idempotent: any task may run twice.
"""

import shutil
import time
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from daskid.blockwise.search import LISTS, Job, Source, Target, pool, strip_rows
from daskid.blockwise.search.blocks import Labels, first_rows, read_locations
from daskid.blockwise.search.known import Known
from daskid.blockwise.search.progress import progress
from daskid.blockwise.search.results import check_own, commit, fitting, verified
from daskid.kernels.merging import merge_new, new_entries
from daskid.kernels.neighbors import (
    Block,
    Lists,
    Space,
    empty_lists,
    seeded_lists,
    update,
    update_pair,
)
from daskid.storage import ledger, pieces, run
from daskid.storage.rows import block_rows
from daskid.typing import Array, Floats, Ints

NEW, FOUND, MERGED, OLD = "new", "found", "merged", "lists"
LIST, PAIRS = 0, 1
"""Pieces of new rows: their lists, and how many pairs they took."""


class Given(NamedTuple):
    """What tasks are told: a strip of the result has ``step`` rows, a task ``rows`` new ones."""

    source: Source
    labels: Labels
    space: Space
    k: int
    block_bytes: int
    known: Known
    target: Target
    step: int
    rows: int

    @property
    def n(self) -> int:
        """Number of all rows."""
        return self.source.shape[0]

    @property
    def tasks(self) -> int:
        """Number of tasks that compare."""
        return ceil((self.n - self.known.rows) / self.rows)

    def span(self, strip: int) -> tuple[int, int]:
        """Return the first row of a strip, and the one after its last."""
        return strip * self.step, min((strip + 1) * self.step, self.n)

    @property
    def old_strips(self) -> int:
        """Number of strips that hold old rows."""
        return ceil(self.known.rows / self.step)

    def old_span(self, strip: int) -> tuple[int, int]:
        """Return the first row of a strip, and the one after its last old one."""
        return strip * self.step, min((strip + 1) * self.step, self.known.rows)

    def new_span(self, task: int) -> tuple[int, int]:
        """Return the first new row of a task, and the one after its last."""
        start = self.known.rows + task * self.rows
        return start, min(start + self.rows, self.n)

    def blocks(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Return the blocks of a range of rows."""
        rows = block_rows(self.source.shape, 8, self.source.chunk_rows(), self.block_bytes)
        return [(a, min(a + rows, stop)) for a in range(start, stop, rows)]

    def locations(self, start: int, stop: int) -> Block:
        """Return the rows of a range that stand for their location."""
        return read_locations(self.source, self.labels, self.space, start, stop)

    def folder(self, name: str) -> str:
        """Return a folder of pieces."""
        return str(Path(self.target.folder, name))

    @property
    def fingerprint(self) -> str:
        """What pieces are computed from."""
        return f"{self.target.fingerprint} {self.step} {self.rows}"


def tiles_of(shape: tuple[int, ...], k: int) -> int:
    """Return the number of tiles of a result: a chunk of the lists each."""
    n, features = shape
    return ceil(n / strip_rows(n, features, k))


def new_rows(m: int, features: int, k: int) -> int:
    """Return how many of ``m`` new rows a task takes."""
    return strip_rows(m, features, k)


def search_new(
    job: Job, known: Known, target: Target, *, block_bytes: int, needs: int, scratch: int
) -> dict[str, Any]:
    """Write the lists of all rows, old and new; return what it took.

    Parameters
    ----------
    job
        All rows, the new ones behind the old ones.
    known
        The lists of the old rows among each other.
    target
        The run whose arrays ``neighbor_distance`` and ``neighbor_index`` are filled; what an
        earlier attempt entered in the ledger, and still reads back, is kept.
    block_bytes, needs
        What a task holds of the other rows, and in all.
    scratch
        Bytes beside the run after which what was found is merged.
    """
    start, (n, features) = time.monotonic(), job.source.shape
    step, rows = strip_rows(n, features, job.k), new_rows(n - known.rows, features, job.k)
    given = Given(job.source, job.labels, job.space, job.k, block_bytes, known, target, step, rows)
    shared, done = pool.share(given), verified(target, n, step)
    new = np.cumsum(np.r_[0, job.location[known.rows :] == np.arange(known.rows, n)])
    with progress("append", int(new[-1]) * job.locations, "pairs") as advance:
        for task in _compare_all(given, shared, scratch, needs):
            first, last = (row - known.rows for row in given.new_span(task))
            advance(int(new[last] - new[first]) * job.locations)
        tasks = np.array(sorted(ledger.marks(given.folder(FOUND))), np.int64)
        left = [(shared, s, tasks) for s in range(ceil(n / step)) if s not in done]
        for _ in pool.run(_fill, left, needs=needs):
            pass
    pairs = sum(int(_read(given, NEW, task, PAIRS)[0][0]) for task in range(given.tasks))
    return {
        "method": "append",
        "pairs": pairs,
        "seconds": round(job.seconds + time.monotonic() - start, 3),
        "peak_memory": pool.peak_memory(),
    }


def _there(given: Given, folder: str) -> set[int]:
    """Return the files of a folder that read back as they were."""
    Path(given.folder(folder)).mkdir(exist_ok=True)
    return fitting(given.folder(folder), given.fingerprint)


def _read(given: Given, folder: str, number: int, piece: int) -> tuple[Array, ...]:
    return pieces.read(given.folder(folder), number, piece, given.fingerprint)


def _write(given: Given, folder: str, number: int, found: dict[int, tuple[Array, ...]]) -> None:
    """Write pieces and enter them, in this order."""
    checksum = pieces.write(given.folder(folder), number, found, given.fingerprint)
    check_own(given.target, f"{folder} {number}")
    ledger.mark(given.folder(folder), number, checksum)


def _compare_all(given: Given, shared: Any, scratch: int, needs: int) -> Iterator[int]:
    """Compare the new rows of all tasks; yield each as it is done."""
    merged, found, new, old = (_there(given, name) for name in (MERGED, FOUND, NEW, OLD))
    if merged - new or (merged and len(old) < given.old_strips):
        for name in (MERGED, FOUND, NEW, OLD):  # what was merged can't be merged again
            shutil.rmtree(given.folder(name))
        yield from _compare_all(given, shared, scratch, needs)
        return
    for task in found & merged:  # killed before it was dropped
        _drop(given, task)
    held = {task: pieces.size_of(given.folder(FOUND), task) for task in found - merged}
    done = new & (found | merged)
    yield from sorted(done)
    todo = [task for task in range(given.tasks) if task not in done]
    while todo:
        if sum(held.values()) >= scratch:
            _merge_all(given, shared, sorted(held), needs)
            held.clear()
        begun: list[int] = []
        tasks = _until_full(shared, todo, begun, held, scratch)
        for i, size in pool.run(_compare, tasks, needs=needs):
            held[begun[i]] = size
            yield begun[i]
        todo = todo[len(begun) :]


def _until_full(
    shared: Any, todo: list[int], begun: list[int], held: dict[int, int], scratch: int
) -> Iterator[tuple[Any, int]]:
    """Give one task, and more until what was found takes all of the scratch."""
    for task in todo:
        if begun and sum(held.values()) >= scratch:
            return
        begun.append(task)
        yield shared, task


def _compare(given: Given, task: int) -> int:
    """Compare new rows with all others; return the bytes of what is new for old rows."""
    if not ledger.marked(given.folder(NEW), task) or not ledger.marked(given.folder(FOUND), task):
        ledger.count_try(given.folder(NEW), task)
        x = given.locations(*given.new_span(task))
        own, pairs = empty_lists(len(x.rows), given.k), 0
        with pieces.writing(given.folder(FOUND), task, given.fingerprint) as (put, checksum):
            for strip in range(given.old_strips):
                count, found = _compare_strip(given, strip, x, own)
                put(strip, *found)
                pairs += count
        check_own(given.target, f"{FOUND} {task}")
        ledger.mark(given.folder(FOUND), task, checksum())
        for a, b in given.blocks(given.known.rows, given.n):
            y = given.locations(a, b)
            update(own, x, y, given.space)
            pairs += len(x.rows) * len(y.rows)
            del y  # before the next one is read
        _write(given, NEW, task, {LIST: tuple(own), PAIRS: (np.array([pairs]),)})
    return pieces.size_of(given.folder(FOUND), task)


def _compare_strip(given: Given, strip: int, x: Block, own: Lists) -> tuple[int, tuple[Array, ...]]:
    """Compare rows with the old ones of a strip; return the pairs, and what is new for those."""
    start, stop = given.old_span(strip)
    bounds, pairs, found = _bounds(given, strip), 0, []
    for a, b in given.blocks(start, stop):
        y = given.locations(a, b)
        seeds, bounds = np.split(bounds, [len(y.rows)])
        lists = seeded_lists(seeds, given.k)
        update_pair(own, lists, x, y, given.space)
        pairs += len(x.rows) * len(y.rows)
        found.append(new_entries(*lists))
        del y, lists  # before the next ones
    count, distance, location = (np.concatenate(parts) for parts in zip(*found, strict=True))
    small = given.n <= np.iinfo("u4").max
    return pairs, (count.astype("u4"), distance, location.astype("u4") if small else location)


def _bounds(given: Given, strip: int) -> Floats:
    """Return the distance of the last entry of every location of a strip, by now."""
    return _old_lists(given, strip).distance[:, -1]


def _old_lists(given: Given, strip: int) -> Lists:
    """Return the lists of the old locations of a strip, with all that was merged into them."""
    if ledger.marked(given.folder(OLD), strip):
        return Lists(*_read(given, OLD, strip, LIST))
    start, stop = given.old_span(strip)
    first = first_rows(given.labels, start, stop)
    return Lists(*(run.read_rows(given.known.store, name, start, stop)[first] for name in LISTS))


def _merge_all(given: Given, shared: Any, tasks: list[int], needs: int) -> None:
    """Merge what tasks found into the lists of old rows, then drop it."""
    todo = [(shared, strip, np.array(tasks)) for strip in range(given.old_strips)]
    for _ in pool.run(_merge, todo, needs=needs):
        pass
    for task in tasks:
        _write(given, MERGED, task, {})
        _drop(given, task)


def _drop(given: Given, task: int) -> None:
    ledger.unmark(given.folder(FOUND), task)
    pieces.path_of(given.folder(FOUND), task).unlink(missing_ok=True)


def _merge(given: Given, strip: int, tasks: Ints) -> None:
    _write(given, OLD, strip, {LIST: tuple(_merged(given, strip, tasks))})


def _merged(given: Given, strip: int, tasks: Ints) -> Lists:
    """Return the lists of the old locations of a strip, with what tasks found for them."""
    lists = _old_lists(given, strip)
    for task in tasks:
        merge_new(*lists, *_read(given, FOUND, int(task), strip))
    return lists


def _fill(given: Given, tile: int, tasks: Ints) -> None:
    """Write a tile of the result: to every row the list of its location, in whichever strip.

    A task of a driver that was killed may outlive the job it belongs to.
    """
    if ledger.marked(given.target.folder, tile):  # its worker died before it could say so
        return
    ledger.count_try(given.target.folder, tile)
    start, stop = given.span(tile)
    wanted = np.arange(start, stop)
    if given.labels.location is not None:
        wanted = given.labels.location.read(start, stop)
    distance = np.empty((wanted.size, given.k))
    index = np.empty(distance.shape, np.int64)
    for strip in np.unique(wanted // given.step):
        here = wanted // given.step == strip
        first, last = given.span(int(strip))
        location = first + first_rows(given.labels, first, last)
        lists = _all_lists(given, int(strip), tasks)
        slots = np.searchsorted(location, wanted[here])
        distance[here], index[here] = lists.distance[slots], lists.location[slots]
    commit(given.target, tile, start, distance, index)


def _all_lists(given: Given, strip: int, tasks: Ints) -> Lists:
    """Return the lists of all locations of a strip, old and new."""
    start, stop = given.span(strip)
    parts = [_merged(given, strip, tasks)] if start < given.known.rows else []
    start = max(start, given.known.rows)
    new = range((start - given.known.rows) // given.rows, given.tasks)
    for task in new if start < stop else ():
        first, last = given.new_span(task)
        if first >= stop:
            break
        row = first + first_rows(given.labels, first, last)
        here = (row >= start) & (row < stop)
        parts.append(Lists(*(x[here] for x in _read(given, NEW, task, LIST))))
    return Lists(*(np.concatenate(x) for x in zip(*parts, strict=True)))
