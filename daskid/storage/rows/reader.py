"""Rows [a, b) of a source at rest, read where they are needed.

A reader is a path and what to do with it: it travels to workers in a few
hundred bytes. The same rows come back whatever the source's chunks.
"""

import binascii
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from math import lcm, prod
from os.path import realpath
from pathlib import Path
from typing import Any

import numpy as np

from daskid.storage import claims
from daskid.storage.rows import arrays, remote
from daskid.storage.rows.face import exactly
from daskid.typing import Array, Ints

NO_ROWS = np.zeros(0, np.int64)
MOST_BLOCKS = 4096
"""Blocks that are looked at to tell the amplification."""


@dataclass(frozen=True)
class RowReader:
    """Rows of a Zarr array, an HDF5 dataset or a ``.npy`` file, or of several, side by side.

    Parameters
    ----------
    path, array
        The store or its URL, and the array's path inside it (empty: the store is the array).
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
    outer
        An axis whose parts come one after another, each with all samples; None for none.
    parts, factors
        Readers whose features come one after another, and what they are multiplied by;
        path, array and axis are then those of the first.
    access
        Storage options of a URL, or a given store. Only ever in memory.
    version
        Of the metadata at a URL, which is read once a version.
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
    outer: int | None = None
    parts: "tuple[RowReader, ...]" = ()
    factors: tuple[float, ...] = ()
    access: Any = field(default=None, repr=False, compare=False)
    version: str = field(default="", compare=False)

    ndim = 2

    def read(self, start: int, stop: int) -> Array:
        """Return the (stop - start, D) rows from ``start`` up to ``stop``."""
        start, stop, _ = slice(start, stop).indices(self.shape[0])
        if stop <= start:
            return np.empty((0, self.shape[1]), self.dtype)
        first, last = (int(r) for r in self.source_rows(np.array([start, stop - 1])))
        rows = self._joined(first, last + 1) if self.parts else self._raw(first, last + 1)
        gone = self.dropped[(self.dropped >= first) & (self.dropped <= last)]
        if gone.size:
            rows = np.delete(rows, gone - first, axis=0)
        if self.columns is not None:
            rows = rows[:, self.columns]
        return np.ascontiguousarray(rows if self.parts else self._decoded(rows))

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

    def along(
        self, axis: int, shape: tuple[int, int], dtype: str, outer: int | None = None
    ) -> "RowReader":
        """Return the reader of the same array along a sample axis, part by part of ``outer``."""
        return replace(self, axis=axis, shape=shape, dtype=dtype, outer=outer)

    @property
    def where(self) -> str:
        """The address of the source, for messages."""
        return f"{self.path}/{self.array}".rstrip("/")

    def opened(self) -> Any:
        """Return the array of the source as it is, of several the first."""
        return arrays.opened(self.path, self.array, self.access, self.version)

    def chunk_rows(self) -> int:
        """Return the number of rows in a chunk of the source.

        Where chunks hold rows of several parts of ``outer``, the rows of all these.
        """
        if self.parts:
            sizes = [part.chunk_rows() for part in self.parts]
            together = lcm(*sizes)
            return together if together <= self.shape[0] else max(sizes)
        source = self.opened()
        chunks = arrays.chunks_of(source)
        if self.outer is None or chunks[self.outer] == 1:
            return chunks[self.axis]
        return int(min(chunks[self.outer], source.shape[self.outer]) * source.shape[self.axis])

    def chunk_bytes(self) -> int:
        """Return the decoded bytes of the chunks that one row touches, the least to be held."""
        if self.parts:
            return max(part.chunk_bytes() for part in self.parts)
        source = self.opened()
        samples = {self.axis, self.outer}
        sizes = [
            chunk if i in samples else -(-size // chunk) * chunk
            for i, (size, chunk) in enumerate(
                zip(source.shape, arrays.chunks_of(source), strict=True)
            )
        ]
        return int(prod(sizes) * source.dtype.itemsize)

    def amplification(self, rows: int) -> float:
        """Return bytes decoded / bytes used when blocks of ``rows`` whole rows are read.

        1 if blocks are whole chunks; what was left out counts as used. Of many blocks, the
        first few thousand are looked at.
        """
        if self.parts:
            sizes = [part.shape[1] * np.dtype(part.dtype).itemsize for part in self.parts]
            each = [part.amplification(rows) for part in self.parts]
            return float(np.average(each, weights=sizes))
        source = self.opened()
        n, (lengths, chunks) = self._complete(), self._samples(source)
        starts = range(0, n, max(1, rows))[:MOST_BLOCKS]
        decoded = sum(
            prod(map(_touched, slab, lengths, chunks))
            for start in starts
            for slab in _slabs(start, min(start + max(1, rows), n), lengths[1])
        )
        return float(decoded / min(n, len(starts) * max(1, rows)))

    def check(self) -> None:
        """Raise where this can't be a reader of its source, as a run may say of itself.

        Raises
        ------
        ValueError
            If shapes do not fit, or the metadata of the source can't be true.
        """
        for part in self.parts:
            part.check()
        if not self.parts and self.axis not in range(len(self.opened().shape)):
            raise ValueError(f"run: expected an axis of {self.where!r}, got {self.axis!r}: made up")
        if self.parts:
            rows, width = self.parts[0]._complete(), sum(part.shape[1] for part in self.parts)
        else:
            source = self.opened()
            arrays.check(self.path, self.array, source, self.access)
            lengths, _ = self._samples(source)
            rows, width = prod(lengths), prod(map(int, source.shape)) // max(1, prod(lengths))
        kept = width if self.columns is None else self.columns.size
        inside = [(self.dropped, rows), (NO_ROWS if self.columns is None else self.columns, width)]
        bad = any(x.size and not 0 <= x.min() <= x.max() < size for x, size in inside)
        if bad or (self._complete(), self.shape[1]) != (rows, kept):
            raise ValueError(
                f"source: expected {rows} samples of {width} features in {self.where!r}, as a run "
                f"says, got {self._complete()} of {self.shape[1]}: the run is damaged or made up, "
                "make a new one"
            )

    def identity(self) -> str:
        """Return a hash of where the source is and of the size and time of its files."""
        if self.parts:
            parts = [part.identity() for part in self.parts]
            digest = sha256(repr((parts, self.factors, self.dtype)).encode())
        else:
            root = self.path if remote.is_remote(self.path) else realpath(self.path)
            told = (root, self.array, self.axis, self.shape, self.dtype)
            digest = sha256(repr(told if self.outer is None else (*told, self.outer)).encode())
            for fact in arrays.facts(self.path, self.array, self.access):
                digest.update(repr(fact).encode())
        digest.update(self.dropped.tobytes())
        digest.update(b"" if self.columns is None else self.columns.tobytes())
        return digest.hexdigest()[:32]

    def spec(self) -> dict[str, Any]:
        """Return what :func:`reader_from` needs, as JSON values; how to get access is not in it."""
        names = ("array", "dtype", "axis", "fill", "scale", "offset")
        optional = {"outer": self.outer, "factors": list(self.factors), "version": self.version}
        remote_path = remote.is_remote(self.path)
        return {
            **{name: getattr(self, name) for name in names},
            "path": self.path if remote_path else str(Path(self.path).absolute()),
            "shape": list(self.shape),
            "dropped": _packed(self.dropped),
            "columns": None if self.columns is None else _packed(self.columns),
            **{name: value for name, value in optional.items() if value not in (None, [], "")},
            **({"parts": [part.spec() for part in self.parts]} if self.parts else {}),
        }

    def _values(self) -> int:
        """Return the number of values of the source: there are no more rows or features."""
        if self.parts:
            return max(part._values() for part in self.parts)
        return prod(map(int, self.opened().shape))

    def _complete(self) -> int:
        """Return the number of rows with those that are left out."""
        return self.shape[0] + self.dropped.size

    def _samples(self, source: Any) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return sizes and chunks of the outer and the sample axis."""
        chunks = arrays.chunks_of(source)
        if self.outer is None:
            return (1, int(source.shape[self.axis])), (1, chunks[self.axis])
        axes = (self.outer, self.axis)
        return tuple(int(source.shape[a]) for a in axes), tuple(chunks[a] for a in axes)  # type: ignore[return-value]

    def _joined(self, first: int, stop: int) -> Array:
        out = np.empty((stop - first, sum(part.shape[1] for part in self.parts)), self.dtype)
        start = 0
        for part, factor in zip(self.parts, self.factors, strict=True):
            mine = out[:, start : start + part.shape[1]]
            mine[...] = part.read(first, stop)
            if factor != 1:
                mine *= factor
            start += part.shape[1]
        return out

    def _raw(self, first: int, stop: int) -> Array:
        source = self.opened()
        (_, length), _ = self._samples(source)
        slabs = list(_slabs(first, stop, length))
        if len(slabs) == 1:
            return self._slab(source, slabs[0])
        width = prod(source.shape) // self._complete()
        out, start = np.empty((stop - first, width), source.dtype), 0
        for slab in slabs:
            block = self._slab(source, slab)
            out[start : start + len(block)] = block
            start += len(block)
        return out

    def _slab(self, source: Any, slab: "Slab") -> Array:
        """Return whole samples of some parts of the outer axis, part by part."""
        parts, samples = slab
        key = [slice(None)] * len(source.shape)
        key[self.axis] = slice(samples.start, samples.stop)
        front = [self.axis]
        if self.outer is not None:
            key[self.outer] = slice(parts.start, parts.stop)
            front = [self.outer, self.axis]
        block = np.moveaxis(np.asarray(source[tuple(key)]), front, range(len(front)))
        return block.reshape(len(parts) * len(samples), -1)

    def _decoded(self, rows: Array) -> Array:
        out = exactly(rows, self.dtype, self.fill)
        if out is rows and (self.fill, self.scale, self.offset) != (None, None, None):
            out = rows.copy()
        if self.fill is not None:
            out[rows == np.asarray(self.fill)] = np.nan  # in the wider of both dtypes
        if self.scale is not None:
            out *= self.scale
        if self.offset is not None:
            out += self.offset
        return out


