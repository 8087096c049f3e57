"""Blocks of rows as tasks read them, and who the rows are."""

from typing import NamedTuple

import numpy as np

from daskid.blockwise.search.scan import Source
from daskid.kernels.neighbors import Block, Space, compared
from daskid.typing import Array, Ints


class Labels(NamedTuple):
    """Who the rows are: location, and its frame and trajectory (None: not needed)."""

    location: Source | None
    frame: Source | None = None
    trajectory: Source | None = None


def read_block(source: Source, labels: Labels, space: Space, start: int, stop: int) -> Block:
    """Return the rows from ``start`` up to ``stop`` in the form in which they are compared."""
    rows = compared(source.read(start, stop), space)
    own = np.arange(start, stop)
    location, frame, trajectory = (None if x is None else x.read(start, stop) for x in labels)
    location = own if location is None else location
    frame = own if frame is None else frame
    trajectory = np.zeros_like(own) if trajectory is None else trajectory
    return Block(rows, np.stack([location, frame, trajectory]))


def read_locations(source: Source, labels: Labels, space: Space, start: int, stop: int) -> Block:
    """Return the rows of a range that stand for their location: of copies, the first one."""
    block = read_block(source, labels, space, start, stop)
    return part(block, block.who[0] == np.arange(start, stop))


def read_rows(source: Source, labels: Labels, space: Space, rows: Ints) -> Block:
    """Return ascending ``rows`` of a range in the form in which they are compared."""
    if rows.size == 0:
        return read_block(source, labels, space, 0, 0)
    start, stop = int(rows[0]), int(rows[-1]) + 1
    block = read_block(source, labels, space, start, stop)
    return block if rows.size == stop - start else part(block, rows - start)


def first_rows(labels: Labels, start: int, stop: int) -> Ints:
    """Return which rows of a range stand for their location, counted from its start."""
    if labels.location is None:
        return np.arange(stop - start)
    return np.flatnonzero(labels.location.read(start, stop) == np.arange(start, stop))


def part(block: Block, rows: Array) -> Block:
    """Return some rows of a block, by number or by a mask."""
    if rows.dtype == bool and rows.all():
        return block
    return Block(block.rows[rows], np.ascontiguousarray(block.who[:, rows]))
