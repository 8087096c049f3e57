"""Sums over samples that do not know the chunks.

Rows are added in fixed blocks of 65,536, and the sums of the blocks one after
another, so that no chunking and no order of tasks changes a bit. A task holds
one block, or one sum a block.
"""

import dask.array as da
import numpy as np

from daskid.typing import Array

ROWS = 65_536


def total(values: da.Array) -> da.Array:
    """Return the sum of (n, ...) ``values`` over the first axis, in fixed blocks.

    Parameters
    ----------
    values
        Floating-point values in any chunks of known size.

    Returns
    -------
    (...) sums in float64; 0 for n = 0.
    """
    rows = values.rechunk({0: ROWS}, method="tasks")
    partial = rows.map_blocks(
        _block, chunks=((1,) * rows.numblocks[0], *rows.chunks[1:]), dtype=np.float64
    )
    return in_order(partial)


def add(values: Array) -> Array:
    """Return the sum of (n, ...) ``values`` in memory: the same bits as :func:`total`."""
    starts = range(0, max(values.shape[0], 1), ROWS)
    return _in_order(np.concatenate([_block(values[a : a + ROWS]) for a in starts]))


def in_order(partial: da.Array) -> da.Array:
    """Return the sum of (b, ...) sums of blocks, added one after another."""
    sums: da.Array = partial.rechunk({0: -1}, method="tasks").map_blocks(
        _in_order, drop_axis=0, dtype=np.float64
    )
    return sums


def _block(values: Array) -> Array:
    # the summed axis contiguous: numpy pairs its terms in one way, whatever the other axes
    columns = np.ascontiguousarray(np.moveaxis(values, 0, -1), np.float64)
    return np.asarray(columns.sum(axis=-1))[np.newaxis]


def _in_order(sums: Array) -> Array:
    return np.asarray(np.cumsum(sums, axis=0)[-1])
