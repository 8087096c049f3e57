"""Neighbors that lead from one part of the peaks to another, over chunks of neighbor lists.

One more pass over the lists, only where borders leave parts unconnected. A task sees all
samples through 16 bytes for each of them: 8 for the height, 4 (8 from 2^31 samples on) each for
the center and the part.
"""

from typing import Any

import dask.array as da
import numpy as np

from daskid.kernels import peaks as kernels
from daskid.kernels.peaks import parts
from daskid.typing import Array

SPLIT = 16
"""Tables merged in one task."""


def crossings(
    index: da.Array,
    kstar: da.Array,
    location: da.Array,
    g: da.Array,
    center: da.Array,
    part: da.Array,
) -> da.Array:
    """Return the highest crossing between each pair of centers of two parts.

    Parameters
    ----------
    index, kstar, location
        (n, k) lists, (n,) how many count, and first sample at each place, in the same chunks.
    g, center, part
        (n,) height, center and part of each sample, in one chunk.

    Returns
    -------
    Records, see :func:`daskid.kernels.peaks.parts.crossings`.
    """
    rows = index.chunks[0]
    # i: rows, k: neighbors, n: all samples
    found: da.Array = da.blockwise(
        _crossings, "i", index, "ik", kstar, "i", da.arange(sum(rows), chunks=(rows,)), "i",
        location, "i", g, "n", center, "n", part, "n",
        align_arrays=False, dtype=kernels.BORDER, meta=np.empty(0, kernels.BORDER),
    )  # fmt: skip
    one: da.Array = da.reduction(
        found, chunk=_keep, combine=_keep, aggregate=_keep, axis=0, keepdims=True,
        split_every=SPLIT, dtype=found.dtype, meta=found._meta,
    )  # fmt: skip
    return one


def _crossings(*blocks: Array | list[Array]) -> Array:
    """Take the single blocks of what is contracted: to concatenate them would copy.

    What comes from another process can't be written to, so nothing can: the kernel is compiled
    for one kind of array.
    """
    fixed = [np.ascontiguousarray(x[0] if isinstance(x, list) else x).view() for x in blocks]
    for x in fixed:
        x.setflags(write=False)
    return kernels.highest(parts.crossings(*fixed))


def _keep(table: Array, **_: Any) -> Array:
    return kernels.highest(table)
