"""A few rows, the anchors, each against all rows, for several windows in one pass.

A task holds the anchors, one block of the other rows, and a list for each anchor and
window. Lists of the same anchors are merged as tasks finish, by distance, then by
location: bits do not depend on blocks, workers or their order.
"""

from collections.abc import Iterator
from math import ceil
from typing import NamedTuple

import numpy as np

from daskid.blockwise.search import Job, pool
from daskid.blockwise.search.plan import BLOCK_BYTES, STRIP_BYTES, STRIPS, VALUE
from daskid.blockwise.search.progress import progress
from daskid.blockwise.search.scan import Source
from daskid.kernels.neighbors import Block, Space, compared, empty_lists, update
from daskid.storage.rows import MemoryRows, block_rows
from daskid.typing import Array, Floats, Ints

LEAST_ROWS = 256
LIST_BYTES = 40
"""Of an entry of a list, and of what it takes to merge it."""


class Lists(NamedTuple):
    """(windows, anchors, k) neighbors: distances, and their locations."""

    distance: Floats
    location: Ints


def search_anchors(
    job: Job, anchors: Ints, windows: tuple[int, ...], k: int, label: str
) -> Iterator[tuple[slice, Lists]]:
    """Yield the nearest locations of some rows, for each window, by parts of the anchors.

    Parameters
    ----------
    job
        The rows and who they are, prepared for the largest window.
    anchors
        (m,) ascending positions of rows, each the first of its location.
    windows
        Frames of the same trajectory within so many are no neighbors.
    k
        Length of the lists; slots stay free where there are fewer neighbors.
    label
        Of the progress.
    """
    n, features = job.source.shape
    step = _block_step(job.source)
    ranges = [(a, min(a + step, n)) for a in range(0, n, step)]
    shared = [pool.share(x) if isinstance(x, MemoryRows) else x for x in (job.source, *job.labels)]
    most = max(1, STRIP_BYTES // (VALUE * features + LIST_BYTES * k * len(windows)))
    with progress(label, anchors.size * n * len(windows), "pairs") as advance:
        for first in range(0, anchors.size, most):
            x = _anchor_block(job, anchors[first : first + most], step)
            given = pool.share(x.rows), pool.share(x.who), job.space, k, windows
            found = _empty(len(windows), x.rows.shape[0], k)
            tasks = [(*shared, *given, a, b) for a, b in ranges]
            for i, lists in pool.run(_among, tasks):
                found = _nearer(found, lists)
                advance(x.rows.shape[0] * (ranges[i][1] - ranges[i][0]) * len(windows))
            yield slice(first, first + most), found


def _block_step(source: Source) -> int:
    """Return the rows of a block: enough blocks for all threads, in whole chunks."""
    n, chunk = source.shape[0], source.chunk_rows()
    small = ceil(max(LEAST_ROWS, n / STRIPS) / chunk) * chunk
    return min(small, block_rows(source.shape, VALUE, chunk, BLOCK_BYTES))


def _anchor_block(job: Job, anchors: Ints, step: int) -> Block:
    """Return the anchors as the block that the kernels compare."""
    source = job.source
    if isinstance(source, MemoryRows):
        rows = source.values[anchors]
    else:
        rows = np.empty((anchors.size, source.shape[1]), source.dtype)
        wanted = [anchors[anchors // step == block] for block in np.unique(anchors // step)]
        for i, values in pool.run(_rows, [(source, own) for own in wanted]):
            rows[np.searchsorted(anchors, wanted[i])] = values
    who = [None if x is None else x.read(0, x.shape[0])[anchors] for x in job.labels]
    return _block(rows, anchors, who, job.space)


def _rows(source: Source, rows: Ints) -> Array:
    taken: Array = source.read(int(rows[0]), int(rows[-1]) + 1)[rows - rows[0]]
    return taken


def _among(
    source: Source,
    location: Source | None,
    frame: Source | None,
    trajectory: Source | None,
    rows: Array,
    who: Ints,
    space: Space,
    k: int,
    windows: tuple[int, ...],
    start: int,
    stop: int,
) -> Lists:
    """Return the lists of the anchors among the rows from ``start`` up to ``stop``."""
    own = np.arange(start, stop)
    labels = [None if x is None else x.read(start, stop) for x in (location, frame, trajectory)]
    y = _block(source.read(start, stop), own, labels, space)
    first = y.who[0] == own
    if not first.all():  # of copies, the first one is searched
        y = Block(y.rows[first], np.ascontiguousarray(y.who[:, first]))
    x = Block(rows, who)
    found = _empty(len(windows), rows.shape[0], k)
    for w, window in enumerate(windows):
        lists = empty_lists(rows.shape[0], k)
        update(lists, x, y, space._replace(exclude=window))
        found.distance[w], found.location[w] = lists
    return found


def _block(rows: Array, own: Ints, labels: list[Ints | None], space: Space) -> Block:
    rows = compared(rows, space)
    location, frame, trajectory = labels
    location = own if location is None else location
    frame = own if frame is None else frame
    trajectory = np.zeros_like(own) if trajectory is None else trajectory
    return Block(rows, np.stack([location, frame, trajectory]))


def _empty(windows: int, anchors: int, k: int) -> Lists:
    shape = windows, anchors, k
    return Lists(np.full(shape, np.inf), np.full(shape, -1, np.int64))


def _nearer(one: Lists, other: Lists) -> Lists:
    """Merge lists of the same anchors."""
    distance = np.concatenate([one.distance, other.distance], axis=-1)
    location = np.concatenate([one.location, other.location], axis=-1)
    order = np.lexsort((location, distance), axis=-1)[..., : one.location.shape[-1]]
    return Lists(*(np.take_along_axis(x, order, axis=-1) for x in (distance, location)))
