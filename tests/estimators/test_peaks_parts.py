"""Parts that no border connects: joined under a calibrated z where neighbors leave them."""

import made_gaussians
import naive_parts
import naive_peaks
import numpy as np
import peaks_input
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskid.estimators.peaks import newick, peaks, significance
from daskid.estimators.peaks.parts import connected
from daskid.estimators.peaks.reading import find, read
from daskid.kernels.peaks import parts

# five samples that climb to 0, and 6 that climbs to 5; the list of 4 has 5 before 6
TAIL = {
    "index": np.array([[1, 2], [0, 2], [0, 1], [0, 1], [0, 5], [6, 3], [5, 4]]),
    "kstar": [2, 2, 2, 2, 1, 2, 2],
    "log_density": [5.0, 4.0, 3.0, 1.2, 1.0, 1.5, 0.5],
    "error": [0.1] * 7,
}


def borders(found):
    """Pairs of centers to the sample of their saddle."""
    raw = found.raw
    pair = raw.sample[raw.pair].tolist()
    return {tuple(p): int(s) for p, s in zip(pair, raw.saddle_sample, strict=True)}


@given(data=st.data())
@settings(max_examples=25)
def test_connected__equals_naive_on_random_lists_for_any_chunks(data):
    n, k = data.draw(st.integers(8, 24)), data.draw(st.integers(2, 5))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    location = np.arange(n)
    location[n - 1] = data.draw(st.sampled_from([0, n - 1]))
    places = np.flatnonzero(location == np.arange(n))
    index = np.array([rng.permutation(places[places != location[i]])[:k] for i in range(n)])
    index[-1] = index[location[-1]]
    kstar = rng.integers(1, k + 1, n)
    log_density = rng.integers(0, 6, n).astype(float)
    log_density[-1], kstar[-1] = log_density[location[-1]], kstar[location[-1]]
    error = np.full(n, 0.5)
    ds = peaks_input.dataset(index, kstar, log_density, error, location,
                             data.draw(st.integers(1, n)))  # fmt: skip
    given_ = read(ds)
    found = connected(given_, find(given_))
    g = log_density - error
    label = naive_peaks.basins(index, kstar, g, location)
    border = naive_peaks.saddles(index, kstar, g, location, label)
    expected = naive_parts.connected(index, kstar, g, location, label, border)
    assert borders(found) == expected
    assert list(borders(found)) == sorted(expected)
    np.testing.assert_array_equal(found.raw.saddle_log_density,
                                  log_density[found.raw.saddle_sample])  # fmt: skip


def test_connected__gives_a_pair_of_the_tail_the_saddle_of_its_highest_step():
    ds = peaks_input.dataset(*TAIL.values())
    found = find(read(ds))
    assert borders(found) == {}
    assert peaks(ds, z=1e6).sizes["peak"] == 2
    # the step from the center, 5, to 3: higher than the one from 6 to 4
    assert borders(connected(read(ds), found)) == {(0, 5): 3}
    left = connected(read(ds), found)
    np.testing.assert_array_equal(parts.parts(left.raw), [0, 0])


def test_connected__leaves_apart_what_no_neighbor_leaves():
    x = peaks_input.blobs(np.random.default_rng(0), [[0, 0], [1000, 0]], 60)
    ds = peaks_input.of_rows(x, 20, 8)
    found = find(read(ds))
    assert parts.parts(connected(read(ds), found).raw).max() == 1
    assert borders(connected(read(ds), found)) == borders(found)


def test_peaks__of_a_gaussian_with_a_part_in_its_tail_are_one_at_the_calibrated_z():
    ds = made_gaussians.gaussians(1000, 14, 41, 25)
    assert peaks(ds, z=50.0).sizes["peak"] == 2  # as DADApy: no z joins what has no saddle
    out = peaks(ds, z="calibrated")
    assert out.sizes["peak"] == 1
    assert out.peak_z > 1
    support = significance(out, replicates=3)
    assert (support.replicate_peaks < 4).all()


def test_significance__connects_parts_as_the_peaks_did():
    ds = made_gaussians.gaussians(1000, 14, 41, 25)
    fixed = significance(peaks(ds, z=float(peaks(ds, z="calibrated").peak_z)), replicates=4)
    calibrated = significance(peaks(ds, z="calibrated"), replicates=4)
    assert calibrated.replicate_peaks.sum() < fixed.replicate_peaks.sum()


def test_peaks__far_apart_stay_two_at_the_calibrated_z():
    out = peaks(made_gaussians.gaussians(500, 2, 0, 50, centers=[(0,), (1000,)]), z="calibrated")
    assert out.peak_size.values.tolist() == [500, 500]
    assert out.sizes["saddle"] == 0
    assert newick(out).count(";") == 2


@pytest.mark.parametrize("z", [0.0, 1.0, 2.5])
def test_peaks__of_a_number_are_those_of_the_rule_alone(z):
    ds = made_gaussians.gaussians(1000, 14, 41, 25)
    raw = find(read(ds)).raw
    assert parts.parts(raw).max() == 1
    assert peaks(ds, z=z).sizes["peak"] > 1
