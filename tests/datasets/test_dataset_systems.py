"""Systems with known answers: what is said about them, found again."""

import naive_drift as naive
import numpy as np
import pytest
from scipy.optimize import root

from daskid import datasets
from daskid.datasets import passages, systems

GRADIENTS = {
    "double_well": systems.double_well(),
    "double_well tilted": systems.double_well(c=0.1),
    "triple_well": systems.triple_well(),
    "mueller_brown": systems.mueller_brown(),
}
SYSTEMS = GRADIENTS | {
    "triple_well rotating": systems.triple_well(rotation=2.0),
    "maier_stein": systems.maier_stein(),
    "symmetric": systems.ornstein_uhlenbeck("symmetric"),
    "shear": systems.ornstein_uhlenbeck("shear"),
    "rotating": systems.ornstein_uhlenbeck("rotating"),
}
every_system = pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
every_gradient = pytest.mark.parametrize("system", GRADIENTS.values(), ids=GRADIENTS)


def derivative(field, x, h=1e-5):
    """Differences along each component, the last axis."""
    steps = h * np.eye(len(x))
    return np.stack([(field(x + e) - field(x - e)) / (2 * h) for e in steps], axis=-1)


@every_system
def test_drift__takes_any_number_of_positions(system):
    x = np.random.default_rng(0).uniform(-1, 1, (3, 4, system.dimension))
    found = system.drift(x)
    assert found.shape == x.shape
    for index in np.ndindex(3, 4):
        np.testing.assert_allclose(system.drift(x[index].tolist()), found[index], rtol=1e-12)
    with pytest.raises(ValueError, match=r"x: expected positions of shape \(\.\.\., \d\), got"):
        system.drift(np.zeros((2, system.dimension + 1)))


@every_gradient
def test_drift__is_minus_the_gradient_of_the_potential(system):
    for x in np.random.default_rng(1).uniform(-1.2, 1.2, (20, system.dimension)):
        slope = derivative(system.potential, x)
        np.testing.assert_allclose(system.drift(x), -slope, rtol=1e-5, atol=1e-4)


@every_system
def test_minima_and_saddles__are_where_the_drift_vanishes(system):
    places = [(x, 0) for x in system.truth["minima"]]
    places += [(x, 1) for x in system.truth.get("saddles", [])]
    for place, unstable in places:
        found = root(system.drift, place, tol=1e-13)
        np.testing.assert_allclose(found.x, place, atol=2e-7)
        values = np.linalg.eigvals(derivative(system.drift, found.x)).real
        assert (values > 0).sum() == unstable


def test_barriers__are_those_of_the_literature():
    # root finding on the potentials, apart from the package
    tilted = systems.double_well(c=0.1).truth
    assert tilted["barrier_direct"][0][1] == pytest.approx(0.3574115894, abs=1e-10)
    assert tilted["barrier_minimax"][1][0] == pytest.approx(0.1576649573, abs=1e-10)
    triple = systems.triple_well().truth
    direct, over = triple["barrier_direct"], triple["barrier_minimax"]
    assert [direct[0][1], over[0][1], over[0][2], direct[2][1]] == pytest.approx(
        [2.6102740, 2.3481731, 2.3481731, 0.5254662], abs=1e-7
    )
    valley = systems.mueller_brown().truth
    assert valley["barrier_direct"][0][1] is None
    persistences = valley["barrier_minimax"][1][0], valley["barrier_minimax"][2][1]
    assert persistences == pytest.approx((67.5018806, 8.5188780), abs=1e-6)
    assert persistences[0] / valley["kT"] == pytest.approx(3.750, abs=1e-3)


@pytest.mark.parametrize(
    ("c", "sigma", "there", "back"),
    [
        (0.0, 0.3, 1255.53, 1255.53),
        (0.0, 0.4, 120.006, 120.006),
        (0.0, 0.5, 41.0343, 41.0343),
        (0.1, 0.3, 12904.3, 185.947),
        (0.1, 0.4, 424.917, 43.2146),
        (0.1, 0.5, 88.5324, 21.6602),
    ],
)
def test_double_well__passage_times_are_known(c, sigma, there, back):
    times = systems.double_well(c, sigma).truth["mean_first_passage_time"]
    assert times[0][1] == pytest.approx(there, rel=1e-5)
    assert times[1][0] == pytest.approx(back, rel=1e-5)


def test_mfpt__equals_an_integral_in_an_integral():
    potential = systems.double_well(c=0.1).potential
    found = datasets.double_well_mfpt(0.1, 0.5, (-1.3, -0.8), (0.6, 1.2))
    expected = naive.passage_time(potential, 0.5, -0.8, 0.6, low=-3.0)
    assert found == pytest.approx(expected, rel=1e-6)
    back = datasets.double_well_mfpt(0.1, 0.5, (0.6, 1.2), (-1.3, -0.8))
    turned = naive.passage_time(lambda x: potential(-x), 0.5, -0.6, 0.8, low=-3.0)
    assert back == pytest.approx(turned, rel=1e-6)


def test_mfpt__between_points_is_that_of_the_truth():
    truth = systems.double_well(0.1, 0.4).truth
    left, right = ((x, x) for (x,) in truth["minima"])
    expected = truth["mean_first_passage_time"]
    assert datasets.double_well_mfpt(0.1, 0.4, left, right) == pytest.approx(expected[0][1])
    assert datasets.double_well_mfpt(0.1, 0.4, right, left) == pytest.approx(expected[1][0])


