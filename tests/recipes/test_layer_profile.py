"""layer_profile: the planted dimensions, peaks and splits, and layers that have no answer."""

import logging

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import daskid
from daskid.datasets.layers import hunchback, nucleation
from daskid.estimators.moments import gaussian_clone, principal_components
from daskid.io.layers import layers_of, open_layers
from daskid.recipes import layer_profile
from daskid.recipes import layers as recipe


@pytest.fixture(scope="module")
def nucleated():
    tree = nucleation(1200, distances=[(0, 0), (8, 1.5), (10, 9)], seed=1)
    return layer_profile(tree, labels="true_label", neighbors=50)


def test_profile__finds_the_planted_peaks_and_splits(nucleated):
    table = nucleated.to_dataset()
    assert table.profile_peaks.values.tolist() == [1, 2, 10]
    assert table.layer_splits.values.tolist() == [0, 1, 2]
    assert table.layer_merges.values.sum() == table.layer_births.values.sum() == 0
    assert table.layer.values.tolist() == ["layer_0", "layer_1", "layer_2"]
    assert (table.nucleation_depth > 0.5).all()
    assert table.profile_rand.values[0] == 0
    assert table.profile_rand.values[2] > 0.99
    label, chance = table.profile_label.values, table.profile_label_chance.values
    assert label[0] == pytest.approx(chance[0], abs=5 * table.profile_label_error.values[0])
    assert 2 * chance[1] < label[1] < 0.6
    assert label[2] > 0.99
    np.testing.assert_allclose(table.profile_id, 5, atol=0.6)
    assert table.profile_features.values.tolist() == [20] * 3


def test_profile__holds_what_the_steps_say(nucleated):
    table, layers = nucleated.to_dataset(), layers_of(nucleated)
    ds, other = layers["layer_1"], layers["layer_2"]
    for ours, own in (*recipe.OWN.items(), *recipe.SCALES.items()):
        np.testing.assert_array_equal(table[ours.name].values[1], ds[own.name])
    assert table["rank"].values.tolist() == ds["scale"].values.tolist()
    pair = daskid.estimators.comparison.overlap(ds, other, k=30)
    assert table.profile_next.values[1] == table.profile_overlap.values[2, 1] == float(pair.overlap)
    assert table.profile_last_error.values[1] == float(pair.overlap_error)
    ways = daskid.estimators.comparison.information_imbalance(ds, other)
    assert table.profile_to_next.values[1] == float(ways.imbalance_ab)
    assert table.profile_from_next.values[1] == float(ways.imbalance_ba)
    assert table.profile_from_next_error.values[1] == float(ways.imbalance_ba_error)
    plane = daskid.imbalance_plane(layers)
    np.testing.assert_array_equal(table.profile_imbalance, plane.imbalance)
    np.testing.assert_array_equal(table.profile_imbalance_error, plane.imbalance_error)
    assert np.isnan(table.profile_next.values[2])
    assert not {"layer", "class", "rank"} & set(ds.coords)  # those of the table
    assert list(layers_of(open_layers(nucleated))) == list(layers)


def test_profile__takes_up_what_runs_hold(tmp_path, monkeypatch):
    given = {"neighbors": 20, "k": 5, "imbalance": False, "store": tmp_path / "runs"}
    tree = nucleation(150, distances=[(0, 0), (8, 1.5)])
    first = layer_profile(tree, labels="true_label", **given).to_dataset()
    runs = open_layers(tmp_path / "runs")
    assert [ds.attrs["depth"] for ds in layers_of(runs).values()] == [0, 1]
    assert all("true_label" in ds.coords for ds in layers_of(runs).values())
    monkeypatch.setattr(recipe, "_clone", None)  # held by the run
    again = layer_profile(runs, labels="true_label", **given).to_dataset()
    for name, x in again.data_vars.items():
        np.testing.assert_array_equal(x, first[name])
    assert "profile_to_next" not in again
    with pytest.raises(ValueError, match="overwrite"):
        layer_profile(runs, labels="true_label", **{**given, "neighbors": 30})


