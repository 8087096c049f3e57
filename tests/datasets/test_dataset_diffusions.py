"""Samples and trajectories of diffusions: their law, their bits, their coordinates."""

import json
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from daskid import datasets
from daskid.datasets import blocks, equilibrium, records, systems

SAMPLES = {
    "double_well": partial(datasets.double_well, c=0.1),
    "double_well rotated": partial(datasets.double_well, dimension=5, noise=1e-3),
    "triple_well": datasets.triple_well,
    "mueller_brown": partial(datasets.mueller_brown, dimension=2),
    "shear": partial(datasets.ornstein_uhlenbeck, flow="shear"),
}
RECORDS = {
    "double_well": partial(datasets.double_well, c=0.1, step=0.01),
    "double_well rotated": partial(datasets.double_well, step=0.02, dimension=4, noise=0.1),
    "triple_well rotating": partial(datasets.triple_well, rotation=1.0, step=0.01),
    "mueller_brown": partial(datasets.mueller_brown, step=1e-4),
    "maier_stein": partial(datasets.maier_stein, step=0.01),
    "rotating": partial(datasets.ornstein_uhlenbeck, flow="rotating", step=0.004),
    "ring": datasets.three_state_ring,
    "lorenz63": partial(datasets.lorenz63, step=0.02),
    "ghil_sellers": partial(datasets.ghil_sellers, step=2),
}
every_record = pytest.mark.parametrize("make", RECORDS.values(), ids=RECORDS)
every_set = pytest.mark.parametrize("make", [*SAMPLES.values(), *RECORDS.values()])


