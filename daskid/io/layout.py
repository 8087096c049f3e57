"""Which dimension of an array is which: samples, trajectories, features."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import dask.array as da
import numpy as np
import xarray as xr

from daskid.io.at_rest import lazy_rows
from daskid.io.sources import Part
from daskid.storage import rows as storage
from daskid.storage.rows import RowReader
from daskid.typing import Array

SAMPLE_NAMES = ("sample", "time", "frame")
BLOCK_BYTES = 64 << 20


class Layout(NamedTuple):
    """Of one array: sample dimension, dimension of trajectories, (N, D), dtype of the rows."""

    dim: str
    outer: str | None
    shape: tuple[int, int]
    dtype: str


def layout_of(field: xr.DataArray, sample: str | None, trajectory: str | None) -> Layout:
    """Return which dimension is which."""
    outer = trajectory if trajectory in field.dims and trajectory != sample else None
    dim = _sample_dim(field, sample, outer)
    if outer == dim:
        outer = None
    return Layout(dim, outer, _shape(field, dim, outer), storage.native(field.dtype))


def _sample_dim(field: xr.DataArray, sample: str | None, outer: str | None) -> str:
    dims = [str(d) for d in field.dims]
    if sample is not None:
        if sample not in dims:
            raise ValueError(f"sample: expected one of the dimensions {dims}, got {sample!r}")
        return sample
    found = [d for d in dims if d in SAMPLE_NAMES]
    if len(found) > 1 and outer in found:
        found.remove(outer)
    if len(found) != 1:
        raise ValueError(
            f"sample: expected one dimension named {', '.join(SAMPLE_NAMES)}, "
            f"got the dimensions {found or dims}: "
            + (f"choose one, e.g. sample={dims[0]!r}" if dims else "give an array of samples")
        )
    return found[0]


def _shape(field: xr.DataArray, dim: str, outer: str | None) -> tuple[int, int]:
    sizes = dict(field.sizes)
    if any(size != size for size in sizes.values()):
        raise ValueError(
            f"source: expected known sizes, got {sizes}: compute the chunk sizes of its dask array"
        )
    n = sizes.pop(dim) * (sizes.pop(outer) if outer else 1)
    d = int(np.prod(list(sizes.values()), dtype=int))
    if n < 1 or d < 1:
        raise ValueError(
            f"source: expected 1 sample and 1 feature or more, got {dict(field.sizes)}: "
            "there is nothing to analyze"
        )
    return n, d


def together(parts: Sequence[Part], layouts: Sequence[Layout]) -> None:
    """Raise if arrays do not have the same samples."""
    first = layouts[0]
    for part, layout in zip(parts, layouts, strict=True):
        given = (layout.dim, layout.outer, layout.shape[0])
        expected = (first.dim, first.outer, first.shape[0])
        if given != expected:
            raise ValueError(
                f"variable: expected arrays with the same samples, got "
                f"{expected[2]} along {expected[0]!r} for {parts[0].name!r} and "
                f"{given[2]} along {given[0]!r} for {part.name!r}: select the same samples of each"
            )
        for dim in filter(None, (layout.dim, layout.outer)):
            one, other = (p.field.coords.get(dim) for p in (parts[0], part))
            if one is not None and other is not None and not one.equals(other):
                raise ValueError(
                    f"variable: expected arrays with the same {dim!r}, got other values for "
                    f"{part.name!r} than for {parts[0].name!r}: align them first (xarray.align)"
                )


def factors_of(parts: Sequence[Part], scale: Mapping[str, float] | None) -> tuple[float, ...]:
    """Return what each array is multiplied by.

    Raises
    ------
    ValueError
        If other arrays are named, or a factor is not above 0.
    """
    names = [str(part.name if part.name is not None else part.field.name) for part in parts]
    if scale is None:
        return (1.0,) * len(names)
    if not isinstance(scale, Mapping) or set(scale) - set(names):
        raise ValueError(
            f"scale: expected a number for each of the variables {names}, got {scale!r}: "
            "give a mapping from name to number"
        )
    for name, factor in scale.items():
        if not (isinstance(factor, int | float | np.number) and 0 < factor < np.inf):
            raise ValueError(
                f"scale: expected finite numbers above 0, got {factor!r} for {name!r}: "
                "e.g. 1 over its standard deviation"
            )
    return tuple(float(scale.get(name, 1.0)) for name in names)


def reader_of(
    parts: Sequence[Part], layouts: Sequence[Layout], factors: tuple[float, ...]
) -> RowReader | None:
    """Return the reader of all features side by side, None if some are not at rest."""
    readers = []
    for part, layout in zip(parts, layouts, strict=True):
        if part.reader is None:
            return None
        axis = part.field.get_axis_num(layout.dim)
        outer = None if layout.outer is None else part.field.get_axis_num(layout.outer)
        readers.append(part.reader.along(axis, layout.shape, layout.dtype, outer))
    if len(readers) == 1 and factors == (1.0,):
        return readers[0]
    return storage.joined(tuple(readers), factors, _dtype(layouts))


def _dtype(layouts: Sequence[Layout]) -> str:
    return str(np.result_type(*(layout.dtype for layout in layouts)))


def lazy(parts: Sequence[Part], layouts: Sequence[Layout], factors: tuple[float, ...]) -> da.Array:
    """Return lazy rows of arrays that are not all at rest, every block with all features."""
    dtype = np.dtype(_dtype(layouts))
    found: list[da.Array] = []
    for part, layout, factor in zip(parts, layouts, factors, strict=True):
        rows = _rows(part, layout).astype(dtype)
        rows = rows if factor == 1 else rows * dtype.type(factor)
        found.append(rows)
    if len(found) == 1:
        return found[0]
    joined = da.concatenate(found, axis=1)
    chunk = min(max(rows.chunks[0]) for rows in found)
    most = storage.block_rows(joined.shape, dtype.itemsize, 1, BLOCK_BYTES)
    whole: da.Array = joined.rechunk({0: min(chunk, most), 1: -1})
    return whole


def _rows(part: Part, layout: Layout) -> da.Array:
    if part.reader is not None:
        one = reader_of([part], [layout], (1.0,))
        assert one is not None
        return lazy_rows(one)
    return _flattened(part.field, layout)


def _flattened(field: xr.DataArray, layout: Layout) -> da.Array:
    variable, shape, dtype = field.variable, layout.shape, layout.dtype
    if field.chunks is None and not variable._in_memory:  # a file that xarray opened
        variable = variable.chunk("auto")
    front = (layout.dim,) if layout.outer is None else (layout.outer, layout.dim)
    data = variable.transpose(*front, ...).data
    size = np.dtype(dtype).itemsize
    if not isinstance(data, da.Array):
        data = storage.exactly(np.ascontiguousarray(data).reshape(shape), dtype)
        rows: da.Array = da.from_array(data, chunks=(storage.block_rows(shape, size, 1), -1))
        return rows
    parts = [data] if layout.outer is None else [data[i] for i in range(data.shape[0])]
    rows = da.concatenate([_whole(part, shape[1], size) for part in parts])
    exact: da.Array = da.map_blocks(_exactly, rows, to=dtype, dtype=dtype)
    return exact


def _whole(data: da.Array, features: int, size: int) -> da.Array:
    """Return (n, features) rows in blocks with all features."""
    shape = (data.shape[0], features)
    most = min(max(data.chunks[0]), storage.block_rows(shape, size, 1, BLOCK_BYTES))
    whole = data.rechunk({0: most, **dict.fromkeys(range(1, data.ndim), -1)})
    flat: da.Array = whole.reshape(shape)
    return flat


def _exactly(block: Array, to: str) -> Array:
    return np.asarray(storage.exactly(block, to))
