"""Lists that a run holds: whether they are still right when there are more rows."""

from typing import NamedTuple

import dask.array as da
import numpy as np

from daskid.blockwise.search import LISTS, Job, Source, pool
from daskid.kernels.neighbors import Block, compared, empty_lists, update
from daskid.storage import run
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
    stored = [rows_at(known.store, name, rows) for name in LISTS]
    lists, x = empty_lists(rows.size, job.k), _gathered(job, rows)
    update(lists, x, _gathered(job, np.unique(stored[1])), job.space)
    same = (lists.distance == stored[0]) & (lists.location == stored[1])
    wrong = np.flatnonzero(~same.all(axis=1))
    return int(rows[wrong[0]]) if wrong.size else None


def rows_at(store: str, name: str, rows: Ints) -> Array:
    """Return single rows of an array of a run, ascending."""
    parts = []
    for block in np.unique(rows // LOOK_ROWS):
        own = rows[rows // LOOK_ROWS == block]
        parts.append(run.read_rows(store, name, own[0], own[-1] + 1)[own - own[0]])
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
