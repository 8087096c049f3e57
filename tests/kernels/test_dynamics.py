"""Trajectories: equal to the naive loop, and the same bits in parts."""

import naive_drift as naive
import numpy as np
import pytest

from daskid.datasets import climate, systems
from daskid.kernels import dynamics

SYSTEMS = {
    "double_well": systems.double_well(c=0.1),
    "triple_well": systems.triple_well(),
    "triple_well rotating": systems.triple_well(rotation=0.7),
    "mueller_brown": systems.mueller_brown(),
    "maier_stein": systems.maier_stein(beta=3.0),
    "shear": systems.ornstein_uhlenbeck("shear"),
    "rotating": systems.ornstein_uhlenbeck("rotating", sigma=0.3),
}
every_system = pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)


def run(system, start, noise, steps):
    parameters = np.array(system.parameters, "f8")
    return dynamics.euler_maruyama(
        start, system.number, parameters, system.sigma, system.dt, noise, steps
    )


@every_system
def test_euler_maruyama__equals_the_naive_loop(system):
    noise = np.random.default_rng(0).standard_normal((60, system.dimension))
    start = np.full(system.dimension, 0.4)
    expected = naive.euler_maruyama(start, system.drift, system.sigma, system.dt, noise, 4)
    found = run(system, start, noise, 4)
    assert found.shape == (15, system.dimension)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@every_system
def test_euler_maruyama__in_parts_has_the_bits_of_the_whole(system):
    noise = np.random.default_rng(1).standard_normal((60, system.dimension))
    start = np.full(system.dimension, 0.4)
    whole = run(system, start, noise, 3)
    first = run(system, start, noise[:21], 3)
    second = run(system, first[-1], noise[21:], 3)
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)
    np.testing.assert_array_equal(start, np.full(system.dimension, 0.4))


def test_energy_balance__follows_the_drift_of_numpy():
    _, _, cells, faces = climate.globe()
    dt, x = 1 / climate.DAYS, climate.ghil_sellers_states()[0] - 8
    noise = np.random.default_rng(2).standard_normal((12, 1))
    found = dynamics.energy_balance(x, cells, faces, 1.05, 0.3, dt, noise, 3)
    expected = []
    for i, (z,) in enumerate(noise):
        # the drift is linear in mu: its slope is what the sun gives
        sun = climate.ghil_sellers_drift(x, mu=2.05) - climate.ghil_sellers_drift(x, mu=1.05)
        x = x + dt * climate.ghil_sellers_drift(x) + 0.3 * 1.05 * np.sqrt(dt) * z * sun
        if i % 3 == 2:
            expected.append(x)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_lorenz63__in_parts_has_the_bits_of_the_whole():
    start = np.array([1.0, 2.0, 20.0])
    whole = dynamics.lorenz63(start, 10.0, 28.0, 8 / 3, 0.01, 2, 9)
    first = dynamics.lorenz63(start, 10.0, 28.0, 8 / 3, 0.01, 2, 4)
    second = dynamics.lorenz63(first[-1], 10.0, 28.0, 8 / 3, 0.01, 2, 5)
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)
