"""Minimum action paths, edge states, Fokker-Planck: the known answers, and clear refusals."""

import naive_drift as naive
import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov

from daskid import datasets
from daskid.datasets import climate, systems
from daskid.estimators.landscape import edge_state, fokker_planck, minimum_action_path
from daskid.kernels import dynamics


@pytest.mark.parametrize(
    ("beta", "known"), [(2.0, 0.5), (4.0, 0.5), (5.0, 0.48307), (10.0, 0.34004)]
)
def test_action__of_maier_stein_is_known(beta, known):
    out = minimum_action_path(systems.maier_stein(beta).drift, [-1, 0], [0, 0])
    assert float(out.action) == pytest.approx(known, abs=2e-5)
    assert float(out.action_error) < 5e-5
    assert out.path.dims == ("point", "component")
    np.testing.assert_array_equal(out.path[[0, -1]], [[-1, 0], [0, 0]])
    steps = np.sqrt((np.diff(out.path.values, axis=0) ** 2).sum(1))
    assert steps.max() < 1.02 * steps.min()
    # off the axis where the action is less there
    assert (abs(out.path.values[:, 1]).max() > 0.1) == (beta > 4)


def test_action__without_bent_starts_stays_on_the_axis():
    out = minimum_action_path(systems.maier_stein(10.0).drift, [-1, 0], [0, 0], directions=0)
    assert float(out.action) == pytest.approx(0.5, abs=1e-5)


def test_action__is_freidlin_and_wentzell_s_for_a_long_time():
    drift = systems.maier_stein(5.0).drift
    timed = naive.timed_action(drift, [-1, 0], [0, 0], time=12, segments=48)
    for end in ([0, 0], [1, 0]):  # down from the saddle it costs nothing
        out = minimum_action_path(drift, [-1, 0], end, points=101)
        # a finite time costs more, by some permille
        assert float(out.action) < timed < 1.02 * float(out.action)


def test_action__in_a_potential_is_twice_the_climb():
    system = systems.triple_well(rotation=0.8)  # the quasipotential is V for any rotation
    minima, saddles = system.truth["minima"], system.truth["saddles"]
    out = minimum_action_path(system.drift, minima[0], saddles[1])
    assert float(out.action) == pytest.approx(2 * 2.3481731, rel=1e-4)


@pytest.mark.parametrize("noise", [[1.0, 2.0], [[1.0, 0.4], [0.3, 1.5]], 1.3])
def test_action__takes_the_metric_of_the_noise(noise):
    # linear: -ln p is x' C^-1 x / 2 for A C + C A' + S S' = 0, and so is W
    A = np.array([[-1.0, 0.5], [-0.5, -2.0]])
    S = np.array(noise) if np.ndim(noise) == 2 else np.diag(np.broadcast_to(noise, 2))
    C = solve_continuous_lyapunov(A, -S @ S.T)
    end = np.array([0.6, -0.3])
    out = minimum_action_path(lambda x: x @ A.T, [0, 0], end, noise=noise, points=101)
    expected = end @ np.linalg.solve(C, end) / 2
    assert float(out.action) == pytest.approx(expected, rel=2e-4)
    assert abs(float(out.action) - expected) < 2 * float(out.action_error)
    np.testing.assert_array_equal(out.path[-1], end)


def test_action__from_a_focus_is_within_its_error():
    # the path winds out of the focus without end: the hardest of linear cases
    system = systems.ornstein_uhlenbeck("rotating")
    out = minimum_action_path(system.drift, [0, 0], [0.6, -0.3], points=101)
    assert float(out.action) == pytest.approx(0.45, abs=float(out.action_error))
    assert float(out.action_error) < 1e-2


