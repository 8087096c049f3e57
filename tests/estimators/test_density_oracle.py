"""k* and densities against DADApy on given lists: see references/make_dadapy_density.py."""

from pathlib import Path

import naive_density
import numpy as np
import pytest
import xarray as xr

import daskid

FOLDER = Path(__file__).parents[1] / "references"
DENSITY = np.load(FOLDER / "dadapy_density.npz")
PEAKS = np.load(FOLDER / "dadapy_peaks.npz")
SETS = sorted({name.split("/")[0] for name in DENSITY.files} - {"versions"})


def distances(rows, period, index):
    """Return the distances that DADApy was given: one feature after another."""
    total = np.zeros(index.shape)
    for x, p in zip(rows.astype("f8").T, period, strict=True):
        apart = np.abs(x[:, np.newaxis] - x[index])
        apart = np.minimum(apart, p - apart) if p > 0 else apart
        total += apart * apart
    return np.sqrt(total)


@pytest.fixture(scope="module", params=SETS)
def computed(request):
    """Name, lists, dimension, and the dataset with densities of both kinds."""
    name = request.param
    rows, period = DENSITY[f"{name}/rows"], DENSITY[f"{name}/period"]
    index = PEAKS[f"{name}/neighbor_index"].astype("i8")
    distance = distances(rows, period, index)
    dims = ("sample", "neighbor")
    ds = xr.Dataset({"neighbor_distance": (dims, distance), "neighbor_index": (dims, index)})
    d = float(DENSITY[f"{name}/dimension"])
    capped = (DENSITY[f"{name}/kstar"] == index.shape[1] - 1).mean() > 0.01
    with pytest.warns(UserWarning, match="kstar") if capped else pytest.MonkeyPatch.context():
        ds = daskid.kstar(ds.chunk(sample=300), dimension=d)
    return name, distance, d, daskid.density(ds), daskid.density(ds, method="kstar")


def test_sets__are_five_or_more_and_some_are_hard():
    assert len(SETS) >= 5
    assert (DENSITY["short/kstar"] == 19).mean() > 0.1
    assert DENSITY["torus/period"].any()


def test_kstar__is_dadapys_in_every_sample(computed):
    name, *_, ds, _ = computed
    np.testing.assert_array_equal(ds.kstar, DENSITY[f"{name}/kstar"])
    assert ds.kstar_capped.values[DENSITY[f"{name}/kstar"] == ds.sizes["neighbor"] - 1].all()


def test_kstar_log_density__is_dadapys(computed):
    name, *_, ds = computed
    np.testing.assert_allclose(ds.log_density, DENSITY[f"{name}/kstar_log_density"], atol=1e-6)


def test_pak__is_dadapys_in_the_median_with_its_error(computed):
    name, *_, ds, _ = computed
    apart = np.abs(ds.log_density.values - DENSITY[f"{name}/pak_log_density"])
    assert np.median(apart) < 1e-5
    # DADApy stops before the maximum, at a relative gradient of 1e-3
    assert apart.max() < 0.1
    np.testing.assert_allclose(ds.log_density_error, PEAKS[f"{name}/log_density_error"], rtol=1e-12)


def test_pak__is_at_least_as_likely_as_dadapys_in_every_sample(computed):
    name, distance, d, ds, ball = computed
    own = (ds.log_density - ball.log_density).values
    dadapy = DENSITY[f"{name}/pak_log_density"] - ball.log_density.values
    gained = []
    for r, k, mine, theirs in zip(distance, ds.kstar.values, own, dadapy, strict=True):
        u = naive_density.shells(r[:k], d)
        gained.append(naive_density.pak_profile(mine, u) - naive_density.pak_profile(theirs, u))
    assert min(gained) > -1e-9
    assert max(gained) > 0
