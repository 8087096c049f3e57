"""Kernels of density: equal to the naive ones, at the maximum, free of the unit of length."""

import math

import naive
import naive_density
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from daskid.kernels import density as kernels


def lists(x, k):
    distance, index, _ = naive.knn(x, k)
    return distance, index


def stop(distance, index, dimensions, first=3):
    """All ranks in one panel."""
    stored = distance.shape[1]
    ranks = np.arange(first, stored - 1)
    return kernels.advance(
        np.zeros(len(distance), "u1"),
        distance,
        index,
        np.ascontiguousarray(distance[:, first - 1 : stored - 2]),
        first,
        kernels.limits(np.asarray(dimensions, "f8"), ranks, 1e-6),
    )


@pytest.mark.parametrize("alpha", [1e-6, 0.05, 1e-300])
@pytest.mark.parametrize("d", [0.01, 2.0, 200.0])
def test_limits__are_where_the_likelihood_ratio_is_the_quantile(alpha, d):
    ranks = np.array([3, 10, 1000, 10**6])
    (factor,) = kernels.limits(np.array([d]), ranks, alpha)
    x = d * np.log(factor)
    ratio = 4 * ranks * np.array([abs(y) / 2 + math.log1p(math.exp(-y)) - math.log(2) for y in x])
    reached = np.log(factor) < 599
    np.testing.assert_allclose(ratio[reached], chi2.isf(alpha, 1), rtol=1e-8)
    assert reached.any() or d < 1


@pytest.mark.parametrize("d", [0.5, 2.0, 9.0])
def test_advance__equals_naive(d):
    x = np.random.default_rng(0).normal(size=(150, 2)) * np.repeat([1, 0.1], 75)[:, np.newaxis]
    distance, index = lists(x, 60)
    found, wrong = stop(distance, index, [d])
    expected = naive_density.kstar(distance, index, d)
    np.testing.assert_array_equal(np.where(found == 0, 59, found)[:, 0], expected)
    assert wrong == -1
    assert (expected < 59).sum() > 20