@given(
    make=st.sampled_from(list(SAMPLES.values())),
    n=st.integers(1, 300),
    chunk=st.integers(1, 320),
    seed=st.integers(0, 2**64),
)
@settings(max_examples=25)
def test_samples__have_the_same_bits_for_any_chunks(make, n, chunk, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", 64)
        whole, parts = make(n, seed=seed, chunks=n), make(n, seed=seed, chunks=chunk)
        np.testing.assert_array_equal(whole.rows, parts.rows)


@given(
    make=st.sampled_from(list(RECORDS.values())),
    frames=st.integers(1, 60),
    members=st.integers(1, 3),
    chunk=st.integers(1, 70),
    values=st.integers(1, 200),
)
@settings(max_examples=20)
def test_trajectories__have_the_same_bits_for_any_chunks(make, frames, members, chunk, values):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", 64)
        patch.setattr(records, "NOISE_VALUES", values)
        whole = make(frames, members=members, seed=3, chunks=frames).load()
        parts = make(frames, members=members, seed=3, chunks=chunk).load()
    for name in whole.variables:
        np.testing.assert_array_equal(whole[name], parts[name])
    assert whole.sizes["sample"] == frames * members


@every_record
def test_trajectories__are_longer_ones_cut_short_and_more_members_are_others(make):
    long = make(200, members=2, seed=1)
    short = make(70, seed=1).load()
    width = short.rows.shape[1]
    both = long.rows.values.reshape(2, 200, width)
    if make is not RECORDS["double_well rotated"] and make is not RECORDS["ring"]:
        # with noise on the rows, that of a row depends on its number in the whole
        np.testing.assert_array_equal(both[0, :70], short.rows)
    assert not np.array_equal(both[0], both[1])
    assert not np.array_equal(make(70, seed=2).rows, short.rows)


@every_record
def test_trajectories__have_time_and_trajectory(make):
    ds = make(40, members=3, chunks=25)
    np.testing.assert_array_equal(ds.trajectory, np.repeat(np.arange(3), 40))
    step = ds.time.values[1]
    assert step > 0
    np.testing.assert_allclose(ds.time, np.tile(step * np.arange(40), 3))
    assert ds.time.attrs["units"]
    assert ds.rows.chunks[0] == (25, 15) * 3
    np.testing.assert_array_equal(ds.row, np.arange(120))


@every_set
def test_sets__are_lazy_and_described(make, no_compute):
    ds = make(10**7, chunks=10**6)
    assert ds.rows.dims == ("sample", "feature")
    assert json.loads(ds.attrs["truth"]) is not None
    assert ds.attrs["source"]
    assert not ds.indexes


@every_set
def test_names_of_arrays__depend_on_what_they_hold(make):
    name = make(50, seed=0).rows.data.name
    assert name == make(50, seed=0).rows.data.name
    assert name not in {make(50, seed=1).rows.data.name, make(51, seed=0).rows.data.name}


@pytest.mark.parametrize("name", ["double_well", "ghil_sellers"])
def test_trajectories__on_threads_are_those_of_one(name):
    ds = RECORDS[name](300, members=4, chunks=70)
    there = ds.rows.data.compute(scheduler="threads", num_workers=4)
    np.testing.assert_array_equal(there, ds.rows.data.compute(scheduler="synchronous"))


def test_samples__of_the_double_well_follow_its_density():
    x = datasets.double_well(50_000, c=0.1, sigma=0.4, seed=7).rows.values[:, 0]
    grid = np.linspace(-3, 3, 100_001)
    p = np.exp(-2 / 0.4**2 * systems.double_well(c=0.1).potential(grid[:, None]))
    cdf = np.cumsum(p) / p.sum()
    assert stats.kstest(x, lambda y: np.interp(y, grid, cdf)).pvalue > 1e-3


def test_samples__follow_the_density_within_wide_cells(monkeypatch):
    # 16 cells: nearly all of the shape is due to what is rejected
    monkeypatch.setitem(equilibrium.CELLS, 1, 16)
    draw = equilibrium.equilibrium
    equilibrium.histogram.cache_clear()
    x = draw(np.random.default_rng(0), 50_000, key=("double_well", (0.1,), 0.8))[:, 0]
    equilibrium.histogram.cache_clear()
    grid = np.linspace(-4, 4, 100_001)
    p = np.exp(-2 / 0.8**2 * systems.double_well(c=0.1).potential(grid[:, None]))
    cdf = np.cumsum(p) / p.sum()
    assert stats.kstest(x, lambda y: np.interp(y, grid, cdf)).pvalue > 1e-3


@pytest.mark.parametrize("name", ["triple_well", "mueller_brown"])
def test_samples__in_the_plane_follow_their_density(name):
    system = getattr(systems, name)()
    x = getattr(datasets, name)(50_000, seed=3).rows.values
    table = equilibrium.histogram((name, (), system.sigma))
    low, high = table.low, table.low + 512 * table.width
    edges = [np.linspace(a, b, 41) for a, b in zip(low, high, strict=True)]
    fine = [np.linspace(a, b, 801)[:-1] + (b - a) / 1600 for a, b in zip(low, high, strict=True)]
    u = 2 / system.sigma**2 * system.potential(np.stack(np.meshgrid(*fine, indexing="ij"), -1))
    p = np.exp(u.min() - u).reshape(40, 20, 40, 20).sum((1, 3))
    expected = 50_000 * p / p.sum()
    counts = np.histogram2d(*x.T, edges)[0]
    used = expected > 20
    found = np.append(counts[used], counts[~used].sum())
    wanted = np.append(expected[used], expected[~used].sum())
    assert counts.sum() == 50_000
    assert stats.chisquare(found, wanted).pvalue > 1e-3


@pytest.mark.parametrize(
    "key",
    [("double_well", (0.1,), 0.3), ("triple_well", (), 1.0), ("mueller_brown", (), 6.0)],
)
def test_bounds__are_above_the_density_everywhere_in_their_cells(key):
    table = equilibrium.histogram(key)
    d = table.low.size
    n = equilibrium.CELLS[d]
    rng = np.random.default_rng(0)
    cell = np.searchsorted(table.cumulative, rng.random(200_000), side="right")
    corner = np.stack(np.unravel_index(cell, (n,) * d), 1)
    x = table.low + (corner + rng.random((200_000, d))) * table.width
    name, parameters, sigma = key
    u = 2 / sigma**2 * equilibrium.POTENTIALS[name](x, *parameters)
    assert (table.bound[cell] <= u).all()
    # outside the box nothing is left
    side = table.low + rng.random((20_000, d)) * n * table.width
    axis = rng.integers(d, size=20_000)
    side[np.arange(20_000), axis] = np.where(
        rng.random(20_000) < 0.5, table.low[axis], (table.low + n * table.width)[axis]
    )
    wall = 2 / sigma**2 * equilibrium.POTENTIALS[name](side, *parameters)
    assert wall.min() > table.bound.min() + 29


@pytest.mark.parametrize("flow", ["shear", "rotating"])
def test_trajectories__of_linear_systems_have_their_covariance_and_area_rate(flow):
    ds = datasets.ornstein_uhlenbeck(100_000, flow=flow, step=0.02, seed=4)
    truth = json.loads(ds.attrs["truth"])
    x = ds.rows.values
    np.testing.assert_allclose(np.cov(x.T), truth["covariance"], atol=0.15)
    a, b = x[:-1], x[1:]
    rate = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).mean() / 2 / 0.02
    # the chord of 0.02 cuts the corner of the rotation by less than 1 %
    assert rate == pytest.approx(truth["area_rate"], rel=0.1)


def test_euler_maruyama__has_the_barriers_of_the_density_to_one_percent():
    # the exact stationary density of the scheme, from its Gaussian steps on a fine grid
    well = systems.double_well(c=0.1, sigma=0.5)
    x = np.linspace(-2.4, 2.3, 350)

    def barrier(dt):
        mean = x + dt * well.drift(x[:, None])[:, 0]
        step = np.exp(-((x[None] - mean[:, None]) ** 2) / (2 * 0.25 * dt))
        step /= step.sum(axis=1, keepdims=True)
        balance = np.vstack([step.T - np.eye(350), np.ones(350)])
        p = np.linalg.lstsq(balance, np.append(np.zeros(350), 1.0))[0]
        at = [np.interp(q[0], x, -np.log(abs(p))) for q in places]
        return np.array([at[2] - at[0], at[2] - at[1]])

    places = well.truth["minima"] + well.truth["saddles"]
    exact = np.array([0.3574115894, 0.1576649573]) / 0.125
    error = {f: abs(barrier(f * well.dt) - exact) for f in (1, 4)}
    assert (error[1] < 0.01 * exact).all()
    assert (error[4] > 2.5 * error[1]).all()


