"""Rows that are chunked badly: how often a search would decode them, and what splits them.

A chunk that holds many more rows than a block of the search is decoded once a block. Where
chunks are split along features as well, all rows of a block lie in many such chunks: these
are split along rows first (``panels``), chunk by chunk, so that no piece of the work holds
more than a chunk or a block of whole rows.
"""

from dataclasses import replace
from itertools import product
from math import ceil
from typing import NamedTuple

import numpy as np
import zarr

from daskid.storage.rows import RowReader, block_rows, opened

MOST_AMPLIFICATION = 2.0
"""How often the source may be decoded in one pass over its rows before a copy is made."""
BLOCK_BYTES = 32 << 20
"""What a pass reads at a time, counted at 8 bytes a value: the block of a search."""
WHOLE_BYTES = 128 << 20
"""Chunks that lie side by side along features are read as whole rows up to this size."""
CHUNK_BYTES = 8 << 20


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


def amplification(reader: RowReader) -> float:
    """Return how often a search decodes every chunk of a source in one pass over its rows."""
    chunk = min(reader.chunk_rows(), reader.shape[0])
    rows = block_rows(reader.shape, 8, chunk, BLOCK_BYTES)
    return max(1.0, chunk / rows)


def panels_of(reader: RowReader) -> Panels | None:
    """Return how to split the chunks of a source, None where whole rows can be read."""
    source = opened(reader.path, reader.array)
    if not isinstance(source, zarr.Array):
        return None
    order = (reader.axis, *(a for a in range(source.ndim) if a != reader.axis))
    shape = tuple(source.shape[a] for a in order)
    chunk = tuple(min(source.chunks[a], source.shape[a]) for a in order)
    size = source.dtype.itemsize
    whole = chunk[0] * int(np.prod(shape[1:], dtype=int)) * size
    if whole <= WHOLE_BYTES or chunk[1:] == shape[1:]:
        return None
    piece = min(chunk[0], block_rows((shape[0], whole // chunk[0] // size), size, 1, BLOCK_BYTES))
    return Panels(reader.axis, shape, chunk, piece, piece * ceil(chunk[0] / piece))


def make_panels(reader: RowReader, panels: Panels, path: str) -> None:
    """Make the empty array of the panels, a Zarr array by itself."""
    source = opened(reader.path, reader.array)
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
    source = opened(reader.path, reader.array)
    at = list(region[1:])
    at.insert(panels.axis, region[0])
    block = np.moveaxis(np.asarray(source[tuple(at)]), panels.axis, 0)
    zarr.open_array(path, mode="r+", config={"write_empty_chunks": True})[region] = block


def of_panels(reader: RowReader, path: str) -> RowReader:
    """Return the reader of the same rows from their panels."""
    return replace(reader, path=path, array="", axis=0)


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
