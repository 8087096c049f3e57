"""Rows in the form in which some metrics compare them: directions, and bits.

Directions have length one. Bits are 64 features a word; features of one weight share words, so
that distances are sums of weights times whole numbers.
"""

import numpy as np

from daskid.kernels._jit import jit
from daskid.kernels._simd import LANES, squares
from daskid.typing import Array, Floats

WORD = 64


def directions(rows: Array, weight: Floats) -> Floats:
    """Return rows of length one, in float64; half their squared distance is the cosine one.

    Rows that are exact positive multiples of each other have the same bits: a row is first
    divided by its largest value, and quotients that are equal are rounded alike.

    Parameters
    ----------
    rows
        (n, d) rows, finite; an all-zero row has no direction and becomes NaN.
    weight
        (d,) weights of the products, or empty.
    """
    out = np.empty(rows.shape)
    _write_directions(rows, np.sqrt(weight), out)
    return out


@jit
def _write_directions(rows: Array, factor: Floats, out: Floats) -> None:
    lanes, origin = np.empty(LANES), np.zeros(rows.shape[1])
    for i in range(rows.shape[0]):
        row = out[i]
        for f in range(row.size):
            row[f] = np.float64(rows[i, f])
            if factor.size and factor[f] == 0.0:
                row[f] = 0.0
        largest = np.abs(row).max()
        for f in range(row.size):
            row[f] = row[f] / largest * factor[f] if factor.size else row[f] / largest
        length = np.sqrt(squares(row, origin, lanes))
        for f in range(row.size):
            row[f] = row[f] / length + 0.0  # no negative zeros


def packed(rows: Array, weight: Floats) -> Array:
    """Return rows as (n, words) 64-bit words: a bit says whether a value is above 0.

    Parameters
    ----------
    rows
        (n, d) rows of two values, 0 or -1 and 1.
    weight
        (d,) weights, or empty; features of weight 0 have no bit.
    """
    above = rows > 0
    parts = [
        above if weight.size == 0 else above[:, weight == value]
        for value in _weights_of_groups(weight)
    ]
    words = [_words(part) for part in parts]
    return np.concatenate([np.zeros((len(rows), 0), np.uint64), *words], axis=1)


def _words(bits: Array) -> Array:
    whole = -(-bits.shape[1] // WORD) * WORD
    if bits.shape[1] < whole:
        bits = np.pad(bits, ((0, 0), (0, whole - bits.shape[1])))
    octets = np.packbits(bits, axis=1, bitorder="little")
    return np.ascontiguousarray(octets).view("<u8").astype(np.uint64)


def word_weights(weight: Floats, features: int) -> Floats:
    """Return the weight of the bits of each word that :func:`packed` makes."""
    groups = _weights_of_groups(weight)
    sizes = [int((weight == value).sum()) if weight.size else features for value in groups]
    return np.repeat(groups, np.array([-(-size // WORD) for size in sizes], dtype=np.int64))


def _weights_of_groups(weight: Floats) -> Floats:
    return np.unique(weight[weight > 0]) if weight.size else np.ones(1)
