"""Lines through points with errors on both axes: published numbers, shared errors, coverage."""

import numpy as np
import pytest

from daskid.kernels.landscape import kramers as kernels

X = np.array([0.0, 0.9, 1.8, 2.6, 3.3, 4.4, 5.2, 6.1, 6.5, 7.4])
Y = np.array([5.9, 5.4, 4.4, 4.6, 3.5, 3.7, 2.8, 2.8, 2.4, 1.5])
WX = np.array([1000.0, 1000, 500, 800, 200, 80, 60, 20, 1.8, 1.0])
WY = np.array([1.0, 1.8, 4, 8, 20, 20, 70, 70, 100, 500])


def test_line__is_that_of_pearsons_data_with_yorks_weights():
    # D. York, Can. J. Phys. 44, 1079 (1966): -0.480533407 and 5.47991022; errors in York (2004)
    found = kernels.line(X, Y, np.diag(1 / WX), np.diag(1 / WY))
    assert found.slope == pytest.approx(-0.480533407, abs=1e-8)
    assert found.intercept == pytest.approx(5.47991022, abs=1e-7)
    assert found.slope_error == pytest.approx(0.058, abs=0.001)
    assert found.intercept_error == pytest.approx(0.295, abs=0.001)
    assert found.chi_squared == pytest.approx(11.8663, abs=1e-3)


def test_line__adds_an_error_that_all_points_share():
    # barriers that are all too high by the same factor, to 7 %
    alone = kernels.line(X, Y, np.diag(1 / WX), np.diag(1 / WY))
    place = X + alone.slope / WX * (Y - alone.intercept - alone.slope * X) / (
        1 / WY + alone.slope**2 / WX
    )
    shared = np.diag(1 / WX) + 0.07**2 * np.outer(place, place)
    found = kernels.line(X, Y, shared, np.diag(1 / WY))
    assert found.slope == pytest.approx(alone.slope, rel=1e-4)
    expected = np.hypot(alone.slope_error, 0.07 * alone.slope)
    assert found.slope_error == pytest.approx(expected, rel=1e-3)
    assert found.intercept_error == pytest.approx(alone.intercept_error, rel=1e-3)


def test_line__covers_the_slope():
    rng = np.random.default_rng(0)
    place, of_x, of_y = np.array([2.0, 3.0, 4.5, 6.0]), np.full(4, 0.2), np.full(4, 0.15)
    inside, ratio = 0, []
    for _ in range(300):
        x, y = place + of_x * rng.normal(size=4), 0.9 * place + 1 + of_y * rng.normal(size=4)
        found = kernels.line(x, y, np.diag(of_x**2), np.diag(of_y**2))
        inside += abs(found.slope - 0.9) < 1.96 * found.slope_error
        ratio.append(found.slope)
    assert 0.91 <= inside / 300 <= 0.985
    assert np.mean(ratio) == pytest.approx(0.9, abs=0.02)


def test_line__of_two_points_goes_through_both():
    found = kernels.line(np.array([1.0, 3.0]), np.array([2.0, 2.5]), 0.01 * np.eye(2), np.eye(2))
    assert (found.slope, found.intercept) == pytest.approx((0.25, 1.75))
    assert found.slope_error == pytest.approx(np.sqrt(2 * (1 + 0.01 / 16)) / 2)


def test_at_zero__of_a_line_and_a_parabola():
    x, none = np.array([1.0, 2.0, 3.0, 5.0]), np.zeros(4)
    alone = np.array([0.1, 0.2, 0.1, 0.3])
    value, error, model = kernels.at_zero(x, 3 - 0.5 * x, alone, none)
    assert (value, model) == pytest.approx((3.0, 0.0), abs=1e-9)
    fit, covariance = np.polyfit(x, 3 - 0.5 * x, 1, w=1 / alone, cov="unscaled")
    assert (value, error) == pytest.approx((fit[1], covariance[1, 1] ** 0.5))
    value, _, model = kernels.at_zero(x, 3 - x + 0.25 * x**2, alone, none)
    assert model == pytest.approx(abs(value - 3.0))
    assert model > 0.1
    assert np.isnan(kernels.at_zero(x[:2], x[:2], alone[:2], none[:2])[2])
    # a tenth of each is a tenth of what they end at
    y = 3 - 0.5 * x
    value, error, _ = kernels.at_zero(x, y, none, 0.1 * y)
    assert (value, error) == pytest.approx((3.0, 0.3), rel=1e-6)
    assert kernels.at_zero(x, y, alone, 0.1 * y)[1] > 0.3
