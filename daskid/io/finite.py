"""The pass over rows: which samples and features are left out as they are not finite."""

from typing import Any

import dask.array as da
import numpy as np

from daskid.blockwise.search import pool
from daskid.io.at_rest import lazy_rows
from daskid.storage import rows as storage
from daskid.storage.copies import Panels, panels_of
from daskid.storage.rows.arrays import chunks_of
from daskid.typing import Array, Ints


def nonfinite(rows: da.Array, drop: bool, fill: Any) -> tuple[Ints, Ints | None]:
    """Return the rows to leave out, and the features to keep (None: all).

    Raises
    ------
    ValueError
        If values are not finite where they have to be, or nothing is left.
    """
    found = "NaN or infinity"
    if fill is not None and fill == fill:
        found += f" (the source's fill value {fill} counts as NaN)"
    reader = storage.recall(rows.name)
    panels = None if reader is None else panels_of(reader)
    if reader is not None and panels is not None:
        bad, finite = pool.compute(*_by_panels(reader, panels))
    else:
        bad, finite = pool.compute(
            da.map_blocks(_bad_in_rows, rows, dtype="i8", drop_axis=1),
            da.reduction(rows, _finite, _any, axis=0, dtype=bool, meta=np.zeros(0, bool)),
        )
    columns = None if finite.all() else np.flatnonzero(finite)
    wrong = np.flatnonzero(bad > np.count_nonzero(~finite))
    if columns is not None and columns.size == 0:
        raise ValueError(
            f"rows: expected finite values, got {found} in every feature of every row: "
            "mend the source, or choose another variable"
        )
    if wrong.size and not drop:
        first = ", ".join(map(str, wrong[:5])) + (", ..." if wrong.size > 5 else "")
        raise ValueError(
            f"rows: expected finite values, got {found} in {wrong.size} of {bad.size} "
            f"rows (first: {first}): mend them, or leave them out with drop_nonfinite=True"
        )
    if wrong.size == bad.size:
        raise ValueError(
            f"rows: expected finite values, got {found} in every row: "
            "leave out the features that have them"
        )
    return wrong, columns


def _by_panels(reader: storage.RowReader, panels: Panels) -> tuple[da.Array, da.Array]:
    """Return bad values of each row and finite features, from the chunks of the source.

    Blocks of whole rows would decode chunks that are split along features again and again.
    """
    source = da.from_array(reader.opened(), chunks=chunks_of(reader.opened()), asarray=True)
    first = da.moveaxis(source, panels.axis, 0)
    good = first.map_blocks(_good, reader.dtype, reader.fill, dtype=bool)
    features = tuple(range(1, good.ndim))
    return (~good).sum(axis=features), good.any(axis=0).reshape(-1)


def _good(block: Array, dtype: str, fill: float | None) -> Array:
    return np.asarray(np.isfinite(storage.exactly(block, dtype, fill)))


def _bad_in_rows(block: Array) -> Array:
    return np.asarray(np.count_nonzero(~np.isfinite(block), axis=1))


def _finite(block: Array, axis: Any, keepdims: bool) -> Array:
    return np.asarray(np.isfinite(block).any(axis=axis, keepdims=keepdims))


def _any(found: Array, axis: Any, keepdims: bool) -> Array:
    return np.asarray(np.any(found, axis=axis, keepdims=keepdims))


def without(
    rows: da.Array, reader: storage.RowReader | None, dropped: Ints, columns: Ints | None
) -> da.Array:
    """Return the rows without what is left out."""
    if reader is not None:
        return lazy_rows(reader.without(dropped, columns))
    if dropped.size:
        rows = rows[np.delete(np.arange(rows.shape[0]), dropped)]
    return rows if columns is None else rows[:, columns]