def test_profile__finds_the_planted_hunchback():
    tree = hunchback(600, dimensions=(4, 9, 3), features=24, seed=2)
    table = layer_profile(tree, neighbors=11, k=10, imbalance=False).to_dataset()
    value, error = table.profile_id.values, table.profile_id_error.values
    np.testing.assert_allclose(value, [4, 9, 3], rtol=0.25)
    assert value[1] - value[0] > 3 * error[1] < value[1] - value[2]
    assert (table.profile_clone.values > value + 2 * error).all()  # tori are curved
    assert any("a hunchback" in sentence for sentence in daskid.summary(table))
    assert "profile_label" not in table


def test_clone__has_the_dimension_of_the_clone_of_the_rows():
    x = np.random.default_rng(0).standard_normal((1000, 6)) @ np.diag([3, 2, 2, 1, 1, 0.0])
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((6, 6)))[0]
    ds = xr.Dataset({"rows": (("sample", "feature"), np.tanh(x) @ turn)})
    found = recipe._clone(principal_components(ds))
    truth = daskid.twonn(daskid.knn(gaussian_clone(ds), k=2))
    error = np.hypot(float(found.id_clone_error), float(truth.id_twonn_error))
    assert abs(float(found.id_clone) - float(truth.id_twonn)) < 3 * error
    assert abs(float(found.id_clone) - 5) < 4 * error  # of six features one is flat


def test_profile__networks_side_by_side():
    x = np.random.default_rng(0).standard_normal((150, 3))
    layers = {
        f"{run}/{name}": xr.DataArray(x[:, :d] + i, dims=("sample", "feature"))
        for i, run in enumerate(("epoch_1", "epoch_2"))
        for name, d in (("a", 3), ("b", 2))
    }
    table = layer_profile(open_layers(layers), neighbors=20, k=5, imbalance=False).to_dataset()
    assert table.layer.values.tolist() == ["epoch_1/a", "epoch_1/b", "epoch_2/a", "epoch_2/b"]
    np.testing.assert_array_equal(np.isnan(table.profile_next), [False, True] * 2)
    assert table.profile_overlap.values[0, 2] == pytest.approx(1)  # the same but for a shift
    assert table.profile_next.values[0] == table.profile_overlap.values[0, 1] < 1
    assert "layer_splits" not in table


def test_profile__a_tree_without_depths_has_its_layers_evenly_spaced():
    x = np.random.default_rng(0).standard_normal((120, 3))
    ds = xr.Dataset({"rows": (("sample", "feature"), x)})
    tree = xr.DataTree.from_dict({"/a": ds, "/b": ds, "/c": ds})
    table = layer_profile(tree, neighbors=20, k=5, imbalance=False).to_dataset()
    assert table.profile_depth.values.tolist() == [0, 0.5, 1]


def test_profile__a_layer_of_dead_units_has_no_answer(caplog):
    rng = np.random.default_rng(0)
    layers = {
        "a": rng.standard_normal((120, 3)), "dead": np.zeros((120, 4)),
        "one": rng.standard_normal((120, 1)),
    }  # fmt: skip
    tree = open_layers({n: xr.DataArray(x, dims=("sample", "feature")) for n, x in layers.items()})
    with caplog.at_level(logging.WARNING, logger="daskid"):
        table = layer_profile(tree, neighbors=20, k=5).to_dataset()
    assert "for the layer dead" in caplog.text
    assert table.profile_peaks.values[1] == -1
    for name in ("profile_id", "profile_clone", "profile_next", "profile_to_next"):
        assert np.isnan(table[name].values[1]), name
        assert np.isfinite(table[name].values[0]) or name.endswith("next"), name
    assert table.profile_components.values.tolist()[1:] == [0, 1]
    assert table.profile_id.values[2] == pytest.approx(1, abs=0.4)
    assert any("largest dimension" in s for s in daskid.summary(table))


def test_profile__refuses():
    x = xr.DataArray(da.zeros((20, 2)), dims=("sample", "feature"))
    tree = xr.DataTree.from_dict({
        "/a": daskid.open_rows(x), "/b": daskid.open_rows(x).isel(sample=slice(19))
    })  # fmt: skip
    with pytest.raises(ValueError, match="expected 20 samples in 'b'"):
        layer_profile(tree)
    with pytest.raises(daskid.SchemaError, match="open_layers"):
        layer_profile(daskid.open_rows(x))
