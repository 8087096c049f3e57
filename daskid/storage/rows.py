"""Rows [a, b) of a source at rest, read where they are needed.

A reader is a path and what to do with it: it travels to workers in a few
hundred bytes. The same rows come back whatever the source's chunks.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any
from zlib import compress, decompress

import numpy as np
import zarr

from daskid.typing import Array, Ints

NO_ROWS = np.zeros(0, np.int64)


@dataclass(frozen=True)
class RowReader:
    """Rows of a Zarr array or a ``.npy`` file.

    Parameters
    ----------
    path, array
        The store, and the array's path inside it (empty: the store is the array).
    shape, dtype
        (N, D) and dtype of what :meth:`read` returns.
    axis
        The sample axis of the array; all others are flattened to features.
    fill, scale, offset
        CF decoding: ``fill`` becomes NaN, then times ``scale``, plus ``offset``.
    dropped
        Rows of the source that are left out, ascending.
    columns
        Features of the source that are kept, ascending; None for all.
    """

    path: str
    array: str
    shape: tuple[int, int]
    dtype: str
    axis: int = 0
    fill: float | None = None
    scale: float | None = None
    offset: float | None = None
    dropped: Ints = field(default_factory=lambda: NO_ROWS, compare=False)
    columns: Ints | None = field(default=None, compare=False)

    ndim = 2

    def read(self, start: int, stop: int) -> Array:
        """Return the (stop - start, D) rows from ``start`` up to ``stop``."""
        start, stop, _ = slice(start, stop).indices(self.shape[0])
        if stop <= start:
            return np.empty((0, self.shape[1]), self.dtype)
        first, last = (int(r) for r in self.source_rows(np.array([start, stop - 1])))
        rows = self._raw(first, last + 1)
        gone = self.dropped[(self.dropped >= first) & (self.dropped <= last)]
        if gone.size:
            rows = np.delete(rows, gone - first, axis=0)
        if self.columns is not None:
            rows = rows[:, self.columns]
        return np.ascontiguousarray(self._decoded(rows))

    def __getitem__(self, key: tuple[slice | int, slice | int]) -> Array:
        """Return what numpy returns for integers and slices; dask asks for blocks so."""
        rows, features = key
        if isinstance(rows, slice):
            wanted = range(self.shape[0])[rows]
            first, stop = (min(wanted), max(wanted) + 1) if wanted else (0, 0)
            block = self.read(first, stop)[np.asarray(wanted, int) - first]
        else:
            first = range(self.shape[0])[rows]
            block = self.read(first, first + 1)[0]
        out: Array = block[..., features]
        return out

    def source_rows(self, rows: Ints) -> Ints:
        """Return the numbers that kept rows have in the source."""
        before = self.dropped - np.arange(self.dropped.size)
        numbers: Ints = rows + np.searchsorted(before, rows, side="right")
        return numbers

    def without(self, dropped: Ints, columns: Ints | None) -> "RowReader":
        """Return a reader of this complete source that leaves out rows and features."""
        features = self.shape[1] if columns is None else columns.size
        shape = (self.shape[0] - dropped.size, features)
        return replace(self, shape=shape, dropped=dropped, columns=columns)

    def along(self, axis: int, shape: tuple[int, int], dtype: str) -> "RowReader":
        """Return the reader of the same array along a sample axis."""
        return replace(self, axis=axis, shape=shape, dtype=dtype)

    def chunk_rows(self) -> int:
        """Return the number of rows in a chunk of the source."""
        source = opened(self.path, self.array)
        return int(source.chunks[self.axis]) if isinstance(source, zarr.Array) else 1

    def identity(self) -> str:
        """Return a hash of where the source is and of the size and time of its files."""
        root = os.path.realpath(self.path)
        digest = sha256(repr((root, self.array, self.axis, self.shape, self.dtype)).encode())
        folder = Path(root, self.array)
        for facts in _files(str(folder), "") if folder.is_dir() else [_facts(root)]:
            digest.update(repr(facts).encode())
        digest.update(self.dropped.tobytes())
        digest.update(b"" if self.columns is None else self.columns.tobytes())
        return digest.hexdigest()[:32]

    def spec(self) -> dict[str, Any]:
        """Return what :func:`reader_from` needs, as JSON values."""
        names = ("array", "dtype", "axis", "fill", "scale", "offset")
        return {
            **{name: getattr(self, name) for name in names},
            "path": str(Path(self.path).absolute()),
            "shape": list(self.shape),
            "dropped": _packed(self.dropped),
            "columns": None if self.columns is None else _packed(self.columns),
        }

    def _raw(self, first: int, stop: int) -> Array:
        source = opened(self.path, self.array)
        block = source[(slice(None),) * self.axis + (slice(first, stop),)]
        return np.moveaxis(np.asarray(block), self.axis, 0).reshape(stop - first, -1)

    def _decoded(self, rows: Array) -> Array:
        out = rows.astype(self.dtype)
        if self.fill is not None:
            out[rows == np.asarray(self.fill)] = np.nan  # in the wider of both dtypes
        if self.scale is not None:
            out *= self.scale
        if self.offset is not None:
            out += self.offset
        return out


@dataclass(frozen=True)
class MemoryRows:
    """Rows, or one value a row, that are in memory: the same face as a reader's."""

    values: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values."""
        return self.values.shape

    @property
    def dtype(self) -> str:
        """Dtype of the values."""
        return str(self.values.dtype)

    def read(self, start: int, stop: int) -> Array:
        """Return the values from row ``start`` up to row ``stop``."""
        return self.values[start:stop]

    def chunk_rows(self) -> int:
        """Return 1: any rows are as near as any others."""
        return 1


def opened(path: str, array: str) -> Any:
    """Return the Zarr array, or the memory map of a ``.npy`` file; opened again if replaced.

    Raises
    ------
    FileNotFoundError
        If it is gone.
    """
    for file in (Path(path, array, "zarr.json"), Path(path, array, ".zarray"), Path(path)):
        if file.is_file():
            return _opened(path, array, (file.stat().st_ino, *_facts(str(file))[1:]))
    where = str(Path(path, array))
    raise FileNotFoundError(f"source: expected an array at {where!r}, got nothing: bring it back")


@lru_cache(maxsize=64)
def _opened(path: str, array: str, _: tuple[int, int, int]) -> Any:
    if path.endswith(".npy"):
        return np.load(path, mmap_mode="r", allow_pickle=False)
    return zarr.open_array(path, path=array, mode="r")


def _facts(file: str, name: str = "") -> tuple[str, int, int]:
    stat = os.stat(file)  # noqa: PTH116
    return name, stat.st_size, stat.st_mtime_ns


def _files(folder: str, name: str) -> Iterator[tuple[str, int, int]]:
    """Yield relative name, size and time of all files in a folder, in order."""
    with os.scandir(folder) as entries:
        found = sorted((entry.name, entry.is_dir()) for entry in entries)
    for entry, is_dir in found:
        path, relative = f"{folder}/{entry}", f"{name}/{entry}"
        yield from _files(path, relative) if is_dir else [_facts(path, relative)]


def reader_from(spec: dict[str, Any]) -> RowReader:
    """Return the reader of a :meth:`RowReader.spec`."""
    columns = spec["columns"]
    return RowReader(
        **{
            **spec,
            "shape": tuple(spec["shape"]),
            "dropped": _unpacked(spec["dropped"]),
            "columns": None if columns is None else _unpacked(columns),
        }
    )


def _packed(numbers: Ints) -> str:
    """Return ascending numbers as text: their differences, compressed."""
    steps = np.diff(numbers, prepend=0).astype("<i8")
    return b64encode(compress(steps.tobytes())).decode()


def _unpacked(text: str) -> Ints:
    return np.cumsum(np.frombuffer(decompress(b64decode(text)), "<i8"), dtype=np.int64)


def native(dtype: np.dtype[Any]) -> str:
    """Return the dtype in which rows are compared: floats as they are, small ones as float32.

    Raises
    ------
    TypeError
        If numbers of this kind have no distances.
    """
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise TypeError(
            f"rows: expected real numbers or integers of at most 64 bits, got {dtype}: "
            "convert them first (for complex numbers, take real and imaginary parts as features)"
        )
    if dtype.kind == "f":
        return "float32" if dtype.itemsize <= 4 else "float64"
    return "float32" if dtype.itemsize <= 2 else "float64"


def block_rows(shape: tuple[int, ...], itemsize: int, chunk: int, most: int = 8 << 20) -> int:
    """Return how many whole rows make a block of ``most`` bytes, in whole chunks if they fit."""
    rows = max(1, most // max(1, prod(shape[1:]) * itemsize))
    return max(1, min(shape[0], rows - rows % chunk if rows > chunk else rows))


_READERS: dict[str, RowReader] = {}


def remember(name: str, reader: RowReader) -> None:
    """Remember the reader of the dask array ``name``."""
    _READERS[name] = reader


def recall(name: str) -> RowReader | None:
    """Return the reader of the dask array ``name``, None if it is not at rest."""
    return _READERS.get(name)
