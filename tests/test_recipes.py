"""What ``analyze`` adds to its steps: how many neighbors it asks for, and what it keeps."""

import numpy as np
import pytest
import xarray as xr

import daskid


@pytest.fixture
def ds():
    x = np.random.default_rng(0).random((1500, 2))  # so even that 100 neighbors are too few
    return xr.Dataset({"rows": (("sample", "feature"), x)})


def test_analyze__searches_again_for_the_neighbors_that_kstar_asks_for(ds, tmp_path):
    path = str(tmp_path / "run.zarr")
    out = daskid.analyze(ds, store=path)
    assert out.sizes["neighbor"] > 100
    again = daskid.analyze(ds, store=path)
    assert again.neighbor_distance.fingerprint == out.neighbor_distance.fingerprint
    assert again.peak_label.fingerprint == out.peak_label.fingerprint


def test_analyze__keeps_the_neighbors_of_a_run(ds, tmp_path):
    path = str(tmp_path / "run.zarr")
    held = daskid.save(daskid.twonn(daskid.knn(ds, k=100, store=path)), path)
    out = daskid.analyze(ds, store=path)
    assert out.neighbor_distance.fingerprint == held.neighbor_distance.fingerprint
    assert out.kstar_capped.attrs["share"] > 0.01  # more would do: the summary says so
    assert any("run knn with k" in sentence for sentence in daskid.summary(out))


def test_analyze__takes_a_given_number_of_neighbors(ds):
    assert daskid.analyze(ds, k=100).sizes["neighbor"] == 100
    with pytest.raises(ValueError, match="k: expected an integer, 1 or more, got 0"):
        daskid.analyze(ds, k=0)
