"""Ranks of given neighbors among all samples: one pass over pairs of blocks of rows.

A task reads two blocks where it runs, makes tiles of their distances and counts; the (n, n) matrix
never exists. Its result are whole numbers, 8 bytes for each row and limit, which are added here:
no order of tasks and no size of blocks changes them.
"""

from collections.abc import Iterator
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np

from daskid.blockwise.search import Source, pool
from daskid.blockwise.search.progress import progress
from daskid.kernels.comparison.counts import pair_bits, pair_distances
from daskid.kernels.comparison.ranks import Counts, count_nearer
from daskid.kernels.metrics import DIFFERENT
from daskid.kernels.neighbors import Block, Space, compared
from daskid.storage.rows import MemoryRows, block_rows
from daskid.storage.subset import gather
from daskid.typing import Array, Floats, Ints

LIMIT_BYTES = 32 << 20
"""Rows of neighbors that a task holds to compute limits."""
BLOCKS = 8
"""Blocks of rows in memory, at least: so many pairs of them that all threads have work."""
LEAST_ROWS = 512
SCATTERED = 4
"""Rows are read with those between them, unless these are so many times more."""


class Rows(NamedTuple):
    """Rows of samples: where they are read, how they are compared, and who they are.

    ``position`` (n,) of each sample in the source; ``who`` (3, n): number, frame, trajectory.
    """

    source: Source
    space: Space
    position: Ints
    who: Ints

    def shared(self) -> Any:
        """Return what stands for the source in the arguments of tasks."""
        return pool.share(self.source) if isinstance(self.source, MemoryRows) else self.source

    def part(self, samples: slice) -> tuple[Ints, Ints]:
        """Return positions of some samples, and who they are."""
        return self.position[samples], np.ascontiguousarray(self.who[:, samples])


def read(source: Source, space: Space, position: Ints, who: Ints) -> Block:
    """Return samples in the form in which they are compared."""
    rows = np.ascontiguousarray(compared(rows_at(source, position), space))
    return Block(rows, np.array(who))


def rows_at(source: Source, position: Ints) -> Array:
    """Return rows of a source, in the order of ``position``."""
    if not position.size:
        return source.read(0, 0)
    first, last = int(position.min()), int(position.max())
    if last - first < SCATTERED * position.size:
        return source.read(first, last + 1)[position - first]
    wanted, places = np.unique(position, return_inverse=True)
    return gather(source, wanted)[places]


def blocks(rows: Rows, wide: int = 1) -> list[slice]:
    """Return the blocks of samples of a task, as if of ``wide`` features if they have fewer."""
    n, source = rows.position.size, rows.source
    features = max(source.shape[1], wide)
    step = block_rows((source.shape[0], features), 8, source.chunk_rows())
    if isinstance(source, MemoryRows):
        step = min(step, max(LEAST_ROWS, -(-n // BLOCKS)))
    return [slice(a, min(a + step, n)) for a in range(0, n, step)]


def limits(rows: Rows, neighbor: Ints) -> Floats:
    """Return the distances of each sample from some others: (t, n).

    Parameters
    ----------
    rows
        The samples.
    neighbor
        (t, n) their numbers; -1 for none, which is at minus infinity.
    """
    out = np.full(neighbor.shape, -np.inf)
    features = rows.source.shape[1]
    step = max(1, LIMIT_BYTES // (8 * features * (1 + len(neighbor))))
    parts = [slice(a, a + step) for a in range(0, neighbor.shape[1], step)]
    shared = rows.shared()

    def tasks() -> Iterator[tuple[Any, ...]]:
        for part in parts:
            others = neighbor[:, part]
            wanted, places = np.unique(others, return_inverse=True)
            of = places.reshape(others.shape) - int(wanted[0] < 0)
            wanted = wanted[wanted >= 0]
            of = np.ascontiguousarray(of.T)
            yield shared, rows.space, rows.position[part], rows.position[wanted], of

    for number, found in pool.run(_limits, tasks()):
        out[:, parts[number]] = found.T
    return out


def _limits(source: Source, space: Space, position: Ints, others: Ints, of: Ints) -> Floats:
    out = np.full(of.shape, -np.inf)
    if others.size:
        x, y = (compared(rows_at(source, p), space) for p in (position, others))
        if space.combine == DIFFERENT:
            pair_bits(x, np.ascontiguousarray(y.T), of, space.weight, space.scale, out)
        else:
            pair_distances(x, y, of, space.combine, space.period, space.weight, out)
    return out


def ranks(rows: Rows, limit: Floats, sets: int, label: str) -> tuple[Ints, Ints]:
    """Count for every limit which samples are nearer, in one pass over all pairs.

    Parameters
    ----------
    rows
        The samples.
    limit
        (t, n) distances from each sample; minus infinity for none.
    sets
        Into how many sets of equal size the limits are dealt, one after another.
    label
        What the progress is called.

    Returns
    -------
    (t, n) twice the number of samples nearer than the limit, plus those at it; (s, n) the same
    for each sample over the limits of a set that hold it.
    """
    n = rows.position.size
    rank, column = np.zeros(limit.shape, np.int64), np.zeros((sets, n), np.int64)
    parts, shared = blocks(rows), rows.shared()
    pairs = list(combinations_with_replacement(parts, 2))
    limit = np.ascontiguousarray(limit)

    def tasks() -> Iterator[tuple[Any, ...]]:
        for a, b in pairs:
            other = None if a == b else rows.part(b)
            yield shared, rows.space, rows.part(a), limit[:, a], other, limit[:, b], sets

    with progress(label, n * (n + 1) // 2, "pairs") as advance:
        for number, found in pool.run(_count, tasks()):
            a, b = pairs[number]
            for own, part, where in zip((rank, column) * 2, found, (a, a, b, b), strict=True):
                own[:, where] += part
            size, other = found.x_rank.shape[1], found.y_rank.shape[1]
            advance(size * (size + 1) // 2 if a == b else size * other)
    return rank, column


def _count(
    source: Source,
    space: Space,
    own: tuple[Ints, Ints],
    x_limit: Floats,
    others: tuple[Ints, Ints] | None,
    y_limit: Floats,
    sets: int,
) -> Counts:
    """Compare two blocks, or one with itself."""
    x = read(source, space, *own)
    y = x if others is None else read(source, space, *others)
    return count_nearer(x, y, x_limit, y_limit, sets, space)
