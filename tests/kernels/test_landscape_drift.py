"""Paths, edges and jump rates of a known drift: their slopes, their naive twins, their limits."""

from itertools import pairwise

import naive_drift as naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskid.datasets import systems
from daskid.kernels.landscape import action, edge
from daskid.kernels.landscape import fokker_planck as fp

SHEAR = systems.ornstein_uhlenbeck("shear").drift
DRIFTS = {
    "maier_stein": systems.maier_stein(beta=4.0).drift,
    "triple_well": systems.triple_well().drift,
    "shear": SHEAR,
}
every_drift = pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS)


@every_drift
def test_action__has_the_slope_that_differences_give(drift):
    rng = np.random.default_rng(0)
    path = np.stack([np.linspace(-1, 0.5, 8), np.linspace(0, 0.3, 8)], 1)
    path += 0.1 * rng.standard_normal(path.shape)
    _, slope = action.charged(drift, path, 0.3)
    for index in np.ndindex(path.shape):
        up, down = path.copy(), path.copy()
        up[index] += 1e-6
        down[index] -= 1e-6
        ends = action.charged(drift, up, 0.3)[0], action.charged(drift, down, 0.3)[0]
        assert slope[index] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-7)


@every_drift
def test_action__does_not_depend_on_the_parameter(drift):
    def path(s):
        return np.stack([np.cos(3 * s) - 0.5, s + 0.2], 1)

    even, uneven = np.linspace(0, 1, 2001), np.linspace(0, 1, 2001) ** 2
    assert action.action(drift, path(even)) == pytest.approx(
        action.action(drift, path(uneven)), rel=1e-6
    )


def test_charge__is_zero_for_equal_segments_only():
    still = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [2.0, 1.0]])
    plain = action.action(SHEAR, still)
    assert action.charged(SHEAR, still, 5.0)[0] == pytest.approx(plain, abs=1e-12)
    still[1, 0] = 0.7
    assert action.charged(SHEAR, still, 5.0)[0] > action.action(SHEAR, still) + 0.1


def test_resampled__puts_points_at_equal_distances():
    path = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 1.0]])
    np.testing.assert_allclose(action.resampled(path, 4), [[0, 0], [1, 0], [2, 0], [3, 0], [3, 1]])


@given(st.integers(1, 5000))
def test_levels__end_with_what_is_wanted_and_about_double(segments):
    levels = action.finer(segments)
    assert levels[-1] == segments
    assert levels[0] < 2 * action.COARSE
    assert all(b in (2 * a, 2 * a - 1) for a, b in pairwise(levels))


BOXES = {
    "1-D": (systems.double_well(c=0.1).drift, 0.6, [(-2.0, 1.9)], 24),
    "2-D": (systems.maier_stein(beta=3.0).drift, (0.7, 0.9), [(-2.0, 1.9), (-1.4, 1.5)], 9),
}
every_box = pytest.mark.parametrize(("drift", "sigma", "box", "cells"), BOXES.values(), ids=BOXES)


@every_box
def test_rates__equal_the_naive_ones(drift, sigma, box, cells):
    strength, edges = np.broadcast_to(sigma, len(box)).astype(float), np.array(box)
    found = fp.jump_rates(drift, strength, edges, cells)
    expected = naive.rates(drift, sigma, box, cells)
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fp.stationary(found), naive.stationary(expected), atol=1e-12)
    x = fp.centers(edges, cells)
    target = ((x - x.mean(axis=0)) ** 2).sum(axis=1) < 0.3
    np.testing.assert_allclose(
        fp.first_passage(found, target), naive.first_passage(expected, target), rtol=1e-9
    )
    source = (x[:, 0] < x[:, 0].min() + 0.5) & ~target
    inside = ~(source | target)
    q = np.linalg.solve(
        expected[np.ix_(inside, inside)], -expected[np.ix_(inside, target)].sum(axis=1)
    )
    np.testing.assert_allclose(fp.committor(found, source, target)[inside], q, rtol=1e-8)
    np.testing.assert_array_equal(fp.committor(found, source, target)[~inside], target[~inside])
    modes = np.sort(np.linalg.eigvals(expected).real)[::-1][1:4]
    np.testing.assert_allclose(fp.relaxation(found, 3).real, modes, rtol=1e-8)


def test_rates__leave_the_density_of_a_gradient_as_it_is():
    well = systems.double_well(c=0.2, sigma=0.7)
    box = np.array([[-2.2, 2.0]])
    p = fp.stationary(fp.jump_rates(well.drift, np.array([0.7]), box, 30))
    # the drift is taken for constant between centers: errors of second order
    u = 2 / 0.7**2 * well.potential(fp.centers(box, 30))
    expected = np.exp(-u) / np.exp(-u).sum()
    np.testing.assert_allclose(p, expected, atol=0.02 * expected.max())


def test_bernoulli__is_smooth_at_zero_and_does_not_overflow():
    x = np.array([-800.0, -1e-9, 0.0, 1e-9, 1e-7, 800.0])
    np.testing.assert_allclose(fp.bernoulli(x), [800, 1, 1, 1, 1 - 5e-8, 0], rtol=1e-9, atol=1e-200)


def test_bisection__encloses_the_boundary():
    def step(x):
        return x + 0.1 * systems.maier_stein(beta=2.0).drift(x)

    def side(x):
        return None if abs(x[0]) < 0.9 else int(np.sign(x[0]))

    pair = edge.Pair(np.array([-0.8, 0.5]), np.array([0.9, 0.2]), (-1, 1))
    found = edge.bisected(step, side, pair, 1e-8, 1000)
    assert -1e-8 <= found.first[0] <= 0 <= found.second[0] <= 1e-8
    assert edge.settle(step, side, np.array([0.0, 0.4]), 50) is None


def test_settle__says_that_a_step_is_too_long():
    with pytest.raises(ValueError, match="step: expected finite states, got NaN or infinite"):
        edge.settle(lambda x: x * np.inf - x, lambda _: None, np.array([0.1]), 1_000)
