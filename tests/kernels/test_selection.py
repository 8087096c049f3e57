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


@given(values, st.integers(1, 50), st.sampled_from([-2.0, 0.5, 1.0, np.inf]))
def test_kth_bound__is_reached_by_k_values(x, k, limit):
    found = selection._kth_bound(x, k, limit)
    assert found <= limit
    reached = np.count_nonzero(x <= found)
    if np.count_nonzero(x <= limit) >= k:
        assert reached >= k
        assert reached <= k + k // 16 or found == np.sort(x)[k - 1]
    else:
        assert found == limit


def test_kth_bound__is_near_the_kth_value():
    x = np.random.default_rng(0).random(1000)
    for k in (1, 16, 100, 1000):
        for y in (x, 10.0 ** (-100 * x)):
            assert k <= np.count_nonzero(y <= selection._kth_bound(y, k, np.inf)) <= k + k // 16


@given(
    st.integers(0, 200).flatmap(lambda m: arrays("f4", m, elements=st.sampled_from([0, 1, 2]))),
    st.sampled_from([-1.0, 0.0, 1.0, 2.0, np.inf]),
)
def test_columns_up_to__finds_what_numpy_finds(row, ceiling):
    found = np.empty(row.size, np.int64)
    held = selection._columns_up_to(row, np.float32(ceiling), found)
    np.testing.assert_array_equal(found[:held], np.flatnonzero(row <= ceiling))


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


def test_compact__keeps_order_and_drops_what_is_above_the_limit():
    low, high = np.array([0.1, 3.0, 0.2, 0.9, 5.0]), np.array([0.3, 4.0, 1.0, 1.1, 6.0])
    bound, column, count = np.stack([low, high]), np.arange(10, 15), np.array([5])
    limit = selection.compact(bound, column, count, 0, 2, np.inf, 5)
    assert 1.0 <= limit < 1.1
    assert count[0] == 3
    np.testing.assert_array_equal(column[:3], [10, 12, 13])
    np.testing.assert_array_equal(bound[0, :3], [0.1, 0.2, 0.9])
    assert selection.compact(bound, column, count, 0, 2, limit, 2) == limit
    assert count[0] == -1


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


def candidates(low, slack, k, capacity, tile, total=0):
    """Feed a matrix of lower bounds in tiles; return candidates by row."""
    n, m = low.shape
    limit, count = np.full(n, np.inf), np.zeros(n, np.int64)
    bound, column = np.empty((n, 2, capacity)), np.empty((n, capacity), np.int64)
    nobody = np.stack([np.full(n, -1), np.zeros(n, np.int64), np.zeros(n, np.int64)])
    for first in range(0, m, tile):
        part = np.ascontiguousarray(low[:, first : first + tile])
        numbers = np.arange(first, first + part.shape[1])
        selection.keep_candidates(
            part, 0.0, np.full(n, slack), np.zeros(part.shape[1]), nobody,
            np.stack([numbers, numbers, numbers]), 0, first, total, k, limit, bound, column, count,
        )  # fmt: skip
    return [None if count[i] < 0 else column[i, : count[i]] for i in range(n)]


@given(st.data())
def test_keep_candidates__loses_no_row_that_can_be_a_neighbor(data):
    n, m = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 150))
    k, slack = data.draw(st.integers(1, 6)), data.draw(st.sampled_from([0.0, 0.3, 1.0]))
    capacity = 2 * k + data.draw(st.sampled_from([8, 64]))
    seed = data.draw(st.integers(0, 100))
    levels = data.draw(st.sampled_from([4, 1000]))
    low = np.random.default_rng(seed).integers(0, levels, (n, m)) / np.float32(levels)
    found = candidates(low.astype("f4"), slack, k, capacity, data.draw(st.integers(1, m)))
    for row, kept in zip(low, found, strict=True):
        kth = np.sort(row)[min(k, m) - 1] + slack
        possible = np.flatnonzero(row <= (kth if m >= k else np.inf))
        if kept is None:
            assert possible.size >= capacity - capacity // 8 - (k + k // 16)
        else:
            assert set(possible) <= set(kept)
            assert (np.diff(kept) > 0).all()


def test_keep_candidates__marks_rows_with_too_many():
    found = candidates(np.array([[0.5] * 100, [*np.arange(100.0)]]), 0.0, 1, 10, 100)
    assert found[0] is None
    assert 0 in found[1]


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


def test_center_rows__centers_scales_and_squares():
    rows = np.array([[1e8, 2.0], [1e8 + 3, 6.0]])
    out, norm = np.empty((2, 2), "f4"), np.empty(2, "f4")
    center, factor = np.array([1e8, 4.0]), np.array([1.0, 0.5])
    selection.center_rows(rows, np.array([1, 0]), center, factor, out, norm)
    np.testing.assert_array_equal(out, [[3, 1], [0, -1]])
    np.testing.assert_array_equal(norm, [10, 1])
