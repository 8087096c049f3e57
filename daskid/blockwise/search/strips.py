"""Strips of rows, each against all rows: what a task does, and which tasks there are.

A strip that goes to a store is written as one chunk of each list, then entered
in the ledger with its checksum: what is entered there, and still reads back
as it was, is not computed again.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from daskid.blockwise.search import pool
from daskid.blockwise.search.plan import strip_rows
from daskid.blockwise.search.progress import progress
from daskid.blockwise.search.scan import Source
from daskid.kernels.neighbors import Block, Space, compared, empty_lists, update
from daskid.storage import ledger, run
from daskid.storage.rows import MemoryRows, block_rows
from daskid.typing import Array, Floats, Ints

LISTS = ("neighbor_distance", "neighbor_index")


class Labels(NamedTuple):
    """Who the rows are: location, and its frame and trajectory (None: not needed)."""

    location: Source | None
    frame: Source | None = None
    trajectory: Source | None = None


class Target(NamedTuple):
    """Where strips go: a run, the folder of its ledger, and what they are computed from."""

    store: str
    folder: str
    fingerprint: str


def search_strips(
    source: Source,
    labels: Labels,
    space: Space,
    k: int,
    *,
    locations: int,
    target: Target | None,
    block_bytes: int,
    needs: int,
) -> tuple[Floats | None, Ints | None]:
    """Return the lists of all rows; none where they are written to a run.

    Parameters
    ----------
    source, labels, space, k
        The rows, who they are, how they are compared, how many neighbors.
    locations
        How many locations there are, for the progress.
    target
        Where the lists go; None to return them.
    block_bytes, needs
        What a task holds of the other rows, and in all.
    """
    n, features = source.shape
    step = strip_rows(n, features, k)
    done = _verified(target, n, step)
    shared = [pool.share(x) if isinstance(x, MemoryRows) else x for x in (source, *labels)]
    todo = [i for i in range(-(-n // step)) if i not in done]
    tasks = [(*shared, space, k, i, step, block_bytes, target) for i in todo]
    distance = None if target else np.empty((n, k))
    index = None if target else np.empty((n, k), np.int64)
    with progress("knn", n * locations, "pairs") as advance:
        if done:
            advance(sum(min((i + 1) * step, n) - i * step for i in done) * locations)
        for position, result in pool.run(_strip, tasks, needs=needs):
            a, b = todo[position] * step, min((todo[position] + 1) * step, n)
            if distance is not None and index is not None:
                distance[a:b], index[a:b] = result
            advance((b - a) * locations)
    return distance, index


def _strip(
    source: Source,
    location: Source | None,
    frame: Source | None,
    trajectory: Source | None,
    space: Space,
    k: int,
    tile: int,
    step: int,
    block_bytes: int,
    target: Target | None,
) -> tuple[Floats, Ints] | None:
    """Search the rows of a tile among all; return their lists, or write them."""
    if target is not None:
        if ledger.marked(target.folder, tile):  # its worker died before it could say so
            return None
        ledger.count_try(target.folder, tile)
    labels = Labels(location, frame, trajectory)
    stop = min((tile + 1) * step, source.shape[0])
    distance, index = _lists(source, labels, space, k, tile * step, stop, block_bytes)
    if target is None:
        return distance, index
    _commit(target, tile, tile * step, distance, index)
    return None


def _lists(
    source: Source, labels: Labels, space: Space, k: int, start: int, stop: int, block_bytes: int
) -> tuple[Floats, Ints]:
    """Return the lists of the rows from ``start`` up to ``stop``; copies share theirs."""
    n = source.shape[0]
    strip = _block(source, labels, space, start, stop)
    _, first, copy = np.unique(strip.who[0], return_index=True, return_inverse=True)
    x = _part(strip, first) if first.size < copy.size else strip
    del strip
    lists = empty_lists(first.size, k)
    rows = block_rows(source.shape, 8, source.chunk_rows(), block_bytes)
    own = start // rows * rows  # the first block, as neighbors are likely to be in it
    for a in [*range(own, n, rows), *range(0, own, rows)]:
        y = _block(source, labels, space, a, min(a + rows, n))
        # of copies, the first one is searched
        update(lists, x, _part(y, y.who[0] == np.arange(a, a + y.who.shape[1])), space)
        del y  # before the next one is read
    if first.size == copy.size:
        return lists.distance, lists.location
    return lists.distance[copy], lists.location[copy]


def _commit(target: Target, tile: int, start: int, distance: Floats, index: Ints) -> None:
    """Write a strip and enter it in the ledger, in this order, each whole or not at all.

    A task of a driver that was killed may outlive the job it belongs to.
    """
    if run.arrays(target.store).get(LISTS[0], {}).get("fingerprint") != target.fingerprint:
        raise RuntimeError(f"tile {tile}: the run {target.store!r} is of another job by now")
    for name, values in zip(LISTS, (distance, index), strict=True):
        run.write_rows(target.store, name, start, values)
        _to_disk(Path(target.store, name, "c", str(tile), "0"))
    ledger.mark(target.folder, tile, ledger.checksum(target.fingerprint, distance, index))


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _verified(target: Target | None, n: int, step: int) -> set[int]:
    """Return the tiles that are done and read back as they were; take back the others."""
    if target is None:
        return set()
    for name in LISTS:
        for path in Path(target.store, name).glob("c/*/*.partial"):  # of writers that were killed
            path.unlink(missing_ok=True)
    marks = ledger.marks(target.folder)
    tasks = [(target, i * step, min((i + 1) * step, n), mark) for i, mark in marks.items()]
    tiles = list(marks)
    done = {tiles[position] for position, same in pool.run(_reads_back, tasks) if same}
    for tile in set(tiles) - done:
        ledger.unmark(target.folder, tile)
    return done


def _reads_back(target: Target, start: int, stop: int, mark: str) -> bool:
    if start >= stop:
        return False
    try:
        lists = [run.read_rows(target.store, name, start, stop) for name in LISTS]
    except (OSError, ValueError, RuntimeError):  # a chunk that is cut short or can't be decoded
        return False
    return ledger.checksum(target.fingerprint, *lists) == mark


def _block(source: Source, labels: Labels, space: Space, start: int, stop: int) -> Block:
    rows = compared(source.read(start, stop), space)
    own = np.arange(start, stop)
    location, frame, trajectory = (None if x is None else x.read(start, stop) for x in labels)
    location = own if location is None else location
    frame = own if frame is None else frame
    trajectory = np.zeros_like(own) if trajectory is None else trajectory
    return Block(rows, np.stack([location, frame, trajectory]))


def _part(block: Block, rows: Array) -> Block:
    if rows.dtype == bool and rows.all():
        return block
    return Block(block.rows[rows], np.ascontiguousarray(block.who[:, rows]))
