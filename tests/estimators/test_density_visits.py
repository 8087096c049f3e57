"""Errors of densities of frames that remember each other."""

import json

import naive_visits
import numpy as np
import pytest
import xarray as xr
from benchmarks import density_visits as simulation
from hypothesis import given, settings
from hypothesis import strategies as st

import daskid
from daskid import variables as v

DIMS = ("sample", "neighbor")
METHODS = ("pak", "kstar", "knn")


def made(rng, n=60, k=12, chunk=None, exclude=0, **coordinates):
    """Random lists; what their densities are does not matter."""
    index = np.argsort(rng.random((n, n)) + 9 * np.eye(n), axis=1)[:, :k]
    values = {
        "neighbor_distance": (DIMS, np.sort(rng.random((n, k)), axis=1)),
        "neighbor_index": (DIMS, index),
        "kstar": ("sample", rng.integers(4, k, n).astype(np.int32)),
        "kstar_dimension": 2.0,
    }
    ds = xr.Dataset(values, {name: ("sample", x) for name, x in coordinates.items()})
    ds["neighbor_distance"].attrs["parameters"] = json.dumps({"exclude": exclude})
    return ds.chunk(sample=chunk or n)


def factors(ds, method, **keywords):
    """k / k_eff, as the errors show it."""
    alone = daskid.density(ds, method=method, block=0).log_density_error
    return ((daskid.density(ds, method=method, **keywords).log_density_error / alone) ** 2).values


@given(data=st.data())
@settings(max_examples=6)
def test_errors__equal_naive_for_any_chunks(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    n, window = 24, data.draw(st.sampled_from([1, 3, 10, 100]))
    location = np.arange(n)
    location[[7, 20]] = 2
    row = np.sort(rng.choice(60, n, replace=False)) + 5
    trajectory = np.sort(rng.integers(0, 3, n))
    ds = made(rng, n, chunk=data.draw(st.integers(1, n)), row=row, trajectory=trajectory)
    ds = ds.assign(location=("sample", location))
    for method in METHODS:
        found = factors(ds, method, block=window)
        for i in range(n):
            k = 12 if method == "knn" else int(ds.kstar[i])
            weights = [4 - 6 * (c + 0.5) / k if method == "pak" else 1.0 for c in range(k)]
            neighbors = ds.neighbor_index.values[i, :k].tolist()
            expected = naive_visits.inflation(neighbors, location, row, trajectory, window, weights)
            assert found[i] == pytest.approx(expected, rel=1e-9)


def test_errors__of_a_few_long_visits_are_those_of_as_many_neighbors():
    # 16 neighbors in four visits of four frames each, far apart in a long trajectory
    n, k = 4000, 16
    index = np.tile(np.add.outer([100, 1100, 2100, 3100], np.arange(4)).reshape(-1), (n, 1))
    ds = made(np.random.default_rng(0), n, k).assign(neighbor_index=(DIMS, index))
    assert factors(ds, "knn", block=10) == pytest.approx(4 - k * 21 / n, abs=1e-3)
    # 16 visits of one frame each, further apart than the window
    ds = ds.assign(neighbor_index=(DIMS, np.tile(np.arange(k) * 200, (n, 1))))
    assert (factors(ds, "knn", block=10) == 1).all()
    # one visit of all
    ds = ds.assign(neighbor_index=(DIMS, np.tile(np.arange(k), (n, 1))))
    assert factors(ds, "knn", block=16) == pytest.approx(k - k * 33 / n, abs=2e-3)


def test_errors__frames_of_other_trajectories_are_no_visit():
    n, k = 400, 8
    index = np.tile(196 + np.arange(k), (n, 1))
    ds = made(np.random.default_rng(0), n, k).assign(neighbor_index=(DIMS, index))
    together = factors(ds, "knn", block=30)
    apart = ds.assign_coords(trajectory=("sample", np.repeat(["a", "b"], 200)))
    assert (factors(apart, "knn", block=30) < 0.6 * together).all()
    rows = ds.assign_coords(row=("sample", 31 * np.arange(n)))
    assert (factors(rows, "knn", block=30) == 1).all()


def test_errors__take_the_window_of_the_search_and_say_so():
    ds = made(np.random.default_rng(1), exclude=5, row=np.arange(60), trajectory=np.zeros(60, int))
    out = daskid.density(ds)
    xr.testing.assert_identical(out, daskid.density(ds, block=5))
    assert json.loads(out.log_density_error.attrs["parameters"]) == {"block": 5, "method": "pak"}
    assert "remember each other over 5 frames" in out.log_density_error.attrs["covers"]
    assert {"row", "trajectory"} <= set(out.log_density_error.attrs["inputs"].split())
    assert (factors(ds, "pak") > 1.2).any()
    alone = daskid.density(ds, block=0)
    assert "block" not in json.loads(alone.log_density_error.attrs["parameters"])
    assert "independently" in alone.log_density_error.attrs["covers"]
    plain = made(np.random.default_rng(1))
    assert (factors(plain, "pak") == 1).all()
    assert "row" not in daskid.density(plain).log_density_error.attrs["inputs"].split()


def test_errors__do_not_compute(no_compute):
    ds = made(np.random.default_rng(1), trajectory=np.zeros(60, int))
    for method in METHODS:
        daskid.density(ds, method=method, block=7)


@pytest.mark.parametrize("block", [-1, 2.5, True, "trajectory"])
def test_density__refuses_other_blocks(block):
    with pytest.raises(ValueError, match="block: expected a number of frames, 0 for none, got"):
        daskid.density(made(np.random.default_rng(1)), block=block)


def test_density__refuses_neighbors_that_are_not_there():
    ds = made(np.random.default_rng(1)).isel(sample=slice(20))
    with pytest.raises(ValueError, match="neighbor_index: expected positions 0 to 19 along sample"):
        daskid.density(ds, block=3).log_density_error.compute()
    long = made(np.random.default_rng(1)).assign(kstar=("sample", np.full(60, 13)))
    with pytest.raises(ValueError, match="kstar: expected ranks from 1 to 12"):
        daskid.density(long, block=3).log_density_error.compute()


def test_errors__are_the_scatter_of_correlated_frames():
    found = simulation.ratios(frames=2000, dimension=2, memory=10, window=40, replicas=8, k=100)
    for method in ("pak", "kstar"):
        assert 0.8 < found[method, "inflated"] < 1.25, found
    assert found["kstar", "alone"] < 0.75, found
    assert v.log_density_error.step == "density"
