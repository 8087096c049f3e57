"""Random blocks of rows, each searched by itself: neighbors at larger and larger distances.

A block is a source of its own for the search, so memory is bounded as there. Blocks of
``HELD_BYTES`` or less are gathered in memory; once all blocks of a size are, smaller ones
are taken from them, since blocks of half the size are halves of blocks. Which rows make a
block depends on the seed and the number of rows alone.
"""

from collections.abc import Iterator
from typing import NamedTuple, cast

import dask
import numpy as np

from daskid.blockwise import search
from daskid.blockwise.search.progress import progress
from daskid.blockwise.sums import add
from daskid.kernels import dimension as kernels
from daskid.storage.rows import MemoryRows, RowReader
from daskid.storage.subset import RandomBlock, gather, random_order
from daskid.typing import Floats, Ints

MOST_BLOCKS = 16
"""Blocks of a size that are searched, so that small ones do not take the time."""
HELD_BYTES = 128 << 20


class Frames(NamedTuple):
    """(n,) frame numbers and codes of trajectories, None for row numbers and for one."""

    frame: Ints | None
    trajectory: Ints | None

    def of(self, rows: Ints) -> tuple[Ints, Ints | None]:
        """Return both of some rows."""
        frame = rows if self.frame is None else self.frame[rows]
        return frame, None if self.trajectory is None else self.trajectory[rows]


def block_sizes(n: int, smallest: int) -> list[tuple[int, int]]:
    """Return size and number of the blocks: n, n / 2, n / 4, ... rows, down to ``smallest``."""
    halvings = range(max(n // max(smallest, 1), 1).bit_length())
    return [(n >> j, min(1 << j, MOST_BLOCKS)) for j in halvings]


def search_blocks(
    source: search.Source,
    rule: search.Rule,
    frames: Frames,
    sizes: list[tuple[int, int]],
    seed: int,
) -> Iterator[tuple[int, search.Neighbors]]:
    """Yield (size, lists) of every block that is searched, largest first.

    Parameters
    ----------
    source
        (n, d) rows.
    rule, frames
        What is searched; frames enter where ``rule.exclude`` > 0.
    sizes
        Of :func:`block_sizes`.
    seed
        Which rows make a block.

    Raises
    ------
    ValueError
        If a block has too few locations, or there are values that can't be compared.
    """
    n = source.shape[0]
    whole = frames.of(np.arange(n)) if rule.exclude else (None, None)
    yield n, _search(source, rule, *whole)
    pairs = sum(size**2 * number for size, number in sizes[1:])
    with progress("twonn_blocks", pairs, "pairs") as advance:
        for size, rows, block in _blocks(source, sizes[1:], seed):
            own = frames.of(rows) if rule.exclude else (None, None)
            with dask.config.set({"daskid.progress": "none"}):
                found = _search(block, rule, *own)
            advance(size**2)
            yield size, found


def twonn(found: search.Neighbors, metric: str) -> tuple[float, float, float]:
    """Return the dimension of one block, its error, and the mean of (r_1 + r_2) / 2.

    The bits are those of :func:`daskid.twonn`: the same kernels, the same fixed sums.
    """
    distance: Floats = search.lengths(found.distance, metric)
    index = cast(Ints, found.index)
    kept = found.location == np.arange(found.location.size)
    ranks = np.array([1]), np.array([2])
    log_mu = kernels.log_ratios(distance, kept, *ranks)
    n = np.count_nonzero(~np.isnan(log_mu), axis=0)
    d = float(kernels.rate(n, add(np.where(np.isnan(log_mu), 0.0, log_mu)), 1)[0])
    radius = kernels.mean(n, add(kernels.midpoints(distance, log_mu, *ranks)))
    return d, kernels.rate_error(d, np.ascontiguousarray(log_mu[:, 0]), index), float(radius[0])


def _search(
    block: search.Source, rule: search.Rule, frame: Ints | None, trajectory: Ints | None
) -> search.Neighbors:
    try:
        job = search.prepare(block, rule, frame, trajectory)
    except ValueError as error:
        what, _, _ = str(error).rpartition(":")
        if not what.startswith(f"k={rule.k} "):
            raise
        raise ValueError(
            f"smallest: expected {rule.k} neighbors in every block, got one of {block.shape[0]} "
            f"samples ({what}): take a larger smallest, a smaller exclude, or more samples"
        ) from None
    return search.search(job)


def _blocks(
    source: search.Source, sizes: list[tuple[int, int]], seed: int
) -> Iterator[tuple[int, Ints, search.Source]]:
    """Yield the size, the rows and the source of every block below the whole."""
    n = source.shape[0]
    order = random_order(n, seed)
    held, values = (np.arange(n), source.values) if isinstance(source, MemoryRows) else (None, None)
    for size, number in sizes:
        used = order[: size * number]
        if held is None and _bytes(source, used.size) <= HELD_BYTES:
            held = np.sort(used)
            values = gather(source, held)
        for start in range(0, used.size, size):
            rows = np.sort(used[start : start + size])
            if held is not None and values is not None:
                yield size, rows, MemoryRows(values[np.searchsorted(held, rows)])
            elif _bytes(source, size) <= HELD_BYTES:
                yield size, rows, MemoryRows(gather(source, rows))
            else:
                block = RandomBlock(cast(RowReader, source), seed, start, start + size)
                yield size, rows, cast(search.Source, block)


def _bytes(source: search.Source, rows: int) -> int:
    return rows * source.shape[1] * np.dtype(source.dtype).itemsize
