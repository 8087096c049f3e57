"""Single rows of a source at rest, and random blocks of them that travel in a few bytes."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from daskid.storage.rows import MemoryRows, RowReader, block_rows
from daskid.typing import Array, Ints


@dataclass(frozen=True)
class RandomBlock:
    """Part of the rows of a reader, in the order of the reader: the same face as a reader's.

    Parameters
    ----------
    reader
        The rows.
    seed, start, stop
        The rows at these places of the random order of ``seed``.
    """

    reader: RowReader
    seed: int
    start: int
    stop: int

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the rows of the block."""
        return self.stop - self.start, self.reader.shape[1]

    @property
    def dtype(self) -> str:
        """Kind of the values."""
        return self.reader.dtype

    def read(self, start: int, stop: int) -> Array:
        """Return the rows of the block from ``start`` up to ``stop``."""
        rows = block_of(self.reader.shape[0], self.seed, self.start, self.stop)
        return gather(self.reader, rows[start:stop])

    def chunk_rows(self) -> int:
        """Return 1: a chunk of the source has any number of the rows."""
        return 1


def random_order(n: int, seed: int) -> Ints:
    """Return 0 to n - 1 in the random order of ``seed``."""
    return np.random.default_rng([seed, n]).permutation(n)


@lru_cache(maxsize=2)
def block_of(n: int, seed: int, start: int, stop: int) -> Ints:
    """Return the rows at places ``start`` to ``stop`` of the random order, ascending."""
    return np.sort(random_order(n, seed)[start:stop])


def gather(reader: RowReader | MemoryRows, rows: Ints) -> Array:
    """Return single rows, ascending; each block of the source that has some is read once."""
    out = np.empty((rows.size, reader.shape[1]), reader.dtype)
    step = block_rows(reader.shape, out.itemsize, reader.chunk_rows())
    for block in np.unique(rows // step):
        first, last = np.searchsorted(rows, (block * step, (block + 1) * step))
        wanted = rows[first:last]
        start = int(wanted[0])
        out[first:last] = reader.read(start, int(wanted[-1]) + 1)[wanted - start]
    return out