def test_action__of_more_components_is_that_of_two_and_idle_ones():
    plain = systems.maier_stein(10.0).drift

    def drift(x):
        return np.concatenate([plain(x[..., :2]), -x[..., 2:]], axis=-1)

    out = minimum_action_path(drift, [-1, 0, 0, 0], [0, 0, 0, 0], points=101)
    assert float(out.action) == pytest.approx(0.34004, abs=2e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": [[0, 0]]}, r"start: expected a position, finite numbers \(D,\), got"),
        ({"end": [0.0]}, "end: expected 2 components, got 1"),
        ({"end": [-1, 0]}, "end: expected another position than start"),
        ({"end": [np.nan, 0]}, "end: expected a position, finite numbers"),
        ({"noise": [1.0, 0.0]}, "noise: expected a matrix of full rank, got singular values 1 to"),
        ({"noise": [[1, 1], [1, 1]]}, "noise: expected a matrix of full rank"),
        ({"noise": lambda x: x}, "noise: expected numbers, got a function: noise that depends"),
        ({"noise": [1, 2, 3]}, r"noise: expected one number, 2 numbers or a \(2, 2\) matrix"),
        ({"points": 5}, "points: expected an integer of at least 11, got 5"),
        ({"directions": -1}, "directions: expected an integer of at least 0, got -1"),
        ({"drift": lambda x: x[..., :1]}, r"drift: expected finite values of shape \(2, 2\)"),
        ({"drift": lambda x: x / 0}, "drift: expected finite values"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # the drift that is planted
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_action__refuses(change, message):
    given = {"drift": systems.maier_stein().drift, "start": [-1, 0], "end": [0, 0], **change}
    drift, start, end = (given.pop(n) for n in ("drift", "start", "end"))
    with pytest.raises(ValueError, match=message):
        minimum_action_path(drift, start, end, **given)


def test_edge_state__of_maier_stein_is_the_saddle():
    drift = systems.maier_stein(3.0).drift

    def step(x):
        return x + 0.05 * drift(x)

    def side(x):
        return None if abs(x[0]) < 0.9 else int(np.sign(x[0]))

    out = edge_state(step, side, [-0.7, 0.6], [1.2, -0.3], dt=0.05)
    np.testing.assert_allclose(out.edge_state, [0, 0], atol=1e-9)
    assert bool(out.edge_success)
    assert int(out.edge_unstable) == 1
    # 1 and -1, seen through steps of 0.05
    expected = np.log([1.05, 0.95]) / 0.05
    np.testing.assert_allclose(out.edge_rate, expected, rtol=1e-5)


def test_edge_state__that_is_a_cycle_is_no_success():
    # r' = r (r - 1)(3 - r) turning round: the boundary r = 1 is a circle
    def step(x):
        r = np.hypot(*x)
        x = x + 0.02 * x * (r - 1) * (3 - r)
        turn = np.array([[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]])
        return turn @ x

    def side(x):
        r = np.hypot(*x)
        return "in" if r < 0.05 else "out" if r > 2.9 else None

    out = edge_state(step, side, [0.3, 0], [2.0, 0], rounds=6)
    assert not bool(out.edge_success)
    assert out.edge_unstable != 1
    followed = edge_state(step, side, [0.3, 0], [2.0, 0], rounds=6, newton=False)
    assert np.hypot(*followed.edge_state.values) == pytest.approx(1, abs=2e-3)
    assert float(followed.edge_motion) > 0.01
    assert int(followed.edge_unstable) == -1
    assert np.isnan(followed.edge_rate).all()


def test_edge_state__of_the_climate_is_the_known_one():
    _, area, cells, faces = climate.globe()
    still = np.zeros((30, 1))

    def month(t):
        return dynamics.energy_balance(t, cells, faces, 1.05, 0.0, 1 / 365.25, still, 30)[0]

    def climate_of(t):
        mean = t @ area
        return "warm" if mean > 290 else "snowball" if mean < 242 else None

    warm, snowball, edge = datasets.ghil_sellers_states()
    out = edge_state(month, climate_of, warm - 3, snowball + 2, dt=30 / 365.25)
    assert float(datasets.global_mean(out.edge_state)) == pytest.approx(257.6448, abs=1e-3)
    np.testing.assert_allclose(out.edge_state, edge, atol=1e-6)
    assert bool(out.edge_success)
    assert int(out.edge_unstable) == 1
    assert float(out.edge_rate[0]) == pytest.approx(0.1629, abs=2e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": [-1.0]}, r"a, b: expected states that come to different .* got the labels \[-1"),
        ({"longest": 1}, r"a, b: expected .* \[None, None\]: pass others, or more than longest=1"),
        ({"narrow": 0.1}, "narrow, wide, dt: expected 0 < narrow < wide"),
        ({"dt": 0.0}, "narrow, wide, dt: expected"),
        ({"rounds": 0}, "rounds: expected an integer of at least 1, got 0"),
        ({"b": [1.0, 2.0]}, "b: expected 1 components, got 2"),
        ({"step": lambda x: np.zeros(3)}, r"step: expected a state of shape \(1,\), got \(3,\)"),
    ],
)
def test_edge_state__refuses(change, message):
    drift = systems.double_well(0.1).drift
    given = {
        "step": lambda x: x + 0.05 * drift(x),
        "classify": lambda x: None if abs(x[0]) < 0.9 else int(np.sign(x[0])),
        "a": [-0.5], "b": [0.5], **change,
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        edge_state(**given)


def test_fokker_planck__of_the_triple_well_is_known():
    system = systems.triple_well()
    cores = [(m, 0.2) for m in system.truth["minima"]]
    box = [(-2.5, 2.5), (-2.0, 2.8)]
    out = fokker_planck(system.drift, 1.0, box, timescales=2, cores=cores)
    np.testing.assert_allclose(out.relaxation_time, [27.302, 1.6613], rtol=2e-3)
    times = out.core_passage_time.values
    assert times[0, 1] == pytest.approx(57.03, rel=5e-3)
    assert times[0, 2] == pytest.approx(84.17, rel=1.5e-2)
    assert times[2, 0] == pytest.approx(30.63, rel=5e-3)
    np.testing.assert_array_equal(np.diag(times), 0)
    q = out.cell_committor.values.reshape(150, 150)
    np.testing.assert_allclose(q + q[::-1], 1, atol=1e-6)  # left and right are the same
    assert (q.min(), q.max()) == (0.0, 1.0)
    assert q[40, 75] > 0.95  # the first core is on the right
    p, x = out.cell_probability.values, out.cell_position.values
    assert p.sum() == pytest.approx(1)
    expected = np.exp(-2 * system.potential(x))
    np.testing.assert_allclose(p, expected / expected.sum(), atol=0.01 * p.max())


@pytest.mark.parametrize("flow", ["shear", "rotating"])
def test_fokker_planck__of_linear_systems_has_their_covariance(flow):
    system = systems.ornstein_uhlenbeck(flow)
    C = np.array(system.truth["covariance"])
    box = [(-5 * s, 5 * s) for s in np.sqrt(np.diag(C))]
    out = fokker_planck(system.drift, 1.0, box, cells=80, timescales=1)
    x, p = out.cell_position.values, out.cell_probability.values
    np.testing.assert_allclose((p[:, None] * x).T @ x, C, atol=0.02 * C.max())
    slowest = system.truth["relaxation_time"][0]
    assert float(out.relaxation_time[0]) == pytest.approx(slowest, rel=0.02)


def test_fokker_planck__in_one_dimension_agrees_with_quadrature():
    well = systems.double_well(c=0.1, sigma=0.5)
    (left,), (right,) = well.truth["minima"]
    point = 2.3 / 800  # about a cell
    out = fokker_planck(
        well.drift, [0.5], [(-2.3, 2.3)], cells=800, cores=[([left], point), ([right], point)]
    )
    expected = well.truth["mean_first_passage_time"]
    assert float(out.core_passage_time[0, 1]) == pytest.approx(expected[0][1], rel=5e-3)
    assert float(out.core_passage_time[1, 0]) == pytest.approx(expected[1][0], rel=5e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"box": [(0, 1)] * 3}, "box: expected .* for one or two components"),
        ({"box": [(1, 0)]}, "box: expected .* low < high"),
        ({"sigma": 0.0}, r"sigma: expected one number or 1 above 0, got 0\.0"),
        ({"sigma": [1.0, 1.0]}, "sigma: expected one number or 1 above 0"),
        ({"cells": 2}, "cells: expected an integer of at least 8, got 2"),
        ({"cells": 8, "timescales": 6}, "timescales: expected at most 5 for 8 cells, got 6"),
        ({"timescales": 0}, "timescales: expected an integer of at least 1"),
        ({"cores": [([9.0], 0.1)]}, "cores: expected disks that hold cells, got none in core 0"),
        ({"drift": lambda x: x[..., 0]}, r"drift: expected finite values of shape \(150, 1\)"),
    ],
)
def test_fokker_planck__refuses(change, message):
    given = {"drift": systems.double_well().drift, "sigma": 0.5, "box": [(-2, 2)], **change}
    with pytest.raises(ValueError, match=message):
        fokker_planck(**given)
