"""Neighbor lists: sorted by distance, then by location; merging never loses an entry."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from daskid.kernels import lists

FEW = st.sampled_from([0.0, 0.5, 1.0, 2.0, 1e-30])
MANY = st.floats(0, 1e30)


def entries(draw, n, elements):
    """Distances and distinct locations."""
    distance = draw(arrays("f8", n, elements=elements))
    location = np.random.default_rng(draw(st.integers(0, 9))).permutation(2 * n)[:n]
    return distance, location


def spare(n):
    return np.empty(n), np.empty(n, np.int64)


@given(st.data(), st.integers(0, 300), st.sampled_from([FEW, MANY]))
def test_sort__by_distance_then_location(data, n, elements):
    distance, location = entries(data.draw, n, elements)
    order = np.lexsort((location, distance))
    expected = distance[order], location[order]
    lists.sort_entries(distance, location, *spare(n + 3))
    np.testing.assert_array_equal(distance, expected[0])
    np.testing.assert_array_equal(location, expected[1])


@given(st.data(), st.integers(1, 40), st.integers(0, 60), st.integers(0, 60))
def test_merge__keeps_the_first_of_both(data, k, old, new):
    distance, location = entries(data.draw, old + new, FEW)
    every = np.r_[distance, np.full(k, np.inf)], np.r_[location, np.full(k, -1)]
    expected = np.lexsort((np.where(every[1] < 0, 10**9, every[1]), every[0]))[:k]
    held = np.full(k, np.inf), np.full(k, -1)
    for part in (slice(0, old), slice(old, None)):
        added = distance[part].copy(), location[part].copy()
        lists.sort_entries(*added, *spare(old + new))
        lists.merge_entries(*held, *added, *spare(k))
    np.testing.assert_array_equal(held[0], every[0][expected])
    np.testing.assert_array_equal(held[1], every[1][expected])


@given(st.data(), st.integers(1, 12), st.integers(1, 200), st.integers(1, 4))
def test_merge_nearest__loses_no_tie(data, k, m, blocks):
    values = data.draw(arrays("f8", m, elements=FEW))
    own, window = data.draw(st.integers(0, m - 1)), data.draw(st.sampled_from([0, 2]))
    number = np.arange(m)
    who = np.stack([number, number, np.zeros_like(number)])
    held = np.full(k, np.inf), np.full(k, -1)
    parts = np.array_split(number, blocks)
    for b in data.draw(st.permutations(range(blocks))):
        part = parts[b]
        if part.size:
            room = k + data.draw(st.integers(1, 9))
            lists.merge_nearest(
                *held, values[part], who, own, np.ascontiguousarray(who[:, part]), window,
                *spare(room), *spare(room),
            )  # fmt: skip
    allowed = number[np.abs(number - own) > window]
    order = allowed[np.argsort(values[allowed], kind="stable")][:k]
    np.testing.assert_array_equal(held[1][: order.size], order)
    np.testing.assert_array_equal(held[0][: order.size], values[order])
    assert (held[1][order.size :] == -1).all()
