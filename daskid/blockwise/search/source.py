"""The rows of a dask array as a search reads them."""

import dask.array as da
import numpy as np
from dask.utils import format_bytes

from daskid.blockwise.search.scan import Source
from daskid.config import memory_limit
from daskid.storage.rows import MemoryRows, native, recall


def source_of(rows: da.Array, *, lists: int = 0) -> Source:
    """Return the reader of rows at rest, or other rows in memory.

    Parameters
    ----------
    rows
        (N, d) rows.
    lists
        Bytes that results take beside them.

    Raises
    ------
    MemoryError
        If they do not fit.
    """
    reader = recall(rows.name)
    dtype = np.dtype(native(rows.dtype))
    need = lists + (0 if reader else 2 * rows.size * dtype.itemsize)
    limit = memory_limit()
    if need > limit:
        raise MemoryError(
            f"rows: expected rows and results of at most {format_bytes(int(limit))} in memory, got "
            f"{format_bytes(need)}: save the rows to a run and search there, knn(..., "
            "store='RUN.zarr'), or raise daskid.memory in dask's configuration"
        )
    if reader is not None:
        return reader
    return MemoryRows(np.ascontiguousarray(rows.compute(), dtype=dtype))
