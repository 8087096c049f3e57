"""persistence: every raw peak, and the number of peaks that each z leaves."""

import numpy as np
import peaks_input
import pytest
from hypothesis import given, settings
from strategies_peaks import graphs

from daskid import variables as v
from daskid.estimators.peaks import peaks, persistence
from daskid.kernels import peaks as kernels


@given(graph=graphs())
@settings(max_examples=15)
def test_numbers__are_those_of_peaks(graph):
    ds = peaks_input.dataset(*graph, chunk=9)
    out = persistence(ds)
    for z in (0.0, 0.7, 1.6, 6.0):
        assert out.surviving_peaks.sel(threshold=z) == peaks(ds, z=z).sizes["peak"]


def test_persistence__by_hand():
    # peaks of 3 and 2 with a saddle at 0.7, and a part of its own
    index = [[1, 2], [0, 2], [1, 0], [4, 2], [3, 5], [4, 3], [7, 8], [6, 8], [7, 6]]
    density = [1.0, 3.0, 0.5, 0.75, 2.0, 1.0, 5.0, 4.0, 4.5]
    error = [0.25] * 4 + [0.125] * 5
    ds = peaks_input.dataset(np.array(index), np.full(9, 2), density, error, chunk=4)
    out = persistence(ds)
    assert out.raw_peak_sample.values.tolist() == [6, 1, 4]
    assert out.raw_peak_log_density.values.tolist() == [5.0, 3.0, 2.0]
    assert out.raw_peak_elder.values.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(out.raw_peak_persistence, [np.nan, np.nan, 1.25])
    np.testing.assert_array_equal(out.raw_peak_persistence_error, [np.nan, np.nan, 0.375])
    survive = [3 if z <= 1.25 / 0.375 else 2 for z in out.threshold.values]
    assert out.surviving_peaks.values.tolist() == survive


def test_persistence__is_ordered_and_points_upward():
    x = peaks_input.blobs(np.random.default_rng(0), [[0, 0], [4, 0], [50, 50]], 60)
    out = persistence(peaks_input.of_rows(x, 12, 6, chunk=50))
    p = out.sizes["raw_peak"]
    assert p > 4
    density = out.raw_peak_log_density.values
    assert (np.diff(density) <= 0).all()
    roots = np.isnan(out.raw_peak_persistence.values)
    elder = out.raw_peak_elder.values
    assert (elder[~roots] < np.arange(p)[~roots]).all()
    assert (elder[roots] == np.flatnonzero(roots)).all()
    assert roots.sum() >= 2
    assert (np.isnan(out.raw_peak_persistence_error.values) == roots).all()


def test_numbers__fall_from_all_raw_peaks_to_the_parts():
    x = peaks_input.blobs(np.random.default_rng(1), [[0, 0], [5, 0], [100, 0]], 50)
    out = persistence(peaks_input.of_rows(x, 20, 8))
    number = out.surviving_peaks.values
    assert out.threshold.values.tolist() == [round(0.1 * j, 1) for j in range(61)]
    assert number[0] <= out.sizes["raw_peak"]
    assert number[-1] >= np.isnan(out.raw_peak_persistence).sum() == 2


def test_persistence__reads_the_lists_as_often_as_peaks(monkeypatch):
    calls = []
    merge = kernels.tables.merge
    monkeypatch.setattr(kernels.tables, "merge", lambda *a: calls.append(a) or merge(*a))
    ds = peaks_input.of_rows(np.random.default_rng(0).random((40, 2)), 8, 5)
    out = persistence(ds)
    assert len(calls) == out.sizes["threshold"] == 61
    again = persistence(persistence(ds))
    assert again.surviving_peaks.identical(out.surviving_peaks)


def test_persistence__names_what_is_missing():
    ds = peaks_input.of_rows(np.random.default_rng(0).random((12, 2)), 4, 3)
    with pytest.raises(v.SchemaError, match="no 'log_density' in the dataset: run density first"):
        persistence(ds.drop_vars("log_density"))
