"""Machine instructions give the bits of their plain twins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from daskid.kernels import _simd
from daskid.kernels._jit import jit

MASKS = st.integers(1, 2**64 - 1)


@jit
def masks(row, start, value):
    return _simd.below(row, start, value), _simd.up_to(row, start, value)


@jit
def of_mask(mask):
    return _simd.lowest_bit(mask), _simd.without_lowest(mask), _simd.ones(mask)


@jit
def squares(x, y, lanes):
    return _simd.squares(x, y, lanes)


@given(st.sampled_from(["f4", "f8"]), st.integers(0, 9), st.data())
def test_comparisons__one_bit_a_value(dtype, start, data):
    values = st.sampled_from([-np.inf, -1.0, 0.0, 1.0, 2.0, np.inf])
    row = data.draw(arrays(dtype, 80, elements=values))
    value = row.dtype.type(data.draw(values))
    found = masks(row, start, value)
    part = row[start : start + 64]
    for mask, plain, compare in zip(
        found, (_simd.below, _simd.up_to), (part < value, part <= value), strict=True
    ):
        assert mask == plain(row, start, value) == sum(1 << int(j) for j in np.flatnonzero(compare))


@given(MASKS)
def test_masks__are_taken_apart_bit_by_bit(mask):
    lowest, rest, ones = of_mask(np.uint64(mask))
    assert lowest == _simd.lowest_bit(mask) == f"{mask:064b}"[::-1].index("1")
    assert rest == _simd.without_lowest(mask) == mask - (1 << lowest)
    assert ones == _simd.ones(mask) == f"{mask:b}".count("1")


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "u1"])
@pytest.mark.parametrize("d", [0, 1, 31, 32, 33, 63, 64, 100])
def test_squares__same_bits_for_any_size(d, dtype):
    lanes = np.empty(_simd.LANES)
    rows = 100 * np.random.default_rng(d).random((3, 2, d))
    for x, y in rows.astype(dtype):
        # rows may begin anywhere
        x, y = np.r_[x[:1], x][1:], np.r_[y[:1], y][1:]
        assert squares(x, y, lanes) == _simd.squares(x, y, lanes)
        terms = (x.astype("f8") - y.astype("f8")) ** 2
        assert squares(x, y, lanes) == pytest.approx(terms.sum(), rel=1e-14)
