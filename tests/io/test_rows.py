"""open_rows: one table from any source, the same bits from each."""

import json
import tracemalloc
import warnings

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st
from made_sources import (
    AT_REST,
    DIMS,
    IN_MEMORY,
    LAT,
    LON,
    N,
    as_group,
    as_npy,
    field,
    values,
)

from daskid import open_rows, save
from daskid.storage import rows as storage


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i2", "u1", "i8", "?"])
@pytest.mark.parametrize("kind", [*AT_REST, *IN_MEMORY])
def test_open_rows__same_bits_from_every_source(tmp_path, kind, dtype):
    array = field(values(np.dtype(dtype).newbyteorder("=") if dtype != "?" else bool) * 1)
    array = array.astype(dtype)
    if dtype in ("u1", "i2", "i8"):
        array = array + 1  # a fill value of 0 in Zarr v2 is missing for xarray, and so for us
    array = array.astype(dtype).rename("t2m")
    expected = array.values.reshape(N, -1).astype(storage.native(array.dtype))
    ds = open_rows({**AT_REST, **IN_MEMORY}[kind](tmp_path, array))
    assert ds.rows.dims == ("sample", "feature")
    assert ds.rows.dtype == expected.dtype
    assert ds.rows.values.tobytes() == expected.tobytes()
    assert (storage.recall(ds.rows.data.name) is not None) == (kind in AT_REST)
    assert ds.row.values.tolist() == list(range(N))
    assert ds.column.values.tolist() == list(range(LAT * LON))
    assert (ds.rows_dropped, ds.features_dropped) == (0, 0)


