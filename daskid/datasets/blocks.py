"""Random rows in fixed blocks, so that no bit depends on the chunks.

Block ``b`` has a Philox stream of its own, keyed by ``(seed, b)``, and is always drawn whole,
because sums over an axis may round differently for another number of rows. A chunk draws the
blocks that it overlaps and keeps its part: chunks that are multiples of :data:`BLOCK` waste none.
"""

import json
import operator
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr

from daskid import variables as v
from daskid.typing import Array

BLOCK = 8192
_BLOCK_VALUES = 2**22
CHUNK = 65_536

Draw: TypeAlias = Callable[[np.random.Generator, int], Array]


def block_rows(width: int) -> int:
    """Return the rows of a fixed block: :data:`BLOCK`, fewer where rows are wide."""
    return max(64, min(BLOCK, _BLOCK_VALUES // width))


def draw_rows(
    draw: Draw, n: int, width: int, *, seed: int, chunks: int, dtype: npt.DTypeLike = "f8"
) -> da.Array:
    """Return lazy ``(n, width)`` rows from a function that draws one block.

    Parameters
    ----------
    draw
        Takes a generator and the number of rows of a block; returns ``(rows, width)`` values.
    n, width
        Shape of the result.
    seed, chunks
        Key of the streams, rows a chunk.
    dtype
        Of the result.
    """
    return _lazy(draw, (n, width), block_rows(width), seed, chunks, np.dtype(dtype))


def draw_values(draw: Draw, n: int, width: int, *, seed: int, chunks: int) -> da.Array:
    """Return lazy ``(n,)`` values, one a row, from the streams of rows of that ``width``."""
    return _lazy(draw, (n,), block_rows(width), seed, chunks, np.dtype("f8"))


def _lazy(
    draw: Draw, shape: tuple[int, ...], block: int, seed: int, chunks: int, dtype: np.dtype[Any]
) -> da.Array:
    array: da.Array = da.map_blocks(
        partial(_chunk, draw=draw, seed=seed, block=block, dtype=dtype),
        chunks=da.core.normalize_chunks((chunks, *shape[1:]), shape),
        dtype=dtype,
        meta=np.empty((0,) * len(shape), dtype),
    )
    return array


def _chunk(
    *, draw: Draw, seed: int, block: int, dtype: np.dtype[Any], block_info: Any = None
) -> Array:
    (start, stop), *rest = block_info[None]["array-location"]
    out = np.empty((stop - start, *(high - low for low, high in rest)), dtype)
    for b in range(start // block, -(-stop // block)):
        low, high = max(start, b * block), min(stop, (b + 1) * block)
        values = draw(stream(seed, b), block)
        out[low - start : high - start] = values[low - b * block : high - b * block]
    return out


def stream(seed: int, *key: int) -> np.random.Generator:
    """Return the generator of ``(seed, key)``; an empty key is the one of the constants."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))


def dataset(
    rows: da.Array,
    *,
    truth: Mapping[str, Any],
    source: str,
    title: str = "",
    units: str = "",
    values: Mapping[str, tuple[str, da.Array]] | None = None,
    coords: Mapping[v.Variable, Any] | None = None,
) -> xr.Dataset:
    """Return the dataset of some rows with its truth.

    Parameters
    ----------
    rows
        ``(sample, feature)``.
    truth, source
        What is known, as JSON takes it, and where it comes from.
    title
        A few words for the head of a page.
    units
        Of the rows.
    values
        Further variables along ``sample``: name to long name and array.
    coords
        Coordinates other than ``row``.
    """
    number = da.arange(rows.shape[0], chunks=rows.chunks[:1], dtype="i8")
    attrs = {"long_name": v.rows.long_name, **({"units": units} if units else {})}
    return xr.Dataset(
        {
            v.rows.name: (v.rows.dims, rows, attrs),
            **{
                name: (v.row.dims, x, {"long_name": long_name, "units": "1"})
                for name, (long_name, x) in (values or {}).items()
            },
        },
        coords={c.name: (c.dims, x) for c, x in {v.row: number, **(coords or {})}.items()},
        attrs={
            **({"title": title} if title else {}),
            "truth": json.dumps(truth),
            "source": source,
        },
    )


def check_integers(**limits: tuple[object, int]) -> None:
    """Refuse what is not an integer of at least its limit.

    Parameters
    ----------
    **limits
        Name to ``(value, smallest)``.

    Raises
    ------
    ValueError
        Name, expected, got, remedy.
    """
    for name, (value, smallest) in limits.items():
        try:
            number = operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            number = smallest - 1
        if isinstance(value, bool) or number < smallest:
            raise ValueError(
                f"{name}: expected an integer of at least {smallest}, got {value!r}: "
                f"pass {name}={smallest} or more"
            )


def check_dtype(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """Return ``dtype`` if rows can be drawn in it.

    Raises
    ------
    ValueError
        If it is neither float32 nor float64.
    """
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = np.dtype("O")
    if found not in (np.dtype("f4"), np.dtype("f8")):
        raise ValueError(
            f"dtype: expected float32 or float64, got {dtype!r}: convert the rows with "
            "ds.astype afterwards"
        )
    return found
