"""Rows of a source, at rest or in memory, behind one face."""

from daskid.storage.rows.arrays import HDF5, opened
from daskid.storage.rows.face import (
    MemoryRows,
    Rows,
    block_rows,
    exactly,
    native,
    recall,
    remember,
)
from daskid.storage.rows.reader import NO_ROWS, RowReader, joined, reader_from

__all__ = [
    "HDF5",
    "NO_ROWS",
    "MemoryRows",
    "RowReader",
    "Rows",
    "block_rows",
    "exactly",
    "joined",
    "native",
    "opened",
    "reader_from",
    "recall",
    "remember",
]
