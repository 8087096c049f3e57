"""Rows [a, b) of a source at rest, read where they are needed.

A reader is a path and what to do with it: it travels to workers in a few
hundred bytes. The same rows come back whatever the source's chunks.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any

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

    def __getitem__(self, key: tuple[slice, slice]) -> Array:
        """Return rows and features of two slices with step 1, for dask."""
        start, stop, _ = key[0].indices(self.shape[0])
        return self.read(start, stop)[:, key[1]]

    def source_rows(self, rows: Ints) -> Ints:
        """Return the numbers that kept rows have in the source."""
        before = self.dropped - np.arange(self.dropped.size)
        return rows + np.searchsorted(before, rows, side="right")

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
        digest = sha256(repr((Path(self.path).resolve().as_posix(), self.array, self.axis)).encode())
        root = Path(self.path) / self.array
        files = sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else [root]
        if not root.is_dir():
            files = [Path(self.path)]
        for file in files:
            stat = file.stat()
            digest.update(repr((file.relative_to(self.path).as_posix(), stat.st_size, stat.st_mtime_ns)).encode())
        digest.update(self.dropped.tobytes())
        digest.update(b"" if self.columns is None else self.columns.tobytes())
        return digest.hexdigest()[:32]

    def spec(self) -> dict[str, Any]:
        """Return what :func:`reader_from` needs, as JSON values."""
        values = {
            name: getattr(self, name)
            for name in ("path", "array", "dtype", "axis", "fill", "scale", "offset")
        }
        values["path"] = str(Path(self.path).resolve())
        values["shape"] = list(self.shape)
        values["dropped"] = self.dropped.tolist()
        values["columns"] = None if self.columns is None else self.columns.tolist()
        return values

    def _raw(self, first: int, stop: int) -> Array:
        source = opened(self.path, self.array)
        block = source[(slice(None),) * self.axis + (slice(first, stop),)]
        return np.moveaxis(np.asarray(block), self.axis, 0).reshape(stop - first, -1)

    def _decoded(self, rows: Array) -> Array:
        out = rows.astype(self.dtype)
        if self.fill is not None:
            out[rows == self.fill] = np.nan
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

    def read(self, start: int, stop: int) -> Array:
        """Return the values from row ``start`` up to row ``stop``."""
        return self.values[start:stop]

    def chunk_rows(self) -> int:
        """Return 1: any rows are as near as any others."""
        return 1


@lru_cache(maxsize=64)
def opened(path: str, array: str) -> Any:
    """Return the Zarr array, or the memory map of a ``.npy`` file."""
    if path.endswith(".npy"):
        return np.load(path, mmap_mode="r", allow_pickle=False)
    return zarr.open_array(path, path=array or None, mode="r")


def reader_from(spec: dict[str, Any]) -> RowReader:
    """Return the reader of a :meth:`RowReader.spec`."""
    columns = spec["columns"]
    return RowReader(
        **{
            **spec,
            "shape": tuple(spec["shape"]),
            "dropped": np.array(spec["dropped"], np.int64),
            "columns": None if columns is None else np.array(columns, np.int64),
        }
    )


def native(dtype: np.dtype[Any]) -> str:
    """Return the dtype in which rows are compared: floats as they are, small ones as float32.

    Raises
    ------
    TypeError
        If numbers of this kind have no distances.
    """
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise TypeError(
            f"rows: expected a real floating-point or integer dtype of at most 64 bits, got {dtype}: "
            "convert it first (for complex numbers, take real and imaginary parts as features)"
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
