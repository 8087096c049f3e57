"""New rows for lists that are known: old rows against the new ones, new rows against all.

A task holds the rows of a strip of the result, their lists, and one block of the other
rows. Old lists change only where a new location is nearer than their last entry, and
entries are exact: the bits are those of a search from scratch.
"""

import time
from math import ceil
from typing import Any, NamedTuple

import dask.array as da
import numpy as np

from daskid.blockwise.search import LISTS, Job, Source, Target, pool, strip_rows
from daskid.blockwise.search.blocks import Labels, part, read_block, read_locations
from daskid.blockwise.search.progress import progress
from daskid.blockwise.search.results import commit, verified
from daskid.kernels.neighbors import Block, Lists, Space, compared, empty_lists, update
from daskid.storage import ledger, run
from daskid.storage.rows import block_rows
from daskid.storage.subset import gather
from daskid.typing import Array, Ints

CHECKED_ROWS, CHECKED_BYTES = 1024, 32 << 20
"""So many lists are looked at where old rows can't be compared with what they were."""
LOOK_ROWS = 4096


class Known(NamedTuple):
    """Lists that are there: the run that holds them, and how many rows have one."""

    store: str
    rows: int


class Given(NamedTuple):
    """What every task is told: the rows, who they are, how they are compared."""

    source: Source
    labels: Labels
    space: Space
    k: int
    block_bytes: int


class Tile(NamedTuple):
    """A task: its number, its first row, the row behind its last one."""

    number: int
    start: int
    stop: int


def tiles_of(shape: tuple[int, ...], k: int) -> list[Tile]:
    """Return the tiles of a result: a chunk of the lists each."""
    n, features = shape
    step = strip_rows(n, features, k)
    return [Tile(i, i * step, min((i + 1) * step, n)) for i in range(ceil(n / step))]


def search_new(
    job: Job, known: Known, target: Target, *, block_bytes: int, needs: int
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
    """
    start = time.monotonic()
    tiles = tiles_of(job.source.shape, job.k)
    # a new location is behind all old ones
    new = job.locations - np.unique(job.location[: known.rows]).size
    pairs = [_pairs(tile, known.rows, new, job.locations) for tile in tiles]
    done = verified(target, tiles[-1].stop, tiles[0].stop)
    todo = [tile for tile in tiles if tile.number not in done]
    given = pool.share(Given(job.source, job.labels, job.space, job.k, block_bytes))
    with progress("append", sum(pairs), "pairs") as advance:
        advance(sum(pairs[number] for number in done))
        tasks = [(given, tile, known, target) for tile in todo]
        for position, _ in pool.run(_fill, tasks, needs=needs):
            advance(pairs[todo[position].number])
    seconds = round(job.seconds + time.monotonic() - start, 3)
    return {"method": "append", "pairs": sum(pairs), "seconds": seconds}


def _pairs(tile: Tile, known: int, new: int, locations: int) -> int:
    old = max(0, min(tile.stop, known) - tile.start)
    return old * new + (tile.stop - tile.start - old) * locations


def _fill(given: Given, tile: Tile, known: Known, target: Target) -> None:
    """Write the lists of a tile and enter it in the ledger, in this order.

    A task of a driver that was killed may outlive the job it belongs to.
    """
    if ledger.marked(target.folder, tile.number):  # its worker died before it could say so
        return
    ledger.count_try(target.folder, tile.number)
    n = given.source.shape[0]
    split = min(max(tile.start, known.rows), tile.stop)
    found = []
    if tile.start < split:
        distance, index = (run.read_rows(known.store, n, tile.start, split) for n in LISTS)
        found.append(_nearer(given, Lists(distance, index), tile.start, known.rows, n))
    if split < tile.stop:
        free = empty_lists(tile.stop - split, given.k)
        found.append(_nearer(given, free, split, 0, n))
    distance, index = (np.concatenate(parts) for parts in zip(*found, strict=True))
    commit(target, tile.number, tile.start, distance, index)


def _nearer(given: Given, lists: Lists, start: int, first: int, stop: int) -> Lists:
    """Return the lists of the rows from ``start`` on, with what is nearer in [first, stop)."""
    compare = given.source, given.labels, given.space
    x = read_block(*compare, start, start + lists.location.shape[0])
    _, one, copy = np.unique(x.who[0], return_index=True, return_inverse=True)
    x, lists = part(x, one), Lists(lists.distance[one], lists.location[one])
    rows = block_rows(given.source.shape, 8, given.source.chunk_rows(), given.block_bytes)
    for a in range(first, stop, rows):
        y = read_locations(*compare, a, min(a + rows, stop))
        update(lists, x, y, given.space)
        del y  # before the next one is read
    return Lists(lists.distance[copy], lists.location[copy])


def still_right(job: Job, known: Known) -> Known:
    """Return the lists that are still right, all or none.

    With periods, the smallest value of all rows says where a period begins. Old values at its
    end are then brought to its beginning: distances among them are rounded in another way.
    """
    period, n = job.space.period, known.rows
    if not period.size:
        return known
    step = block_rows(job.source.shape, 8, job.source.chunk_rows())
    tasks = [(job.source, a, min(a + step, n)) for a in range(0, n, step)]
    ranges = [found for _, found in pool.run(_range, tasks)]
    lowest, highest = np.min([r[0] for r in ranges], 0), np.max([r[1] for r in ranges], 0)
    moved = (job.space.lowest < lowest) & (highest - job.space.lowest >= period) & (period > 0)
    return known._replace(rows=0) if moved.any() else known


def _range(source: Source, start: int, stop: int) -> tuple[Array, Array]:
    rows = source.read(start, stop)
    return rows.min(axis=0).astype("f8"), rows.max(axis=0).astype("f8")


def first_changed(job: Job, known: Known) -> int | None:
    """Return an old row whose list is not what its rows say by now, None if there is none.

    Looked at are rows at even distances, and all their neighbors: a thousand at most.
    """
    n, features = known.rows, job.source.shape[1]
    most = CHECKED_BYTES // (8 * features * (1 + job.k))
    rows = np.unique(np.linspace(0, n - 1, max(1, min(CHECKED_ROWS, most)), dtype=np.int64))
    rows = rows[job.location[rows] == rows]  # copies share their lists
    stored = [_at(known, name, rows) for name in LISTS]
    lists, x = empty_lists(rows.size, job.k), _gathered(job, rows)
    update(lists, x, _gathered(job, np.unique(stored[1])), job.space)
    same = (lists.distance == stored[0]) & (lists.location == stored[1])
    wrong = np.flatnonzero(~same.all(axis=1))
    return int(rows[wrong[0]]) if wrong.size else None


def _at(known: Known, name: str, rows: Ints) -> Array:
    """Return single rows of an array of a run, ascending."""
    parts = []
    for block in np.unique(rows // LOOK_ROWS):
        own = rows[rows // LOOK_ROWS == block]
        parts.append(run.read_rows(known.store, name, own[0], own[-1] + 1)[own - own[0]])
    return np.concatenate(parts)


def _gathered(job: Job, rows: Ints) -> Block:
    who = [rows, rows, np.zeros_like(rows)]
    for i, label in enumerate(job.labels):
        who[i] = who[i] if label is None else label.read(0, label.shape[0])[rows]
    return Block(compared(gather(job.source, rows), job.space), np.stack(who))


def differ(one: da.Array, other: da.Array) -> bool:
    """Return whether two arrays of rows have different values."""
    chunks = one.chunks[0], (one.shape[1],)
    return bool(pool.compute((one != other.rechunk(chunks)).any())[0])
