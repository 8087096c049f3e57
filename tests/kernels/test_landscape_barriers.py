"""Heights, also in halves of the data, and the best paths, against loops."""

import naive_landscape
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskid.kernels import peaks
from daskid.kernels.landscape import barriers as kernels


@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(0, 12))
def test_bottlenecks__equal_naive(seed, p, s):
    rng = np.random.default_rng(seed)
    pairs = [(a, b) for a in range(p) for b in range(a + 1, p)]
    chosen = rng.permutation(len(pairs))[:s]
    pair = np.array([pairs[c] for c in sorted(chosen)], dtype=np.int64).reshape(-1, 2)
    level = rng.integers(0, 4, len(pair)).astype(float)
    found = kernels.bottlenecks(pair, level, p)
    np.testing.assert_array_equal(found, naive_landscape.bottlenecks(pair, level, p))


@given(st.integers(0, 2**32 - 1), st.integers(0, 9), st.floats(0.0, 2.0))
def test_tied__equals_naive(seed, s, scale):
    rng = np.random.default_rng(seed)
    level = rng.normal(size=s).round(1)
    moved = scale * rng.normal(size=(5, s)) * rng.random(s)
    expected = naive_landscape.tied(level, moved)
    np.testing.assert_allclose(kernels.tied(level, moved), expected, rtol=1e-12)


def test_tied__leaves_levels_alone_that_are_not_finite():
    level = np.array([np.nan, 1.0, -np.inf, -np.inf])
    np.testing.assert_array_equal(kernels.tied(level, np.zeros((2, 4))), level)


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 2.5))
def test_half_densities__equal_those_of_weighted_lists(seed, excess):
    rng = np.random.default_rng(seed)
    n, m, k = 40, 12, 20
    index = np.stack([rng.permutation(n)[:k] for _ in range(m)])
    kstar = rng.integers(10, k + 1, m)
    error = np.sqrt(excess / kstar)
    log_density = rng.normal(size=m)
    half = rng.permutation(n) < n // 2
    found = kernels.half_densities(index, kstar, log_density, error, half)
    for side, weight in enumerate((2.0 * half, 2.0 * ~half)):
        expected = log_density + peaks.shifts(index, kstar, error, weight)
        np.testing.assert_allclose(found[side], expected, rtol=1e-12, atol=1e-12)


def test_half_densities__are_finite_where_a_half_has_nobody():
    index, half = np.arange(6).reshape(1, 6), np.zeros(6, bool)
    found = kernels.half_densities(index, np.array([6]), np.zeros(1), np.array([6**-0.5]), half)
    assert found[:, 0] == pytest.approx([np.log(1 / 6), np.log(2)])


def test_half_densities__double_the_variance_of_a_density():
    rng = np.random.default_rng(1)
    index = np.arange(200).reshape(1, 200)
    given = index, np.array([200]), np.zeros(1), np.array([200**-0.5])
    one, other = np.array(
        [kernels.half_densities(*given, rng.permutation(400) < 200)[:, 0] for _ in range(600)]
    ).T
    # 400 samples of which 200 are neighbors: half of the variance is left
    assert 0.25 * np.mean((one - other) ** 2) == pytest.approx(0.5 / 200, rel=0.2)


@given(st.integers(0, 2**32 - 1))
def test_averages_and_weighted__equal_least_squares(seed):
    rng = np.random.default_rng(seed)
    n, m, k = 30, 5, 9
    index = np.stack([rng.permutation(n)[:k] for _ in range(m)])
    distance = np.sort(rng.random((m, k)), axis=1)
    kstar, row = rng.integers(2, k + 1, m), rng.permutation(n)[:m]
    values = rng.normal(size=n)
    average = kernels.averages(index, kstar, row, values)
    weight = kernels.intercept_weights(distance, kstar)
    found = kernels.weighted(index, kstar, row, weight, values)
    assert weight.shape == (m, k + 1)
    for r in range(m):
        y = values[[row[r], *index[r, : kstar[r]]]]
        x = np.append(0.0, distance[r, : kstar[r]]) ** 2
        assert average[r] == pytest.approx(y.mean(), abs=1e-12)
        assert found[r] == pytest.approx(np.polynomial.polynomial.polyfit(x, y, 1)[0], abs=1e-8)
        assert (weight[r, kstar[r] + 1 :] == 0).all()


def test_intercept_weights__are_those_of_a_mean_where_nothing_has_a_distance():
    weight = kernels.intercept_weights(np.zeros((1, 3)), np.array([3]))
    assert weight.tolist() == [[0.25] * 4]


@given(st.integers(0, 2**32 - 1))
def test_saddles__equal_naive(seed):
    rng = np.random.default_rng(seed)
    n, p, k = 40, 3, 8
    x = rng.random((n, 2))
    index = np.argsort(np.linalg.norm(x[:, np.newaxis] - x, axis=-1), axis=1)[:, 1 : k + 1]
    kstar = rng.integers(2, k + 1, n)
    fixed = rng.integers(0, 12, n).astype(float)
    peak = np.sort(rng.permutation(n)[:p])
    label = np.linalg.norm(x[:, np.newaxis] - x[peak], axis=-1).argmin(axis=1)
    row = np.flatnonzero(rng.random(n) < 0.7)
    g = rng.integers(0, 12, row.size).astype(float)
    place = np.full(n, -1)
    place[row] = np.arange(row.size)
    pair = np.array([[0, 1], [0, 2], [1, 2]])
    found = kernels.saddles(index[row], kstar[row], row, g, place, label, fixed, peak, pair)
    expected = naive_landscape.saddles(index, kstar, row, g, label, fixed, peak)
    np.testing.assert_array_equal(found, [expected.get(tuple(ab), -1) for ab in pair.tolist()])


def test_ascend__goes_up_and_jumps_where_nobody_is_higher():
    #               0   1  2   3       4  5
    parent = np.array([1, 2, -1, -2 - 1, 0, -1])
    label = np.array([0, 0, 0, 0, 0, 1])
    assert kernels.ascend(parent, label, 4, 2).tolist() == [4, 0, 1, 2]
    assert kernels.ascend(parent, label, 3, 2).tolist() == [3, 1, 2]
    assert kernels.ascend(parent, label, 2, 2).tolist() == [2]
    parent[0] = 5  # in another basin
    assert kernels.ascend(parent, label, 4, 2).tolist() == [4, 0, 2]
