"""The rows of one class at a time, searched by themselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import dask
import numpy as np

from daskid.blockwise import search
from daskid.blockwise.search.progress import progress
from daskid.storage.rows import MemoryRows, RowReader
from daskid.storage.subset import gather
from daskid.typing import Array, Ints

HELD_BYTES = 128 << 20
"""A class of at most so many bytes is gathered in memory, others are read where tasks run."""
FEWEST = 3
"""Locations with a ratio of distances."""


@dataclass(frozen=True)
class ChosenRows:
    """Some rows of a reader, ascending: the same face as a reader's."""

    reader: RowReader
    rows: Ints

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the rows."""
        return self.rows.size, self.reader.shape[1]

    @property
    def dtype(self) -> str:
        """Kind of the values."""
        return self.reader.dtype

    def read(self, start: int, stop: int) -> Array:
        """Return the chosen rows from ``start`` up to ``stop``."""
        return gather(self.reader, self.rows[start:stop])

    def chunk_rows(self) -> int:
        """Return 1: a chunk of the source has any number of the rows."""
        return 1


def search_classes(
    source: search.Source,
    rule: search.Rule,
    code: Ints,
    frames: tuple[Ints | None, Ints | None],
) -> Iterator[search.Neighbors | None]:
    """Yield the lists inside each class, None of one with too few locations.

    Parameters
    ----------
    source, rule
        (n, d) rows, and how they are searched.
    code
        (n,) the class of each row, from 0 on.
    frames
        (n,) frame numbers and codes of trajectories, where ``rule.exclude`` > 0.
    """
    sizes = np.bincount(code)
    with progress("id_by_label", int((sizes.astype(object) ** 2).sum()), "pairs") as advance:
        for number, size in enumerate(sizes.tolist()):
            rows = np.flatnonzero(code == number)
            with dask.config.set({"daskid.progress": "none"}):
                yield _search(source, rule, rows, frames)
            advance(size**2)


def _search(
    source: search.Source,
    rule: search.Rule,
    rows: Ints,
    frames: tuple[Ints | None, Ints | None],
) -> search.Neighbors | None:
    if rows.size < FEWEST:
        return None
    size = rows.size * source.shape[1] * np.dtype(source.dtype).itemsize
    if isinstance(source, MemoryRows) or size <= HELD_BYTES:
        chosen: search.Source = MemoryRows(gather(source, rows))
    else:
        chosen = cast(search.Source, ChosenRows(source, rows))
    own = [None if z is None else z[rows] for z in frames]
    try:
        job = search.prepare(chosen, rule, *own)
    except ValueError as error:
        if str(error).startswith(f"k={rule.k} "):  # too few locations
            return None
        raise
    return search.search(job)
