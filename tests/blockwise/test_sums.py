"""Sums over samples: fixed blocks in order, whatever the chunks."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskid.blockwise import sums


def chunks(draw, n):
    cuts = sorted(draw(st.sets(st.integers(1, max(n - 1, 1)), max_size=6)) | {n})
    return tuple(np.diff([0, *(c for c in cuts if c <= n)]))


def uneven(n, *more):
    # 12 orders of magnitude and both signs: every order of addition has its own bits
    rng = np.random.default_rng(n)
    return rng.standard_normal((n, *more)) * 10 ** rng.uniform(-6, 6, (n, *more))


@given(data=st.data())
def test_total__adds_blocks_in_order_for_any_chunks(data):
    n, m = data.draw(st.integers(1, 120)), data.draw(st.integers(1, 3))
    x = uneven(n, m)
    array = da.from_array(x, chunks=(chunks(data.draw, n), chunks(data.draw, m)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sums, "ROWS", 8)
        out = sums.total(array).compute()
        np.testing.assert_array_equal(sums.add(x), out)
    expected = np.zeros(m)
    for start in range(0, n, 8):
        expected = expected + [column.copy().sum() for column in x[start : start + 8].T]
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("chunk", [1_000, 65_536, 65_537, 200_001])
def test_total__has_the_same_bits_beyond_one_block(chunk):
    x = uneven(200_002)[1:]
    blocks = [x[a : a + 65_536].sum() for a in range(0, x.size, 65_536)]
    out = sums.total(da.from_array(x, chunks=chunk)).compute()
    assert out == ((blocks[0] + blocks[1]) + blocks[2]) + blocks[3]
    assert out != x.sum()


def test_total__adds_single_precision_in_double():
    x = np.full(1000, np.float32(0.1))
    assert sums.total(da.from_array(x, chunks=7)).compute() == x.astype("f8").sum()


def test_total__of_nothing_is_zero():
    np.testing.assert_array_equal(sums.total(da.zeros((0, 2))).compute(), [0, 0])
    np.testing.assert_array_equal(sums.add(np.zeros((0, 2))), [0, 0])


def test_total__does_not_compute(no_compute):
    assert sums.total(da.ones((10, 2), chunks=3)).shape == (2,)
