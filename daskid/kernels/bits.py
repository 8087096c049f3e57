"""The k nearest rows of bits: distances are counts of bits that differ, so they are exact.

There are no bounds, and ties, which are everywhere, cost nothing.
"""

import numpy as np

from daskid.kernels._jit import jit
from daskid.kernels._simd import ones
from daskid.kernels.lists import merge_nearest
from daskid.typing import Array, Floats, Ints

TILE = 512
ROOM = 64
"""New entries of a list, beside k, that are held before they are sorted."""


@jit
def update_lists(
    distance: Floats,
    location: Ints,
    x: Array,
    x_who: Ints,
    columns: Array,
    y_who: Ints,
    weight: Floats,
    total: float,
    exclude: int,
) -> None:
    """Merge the rows of a block into the (n, k) lists of the rows of ``x``, in place.

    Parameters
    ----------
    distance, location
        Lists of the rows of ``x``.
    x, columns
        (n, words) rows, and (words, m) those of the block, transposed.
    x_who, y_who, exclude
        Who they are, and frames, as in :func:`daskid.kernels.selection.no_neighbor`.
    weight, total
        (words,) weights, and what the sum of weighted bits is divided by.
    """
    most = distance.shape[1] + max(ROOM, distance.shape[1])
    new, spare, values = np.empty(most), np.empty(most), np.empty(columns.shape[1])
    where, spare_where = np.empty(most, np.int64), np.empty(most, np.int64)
    for i in range(x.shape[0]):
        write_distances(x[i], columns, weight, total, values)
        merge_nearest(
            distance[i], location[i], values, x_who, i, y_who, exclude,
            new, where, spare, spare_where,
        )  # fmt: skip


@jit
def write_distances(x: Array, columns: Array, weight: Floats, total: float, out: Floats) -> None:
    """Write the distances of one row from (words, m) ``columns`` to ``out`` (m,)."""
    differ = np.empty(TILE, np.int64)
    for first in range(0, out.size, TILE):
        part = out[first : first + TILE]
        part[:] = 0.0
        differ[:] = 0
        for word in range(x.size):
            others = columns[word, first : first + TILE]
            for j in range(part.size):
                differ[j] += ones(x[word] ^ others[j])
            if word == x.size - 1 or weight[word] != weight[word + 1]:
                for j in range(part.size):
                    part[j] += weight[word] * differ[j]
                    differ[j] = 0
        for j in range(part.size):
            part[j] /= total
