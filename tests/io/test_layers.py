"""open_layers: what layers are, in which order, and that they are the same samples."""

import numpy as np
import pytest
import xarray as xr
import zarr

import daskid
from daskid.io.layers import LAYERS, TABLE, drop_table, layers_of, open_layers, run_of

N = 12


def rows(d, n=N, **coords):
    x = np.arange(n * d, dtype="f4").reshape(n, d)
    return xr.DataArray(x, dims=("sample", "feature"), coords=coords, name="rows")


def group(path, **layers):
    """Write a Zarr group with a group for each layer, and ids beside them."""
    root = zarr.open_group(path, mode="w", zarr_format=3)
    for name, array in layers.items():
        node = root.create_group(name)
        made = node.create_array(
            "rows", shape=array.shape, dtype="f4", dimension_names=("sample", "feature")
        )
        made[...] = array.values
    return root


def test_zarr_group__layers_in_natural_order_with_what_lies_beside(tmp_path):
    root = group(tmp_path / "a.zarr", layer_10=rows(2), layer_2=rows(3), layer_1=rows(4))
    beside = root.create_array("label", shape=(N,), dtype="i8", dimension_names=("sample",))
    beside[...] = np.arange(N) % 3
    layers = layers_of(open_layers(tmp_path / "a.zarr"))
    assert list(layers) == ["layer_1", "layer_2", "layer_10"]
    assert [ds.attrs["depth"] for ds in layers.values()] == [0, 0.5, 1]
    assert [ds.rows.shape for ds in layers.values()] == [(N, 4), (N, 3), (N, 2)]
    for ds in layers.values():
        np.testing.assert_array_equal(ds.label, np.arange(N) % 3)
        assert "label" in ds.coords


def test_checkpoints__are_networks_of_their_own(tmp_path):
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    for name in ("epoch_10", "epoch_9"):
        node = root.create_group(name)
        for depth, layer in ((1.0, "a"), (0.25, "b")):
            own = node.create_group(layer, attributes={"depth": depth})
            array = own.create_array("rows", shape=(N, 2), dtype="f4")
            array[...] = rows(2).values
    layers = layers_of(open_layers(tmp_path / "a.zarr"))
    assert list(layers) == ["epoch_9/a", "epoch_9/b", "epoch_10/a", "epoch_10/b"]
    assert [ds.attrs["depth"] for ds in layers.values()] == [1.0, 0.25, 1.0, 0.25]


def test_tree__any_array_is_a_layer_and_its_order_is_kept():
    tree = xr.DataTree.from_dict({
        "/": xr.Dataset({"label": ("sample", np.arange(N))}),
        "/z": xr.Dataset({"activation": rows(3)}, attrs={"depth": 0.1}),
        "/a": xr.Dataset({"rows": rows(2)}, attrs={"depth": 0.9}),
    })  # fmt: skip
    layers = layers_of(open_layers(tree))
    assert list(layers) == ["z", "a"]
    assert [ds.attrs["depth"] for ds in layers.values()] == [0.1, 0.9]
    assert all("label" in ds.coords for ds in layers.values())


def test_mapping__takes_what_open_rows_takes(tmp_path):
    np.save(tmp_path / "x.npy", rows(5).values)
    run = daskid.save(daskid.open_rows(rows(2)), tmp_path / "run.zarr")
    layers = layers_of(open_layers({"a": str(tmp_path / "x.npy"), "b": tmp_path / "run.zarr"}))
    assert [ds.rows.shape for ds in layers.values()] == [(N, 5), (N, 2)]
    assert layers["b"].encoding["source"] == run.encoding["source"]


def test_folder_of_runs__is_opened_as_layers(tmp_path):
    store = tmp_path / "runs"
    for name, depth in (("late/b", 1.0), ("early/a", 0.0)):
        ds = daskid.open_rows(rows(2)).assign_attrs(depth=depth)
        daskid.save(ds, run_of(store, name))
    assert sorted(p.name for p in store.iterdir()) == ["early", "late", LAYERS]
    layers = layers_of(open_layers(store))
    assert {name: ds.attrs["depth"] for name, ds in layers.items()} == {"late/b": 1, "early/a": 0}
    assert list(layers) == ["late/b", "early/a"]


def test_run_of__refuses_a_folder_with_something_else(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="which holds something else"):
        run_of(tmp_path, "a")
    with pytest.raises(FileNotFoundError, match="create it"):
        run_of(tmp_path / "no" / "such", "a")


def test_open__refuses_other_numbers_of_samples():
    with pytest.raises(ValueError, match="expected 12 samples in 'b', as in 'a', got 11"):
        open_layers({"a": rows(2), "b": rows(2, 11)})


def test_open__refuses_another_order_by_sample_id():
    ids, swapped = np.array(list("abcdefghijkl")), np.array(list("abdcefghijkl"))
    layers = {"a": rows(2, sample_id=("sample", ids)), "b": rows(2, sample_id=("sample", swapped))}
    with pytest.raises(ValueError, match=r"the sample_id c at sample 2 of 'b'.*got d"):
        open_layers(layers)
    layers["b"] = rows(3, sample_id=("sample", ids))
    assert len(layers_of(open_layers(layers))) == 2


def test_open__refuses_layers_that_left_out_other_samples():
    x = rows(2)
    x[3] = np.nan
    left = daskid.open_rows(x, drop_nonfinite=True)
    with pytest.raises(ValueError, match=r"the row 4 at sample 3 of 'b'.*got 3"):
        open_layers({"a": left, "b": rows(2, N - 1)})


def test_open__refuses_labels_of_wrong_length(tmp_path):
    root = group(tmp_path / "a.zarr", a=rows(2))
    root.create_array("label", shape=(N - 1,), dtype="i8", dimension_names=("sample",))
    with pytest.raises(ValueError, match=r"label: expected 12 values.*got 11"):
        open_layers(tmp_path / "a.zarr")


@pytest.mark.parametrize(
    ("source", "error", "match"),
    [
        ("nothing.zarr", FileNotFoundError, "nothing there"),
        ("file.zarr", ValueError, "which is none"),
        ("empty.zarr", ValueError, "expected layers"),
    ],
)
def test_open__refuses_what_has_no_layers(tmp_path, source, error, match):
    (tmp_path / "file.zarr").write_text("x")
    zarr.open_group(tmp_path / "empty.zarr", mode="w")
    with pytest.raises(error, match=match):
        open_layers(tmp_path / source)


def test_open__asks_which_array_of_a_node():
    tree = xr.DataTree.from_dict({"/a": xr.Dataset({"x": rows(2), "y": rows(2)})})
    with pytest.raises(ValueError, match="expected a choice at '/a'"):
        open_layers(tree)
    assert layers_of(open_layers(tree, variable="y"))["a"].rows.shape == (N, 2)


def test_layers_of__refuses_what_is_no_tree():
    with pytest.raises(daskid.SchemaError, match="open_layers"):
        layers_of(xr.Dataset())


def test_table__is_taken_out_of_folders_of_layers_only(tmp_path):
    for name, mine in (("own", True), ("other", False)):
        (tmp_path / name).mkdir()
        (tmp_path / name / TABLE).write_bytes(b"table")
        if mine:
            (tmp_path / name / LAYERS).write_text("[]")
        drop_table(tmp_path / name)
        assert (tmp_path / name / TABLE).exists() != mine
    drop_table(tmp_path / "nothing")
