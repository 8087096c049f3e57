"""The interval of a recall, and the cells: every row in one, whose sphere holds it."""

import numpy as np
import pytest

from daskid.blockwise.search import approximate, cells


@pytest.mark.parametrize("mean", [0.9, 0.99, 0.998])
def test_interval__covers(mean):
    """Lists of 30 whose misses come together: 95 % of the intervals hold the true share."""
    rng = np.random.default_rng(7)
    a = 0.3
    share = rng.binomial(30, rng.beta(mean * a / (1 - mean), a, (2000, 500))) / 30
    within = [low <= mean <= high for _, low, high in map(approximate.interval, share)]
    assert 0.93 <= np.mean(within) <= 1


def test_interval__of_rows_that_are_alike():
    mean, low, high = approximate.interval(np.ones(1000))
    assert (mean, high) == (1, 1)
    assert low == pytest.approx(1000 / (1000 + approximate.Z**2))  # Wilson's, of no failures


@pytest.mark.parametrize("n", [1, 7, 3000])
def test_cells__hold_every_row_once(n):
    rng = np.random.default_rng(2)
    x = np.repeat(rng.standard_normal((n, 4)), 1 + (n == 3000), axis=0)
    factor, who = np.full(4, 1 / 64), np.stack([np.arange(len(x))] * 3)
    parts = cells.split_rows(x, np.zeros(4), factor, 32, 0)
    rows, own = cells.arranged(x, who, np.zeros(4), factor, 1 / 64, parts)
    np.testing.assert_array_equal(np.sort(rows.who[0]), np.arange(len(x)))
    np.testing.assert_array_equal(rows.values, x[rows.who[0]])
    far = np.linalg.norm(rows.values / 64 - own.center.T[rows.cell], axis=1)
    assert (far <= own.radius[rows.cell]).all()
    assert n == 1 or own.radius.size > n // 64
