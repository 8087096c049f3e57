"""open_rows: clear words for what is no source, no number, no period, or not one array."""

import pickle
import zipfile

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from made_sources import LAT, LON, N, as_subgroup, field

from daskid import open_rows, open_run, save
from daskid.storage import rows as storage

TORSIONS = xr.DataArray(
    np.zeros((3, 2)), dims=("sample", "feature"),
    coords={
        "feature": ["phi", "psi"], "turn": ("feature", [360.0, 180.0]), "row": ("sample", [0] * 3),
    },
)  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [(6.5, [6.5, 6.5]), ([1, 0], [1, 0]), (np.array([1.0, 2.0]), [1, 2]), ("turn", [360, 180]),
     ({"psi": 3}, [None, 3]), ({}, [None, None])],
)  # fmt: skip
@pytest.mark.parametrize(("keyword", "default"), [("period", 0.0), ("weights", 1.0)])
def test_open_rows__period_and_weights(keyword, default, given, expected):
    ds = open_rows(TORSIONS, **{keyword: given})
    found = ds[keyword.removesuffix("s")]
    assert found.dims == ("feature",)
    assert found.values.tolist() == [default if x is None else x for x in expected]


def test_open_rows__takes_period_and_weight_coordinates():
    x = TORSIONS.assign_coords(period=("feature", [5, 6]), weight=("feature", [0.5, 2.0]))
    ds = open_rows(x)
    assert ds.period.values.tolist() == [5.0, 6.0]
    assert ds.weight.values.tolist() == [0.5, 2.0]
    words = open_rows(TORSIONS.assign_coords(period=("feature", ["1990-1999", "2000-2009"])))
    assert "period" not in words.coords
    assert words.source_period.values.tolist() == ["1990-1999", "2000-2009"]


def test_open_rows__labels_of_any_feature_dimension_name_features():
    x = xr.DataArray(np.zeros((3, 2)), dims=("time", "channel"), coords={"channel": ["a", "b"]})
    assert open_rows(x, period={"b": 2}).period.values.tolist() == [0.0, 2.0]


@pytest.mark.parametrize("keyword", ["period", "weights"])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        (0, "expected a number above 0, got 0: leave it out for none"),
        (-1.0, "expected a number above 0, got -1.0"),
        (np.nan, "expected a number above 0, got nan"),
        (np.inf, "expected finite numbers, 0 or more, got inf for feature 0"),
        ([1.0, -2.0], "expected finite numbers, 0 or more, got -2 for feature 1"),
        ([1.0, np.nan], "expected finite numbers, 0 or more, got nan for feature 1"),
        ([1.0], r"expected 2 numbers, one a feature, got shape \(1,\)"),
        ([[1.0, 2.0]], r"expected 2 numbers, one a feature, got shape \(1, 2\)"),
        (["a", "b"], "expected numbers, got"),
        ("nope", r"expected the name of a coordinate along the features, one of \['name', 'turn'"),
        ("row", "expected the name of a coordinate along the features"),
        ("name", "expected numbers, got"),
        ({"chi": 1.0}, r"expected names of features, of \['phi', 'psi'\], got \['chi'\]: give one"),
        ({"phi": -1.0}, "expected finite numbers, 0 or more, got -1 for feature 0"),
        ({"phi": "x"}, "expected numbers, got"),
    ],
)  # fmt: skip
def test_open_rows__refuses_periods_and_weights(keyword, given, words):
    with pytest.raises(ValueError, match=f"^{keyword}: {words}"):
        open_rows(TORSIONS, **{keyword: given})


def test_open_rows__refuses_weights_that_are_all_zero():
    with pytest.raises(ValueError, match="weights: expected a number above 0 for some feature"):
        open_rows(TORSIONS, weights=[0, 0])