@pytest.mark.parametrize("name", ["double_well", "triple_well", "mueller_brown"])
def test_steps__are_short_for_the_curvature_of_the_wells(name):
    # a step of dt widens a well of curvature k by 1 / (1 - k dt / 2): sum(k) dt / 4 of kT
    system = getattr(systems, name)()
    for minimum in system.truth["minima"]:
        h = 1e-5 * np.eye(system.dimension)
        trace = sum(-(system.drift(minimum + e) - system.drift(minimum - e)) @ e / 2e-10 for e in h)
        assert trace * system.dt / 4 < 0.03


def test_trajectories__of_the_double_well_take_the_known_time():
    # 20 members; the time between cores by quadrature, for these very cores
    core_a, core_b = (-1.3, -0.8), (0.6, 1.2)
    ds = datasets.double_well(20_000, c=0.1, sigma=0.5, step=0.02, members=20, seed=5)
    totals, changes = np.zeros(2), np.zeros(2)
    for x in ds.rows.values.reshape(20, -1):
        core = np.where((x > -1.3) & (x < -0.8), 0, np.where((x > 0.6) & (x < 1.2), 1, -1))
        seen = np.maximum.accumulate(np.where(core >= 0, np.arange(x.size), 0))
        state = core[seen][core[seen] >= 0]
        for s in (0, 1):
            totals[s] += 0.02 * (state == s).sum()
            changes[s] += ((state[:-1] == s) & (state[1:] != s)).sum()
    times = (
        datasets.double_well_mfpt(0.1, 0.5, core_a, core_b),
        datasets.double_well_mfpt(0.1, 0.5, core_b, core_a),
    )
    for found, exact, n in zip(totals / changes, times, changes, strict=True):
        assert n > 60
        assert abs(found - exact) < 3.5 * exact / n**0.5


def test_rotated__rows_are_positions_along_the_axes_and_noise():
    plain = datasets.triple_well(2000, step=0.05, seed=9)
    rotated = datasets.triple_well(2000, step=0.05, seed=9, dimension=20, noise=1e-3)
    axes = np.array(json.loads(rotated.attrs["truth"])["axes"])
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-12)
    off = rotated.rows.values - plain.rows.values @ axes
    assert off.std() == pytest.approx(1e-3, rel=0.02)
    assert abs(np.corrcoef(off[:, 0], plain.rows.values[:, 0])[0, 1]) < 0.1
    samples = datasets.double_well(5000, dimension=20, noise=1e-3, seed=2).rows.values
    spread = np.linalg.svd(samples - samples.mean(0), compute_uv=False) / 5000**0.5
    assert spread[0] > 0.8
    np.testing.assert_allclose(spread[1:], 1e-3, rtol=0.15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: datasets.double_well(0), "samples: expected an integer of at least 1, got 0"),
        (lambda: datasets.double_well(5, step=0), "step: expected a finite number above 0, got 0"),
        (lambda: datasets.double_well(5, members=2), "members: expected 1 where samples are ind"),
        (lambda: datasets.double_well(5, noise=-1), "noise: expected .* got -1: pass noise=0"),
        (lambda: datasets.triple_well(5, dimension=1), "dimension: expected .* at least 2, got 1"),
        (lambda: datasets.mueller_brown(5, seed=-1), "seed: expected .* got -1"),
        (lambda: datasets.maier_stein(5, chunks=0), "chunks: expected .* got 0"),
        (lambda: datasets.maier_stein(5, members=0), "members: expected .* got 0"),
        (lambda: datasets.lorenz63(5, step=np.inf), "step: expected a finite time above 0"),
        (lambda: datasets.lorenz63(5, members=0), "members: expected .* got 0"),
        (lambda: datasets.three_state_ring(5, forward=0.0), "forward, backward: expected prob"),
        (lambda: datasets.three_state_ring(5, forward=1.0), "forward, backward: expected prob"),
        (lambda: datasets.three_state_ring(5, spread=-1), "spread: expected .* got -1"),
        (lambda: datasets.ghil_sellers(5, step=0), "step: expected an integer of at least 1"),
        (lambda: datasets.ghil_sellers(5, sigma=-1), "sigma: expected .* got -1"),
        (lambda: datasets.ghil_sellers(5, mu=2.0), "mu: expected a sun .* got 2.0"),
        (lambda: datasets.ghil_sellers(5, start=[280.0]), "x: expected positions of shape"),
    ],
)
def test_sets__refuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()
