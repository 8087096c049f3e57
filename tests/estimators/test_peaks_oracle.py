"""Peaks against DADApy 0.3.4 (tests/references/make_dadapy_density.py), and where it is wrong."""

import pathlib

import numpy as np
import peaks_input
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from daskid.estimators.peaks import peaks

SETS = ("mixture", "mueller", "roll", "torus", "digits")
STORED = pathlib.Path(__file__).parents[1] / "references" / "dadapy_peaks.npz"


@pytest.fixture(scope="module")
def references():
    with np.load(STORED) as stored:
        return dict(stored)


def ours(references, name, z, keep=slice(None), chunk=700):
    index, kstar, log_density, error = (
        references[f"{name}/{what}"][keep]
        for what in ("neighbor_index", "kstar", "log_density", "log_density_error")
    )
    ds = peaks_input.dataset(index.astype("i8"), kstar, log_density, error, chunk=chunk)
    return peaks(ds, z=z)


def at(references, name, which):
    """DADApy's labels, halo labels, and what it says of centers and saddles at one z."""
    labels, halo = (references[f"{name}/{what}"][which] for what in ("labels", "halo_labels"))
    tables = (
        references[f"{name}/{what}_{which}"]
        for what in ("centers", "saddle_log_density", "saddle_log_density_error")
    )
    return labels, halo, *tables


@pytest.mark.parametrize("which", range(4), ids="z={}".format)
@pytest.mark.parametrize("name", SETS)
def test_peaks__are_those_of_dadapy_given_the_same_densities(references, name, which):
    z = float(references["z"][which])
    labels, halo, centers, level, error = at(references, name, which)
    out = ours(references, name, z)
    assert sorted(out.peak_sample.values) == sorted(centers)
    number = {int(c): n for n, c in enumerate(out.peak_sample.values)}
    renamed = np.array([number[int(c)] for c in centers])
    assert adjusted_rand_score(labels, out.peak_label) == 1.0
    assert (renamed[labels] == out.peak_label.values).all()
    assert ((halo == -1) == out.peak_halo.values).all()
    theirs = {
        tuple(sorted((renamed[a], renamed[b]))): (level[a, b], error[a, b])
        for a, b in np.argwhere(np.isfinite(level))
    }
    mine = {tuple(pair): s for s, pair in enumerate(out.saddle_peak.values)}
    assert set(mine) == set(theirs)
    for pair, s in mine.items():
        found = out.saddle_log_density.values[s], out.saddle_log_density_error.values[s]
        np.testing.assert_allclose(found, theirs[pair], atol=1e-6, rtol=0)


def test_peaks__differ_where_dadapy_writes_labels_that_are_no_clusters(references):
    # its issue 165: a removed center whose stored list is all lower follows the sample in a row
    # of its table that was never written, and others follow it. Lists of 20 in 10-D
    kept = references["short/neighbor_index"].astype("i8")
    g = references["short/log_density"] - references["short/log_density_error"]
    highest_of_list = (g[kept] <= g[:, np.newaxis]).all(axis=1)
    for which, z in enumerate(references["z"]):
        labels, _, centers, *_ = at(references, "short", which)
        wrong = (labels < 0) | (labels >= len(centers))
        assert wrong.sum() == references["short/wrong"][which] == 3
        one, *rest = sorted(np.flatnonzero(wrong), key=lambda i: -g[i])
        assert highest_of_list[one]
        out = ours(references, "short", float(z))
        label = out.peak_label.values
        assert label.min() == 0
        assert label.max() == out.sizes["peak"] - 1
        near = np.arange(kept.shape[1]) < references["short/kstar"][:, np.newaxis]
        holders = np.flatnonzero(((kept == one) & near).any(axis=1))
        assert label[one] == label[holders[g[holders].argmax()]]
        for i in rest:  # they follow it, in both
            assert one in kept[i]
            assert label[i] == label[one]


def test_peaks__of_copies_are_those_of_the_places(references):
    # DADApy's radii of zero give NaN densities there; here a copy has its location's list
    name, copied = "mixture", np.random.default_rng(0).permutation(1000)[:250]
    keep = np.r_[np.arange(1000), copied]
    index, kstar, log_density, error = (
        references[f"{name}/{what}"][keep]
        for what in ("neighbor_index", "kstar", "log_density", "log_density_error")
    )
    ds = peaks_input.dataset(index.astype("i8"), kstar, log_density, error, keep, chunk=400)
    out, alone = peaks(ds), ours(references, name, 1.65)
    assert (out.peak_label.values == alone.peak_label.values[keep]).all()
    assert (out.peak_halo.values == alone.peak_halo.values[keep]).all()
    assert (out.peak_sample == alone.peak_sample).all()
    expected = alone.peak_size.values + np.bincount(
        alone.peak_label.values[copied], minlength=alone.sizes["peak"]
    )
    assert (out.peak_size.values == expected).all()


def test_peaks__of_digits_are_digits(references):
    # PAk at the dimension of TwoNN's fit, 8.91: DADApy's own labels have 0.799 (testbeds)
    out = ours(references, "digits", 1.65)
    assert normalized_mutual_info_score(load_digits().target, out.peak_label) >= 0.79