@pytest.mark.parametrize(
    ("dims", "words"),
    [(("x", "y"), r"got the dimensions \['x', 'y'\]: choose one, e\.g\. sample='x'"),
     (("sample", "time"), r"got the dimensions \['sample', 'time'\]: choose one")],
)  # fmt: skip
def test_open_rows__asks_for_the_sample_dimension(dims, words):
    with pytest.raises(ValueError, match=f"sample: expected one dimension named .*{words}"):
        open_rows(xr.DataArray(np.zeros((3, 2)), dims=dims))
    with pytest.raises(ValueError, match=r"sample: expected one of the dimensions .* got 'no'"):
        open_rows(xr.DataArray(np.zeros((3, 2)), dims=dims), sample="no")


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_open_rows__refuses_nothing(tmp_path, shape):
    np.save(tmp_path / "x.npy", np.zeros(shape))
    zarr.create_array(tmp_path / "x.zarr", shape=shape, dtype="f8")
    memory = xr.DataArray(np.zeros(shape), dims=("sample", "feature"))
    for source in (tmp_path / "x.npy", tmp_path / "x.zarr", memory, memory.chunk()):
        with pytest.raises(
            ValueError, match=r"source: expected 1 sample and 1 feature or more, got"
        ):
            open_rows(source)


@pytest.mark.parametrize("dtype", ["c16", "O", "M8[ns]", "U3"])
def test_open_rows__refuses_what_are_no_numbers(tmp_path, dtype):
    x = np.zeros((3, 2), dtype)
    with pytest.raises(
        TypeError, match=r"rows: expected real numbers .*, got .*: convert them first"
    ):
        open_rows(xr.DataArray(x, dims=("sample", "feature")))
    np.save(tmp_path / "x.npy", x, allow_pickle=True)
    with pytest.raises(TypeError, match="rows: expected real numbers"):
        open_rows(tmp_path / "x.npy")


def test_open_rows__nonfinite_values():
    x = np.zeros((9, 2))
    x[2:8, 0] = np.nan
    with pytest.raises(ValueError, match=r"in 6 of 9 rows \(first: 2, 3, 4, 5, 6, \.\.\.\): mend"):
        open_rows(xr.DataArray(x, dims=("sample", "feature")))
    with pytest.raises(ValueError, match="NaN or infinity in every feature of every row: mend"):
        open_rows(xr.DataArray(x * np.nan, dims=("sample", "feature")), drop_nonfinite=True)
    x[[0, 1, 8], 1] = np.inf
    with pytest.raises(ValueError, match="NaN or infinity in every row: leave out the features"):
        open_rows(xr.DataArray(x, dims=("sample", "feature")), drop_nonfinite=True)


def test_open_rows__unknown_sizes():
    x = da.zeros((9, 2), chunks=3)
    x = x[x[:, 0] >= 0]
    with pytest.raises(ValueError, match="source: expected known sizes"):
        open_rows(xr.DataArray(x, dims=("sample", "feature")))


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("unpickled a file",)


def test_open_rows__never_unpickles(tmp_path):
    bombs = np.array([[Bomb(), Bomb()]], dtype=object)
    np.save(tmp_path / "x.npy", bombs, allow_pickle=True)
    np.savez(tmp_path / "x.npz", x=bombs)
    for name in ("x.npy", "x.npz"):
        with pytest.raises(TypeError, match=r"rows: expected real numbers .* got object"):
            open_rows(tmp_path / name)
    for name in ("y.npy", "y.npz", "y.zarr"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(ValueError, match="source: expected "):
            open_rows(tmp_path / name)
    np.savez(tmp_path / "z.npz", x=bombs, y=np.zeros((3, 2)))
    assert open_rows(tmp_path / "z.npz", variable="y").rows.shape == (3, 2)


def test_open_rows__names_damaged_files(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((100, 3)))
    whole = (tmp_path / "x.npy").read_bytes()
    for left in (0, 5, 60, 1000):
        (tmp_path / "x.npy").write_bytes(whole[:left])
        with pytest.raises(ValueError, match=r"source: expected an array in numpy's format, got"):
            open_rows(tmp_path / "x.npy")
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match=r"numpy's format, got .*x\.npz"):
        open_rows(tmp_path / "x.npz")
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", whole[:200])
    with pytest.raises(ValueError, match="numpy's format"):
        open_rows(tmp_path / "x.npz")


