"""markov and committor: the triple well's relaxation times, the test, and what is refused."""

import numpy as np
import pytest
import xarray as xr

from daskid import datasets
from daskid import variables as v
from daskid.estimators.landscape.markov import committor, markov

MINIMA = np.array([[1.048, -0.042], [-1.048, -0.042], [0.0, 1.537]])


@pytest.fixture(scope="module")
def wells():
    ds = datasets.triple_well(12_000, step=0.4, members=6, seed=1).load().chunk(sample=5000)
    x = ds.rows.values
    label = ((x[:, np.newaxis] - MINIMA) ** 2).sum(axis=-1).argmin(axis=1)
    potential = datasets.systems.surfaces.triple_well_potential
    return ds.assign(
        peak_label=("sample", label),
        log_density=("sample", -2 * potential(x)),
        peak_log_density=("peak", -2 * potential(MINIMA)),
        merge_peak=(("merge", "side"), [[0, 1], [0, 2]]),
        merge_log_density=("merge", [2 * 1.6466875, 2 * 1.6466875]),
    )


@pytest.fixture(scope="module")
def model(wells):
    return markov(wells, lag=2, microstates=60)


def test_markov__finds_the_relaxation_times_of_the_triple_well(model):
    # 27.302 and 1.6613, from the Fokker-Planck equation on a grid
    at = model.sel(lag=0.8, method="nearest")
    found, error = at.implied_timescale.values, at.implied_timescale_error.values
    assert abs(found[0] - 27.302) < 0.1 * 27.302 + 2 * error[0]
    assert abs(found[1] - 1.6613) < 0.1 * 1.6613 + 2 * error[1]
    assert 0.2 < error[0] < 6.0
    assert 0.01 < error[1] < 0.3
    assert model.implied_timescale.attrs["lag"] == 2
    assert model.implied_timescale.attrs["units"] == "time units"
    assert model.lag.values[:3] == pytest.approx([0.4, 0.8, 1.6])


def test_markov__predicts_what_is_observed_later(model):
    assert model.after.values == pytest.approx(0.8 * np.arange(1, 6))
    apart = model.stay_predicted - model.stay_observed
    width = np.hypot(model.stay_predicted_error, model.stay_observed_error)
    assert (abs(apart) < 3 * width + 0.01).all()
    np.testing.assert_allclose(apart[0], 0, atol=1e-4)
    assert model.stay_observed[0, 2] < 0.7 < model.stay_observed[0, 0]


def test_markov__says_which_microstates_there_are(model, wells):
    assert model.microstate.values.max() == 59
    assert model.microstate_probability.sum() == pytest.approx(1.0)
    share = [
        float(model.microstate_probability[model.microstate_peak == a].sum()) for a in range(3)
    ]
    assert share == pytest.approx([0.488, 0.488, 0.024], abs=0.1)
    assert model.microstate_transition.sum("next_center").values == pytest.approx(1.0)
    same = model.microstate_peak.values[model.microstate.values] == wells.peak_label.values
    assert same.mean() > 0.98


def test_committor__is_one_half_between_the_deep_wells(model, wells):
    out = committor(model, source=0, target=1)
    x, q = wells.rows.values, out.committor.values
    assert q[wells.peak_label.values == 0].mean() < 0.05
    assert q[wells.peak_label.values == 1].mean() > 0.95
    assert q[(x[:, 1] > 1.2) & (abs(x[:, 0]) < 0.4)].mean() == pytest.approx(0.5, abs=0.15)
    other = committor(model, source=1, target=0).committor.values
    np.testing.assert_allclose(q + other, 1.0, atol=1e-9)


def test_markov__has_the_same_bits_for_any_chunks(wells, model):
    some = wells.isel(sample=slice(9000))
    whole = markov(some, lag=1, microstates=20)
    again = markov(some.chunk(sample=1700), lag=1, microstates=20)
    names = [n for n in whole if n not in some]
    xr.testing.assert_identical(whole[names].drop_attrs(), again[names].drop_attrs())


def test_markov__names_what_is_wrong(wells, model):
    few = wells.isel(sample=slice(50))
    with pytest.raises(ValueError, match=r"lag: expected fewer frames than .* has, 50, got 50: t"):
        markov(few, lag=50, microstates=4)
    with pytest.raises(ValueError, match="microstates: expected as many as samples or fewer, got"):
        markov(few)
    with pytest.raises(ValueError, match="lag: expected a whole number, 1 or more, got 0"):
        markov(wells, lag=0)
    lone = few.assign_coords(trajectory=("sample", np.arange(50)))
    with pytest.raises(ValueError, match=r"lag: expected fewer frames than .* has, 1, got 1"):
        markov(lone, microstates=4)
    with pytest.raises(v.SchemaError, match="no 'peak_label' in the dataset: run peaks first"):
        markov(wells.drop_vars("peak_label"))
    with pytest.raises(v.SchemaError, match="no 'microstate' in the dataset: run markov first"):
        committor(wells)
    with pytest.raises(ValueError, match="target: expected two different peaks from 0 to 2, got"):
        committor(model, target=3)
