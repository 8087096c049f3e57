"""The command layers: a folder of runs, whose table the other commands show, draw and report."""

import numpy as np
import pytest
import xarray as xr
import zarr
from click.testing import CliRunner

import daskid
from daskid.cli import cli
from daskid.io.layers import TABLE, open_table, save_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("layers")
    rng = np.random.default_rng(0)
    label = np.arange(200) % 2
    root = zarr.open_group(place / "a.zarr", mode="w", zarr_format=3)
    beside = root.create_array("kind", shape=(200,), dtype="i8", dimension_names=("sample",))
    beside[...] = label
    for name, apart in (("first", 0), ("last", 9)):
        x = rng.standard_normal((200, 3)) + apart * label[:, np.newaxis]
        root.create_group(name).create_array("rows", data=x)
    words = ["--labels", "kind", "--neighbors", "20", "--k", "5", "--out", str(place / "out")]
    done = CliRunner().invoke(cli, ["layers", str(place / "a.zarr"), *words])
    assert done.exit_code == 0, done.exception
    assert "last" in done.output
    return place


def run(*words):
    done = CliRunner().invoke(cli, [str(word) for word in words])
    assert done.exit_code == 0, done.exception
    return done.output


def test_table__beside_the_runs_as_the_profile_returned_it(folder):
    tree = daskid.layer_profile(
        daskid.open_layers(folder / "out"), labels="kind", neighbors=20, k=5, store=folder / "out"
    )
    table, stored = tree.to_dataset(), open_table(folder / "out")
    assert set(stored.variables) == set(table.variables)
    for name, x in table.variables.items():
        np.testing.assert_array_equal(stored[name], x)
        assert stored[name].attrs == x.attrs, name
    with xr.open_dataset(folder / "out" / TABLE, engine="scipy") as plain:
        assert plain.profile_id.attrs["step"] == "layer_profile"


def test_folder__is_shown_drawn_and_reported(folder):
    assert "Neighbors share their label" in run("show", folder / "out")
    run("report", folder / "out", "--out", folder / "page.html")
    assert "Information imbalance from the layer" in (folder / "page.html").read_text()
    for name in ("hunchback", "imbalance_matrix", "genealogy"):
        run("plot", folder / "out", name, "--out", folder / f"{name}.pdf")
        assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")


def test_table__names_and_numbers_of_any_size(tmp_path):
    names = np.array(["", "ümlaut", "a" * 300], np.dtypes.StringDType())
    table = xr.Dataset(
        {"layer_peaks": ("layer", np.array([1, -1, 2**30]))},
        {"layer": names, "class": [2**60, 1]},
    )
    save_table(table, tmp_path)
    stored = open_table(tmp_path)
    assert stored["layer"].values.tolist() == names.tolist()
    assert stored["class"].values.tolist() == [str(2**60), "1"]
    assert stored.layer_peaks.values.tolist() == [1, -1, 2**30]


@pytest.mark.parametrize("kind", ["u1", "u2", "i8", "?", "U3", "M8[ns]", "m8[s]", "T"])
def test_table__labels_of_any_dtype(tmp_path, kind):
    labels = np.array([1, 200], "i8").astype(np.dtypes.StringDType() if kind == "T" else kind)
    curve = (("layer", "rank"), np.zeros((2, 0)))
    table = xr.Dataset({"match": ("class", [0.5, 1.0]), "curve": curve}, {"class": labels})
    save_table(table, tmp_path)  # and no layer has a curve
    stored = open_table(tmp_path)
    assert stored.sizes["class"] == 2
    assert [str(x) for x in stored["class"].values] == [str(x) for x in labels]


def test_page__of_a_folder_keeps_its_whole_name(folder):
    (folder / "out").rename(folder / "rate_0.1")
    assert "rate_0.1.html" in run("report", folder / "rate_0.1")
    (folder / "rate_0.1").rename(folder / "out")


def test_unfinished__says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="run daskid layers again"):
        open_table(tmp_path)