Slab = tuple[range, range]


def _slabs(first: int, stop: int, length: int) -> Iterator[Slab]:
    """Yield the parts and the samples of each that make up rows, ``length`` a part."""
    part, start = divmod(first, length)
    last, end = divmod(stop, length)
    if start or part == last:
        yield range(part, part + 1), range(start, end if part == last else length)
        part += 1
    if part < last:
        yield range(part, last), range(length)
    if part <= last and end:
        yield range(last, last + 1), range(end)


def _touched(wanted: range, size: int, chunk: int) -> int:
    """Return the size along one axis of the chunks that hold some of ``wanted``."""
    first, stop = wanted.start // chunk, -(-wanted.stop // chunk)
    return min(size, stop * chunk) - first * chunk


def joined(parts: tuple[RowReader, ...], factors: tuple[float, ...], dtype: str) -> RowReader:
    """Return the reader of the features of several complete readers, one after another."""
    first = parts[0]
    shape = (first.shape[0], sum(part.shape[1] for part in parts))
    return RowReader(
        first.path, first.array, shape, dtype, first.axis, parts=parts, factors=factors
    )


def reader_from(spec: dict[str, Any], access: Any = None) -> RowReader:
    """Return the reader of a :meth:`RowReader.spec`; ``access`` as :class:`RowReader` takes it."""
    try:
        parts = tuple(reader_from(part, access) for part in spec.get("parts", ()))
        claims.check_name(spec["array"], spec["path"])
        shape = tuple(map(int, spec["shape"]))
        bare = {"dropped": NO_ROWS, "columns": None, "shape": shape, "parts": parts}
        factors = tuple(map(float, spec.get("factors", ())))
        known = {"factors": factors, "access": remote.access_to(spec["path"], access)}
        reader = RowReader(**{**spec, **bare, **known})
        dropped, columns = spec["dropped"], spec["columns"]
        if dropped == _packed(NO_ROWS) and columns is None:
            return reader
        most = reader._values()
        return replace(
            reader,
            dropped=_unpacked(dropped, most),
            columns=None if columns is None else _unpacked(columns, most),
        )
    except (KeyError, TypeError, AttributeError, IndexError, zlib.error, binascii.Error) as error:
        raise ValueError(
            f"run: expected what it says of its source as daskid writes it, got another thing "
            f"({type(error).__name__}: {error}): it is damaged or made up, make a new one"
        ) from error


def _packed(numbers: Ints) -> str:
    """Return ascending numbers as text: their differences, compressed."""
    steps = np.diff(numbers, prepend=0).astype("<i8")
    return b64encode(zlib.compress(steps.tobytes())).decode()


def _unpacked(text: str, most: int) -> Ints:
    """Return ascending numbers, of which there are at most so many."""
    unpacking = zlib.decompressobj()
    steps = unpacking.decompress(b64decode(text), 8 * most)
    if unpacking.unconsumed_tail or len(steps) % 8:
        raise TypeError(f"more than {most} numbers")
    return np.cumsum(np.frombuffer(steps, "<i8"), dtype=np.int64)
