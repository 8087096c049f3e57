"""z="calibrated": the number of the simulation, or an error that says why there is none."""

import json

import numpy as np
import peaks_input
import pytest
from benchmarks import peaks_calibration as simulation
from scipy.stats import binom

from daskid import variables as v
from daskid.estimators.peaks import peaks
from daskid.kernels import peaks as kernels
from daskid.kernels.peaks import calibration


def dataset(n=1000, k=50, d=2.0, method="pak", **more):
    """As if density had been run: lists of a ring, any density."""
    index = (np.arange(n)[:, np.newaxis] + np.arange(1, k + 1)) % n
    ds = peaks_input.dataset(index, np.full(n, 5), np.zeros(n), np.ones(n))
    given = {v.log_density: ds.log_density.data, v.log_density_error: ds.log_density_error.data}
    ds = v.assign(ds, {v.kstar: ds.kstar.data, v.kstar_dimension: d}, inputs=(v.neighbor_index,))
    return v.assign(ds, given, inputs=(v.kstar,), parameters={"method": method})


def test_calibrated__is_the_number_of_the_table_at_its_places():
    for method, table in calibration.Z.items():
        for (i, j, k), z in np.ndenumerate(table):
            place = (calibration.SAMPLES[i], calibration.DIMENSIONS[j], calibration.LENGTHS[k])
            assert kernels.calibrated(method, *place) == (z, calibration.ERROR[method][i, j, k])


def test_calibrated__is_between_its_neighbors_in_the_table():
    z, error = kernels.calibrated("pak", round(np.sqrt(3e6)), 6**0.5, round(50 * 2**0.5))
    assert z == pytest.approx(calibration.Z["pak"][1:3, 1:3, 1:3].mean(), abs=0.01)
    assert error == pytest.approx(calibration.ERROR["pak"][1:3, 1:3, 1:3].mean(), abs=0.01)


def test_table__grows_with_the_number_of_samples_and_falls_with_that_of_neighbors():
    for table in calibration.Z.values():
        assert np.isfinite(table).all()
        assert (table >= 0).all()
        assert (np.diff(table[1:], axis=0) > 0).mean() > 0.95
        low = table[1:, :3]  # in more dimensions k* is too small for the lists to matter
        assert (np.diff(low, axis=2) < 0.11).mean() > 0.9


def test_table__has_errors_that_are_those_of_a_few_hundred_replicas():
    for method, table in calibration.ERROR.items():
        assert table.shape == calibration.Z[method].shape
        assert ((table > 0.01) & (table < 0.3))[1:].all()


def test_peaks__use_the_calibrated_number_and_say_so():
    out = peaks(dataset(), z="calibrated")
    z, error = kernels.calibrated("pak", 1000, 2.0, 50)
    assert out.peak_z.values == z
    assert out.peak_z.attrs["error"] == error
    assert "95 % quantile of simulated single Gaussians" in out.peak_z.attrs["covers"]
    assert "error" not in peaks(dataset(), z=1.0).peak_z.attrs
    assert json.loads(out.peak_label.attrs["parameters"]) == {"z": "calibrated"}
    assert "kstar_dimension" in out.peak_label.attrs["inputs"].split()
    assert peaks(dataset(method="kstar"), z="calibrated").peak_z < out.peak_z


def test_calibrated__counts_locations():
    ds = dataset(n=1500)
    location = np.arange(1500)
    location[1000:] = np.arange(500)
    ds = ds.assign(location=("sample", location))
    assert peaks(ds, z="calibrated").peak_z == kernels.calibrated("pak", 1000, 2.0, 50)[0]


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"n": 200}, "simulated for samples from 300 to 10,000, got 200: give a number"),
        ({"d": 0.5}, "simulated for dimension from 1 to 20, got 0.5"),
        ({"d": 30.0}, "simulated for dimension from 1 to 20, got 30"),
        ({"k": 20}, "simulated for neighbors from 25 to 200, got 20"),
        ({"method": "knn"}, "densities of the methods .*, got 'knn': run density with"),
    ],
)
def test_calibrated__refuses_what_was_not_simulated(keywords, words):
    with pytest.raises(ValueError, match=words):
        peaks(dataset(**keywords), z="calibrated")


def test_calibrated__does_not_believe_the_attributes_of_another_density():
    ds = dataset()
    with pytest.raises(ValueError, match="got 'unknown': run density with one of them, or give"):
        peaks(ds.assign(log_density=(ds.log_density * 2).assign_attrs(ds.log_density.attrs)),
              z="calibrated")  # fmt: skip
    with pytest.raises(v.SchemaError, match="no 'kstar_dimension' in the dataset: run kstar"):
        peaks(ds.drop_vars("kstar_dimension"), z="calibrated")


@pytest.mark.parametrize(("n", "d", "k"), [(1000, 2, 50), (1700, 4, 70)])
def test_calibrated__leaves_one_gaussian_in_twenty_a_second_peak(n, d, k):
    replicas, second = 60, {"pak": 0, "kstar": 0}
    for seed in range(50_000, 50_000 + replicas):
        for (method, _), _, raw in simulation.tables(n, d, seed, (k,)):
            second[method] += simulation.second(raw, kernels.calibrated(method, n, d, k)[0])
    low, high = binom.ppf([0.005, 0.995], replicas, 0.05)
    for method in second:
        assert low <= second[method] <= high, (method, second)


def test_quantiles__of_extreme_values_are_found_with_their_error():
    rng = np.random.default_rng(0)
    size, off = np.array([1000, 3000]), []
    for _ in range(12):
        group = np.repeat([0, 1], [200, 100])
        z = 1.0 + 0.5 * group + 0.3 * rng.gumbel(size=group.size)
        found, error = simulation.quantiles(np.maximum(z, 0), group, size)
        true = np.array([1.0, 1.5]) + 0.3 * -np.log(-np.log(0.95))
        off.append((found - true) / error)
    assert abs(np.mean(off)) < 0.8
    assert 0.6 < np.std(off) < 1.5