@pytest.mark.parametrize("kind", ["group 3", "group 2", "subgroup 3", "array in a group 3", "dask"])
def test_open_rows__coordinates_go_along(tmp_path, kind):
    labels = np.array(["a", "b", "c"], np.dtypes.StringDType())
    array = field(site=(("lat",), labels))
    ds = open_rows({**AT_REST, **IN_MEMORY}[kind](tmp_path, array))
    np.testing.assert_array_equal(ds.time, array.time)
    np.testing.assert_array_equal(ds.trajectory, array.trajectory)
    np.testing.assert_array_equal(ds.lat, [10, 10, 20, 20, 30, 30])
    assert list(ds.site.values) == ["a", "a", "b", "b", "c", "c"]
    assert set(ds.coords) == {"row", "column", "time", "trajectory", "lat", "site"}
    assert not ds.indexes


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("dtype", ["U", "O", "S", "T"])
def test_open_rows__text_of_any_kind(tmp_path, dtype, zarr_format):
    letters = np.array(["a", "b" if dtype == "S" else "b\u00e9", "c"]).astype(dtype)
    runs = np.array(["x"] * 7 + ["y"] * 5).astype(dtype)
    array = field(site=("lat", letters), trajectory=("time", runs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zarr, for the one who writes fixed-length text
        path = as_group(tmp_path, array, zarr_format)
    for source in (path, array):
        ds = open_rows(source)
        assert [str(x) for x in ds.trajectory.values] == ["x"] * 7 + ["y"] * 5
        assert [str(x) for x in ds.site.values[::2]] == ["a", "b\u00e9"[: 1 + (dtype != "S")], "c"]
        again = save(ds, tmp_path / f"run{source is path}.zarr")
        assert again.trajectory.values.tolist() == ["x"] * 7 + ["y"] * 5
        assert again.site.values.tolist() == ds.site.values.tolist()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("kind", ["group 3", "named array 2", "DataArray", "dask"])
def test_open_rows__sample_axis_anywhere(tmp_path, kind, axis):
    sample = DIMS[axis]
    array = field()
    ds = open_rows({**AT_REST, **IN_MEMORY}[kind](tmp_path, array), sample=sample)
    expected = np.moveaxis(array.values, axis, 0).reshape(array.sizes[sample], -1)
    np.testing.assert_array_equal(ds.rows, expected)
    assert ("time" in ds.coords) == (kind != "named array 2" and axis == 0)
    if axis and kind != "named array 2":
        assert ds.source_time.dims == ("feature",)


def with_holes():
    x = values()
    x[:, 1, :] = np.nan  # a land mask
    x[3, 0, 1], x[7, 2, 0], x[8] = np.nan, np.inf, np.nan
    return x


@pytest.mark.parametrize(
    "kind", ["group 3", "group 2", "named array 3", "npy", "DataArray", "dask"]
)
def test_open_rows__leaves_out_the_mask_and_bad_rows(tmp_path, kind):
    array = field(with_holes())
    source = {**AT_REST, **IN_MEMORY}[kind](tmp_path, array)
    with pytest.raises(ValueError, match=r"in 3 of 12 rows \(first: 3, 7, 8\).*drop_nonfinite"):
        open_rows(source)
    ds = open_rows(source, drop_nonfinite=True)
    rows, columns = np.delete(np.arange(N), [3, 7, 8]), [0, 1, 4, 5]
    assert ds.row.values.tolist() == rows.tolist()
    assert ds.column.values.tolist() == columns
    assert (ds.rows_dropped, ds.features_dropped) == (3, 2)
    np.testing.assert_array_equal(ds.rows, array.values.reshape(N, -1)[rows][:, columns])
    if "time" in ds.coords:
        np.testing.assert_array_equal(ds.time, array.time[rows])
        np.testing.assert_array_equal(ds.lat, [10, 10, 30, 30])


def test_open_rows__a_mask_alone_needs_no_consent():
    x = values()
    x[:, 0, 0] = -np.inf
    ds = open_rows(field(x))
    assert (ds.rows_dropped, ds.features_dropped) == (0, 1)
    assert ds.source_shape == "12 time x 3 lat x 2 lon"


@given(data=st.data())
def test_open_rows__drops_the_same_as_numpy(data):
    shape = n, d = data.draw(st.tuples(st.integers(1, 8), st.integers(1, 5)))
    cells = st.sampled_from([0.0, 1.0, np.nan, np.inf])
    x = np.array(data.draw(st.lists(cells, min_size=n * d, max_size=n * d)))
    x = x.reshape(shape)
    finite = np.isfinite(x)
    columns = finite.any(axis=0)
    rows = finite[:, columns].all(axis=1)
    chunks = data.draw(st.none() | st.tuples(*(st.integers(1, s) for s in shape)))
    source = xr.DataArray(x if chunks is None else da.from_array(x, chunks), dims=("sample", "f"))
    if not columns.any() or not rows.any():
        with pytest.raises(ValueError, match=r"rows: expected finite values, .* in every"):
            open_rows(source, drop_nonfinite=True)
        return
    ds = open_rows(source, drop_nonfinite=True)
    np.testing.assert_array_equal(ds.rows, x[rows][:, columns])
    np.testing.assert_array_equal(ds.row, np.flatnonzero(rows))
    np.testing.assert_array_equal(ds.column, np.flatnonzero(columns))
    assert ds.rows_dropped == (~rows).sum()


PACKINGS = {
    "scale and offset": {"scale_factor": 0.01, "add_offset": 270.0, "_FillValue": -9999},
    "scale": {"scale_factor": 0.01, "_FillValue": -1},
    "fill": {"_FillValue": 0},
    "offset": {"add_offset": 0.1, "missing_value": np.int16(-9999)},
}


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_open_rows__decodes_as_xarray_does(tmp_path, zarr_format, packing, whole):
    array = field(np.round(values() * 100) / 100 + 280)
    array.values[2, 1, 1] = np.nan
    path = as_group(tmp_path, array, zarr_format, dtype="int16", **PACKINGS[packing])
    expected = xr.open_zarr(path, consolidated=False).t2m.values.reshape(N, -1)
    assert np.isnan(expected[2]).sum() == 1
    ds = open_rows(path if whole else path / "t2m", drop_nonfinite=True)
    assert ds.rows.dtype == expected.dtype
    assert ds.rows.values.tobytes() == np.delete(expected, 2, axis=0).tobytes()
    assert storage.recall(ds.rows.data.name).read(2, 3).tobytes() == expected[3].tobytes()


def test_open_rows__what_the_reader_can_not_decode_goes_through_xarray(tmp_path):
    packed = np.array([[1, 200], [255, 7]], "u1").view("i1")
    attrs = {"_Unsigned": "true", "scale_factor": 0.5, "_ARRAY_DIMENSIONS": ["sample", "feature"]}
    group = zarr.open_group(tmp_path / "g.zarr", mode="w", zarr_format=2)
    group.create_array("x", data=packed).attrs.update(attrs)
    ds = open_rows(tmp_path / "g.zarr", drop_nonfinite=True)
    assert ds.rows.values.tolist() == [[0.5, 100.0], [127.5, 3.5]]
    assert storage.recall(ds.rows.data.name) is None
    save(ds, tmp_path / "run.zarr")
    save(open_rows(tmp_path / "g.zarr", drop_nonfinite=True), tmp_path / "run.zarr")


@pytest.mark.parametrize(
    ("data", "fill"),
    [
        (np.float32([0.1, 0.5]), 0.1),
        (np.int16([7, 8]), 1e20),
        (np.int16([7, 8]), 7.5),
    ],
)
def test_open_rows__odd_fill_values_are_those_of_xarray(tmp_path, data, fill):
    group = zarr.open_group(tmp_path / "g.zarr", mode="w", zarr_format=2)
    array = group.create_array("x", data=data[:, None], fill_value=None)
    array.attrs.update({"missing_value": fill, "_ARRAY_DIMENSIONS": ["sample", "feature"]})
    expected = xr.open_zarr(tmp_path / "g.zarr", consolidated=False).x.values
    ds = open_rows(tmp_path / "g.zarr", drop_nonfinite=True)
    np.testing.assert_array_equal(ds.rows, expected[np.isfinite(expected)[:, 0]])


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_open_rows__says_that_a_fill_value_counts_as_missing(tmp_path, zarr_format):
    array = field(np.abs(values()))
    array.values[5, 0, 0] = 0.0
    path = as_group(tmp_path, array, zarr_format, _FillValue=0.0)
    with pytest.raises(ValueError, match=r"fill value 0\.0 counts as NaN\) in 1 of 12 rows"):
        open_rows(path)


def test_open_rows__a_file_that_xarray_opened_stays_on_disk(tmp_path):
    field().to_dataset().drop_vars("trajectory").to_netcdf(tmp_path / "x.nc", engine="scipy")
    expected = field().values.reshape(N, -1)
    for chunks in (None, {"time": 5}):
        with xr.open_dataset(tmp_path / "x.nc", engine="scipy", chunks=chunks) as ds:
            found = [open_rows(ds), open_rows(ds.t2m)]
            assert not isinstance(ds.t2m.variable._data, np.ndarray)
            for each in found:
                np.testing.assert_array_equal(each.rows, expected)
            assert found[0].source == str(tmp_path / "x.nc")
            assert found[0].rows.data.name == found[1].rows.data.name


def test_open_rows__a_lone_array_is_decoded_by_its_attributes(tmp_path):
    z = zarr.create_array(tmp_path / "a.zarr", data=np.array([[1, 2], [3, -1]], "i2"))
    z.attrs.update({"scale_factor": 0.5, "_FillValue": -1})
    ds = open_rows(tmp_path / "a.zarr", drop_nonfinite=True)
    assert ds.rows.values.tolist() == [[0.5, 1.0]]


def test_open_rows__units_of_days_stay_numbers(tmp_path):
    array = field().assign_attrs(units="days")
    for source in (array, as_group(tmp_path, array, 3)):
        ds = open_rows(source)
        assert ds.rows.dtype == np.float32
        assert ds.rows.units == "days"


def test_open_rows__one_dimension_is_one_feature(tmp_path):
    for source in (xr.DataArray(np.arange(5.0), dims="frame"), "x.npy", "x.zarr"):
        if isinstance(source, str):
            source = tmp_path / source
            if source.suffix == ".npy":
                np.save(source, np.arange(5.0))
            else:
                zarr.create_array(source, data=np.arange(5.0))
        assert open_rows(source).rows.values.tolist() == [[0], [1], [2], [3], [4]]


def test_open_rows__picks_time_and_trajectory():
    x = xr.DataArray(
        np.zeros((4, 2)), dims=("sample", "feature"),
        coords={
            "sample": [7, 8, 9, 10],
            "ps": ("sample", [0.0, 0.5, 1.0, 1.5], {"units": "ps"}),
            "run": ("sample", ["a", "a", "b", "b"]),
            "location": ("sample", [1, 1, 1, 1]),
            "time": ("sample", [5, 5, 5, 5]),
            "feature": ["phi", "psi"],
            "column": ("feature", [3, 4]),
        },
    )  # fmt: skip
    ds = open_rows(x, time="ps", trajectory="run")
    assert ds.time.values.tolist() == [0.0, 0.5, 1.0, 1.5]
    assert ds.time.units == "ps"
    assert ds.trajectory.values.tolist() == ["a", "a", "b", "b"]
    assert ds.name.values.tolist() == ["phi", "psi"]
    assert ds.column.values.tolist() == [0, 1]
    for name, expected in {"sample": [7, 8, 9, 10], "time": [5] * 4, "location": [1] * 4}.items():
        assert ds[f"source_{name}"].values.tolist() == expected
    assert "location" not in ds.variables
    with pytest.raises(ValueError, match=r"time: expected a coordinate along 'sample', one of \["):
        open_rows(x, time="feature")
    with pytest.raises(ValueError, match=r"trajectory: expected a coordinate .* got 'nope'"):
        open_rows(x, trajectory="nope")


def test_open_rows__levels_of_an_index_go_along():
    index = pd.MultiIndex.from_product([["a", "b"], [1, 2, 3]], names=("member", "step"))
    coords = xr.Coordinates.from_pandas_multiindex(index, "sample")
    x = xr.DataArray(np.zeros((6, 2)), dims=("sample", "feature"), coords=coords)
    ds = open_rows(x, trajectory="member")
    assert ds.trajectory.values.tolist() == list("aaabbb")
    assert ds["step"].values.tolist() == [1, 2, 3, 1, 2, 3]
    assert set(ds.coords) == {"row", "column", "trajectory", "step"}


def test_open_rows__integers_need_no_pass(no_compute):
    x = da.zeros((9, 2), dtype="i4", chunks=3)
    assert open_rows(xr.DataArray(x, dims=("sample", "feature"))).rows.dtype == np.float64


def test_open_rows__records_where_it_comes_from(tmp_path, monkeypatch):
    as_npy(tmp_path, field())
    monkeypatch.chdir(tmp_path)
    ds = open_rows("x.npy", period=np.array([1.0] * 6), drop_nonfinite=True)
    assert ds.source == str(tmp_path / "x.npy")
    assert ds.rows.attrs["step"] == "open_rows"
    assert json.loads(ds.rows.attrs["parameters"]) == {"period": [1.0] * 6, "drop_nonfinite": True}
    assert ds.source_shape == "12 sample x 3 feature x 2 feature_1"
    assert ds.daskid_version
    assert ds.created
    memory = open_rows(field().assign_attrs(truth="{}", other=1))
    assert (memory.source, memory.truth) == ("in memory", "{}")
    assert "other" not in memory.attrs
    assert memory.rows.units == "K"


def test_open_rows__reads_only(tmp_path):
    path = as_group(tmp_path, field(with_holes()), 3)
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in path.rglob("*")}
    open_rows(path, drop_nonfinite=True).compute()
    assert {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in path.rglob("*")} == before


def test_open_rows__blocks_follow_the_chunks_of_the_source(tmp_path):
    zarr.create_array(tmp_path / "x.zarr", shape=(1_000_000, 2), chunks=(300_000, 1), dtype="f4")
    assert open_rows(tmp_path / "x.zarr").rows.chunks == ((900_000, 100_000), (2,))
    zarr.create_array(tmp_path / "y.zarr", shape=(6_000_000, 1), chunks=(3_000_000, 1), dtype="f4")
    assert open_rows(tmp_path / "y.zarr").rows.chunks[0] == (3_000_000,) * 2
    wide = da.zeros((4000, 10_000), chunks=(4000, 100))
    rows = open_rows(xr.DataArray(wide, dims=("sample", "feature"))).rows
    assert rows.chunks[1] == (10_000,)
    assert max(rows.chunks[0]) * 10_000 * 8 <= 64 << 20


def test_open_rows__ten_million_lazy_rows_take_a_few_vectors():
    n = 10_000_000
    x = da.arange(2 * n, chunks=2 * 500_000, dtype="f4").reshape(n, 2)
    tracemalloc.start()
    ds = open_rows(xr.DataArray(x, dims=("sample", "feature")))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ds.rows.shape == (n, 2)
    assert peak < 5 * 8 * n
