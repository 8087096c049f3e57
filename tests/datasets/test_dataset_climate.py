"""The climate model, the ring and the butterfly: their truth, found again."""

import json

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from daskid import datasets
from daskid.datasets import climate


def test_climates__are_the_three_known_ones():
    states = datasets.ghil_sellers_states()
    # warm, snowball, edge
    np.testing.assert_allclose(
        datasets.global_mean(states), [297.4074, 234.9692, 257.6448], atol=1e-4
    )
    assert abs(datasets.ghil_sellers_drift(states)).max() < 1e-9
    for state, unstable in zip(states, (0, 0, 1), strict=True):
        steps = 1e-4 * np.eye(36)
        ahead, behind = (datasets.ghil_sellers_drift(state + s * steps) for s in (1, -1))
        rates = np.linalg.eigvals((ahead - behind).T / 2e-4).real
        assert (rates > 0).sum() == unstable
        np.testing.assert_allclose(state, state[::-1], atol=1e-6)
    truth = json.loads(datasets.ghil_sellers(1).attrs["truth"])
    assert truth["growth_rate"] == pytest.approx(0.1629, abs=1e-4)
    assert truth["minimum_global_mean"] == pytest.approx([297.4074, 234.9692], abs=1e-4)
    assert truth["residence_time"] == [83, 115]


def test_heat__only_moves_from_cell_to_cell():
    # with the sun and the radiation the same, what one cell gains another loses
    globe = climate.globe()
    tilted = 280 + 0.5 * np.arange(36)
    capacity, area = globe.cells[0], globe.cells[4]
    change = datasets.ghil_sellers_drift(tilted) * capacity * area
    local = np.array([
        datasets.ghil_sellers_drift(np.full(36, t))[k] * capacity[k] * area[k]
        for k, t in enumerate(tilted)
    ])  # fmt: skip
    assert abs(change - local).max() > 1e-3 * abs(local).max()
    assert (change - local).sum() == pytest.approx(0, abs=1e-9 * abs(change).sum())
    assert globe.area.sum() == pytest.approx(1)


def test_record__without_noise_follows_the_equations():
    edge = datasets.ghil_sellers_states()[2]
    ds = datasets.ghil_sellers(25, sigma=0, step=5, start=edge - 4)
    exact = solve_ivp(
        lambda _, t: datasets.ghil_sellers_drift(t), (0, 120 / 365.25), edge - 4, rtol=1e-6,
        atol=1e-6, method="LSODA",
    )  # fmt: skip
    np.testing.assert_allclose(ds.rows.values[0], edge - 4)
    np.testing.assert_allclose(ds.rows.values[-1], exact.y[:, -1], atol=0.02)
    assert float(ds.time[-1]) == pytest.approx(120 / 365.25)
    np.testing.assert_allclose(ds.lat, np.arange(-87.5, 90, 5))
    assert float(ds.weight.mean()) == pytest.approx(1)


def test_record__with_noise_visits_both_climates_and_stays_for_the_known_times():
    # 1,800 years at sigma = 0.4: 42 and 77 years within 15 %, from about 15 visits of each
    ds = datasets.ghil_sellers(11_000, sigma=0.4, step=5, members=12, seed=3)
    totals, changes = np.zeros(2), np.zeros(2)
    for mean in datasets.global_mean(ds.rows.values).reshape(12, -1):
        core = np.where(mean > 290, 0, np.where(mean < 242, 1, -1))
        seen = np.maximum.accumulate(np.where(core >= 0, np.arange(mean.size), 0))
        for s in (0, 1):
            totals[s] += (core[seen] == s).sum() * 5 / 365.25
            changes[s] += ((core[seen][:-1] == s) & (core[seen][1:] == 1 - s)).sum()
    assert changes.min() > 8
    np.testing.assert_array_less(abs(totals / changes / [42, 77] - 1), 0.15 + 3 / changes**0.5)


@pytest.mark.parametrize("backward", [0.01, 0.05])
def test_ring__goes_round_as_it_is_told(backward):
    ds = datasets.three_state_ring(60_000, forward=0.05, backward=backward, seed=1).compute()
    truth = json.loads(ds.attrs["truth"])
    state = ds.true_state.values
    counts = np.zeros((3, 3))
    np.add.at(counts, (state[:-1], state[1:]), 1)
    P = np.array(truth["transition_matrix"])
    np.testing.assert_allclose(P.sum(1), 1)
    # 5 errors of a count of 1,000 or 200
    np.testing.assert_allclose(counts / counts.sum(1, keepdims=True), P, atol=0.008)
    flux = (counts - counts.T)[[0, 1, 2], [1, 2, 0]].mean() / 60_000
    assert flux == pytest.approx(truth["net_flux"], abs=3e-3)
    assert (truth["net_flux"] == 0) == (backward == 0.05)
    places = np.array(truth["minima"])[state]
    assert (ds.rows.values - places).std() == pytest.approx(0.15, rel=0.02)


def test_ring__has_the_times_of_its_matrix():
    truth = json.loads(datasets.three_state_ring(1).attrs["truth"])
    P = np.array(truth["transition_matrix"])
    for target in range(3):
        time = np.array([row[target] or 0.0 for row in truth["mean_first_passage_time"]])
        expected = 1 + P @ time
        expected[target] = 0
        np.testing.assert_allclose(time, expected)
    power = np.linalg.matrix_power(P, 40) - 1 / 3
    decay = np.linalg.norm(power @ P) / np.linalg.norm(power)
    assert truth["implied_timescale"][0] == pytest.approx(-1 / np.log(decay), rel=0.05)
    p, q = 0.05, 0.01
    assert truth["entropy_production"] == pytest.approx((p - q) * np.log(p / q))


def test_lorenz63__follows_the_equations():
    ds = datasets.lorenz63(11, step=0.05, seed=2)

    def drift(_, s):
        x, y, z = s
        return [10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z]

    x = ds.rows.values
    exact = solve_ivp(drift, (0, 0.5), x[0], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(x[-1], exact.y[:, -1], atol=1e-4)


def test_lorenz63__obeys_its_laws_and_diverges_as_known():
    ds = datasets.lorenz63(20_000, step=0.1, seed=3)
    x, y, z = ds.rows.values.T
    assert (x * y).mean() == pytest.approx(8 / 3 * z.mean(), rel=5e-3)
    assert (x * x).mean() == pytest.approx((x * y).mean(), rel=5e-3)
    truth = json.loads(ds.attrs["truth"])
    # one tangent vector, renormalized every 0.01 (Benettin et al. 1980)
    kernels = climate.kernels
    state, ahead, total = ds.rows.values[0], ds.rows.values[0] + [1e-7, 0, 0], 0.0
    for _ in range(8_000):
        state = kernels.lorenz63(state, 10.0, 28.0, 8 / 3, 0.01, 5, 1)[0]
        ahead = kernels.lorenz63(ahead, 10.0, 28.0, 8 / 3, 0.01, 5, 1)[0]
        gap = np.sqrt(((ahead - state) ** 2).sum())
        total += np.log(gap / 1e-7)
        ahead = state + (ahead - state) * 1e-7 / gap
    assert total / 400 == pytest.approx(truth["lyapunov_exponent"], abs=0.06)
    third = truth["sum_of_lyapunov_exponents"] - truth["lyapunov_exponent"]
    expected = 2 + truth["lyapunov_exponent"] / -third
    assert truth["kaplan_yorke_dimension"] == pytest.approx(expected, abs=1e-3)
