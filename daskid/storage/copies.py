"""Rows that are chunked badly: how often a search would decode them, and what splits them.

A chunk that holds many more rows than a block of the search is decoded once a block. Where
chunks are split along features as well, all rows of a block lie in many such chunks: these
are split along rows first (``panels``), chunk by chunk, so that no piece of the work holds
more than a chunk or a block of whole rows.
"""

from dataclasses import replace
from itertools import product
from math import ceil, prod
from typing import NamedTuple

import numpy as np
import zarr

from daskid.storage.rows import RowReader, block_rows
from daskid.storage.rows.arrays import chunks_of

MOST_AMPLIFICATION = 2.0
"""How often the source may be decoded in one pass over its rows before a copy is made."""
BLOCK_BYTES = 32 << 20
"""What a pass reads at a time, counted at 8 bytes a value: the block of a search."""
WHOLE_BYTES = 128 << 20
"""Chunks that lie side by side along features are read as whole rows up to this size."""
CHUNK_BYTES = 8 << 20
GROUP_BYTES = 32 << 20
"""Of a dask array, so much is computed in one piece."""


class Panels(NamedTuple):
    """How chunks are split along rows: shape and chunks with the sample axis first.

    ``piece`` rows of a chunk of ``chunk[0]`` rows lie together; ``shard`` rows make a file.
    """

    axis: int
    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    piece: int
    shard: int

    def pieces(self) -> list[tuple[slice, ...]]:
        """Return the regions that one task each splits: those of the files."""
        steps = (self.shard, *self.chunk[1:])
        starts = [range(0, size, step) for size, step in zip(self.shape, steps, strict=True)]
        return [
            tuple(slice(a, min(a + s, n)) for a, s, n in zip(at, steps, self.shape, strict=True))
            for at in product(*starts)
        ]


class Cost(NamedTuple):
    """What a copy takes: how often a search would decode the source in a pass, and bytes.

    ``scratch`` lies beside the run until the copy is done; ``task`` is what a task holds.
    """

    amplification: float
    size: int
    scratch: int
    task: int


def cost_of(reader: RowReader) -> Cost | None:
    """Return what a copy takes, None if none is needed."""
    n, d = reader.shape
    times = reader.amplification(block_rows(reader.shape, 8, reader.chunk_rows(), BLOCK_BYTES))
    if times <= MOST_AMPLIFICATION:
        return None
    size = np.dtype(reader.dtype).itemsize
    panels, (_, tile) = panels_of(reader), tile_rows(reader)
    task, scratch = 2 * tile * d * size + reader.chunk_bytes(), 0
    if panels is not None:
        held = prod((panels.shard, *panels.chunk[1:])) * reader.opened().dtype.itemsize
        task, scratch = max(3 * tile * d * size, 3 * held), prod(panels.shape) * size
    return Cost(times, n * d * size, scratch, task)


def cost_of_lazy(shape: tuple[int, ...], itemsize: int, chunk: int) -> Cost:
    """Return what a copy of rows takes that dask computes in blocks of ``chunk`` rows."""
    row = prod(shape[1:]) * itemsize
    return Cost(1.0, shape[0] * row, 0, 3 * max(GROUP_BYTES, chunk * row))


def panels_of(reader: RowReader) -> Panels | None:
    """Return how to split the chunks of a source, None where whole rows can be read."""
    if reader.parts or reader.outer is not None:
        return None
    source = reader.opened()
    order = (reader.axis, *(a for a in range(len(source.shape)) if a != reader.axis))
    shape = tuple(source.shape[a] for a in order)
    chunk = tuple(
        min(c, n) for c, n in zip([chunks_of(source)[a] for a in order], shape, strict=True)
    )
    size = source.dtype.itemsize
    row = prod(shape[1:]) * size
    if chunk[0] * row <= WHOLE_BYTES or chunk[1:] == shape[1:]:
        return None
    piece = min(chunk[0], max(1, BLOCK_BYTES // row))
    return Panels(reader.axis, shape, chunk, piece, piece * ceil(chunk[0] / piece))


def make_panels(reader: RowReader, panels: Panels, path: str) -> None:
    """Make the empty array of the panels, a Zarr array by itself."""
    source = reader.opened()
    zarr.create_array(
        path,
        shape=panels.shape,
        dtype=source.dtype,
        chunks=(panels.piece, *panels.chunk[1:]),
        shards=(panels.shard, *panels.chunk[1:]),
        compressors=None,
        fill_value=0,
    )


def split(reader: RowReader, panels: Panels, path: str, region: tuple[slice, ...]) -> None:
    """Write one region of the panels: one chunk of the source, two where they do not align."""
    source = reader.opened()
    at = list(region[1:])
    at.insert(panels.axis, region[0])
    block = np.moveaxis(np.asarray(source[tuple(at)]), panels.axis, 0)
    zarr.open_array(path, mode="r+", config={"write_empty_chunks": True})[region] = block


def of_panels(reader: RowReader, path: str) -> RowReader:
    """Return the reader of the same rows from their panels."""
    return replace(reader, path=path, array="", axis=0, access=None, version="")


def tile_rows(reader: RowReader) -> tuple[int, int]:
    """Return the rows of a chunk of the copy, and of a task: a chunk of what it is read from."""
    n, d = reader.shape
    size = np.dtype(reader.dtype).itemsize
    most = block_rows((n, d), size, 1, CHUNK_BYTES)
    panels = panels_of(reader)
    chunk = min(reader.chunk_rows(), n) if panels is None else panels.piece
    if chunk <= most:
        return most - most % chunk, most - most % chunk
    parts = range(ceil(chunk / most), 4 * ceil(chunk / most))
    whole = next((chunk // m for m in parts if chunk % m == 0), most)
    return whole, whole * ceil(chunk / whole)