@given(x=st.lists(st.integers(0, 3), min_size=24, max_size=60), d=st.floats(0.5, 6))
def test_advance__equals_naive_with_ties_and_copies(x, d):
    x = np.array(x[: len(x) // 2 * 2], "f8").reshape(-1, 2)
    distance, index, _ = naive.knn(x, 10, duplicates="keep")
    found, _ = stop(distance, index, [d])
    expected = naive_density.kstar(distance, index, d)
    np.testing.assert_array_equal(np.where(found == 0, 9, found)[:, 0], expected)


def test_advance__dimensions_at_once_are_the_dimensions_one_by_one():
    x = np.random.default_rng(1).normal(size=(200, 3))
    distance, index = lists(x, 80)
    dimensions = [12.0, 3.0, 2.9, 0.1]
    together, _ = stop(distance, index, dimensions)
    alone = np.concatenate([stop(distance, index, [d])[0] for d in dimensions], axis=1)
    np.testing.assert_array_equal(together, alone)
    assert len(np.unique(together[0])) > 1


def test_advance__goes_on_where_a_panel_ended():
    x = np.random.default_rng(2).normal(size=(120, 2)) ** 3
    distance, index = lists(x, 40)
    factor = kernels.limits(np.array([2.0, 1.0]), np.arange(3, 39), 1e-6)
    found = np.zeros((120, 2), int)
    for a, b in ((3, 5), (5, 20), (20, 39)):
        stopped = (found > 0).sum(axis=1)
        panel = np.ascontiguousarray(distance[:, a - 1 : b - 1])
        part = factor[:, a - 3 : b - 3]
        found += kernels.advance(stopped, distance, index, panel, a, part)[0]
    np.testing.assert_array_equal(found, stop(distance, index, [2.0, 1.0])[0])
    assert ((found > 0) & (found < 5)).any()
    assert (found >= 20).any()


@pytest.mark.parametrize("missing", [-1, 30])
def test_advance__says_whose_neighbor_is_missing(missing):
    distance, index = lists(np.random.default_rng(3).normal(size=(30, 2)), 10)
    index[7, 3] = missing
    assert stop(distance, index, [2.0])[1] == 7


def test_enough__is_found_by_searching_again():
    x = np.random.default_rng(4).normal(size=(2000, 2))
    distance, index = lists(x, 700)

    def ranks(k):
        found, _ = stop(distance[:, :k], index[:, :k], [2.0])
        return np.where(found == 0, k - 1, found)[:, 0]

    k = kernels.enough(ranks(150), 150, 1999)
    assert (ranks(150) == 149).mean() > 0.3
    assert 150 < k <= 700
    assert (ranks(k) == k - 1).mean() <= 0.01
    # and not far more: at three quarters of it lists are too short
    assert (ranks(3 * k // 4) == 3 * k // 4 - 1).mean() > 0.01


@pytest.mark.parametrize(
    ("kstar", "most", "k"),
    [
        (np.full(100, 19), 1000, 200),  # none stops: ten times, no more
        (np.full(100, 19), 50, 50),  # there are no more
        (np.r_[np.full(99, 5), 19], 1000, 20),  # 1 % is allowed
        (np.r_[np.full(98, 5), 19, 19], 1000, 40),
    ],
)
def test_enough__at_the_ends(kstar, most, k):
    assert kernels.enough(kstar, 20, most) == k


@pytest.mark.parametrize("d", [1.0, 2.5, 30.0])
def test_densities__equal_naive(d):
    rng = np.random.default_rng(5)
    distance = np.sort(rng.random((40, 60)) ** (1 / d), axis=1)
    k = rng.integers(3, 61, 40)
    constant = naive_density.log_volume(1.0, d) + math.log(1000)
    np.testing.assert_allclose(
        kernels.knn_log_density(distance, k, d) - constant,
        naive_density.knn_log_density(distance, k, d, 1000),
        atol=1e-12,
    )
    np.testing.assert_allclose(
        kernels.pak_log_density(distance, k, d) - constant,
        naive_density.pak_log_density(distance, k, d, 1000),
        atol=1e-6,
    )


def gradient(radii, d):
    """The two derivatives at the maximum, each over the sum of its terms."""
    shell = np.empty(len(radii))
    kernels.log_shells(np.asarray(radii), d, shell)
    f, a = kernels.tilt(shell)
    rank = np.arange(1, len(radii) + 1)
    weight = np.exp(shell + f + a * rank)
    return weight.sum() - 1, (rank * weight).sum() / rank.mean() - 1


@given(
    gaps=st.lists(st.integers(0, 1000), min_size=3, max_size=200),
    d=st.sampled_from([0.1, 1.0, 2.0, 10.0, 200.0, 2000.0]),
)
def test_tilt__the_gradient_vanishes_wherever_there_is_a_maximum(gaps, d):
    radii = 0.1 + np.cumsum(np.r_[1, gaps]) / 1000
    shell = np.empty(radii.size)
    kernels.log_shells(radii, d, shell)
    rank = np.arange(1, radii.size + 1)
    there = rank[np.isfinite(shell)] - (radii.size + 1) / 2
    if there.min() < 0 < there.max():
        np.testing.assert_allclose(gradient(radii, d), 0, atol=1e-10)
    else:
        assert kernels.tilt(shell) == (0.0, 0.0)


def test_tilt__takes_few_steps_where_plain_newton_leaves_the_range():
    # nearly all the volume is in the last shell, as in many dimensions
    radii = np.linspace(0.3, 1, 100) ** 0.2
    np.testing.assert_allclose(gradient(radii, 500.0), 0, atol=1e-10)


@pytest.mark.parametrize("d", [2.0, 200.0])
@pytest.mark.parametrize("scale", [1e3, 1e-3, 1e100])
def test_densities__another_unit_of_length_shifts_them(d, scale):
    rng = np.random.default_rng(6)
    distance = np.sort(rng.random((300, 100)) ** (1 / d), axis=1)
    k = rng.integers(3, 101, 300)
    for estimate in (kernels.knn_log_density, kernels.pak_log_density):
        shift = estimate(distance * scale, k, d) - estimate(distance, k, d)
        assert np.abs(shift + d * math.log(scale)).max() < 1e-9 * d


def test_log_shells__sum_to_one():
    out = np.empty(5)
    kernels.log_shells(np.array([0.0, 0.0, 1.0, 1.0, 2.0]), 3.0, out)
    np.testing.assert_allclose(np.exp(out), [0, 0, 1 / 8, 0, 7 / 8], atol=1e-15)


def test_densities__copies_that_were_kept_are_infinitely_dense_and_never_nan():
    distance = np.array([[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 2.0], [1.0, 1.0, 1.0, 1.0]])
    found = kernels.pak_log_density(distance, np.array([3, 4, 4]), 2.0)
    assert found[0] == np.inf
    assert np.isfinite(found[1:]).all()
    assert found[2] == math.log(4)  # no maximum: the ball


def test_log_ball__is_the_volume():
    volumes = [math.exp(kernels.log_ball(d)) for d in (1, 2, 3)]
    np.testing.assert_allclose(volumes, [2, math.pi, 4 / 3 * math.pi])
    assert math.isfinite(kernels.log_ball(1e6))


@given(data=st.data())
def test_admissible__equals_naive(data):
    n = data.draw(st.integers(1, 20))
    place = np.array(data.draw(st.lists(st.integers(0, 8), min_size=n, max_size=n)))
    location = (place[:, np.newaxis] == place).argmax(axis=1)
    frame = np.array(data.draw(st.lists(st.integers(-5, 30), min_size=n, max_size=n)))
    trajectory = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    window = data.draw(st.sampled_from([0, 1, 4, 100, 1 << 62]))
    np.testing.assert_array_equal(
        kernels.admissible(location, frame, trajectory, window),
        naive_density.admissible(location, frame, trajectory, window),
    )
