"""Selection by bounds: keeps every row that can be a neighbor, says when it can't."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from daskid.kernels import selection
from daskid.kernels.metrics import ABSOLUTE, LARGEST, SQUARE

values = st.integers(1, 300).flatmap(
    lambda n: arrays("f8", n, elements=st.sampled_from([0.0, 0.5, 1.0, 2.0, 1e-30, 1e30, -1.0]))
)


@given(values, st.integers(1, 50), st.sampled_from(["f4", "f8"]), st.sampled_from([0.5, np.inf]))
def test_kth_smallest__is_reached_by_k_values(x, k, dtype, high):
    held = x.size
    x = np.r_[x, np.full(-held % 64 + 64, -5.0)].astype(dtype)  # those behind are not looked at
    found = selection.kth_smallest(x, held, k, x.dtype.type(0), x.dtype.type(high))
    reached = np.count_nonzero(x[:held] <= found)
    if held < k:
        assert found == np.inf
    else:
        assert reached >= k
        assert reached <= k + k // 16 or found == np.sort(x[:held])[k - 1]


@pytest.mark.parametrize(
    ("x", "y", "exclude", "expected"),
    [
        ((4, 9, 0), (4, 0, 1), 0, True),  # the own location
        ((4, 9, 0), (5, 9, 0), 0, False),  # without a window frames don't count
        ((4, 9, 0), (5, 11, 0), 2, True),
        ((4, 9, 0), (5, 7, 0), 2, True),
        ((4, 9, 0), (5, 12, 0), 2, False),
        ((4, 9, 0), (5, 9, 1), 2, False),  # another trajectory
    ],
)
def test_no_neighbor(x, y, exclude, expected):
    x, y = np.array(x)[:, np.newaxis], np.array(y)[:, np.newaxis]
    assert selection.no_neighbor(x, 0, y, 0, exclude) is expected


@pytest.mark.parametrize("combine", [SQUARE, ABSOLUTE, LARGEST])
def test_bounds_from_rows__are_the_distances_shrunk(combine):
    rng = np.random.default_rng(1)
    x, y = rng.random((5, 7)), rng.random((9, 7))
    period, weight = np.array([1.0, 0, 1, 0, 1, 0, 1]), rng.random(7)
    difference = np.abs(x[:, np.newaxis] - y)
    shorter = np.where(period > 0, np.minimum(difference, 1 - difference), difference)
    terms = weight * (shorter**2 if combine == SQUARE else shorter)
    expected = terms.max(axis=2) if combine == LARGEST else terms.sum(axis=2)
    low = np.empty((5, 9))
    columns = np.ascontiguousarray(y.T)
    selection.bounds_from_rows(x, columns, combine, period, weight, 0.5, low)
    np.testing.assert_allclose(low, expected / 2, rtol=1e-14)