def test_weights__of_the_double_well_sum_to_one_and_are_those_of_a_fine_grid():
    well = systems.double_well(c=0.1, sigma=0.4)
    x = np.linspace(-3, 3, 400_001)
    p = np.exp(-2 / 0.4**2 * well.potential(x[:, None]))
    left = p[x < well.truth["saddles"][0][0]].sum() / p.sum()
    assert well.truth["weights"] == pytest.approx([left, 1 - left], abs=1e-5)
    low, high = passages.walls(well.potential, 0.4, 0.0, 0.0)
    assert p[(x < low) | (x > high)].sum() < 1e-15 * p.sum()


def basins(system, box, points):
    """Shares of the density by steepest descent on a grid, to the lowest of 8 neighbors."""
    axes = [np.linspace(*edges, points) for edges in box]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    u = system.potential(grid)
    low = np.pad(u, 1, constant_values=np.inf)
    number = np.arange(u.size).reshape(u.shape)
    numbers = np.pad(number, 1)
    best, target = np.zeros(u.shape), number.copy()
    for i in range(3):
        for j in range(3):
            if (i, j) != (1, 1):
                part = slice(i, i + points), slice(j, j + points)
                length = np.hypot((i - 1) * np.ptp(axes[0]), (j - 1) * np.ptp(axes[1]))
                slope = (u - low[part]) / length
                target = np.where(slope > best, numbers[part], target)
                best = np.maximum(best, slope)
    target = target.ravel()
    while not np.array_equal(target, target[target]):
        target = target[target]
    ends = grid.reshape(-1, 2)[target]
    p = np.exp(-2 / system.sigma**2 * (u - u.min())).ravel()
    away = np.stack([((ends - m) ** 2).sum(1) for m in system.truth["minima"]])
    return np.bincount(away.argmin(0), p) / p.sum()


@pytest.mark.parametrize(
    ("system", "box"),
    [
        (systems.triple_well(), [(-2.6, 2.6), (-2.2, 2.9)]),
        (systems.mueller_brown(), [(-2.2, 1.4), (-0.8, 2.4)]),
    ],
    ids=["triple_well", "mueller_brown"],
)
def test_weights__are_those_of_basins_of_steepest_descent(system, box):
    np.testing.assert_allclose(basins(system, box, 500), system.truth["weights"], atol=2e-3)


def test_rotation__leaves_the_density_as_it_is():
    # p b - (sigma^2 / 2) grad p has no divergence, for p = exp(-2 V / sigma^2)
    system = systems.triple_well(sigma=1.2, rotation=1.7)

    def flux(x):
        p = np.exp(-2 / 1.2**2 * system.potential(x))
        return p * system.drift(x) - 0.72 * derivative(lambda y: np.exp(
            -2 / 1.2**2 * system.potential(y)
        ), x)  # fmt: skip

    for x in np.random.default_rng(2).uniform(-1, 1, (5, 2)):
        divergence = np.trace(derivative(flux, x, 1e-3))
        scale = np.abs(derivative(flux, x, 1e-3)).max()
        assert abs(divergence) < 1e-4 * scale


@pytest.mark.parametrize(
    ("flow", "covariance", "production", "area"),
    [
        ("shear", [[2.5833333, 0.4166667], [0.4166667, 0.25]], 25 / 3, -5 / 6),
        ("rotating", [[0.5, 0], [0, 0.5]], 18, -1.5),
        ("symmetric", [[4 / 7, 1 / 7], [1 / 7, 2 / 7]], 0, 0),
    ],
)
def test_linear_systems__have_their_covariance_and_entropy_production(
    flow, covariance, production, area
):
    truth = systems.ornstein_uhlenbeck(flow).truth
    np.testing.assert_allclose(truth["covariance"], covariance, atol=1e-6)
    assert truth["entropy_production"] == pytest.approx(production, abs=1e-9)
    A, C = np.array(truth["matrix"]), np.array(truth["covariance"])
    np.testing.assert_allclose(A @ C + C @ A.T, -np.eye(2), atol=1e-12)
    # <x dy/dt - y dx/dt> / 2, with the drift for the derivative
    assert truth["area_rate"] == pytest.approx(((A @ C)[1, 0] - (A @ C)[0, 1]) / 2)
    assert truth["area_rate"] == pytest.approx(area, abs=1e-9)


def test_shear__has_the_known_hessian():
    hessian = systems.ornstein_uhlenbeck("shear").truth["potential_hessian"]
    expected = [[0.264706, -0.441176], [-0.441176, 2.735294]]
    np.testing.assert_allclose(hessian, expected, atol=1e-6)


def test_truth__is_told_only_where_it_is_known():
    assert "weights" not in systems.triple_well(sigma=1.1).truth
    assert "implied_timescales" not in systems.triple_well(rotation=1.0).truth
    assert "weights" not in systems.mueller_brown(sigma=7.0).truth
    assert systems.maier_stein(beta=3.0).truth["action"] == 0.5
    assert "action" not in systems.maier_stein(beta=7.0).truth


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: systems.double_well(c=0.4), r"c: expected a tilt .* got 0\.4: beyond them"),
        (lambda: systems.double_well(sigma=0), "sigma: expected a finite number above 0, got 0"),
        (lambda: systems.triple_well(sigma=np.nan), "sigma: expected .* got nan"),
        (lambda: systems.triple_well(rotation=np.inf), "rotation: expected a finite number"),
        (lambda: systems.mueller_brown(sigma="6"), "sigma: expected .* got '6'"),
        (lambda: systems.maier_stein(beta=-1), "beta: expected .* got -1"),
        (lambda: systems.ornstein_uhlenbeck("spiral"), "flow: expected one of symmetric, shear"),
        (lambda: datasets.double_well_mfpt(0, 1, (-1, 0), (0, 1)), "core_a, core_b: expected two"),
        (lambda: datasets.double_well_mfpt(0, 1, (1, -1), (2, 3)), "core_a, core_b: expected two"),
    ],
)
def test_systems__refuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()
