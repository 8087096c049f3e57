"""Rows into a run, once, as a job: by pieces that fit into memory, resumed after a kill.

Rows at rest are read by the tasks themselves; those of any other dask array are computed
by dask, a few blocks at a time. A tile counts once its marker is there, and reads back.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import dask.array as da
from dask.delayed import delayed

from daskid.blockwise.search import pool
from daskid.blockwise.search.progress import progress
from daskid.storage import copies, ledger, run
from daskid.storage.place import at
from daskid.storage.rows import RowReader, block_rows, recall
from daskid.typing import Array

VERSION = 1


class Target(NamedTuple):
    """Where tiles go: a run, its array, the folder of the ledger, rows of a tile and in all."""

    store: str
    name: str
    folder: str
    fingerprint: str
    tile: int
    n: int

    def rows(self, tile: int) -> tuple[int, int]:
        """Return the first row of a tile, and the first one behind it."""
        return tile * self.tile, min((tile + 1) * self.tile, self.n)


def copy_rows(
    rows: da.Array, store: str, fingerprint: str, dims: tuple[str, ...], attrs: dict[str, Any]
) -> None:
    """Fill the array ``rows`` of a run; what an interrupted copy of the same rows did is kept.

    Parameters
    ----------
    rows
        (N, D), at rest or lazy.
    store, fingerprint
        The run, and what identifies the rows.
    dims, attrs
        Dimensions and attributes of the array.

    Raises
    ------
    BlockingIOError
        If another process is copying into the run.
    OSError
        If the disk is full.
    """
    reader = recall(rows.name)
    chunk, tile = _tiles(rows, reader)
    folder = ledger.folder_of(store, "rows")
    plan = {
        "rows": fingerprint, "shape": list(rows.shape), "dtype": rows.dtype.str,
        "chunk": chunk, "tile": tile, "version": VERSION,
    }  # fmt: skip
    target = Target(store, "rows", folder, fingerprint, tile, rows.shape[0])
    with ledger.writing(folder):
        resumed = ledger.begin(folder, plan, overwrite=True)
        if not resumed or "rows" not in run.arrays(store):
            shape, dtype = rows.shape, rows.dtype.str
            run.create_array(store, "rows", shape, (chunk, shape[1]), dtype, dims, attrs)
        done = _verified(target)
        todo = [i for i in range(-(-target.n // tile)) if i not in done]
        with progress("copy", target.n, "rows") as advance:
            advance(sum(b - a for a, b in map(target.rows, done)))
            finished = _of_reader(reader, target, todo) if reader else _of(rows, target, todo)
            for i in finished:
                a, b = target.rows(i)
                advance(b - a)


def done(store: str) -> None:
    """Drop the scratch and the ledger of a copy that is in the record of its run."""
    for stage in ("panels.zarr", "panels", "rows"):
        ledger.clear(ledger.folder_of(store, stage))


def _tiles(rows: da.Array, reader: RowReader | None) -> tuple[int, int]:
    if reader is not None:
        return copies.tile_rows(reader)
    chunk = block_rows(rows.shape, rows.dtype.itemsize, 1, copies.CHUNK_BYTES)
    group = max(*rows.chunks[0], block_rows(rows.shape, rows.dtype.itemsize, 1, copies.GROUP_BYTES))
    return chunk, max(1, group // chunk) * chunk


def _verified(target: Target) -> set[int]:
    """Return the tiles that are done and read back as they were; take back the others."""
    for path in at(target.store, target.name).glob("c/*/*.partial"):  # of a writer's death
        path.unlink(missing_ok=True)
    marks = ledger.marks(target.folder)
    tasks = [(target, tile, mark) for tile, mark in marks.items()]
    tiles = list(marks)
    same = {tiles[position] for position, same in pool.run(_reads_back, tasks) if same}
    for tile in set(tiles) - same:
        ledger.unmark(target.folder, tile)
    return same


def _reads_back(target: Target, tile: int, mark: str) -> bool:
    a, b = target.rows(tile)
    try:
        values = run.read_rows(target.store, target.name, a, b)
    except (OSError, ValueError, RuntimeError):
        return False
    return ledger.checksum(target.fingerprint, values) == mark


def _of_reader(reader: RowReader, target: Target, todo: Sequence[int]) -> Iterator[int]:
    """Copy rows at rest; yield the tiles as they are done."""
    panels, scratch = copies.panels_of(reader), ledger.folder_of(target.store, "panels.zarr")
    if panels is not None and todo:
        _split(reader, panels, scratch, target)
        reader = copies.of_panels(reader, scratch)
    tasks = [(reader, target, tile) for tile in todo]
    needs = 3 * target.tile * reader.shape[1] * 8
    for position, _ in pool.run(_copy, tasks, needs=needs):
        yield todo[position]


def _split(reader: RowReader, panels: copies.Panels, scratch: str, target: Target) -> None:
    """Split chunks along rows; which are done is in a ledger of their own."""
    folder = ledger.folder_of(target.store, "panels")
    at(folder).mkdir(parents=True, exist_ok=True)
    plan = {"rows": target.fingerprint, "version": VERSION, "piece": panels.piece}
    if not ledger.begin(folder, plan, overwrite=True) or not at(scratch).exists():
        ledger.begin(folder, {}, overwrite=True)
        copies.make_panels(reader, panels, scratch)
        ledger.begin(folder, plan, overwrite=True)
    regions = panels.pieces()
    there = ledger.marks(folder)
    tasks = [
        (reader, panels, scratch, folder, i, region)
        for i, region in enumerate(regions) if i not in there
    ]  # fmt: skip
    with progress("split chunks", len(regions), "pieces") as advance:
        advance(len(there))
        for _ in pool.run(_split_one, tasks):
            advance(1)


def _split_one(
    reader: RowReader,
    panels: copies.Panels,
    scratch: str,
    folder: str,
    tile: int,
    region: tuple[slice, ...],
) -> None:
    ledger.count_try(folder, tile)
    copies.split(reader, panels, scratch, region)
    ledger.mark(folder, tile, "")


def _copy(reader: RowReader, target: Target, tile: int) -> None:
    ledger.count_try(target.folder, tile)
    _write(reader.read(*target.rows(tile)), target, tile)


def _write(values: Array, target: Target, tile: int) -> None:
    """Write a tile and enter it in the ledger, in this order."""
    start, _ = target.rows(tile)
    run.write_rows(target.store, target.name, start, values)
    ledger.mark(target.folder, tile, ledger.checksum(target.fingerprint, values))


def _of(rows: da.Array, target: Target, todo: Sequence[int]) -> Iterator[int]:
    """Copy the rows of a dask array, so many tiles at a time as there are threads."""
    tiles = rows.rechunk({0: target.tile, 1: -1}).to_delayed()[:, 0]
    write: Callable[..., Any] = delayed(_write, pure=False, traverse=False)
    group = pool.threads()
    for first in range(0, len(todo), group):
        part = todo[first : first + group]
        pool.compute(*(write(tiles[i], target, i) for i in part))
        yield from part