def test_open_rows__names_what_is_no_source(tmp_path):
    (tmp_path / "text.txt").write_text("1 2 3")
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.zarr").mkdir()
    (tmp_path / "empty.zarr" / "zarr.json").write_text("{}")
    for name in ("text.txt", "folder"):
        with pytest.raises(ValueError, match=f"source: expected a Zarr .*{name}', which is none"):
            open_rows(tmp_path / name)
    with pytest.raises(ValueError, match=r"empty\.zarr"):
        open_rows(tmp_path / "empty.zarr")
    with pytest.raises(FileNotFoundError, match=r"source: expected the path .* nothing there"):
        open_rows(tmp_path / "nothing.zarr")
    for source in (np.zeros((3, 2)), [1.0], None):
        with pytest.raises(TypeError, match=r"source: expected a path, .* wrap arrays as"):
            open_rows(source)


def test_open_rows__asks_which_variable(tmp_path):
    two = xr.Dataset({n: (("sample", "feature"), np.ones((3, 2)) * i) for i, n in enumerate("ab")})
    two.to_zarr(tmp_path / "g.zarr", consolidated=False)
    np.savez(tmp_path / "x.npz", a=np.zeros((3, 2)), b=np.ones((3, 2)))
    for source in (two, tmp_path / "g.zarr", tmp_path / "x.npz"):
        with pytest.raises(
            ValueError, match=r"variable: expected one, .* has \['a', 'b'\]: choose"
        ):
            open_rows(source)
        with pytest.raises(
            ValueError, match=r"variable: expected one of \['a', 'b'\] in .* got 'c'"
        ):
            open_rows(source, variable="c")
        assert open_rows(source, variable="b").rows.values.tolist() == [[1, 1]] * 3
    with pytest.raises(FileNotFoundError, match="nothing there"):
        open_rows(tmp_path / "g.zarr" / "c")
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    for source in (tmp_path / "g.zarr" / "a", tmp_path / "x.npy", two.a):
        with pytest.raises(ValueError, match=r"variable: expected none for a .*, got 'b'"):
            open_rows(source, variable="b")


def test_open_rows__groups_without_arrays(tmp_path):
    zarr.open_group(tmp_path / "g.zarr", mode="w")
    with pytest.raises(ValueError, match=r"variable: expected an array .* got none: give another"):
        open_rows(tmp_path / "g.zarr")
    as_subgroup(tmp_path, field(), 3)
    with pytest.raises(
        ValueError, match=r"got none, but the groups \['a', 'b'\]: give the path of"
    ):
        open_rows(tmp_path / "tree.zarr")
    with pytest.raises(
        ValueError, match="expected an array with a sample dimension in the dataset"
    ):
        open_rows(xr.Dataset())


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_open_rows__arrays_of_a_group_that_do_not_go_together(tmp_path, zarr_format):
    group = zarr.open_group(tmp_path / "g.zarr", mode="w", zarr_format=zarr_format)
    for name, n in (("test", 3), ("train", 5), ("plain", 7)):
        named = name != "plain"
        array = group.create_array(
            name, data=np.full((n, 2), n, "f4"),
            dimension_names=("sample", "feature") if named and zarr_format == 3 else None,
        )  # fmt: skip
        if named and zarr_format == 2:
            array.attrs["_ARRAY_DIMENSIONS"] = ["sample", "feature"]
    with pytest.raises(
        ValueError, match=r"variable: expected a choice, .*'plain', 'test', 'train'"
    ):
        open_rows(tmp_path / "g.zarr")
    for name, n in (("test", 3), ("train", 5), ("plain", 7)):
        for path, variable in ((tmp_path / "g.zarr", name), (tmp_path / "g.zarr" / name, None)):
            ds = open_rows(path, variable=variable)
            assert ds.rows.values.tolist() == [[n, n]] * n
            assert storage.recall(ds.rows.data.name).array in ("", name)


def test_open_rows__refuses_a_run(tmp_path):
    save(open_rows(field()), tmp_path / "run.zarr")
    with pytest.raises(ValueError, match=r"got the run .*: open it with daskid\.open_run"):
        open_rows(tmp_path / "run.zarr")
    assert open_rows(tmp_path / "run.zarr" / "rows").rows.shape == (N, LAT * LON)
    assert open_run(tmp_path / "run.zarr").rows.shape == (N, LAT * LON)
