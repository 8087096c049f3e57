"""What a search needs of a source of rows, and rows that are in memory."""

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from daskid.typing import Array

if TYPE_CHECKING:
    from daskid.storage.rows.reader import RowReader

EXACT = 2**53
"""Integers up to here, and down to minus it, are exact in float64."""


class Rows(Protocol):
    """A source of rows, small to send, that is read block by block."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, then of features."""
        ...

    @property
    def dtype(self) -> str:
        """Dtype of the values."""
        ...

    def read(self, start: int, stop: int) -> Array:
        """Return the rows from ``start`` up to ``stop``."""
        ...

    def chunk_rows(self) -> int:
        """Return the number of rows in a chunk."""
        ...


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


def exactly(values: Array, dtype: str, fill: float | None = None) -> Array:
    """Return the values in another dtype; a copy only where it differs.

    Raises
    ------
    ValueError
        If there are integers, other than ``fill``, that float64 would round.
    """
    if values.dtype.kind in "iu" and values.dtype.itemsize == 8 and np.dtype(dtype).kind == "f":
        wrong = values > EXACT
        if values.dtype.kind == "i":
            wrong |= values < -EXACT
        if fill is not None:
            wrong &= values != np.asarray(fill)
        if wrong.any():
            raise ValueError(
                f"rows: expected integers of at most 2**53 = {EXACT} in magnitude, got "
                f"{values[wrong][0]}, which float64 would round: subtract an offset first, or "
                "convert them to float64 if rounding does no harm"
            )
    return values.astype(dtype, copy=False)


def block_rows(shape: tuple[int, ...], itemsize: int, chunk: int, most: int = 8 << 20) -> int:
    """Return how many whole rows make a block of ``most`` bytes, in whole chunks if they fit."""
    rows = max(1, most // max(1, prod(shape[1:]) * itemsize))
    return max(1, min(shape[0], rows - rows % chunk if rows > chunk else rows))


_READERS: "dict[str, RowReader]" = {}


def remember(name: str, reader: "RowReader") -> None:
    """Remember the reader of the dask array ``name``."""
    _READERS[name] = reader


def recall(name: str) -> "RowReader | None":
    """Return the reader of the dask array ``name``, None if it is not at rest."""
    return _READERS.get(name)
