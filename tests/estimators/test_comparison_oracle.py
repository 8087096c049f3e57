"""Imbalances and overlaps against DADApy 0.3.4, stored by references/make_dadapy_comparison.py."""

import pathlib

import numpy as np
import pytest
import xarray as xr

import daskid
from daskid.estimators.comparison import information_imbalance, label_overlap, overlap

REFERENCES = pathlib.Path(__file__).parents[1] / "references" / "dadapy_comparison.npz"
K = (1, 5, 30)


@pytest.fixture(scope="module")
def stored():
    with np.load(REFERENCES) as file:
        return {name: file[name] for name in file.files}


def layer(stored, features):
    x = stored["rows"].astype("f8")[:, features]
    label = ("sample", stored["label"])
    ds = xr.Dataset({"rows": (("sample", "feature"), x)}, coords={"label": label})
    return daskid.knn(ds, k=31)


@pytest.fixture(scope="module")
def layers(stored):
    names = [str(name) for name in stored["sets"]]
    sets = {name: layer(stored, [int(c) for c in name]) for name in names}
    return layer(stored, [0, 1, 2]), sets


@pytest.mark.parametrize("k", K)
def test_information_imbalance__equals_dadapys(stored, layers, k):
    whole, sets = layers
    # thirty limits for every row: two sets tell enough
    for i, ds in list(enumerate(sets.values()))[: None if k < 30 else 2]:
        out = information_imbalance(whole, ds, k=k)
        found = [float(out.imbalance_ab), float(out.imbalance_ba)]
        expected = [stored[f"full_to/{k}"][i], stored[f"to_full/{k}"][i]]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("k", K)
def test_overlaps__equal_dadapys(stored, layers, k):
    whole, sets = layers
    shared = overlap(whole, sets["01"], k=k).overlap
    assert float(shared) == pytest.approx(float(stored[f"overlap/{k}"]), rel=1e-12)
    # there every class counts the same
    same = label_overlap(whole, labels="label", k=k, weighted=True).label_overlap
    assert float(same) == pytest.approx(float(stored[f"label_overlap/{k}"]), rel=1e-12)
