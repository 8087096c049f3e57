"""free_energy: minus the log density, lazily, in the units asked for."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from daskid import variables as v
from daskid.estimators.landscape import free_energy


def dataset(log_density=(0.0, 2.0, 1.5, -3.0)):
    values = da.from_array(np.array(log_density), chunks=3)
    return xr.Dataset(
        {"log_density": ("sample", values), "log_density_error": ("sample", 0.1 + 0 * values)}
    )


def test_free_energy__is_minus_the_log_density_from_the_densest_sample(no_compute):
    out = free_energy(dataset())
    assert "potential" not in out
    assert "ln p" in out.free_energy.attrs["convention"]
    out = out.compute(scheduler="synchronous")
    assert out.free_energy.values.tolist() == [2.0, 0.0, 0.5, 5.0]
    assert out.free_energy_error.values == pytest.approx(0.1)
    assert out.free_energy.attrs["units"] == "kT"


def test_free_energy__in_energies_of_a_mole():
    # k_B T N_A at 300 K is 2.494339 kJ/mol, 0.596161 kcal/mol
    for units, one in (("kJ/mol", 2.494339), ("kcal/mol", 0.596161)):
        out = free_energy(dataset(), temperature=300, units=units)
        assert out.free_energy.values == pytest.approx(np.array([2.0, 0.0, 0.5, 5.0]) * one, 1e-6)
        assert out.free_energy_error.values == pytest.approx(0.1 * one, 1e-6)
        assert out.free_energy_error.attrs["units"] == units


def test_free_energy__is_a_potential_where_the_noise_is_known():
    # p ~ exp(-2 V / sigma^2), V = x^2: whatever the normalization
    x, sigma = np.linspace(-1, 1, 11), 0.7
    out = free_energy(dataset(3.0 - 2 * x**2 / sigma**2), sigma=sigma)
    np.testing.assert_allclose(out.potential, x**2, atol=1e-14)
    assert out.potential.attrs["sigma"] == 0.7


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"sigma": 0}, "sigma: expected a positive number, got 0: e.g. sigma=0.5"),
        ({"sigma": -1.0}, "sigma: expected a positive number, got -1.0"),
        ({"sigma": np.nan}, "sigma: expected a positive number, got nan"),
        ({"units": "eV"}, "units: expected one of .*, got 'eV': choose"),
        ({"units": "kJ/mol"}, "temperature: expected one in kelvin for units='kJ/mol', got None"),
        ({"temperature": 300.0}, "temperature: expected none with units='kT', got 300.0: leave"),
        ({"units": "kJ/mol", "temperature": -3}, "temperature: expected a positive number, got -3"),
    ],
)
def test_free_energy__names_what_is_wrong(keywords, words):
    with pytest.raises(ValueError, match=words):
        free_energy(dataset(), **keywords)


def test_free_energy__needs_a_density():
    with pytest.raises(v.SchemaError, match="no 'log_density' in the dataset: run density first"):
        free_energy(xr.Dataset())
