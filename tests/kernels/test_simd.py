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


@jit
def row_squares(x, i, y, j, lanes):
    _simd.fetch_row(y, j)
    return _simd.row_squares(x, i, y, j, lanes)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
@pytest.mark.parametrize("d", [1, 31, 32, 33, 100])
def test_row_squares__same_bits_as_squares(dtype, d):
    x = (100 * np.random.default_rng(d).random((5, d))).astype(dtype)
    lanes = np.empty(_simd.LANES)
    for a, b in ((x, x), (np.asfortranarray(x), x)):
        expected = _simd.squares(x[1], x[4], lanes)
        assert row_squares(a, 1, b, 4, lanes) == expected == _simd.row_squares(a, 1, b, 4, lanes)


@jit
def compare_tile(form, x, x_start, y, y_start, d, period, factor, add, i, j, limit, low, masks):
    return _simd.compare_tile(
        form, x, x_start, y, y_start, d, period, factor, add, i, add, j, limit, limit, low, masks
    )


@pytest.mark.parametrize("form", range(_simd.LARGESTS + _simd.WRAPPED + 1))
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("d", [1, 2, 3, 20, 101])
def test_tile__equals_its_twin(form, dtype, d):
    # whole numbers: nothing is rounded
    rng, width = np.random.default_rng(d), _simd.panel_rows(dtype)
    x, y = rng.integers(-8, 9, (2, 3 * width * d)).astype(dtype)
    add, limit = rng.integers(-9, 9 * d, (2, 3 * width)).astype(dtype)
    add[2 * width + 3] = np.nan  # behind the last row
    factor = x.dtype.type(-2 if form == _simd.PRODUCTS else 1)
    i, j = width + _simd.TILE, 2 * width
    period = np.where(np.arange(d) % 3, 16, np.inf).astype(dtype)
    given = form, x, width * d + _simd.TILE, y, 2 * width * d, d, period, factor, add, i, j, limit
    found = np.zeros(width * _simd.TILE, dtype), np.zeros(_simd.TILE, np.uint64)
    expected = found[0].copy(), found[1].copy()
    hit = compare_tile(*given, *found)
    twin = _simd.compare_tile(*given[:9], i, add, j, limit, limit, *expected)
    assert bool(hit) == bool(twin) == bool(found[1].any())
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    # and that is a sum over the features
    a, b = x.reshape(3, d, width)[1, :, _simd.TILE], y.reshape(3, d, width)[2, :, 0]
    difference = np.abs(a - b)
    if form > _simd.LARGESTS:
        difference = np.minimum(difference, period - difference)
    total = {
        _simd.PRODUCTS: a @ b,
        _simd.SQUARES: (difference**2).sum(),
        _simd.ABSOLUTES: difference.sum(),
        _simd.LARGESTS: difference.max(),
    }[form - _simd.WRAPPED * (form > _simd.LARGESTS)]
    assert found[0][0] == factor * total + add[i] + add[j]
    assert not np.isnan(found[0]).all()
    assert not any(int(mask) >> 3 & 1 for mask in found[1])
