"""Weights by latitude, with a land mask; integers that float64 would round."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from scipy.spatial.distance import cdist

from daskid import knn, open_rows
from daskid.storage import rows as storage

LAT = np.array([-90.0, -45.0, 0.0, 60.0, 90.0])


def ocean(n=60):
    """A field with land: NaN at some places at all times."""
    x = np.random.default_rng(0).standard_normal((n, LAT.size, 3)).astype("f4")
    x[:, 1, 2] = x[:, 3, :2] = np.nan
    return xr.DataArray(x, dims=("time", "lat", "lon"), coords={"lat": LAT}, name="sst")


def at_rest(tmp_path, field):
    field.to_dataset().to_zarr(
        tmp_path / "x.zarr", consolidated=False, encoding={field.name: {"chunks": (7, 2, 3)}}
    )
    return tmp_path / "x.zarr"


def test_cos_lat__neighbors_are_those_of_scipy(tmp_path):
    field = ocean()
    flat = field.values.reshape(60, -1)
    sea = np.isfinite(flat[0])
    weight = np.cos(np.radians(np.repeat(LAT, 3)))[sea]
    weight[weight < 1e-15] = 0.0
    weighted = flat[:, sea].astype("f8") * np.sqrt(weight)
    distance = cdist(weighted, weighted)
    order = np.argsort(distance, axis=1)[:, 1:6]
    for source in (at_rest(tmp_path, field), field, field.chunk({"time": 9, "lat": 2})):
        ds = open_rows(source, weights="cos_lat")
        np.testing.assert_allclose(ds.weight, weight, rtol=1e-15, atol=1e-16)
        assert ds.features_dropped == 3
        assert ds.rows.values.tobytes() == flat[:, sea].tobytes()
        found = knn(ds, k=5)
        np.testing.assert_array_equal(found.neighbor_index, order)
        np.testing.assert_allclose(
            found.neighbor_distance, np.take_along_axis(distance, order, axis=1), rtol=1e-12
        )


def test_cos_lat__is_never_below_zero():
    field = ocean().assign_coords(lat=np.float32([-90.00001, -45, 0, 60, 90.00001]))
    weight = open_rows(field, weights="cos_lat").weight
    assert weight.values.min() == 0.0
    assert weight.values[0] == weight.values[-1] == 0.0


def test_cos_lat__of_any_latitude():
    rad = ocean().assign_coords(lat=("lat", np.radians(LAT), {"units": "radians"}))
    plain = open_rows(ocean(), weights="cos_lat").weight
    for field in (
        rad,
        ocean().rename(lat="latitude"),
        ocean()
        .drop_vars("lat")
        .assign_coords(latitude=(("lat", "lon"), np.repeat(LAT, 3).reshape(5, 3))),
    ):
        np.testing.assert_allclose(open_rows(field, weights="cos_lat").weight, plain, atol=1e-16)
    own = ocean().assign_coords(cos_lat=("lat", [1.0, 2.0, 3.0, 4.0, 5.0]))
    assert open_rows(own, weights="cos_lat").weight.values.max() == 5.0


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (ocean().drop_vars("lat"), r"expected a coordinate lat or latitude along the features for"),
        (
            ocean().assign_coords(lat=LAT * 2),
            r"values of 'lat' between -90 and 90 \(degrees\), got",
        ),
        (ocean().assign_coords(lat=LAT * np.nan), r"between -90 and 90 \(degrees\), got nan"),
        (ocean().assign_coords(lat=("lat", LAT, {"units": "radian"})), r"1\.5708 \(radians\), got"),
        (ocean().assign_coords(lat=list("abcde")), "expected numbers, got"),
    ],
)
def test_cos_lat__refuses(field, words):
    with pytest.raises(ValueError, match=f"^weights: .*{words}"):
        open_rows(field, weights="cos_lat")
    with pytest.raises(ValueError, match=r"^period: expected the name of a coordinate"):
        open_rows(ocean(), period="cos_lat")


BIG = 2**53


def integers(kind, tmp_path, x):
    array = xr.DataArray(x, dims=("sample", "feature"), name="x")
    if kind == "zarr":
        zarr.create_array(tmp_path / "x.zarr", data=x, chunks=(2, 1))
        return tmp_path / "x.zarr"
    if kind == "npy":
        np.save(tmp_path / "x.npy", x)
        return tmp_path / "x.npy"
    return array if kind == "memory" else array.chunk({"sample": 2})


@pytest.mark.parametrize("kind", ["zarr", "npy", "memory", "dask"])
@pytest.mark.parametrize(
    ("dtype", "value"), [("i8", BIG + 1), ("i8", -BIG - 1), ("u8", BIG + 1), (">i8", BIG + 2)]
)
def test_open_rows__refuses_integers_that_are_rounded(tmp_path, kind, dtype, value):
    x = np.zeros((5, 2), dtype)
    x[4, 1] = value
    source = integers(kind, tmp_path, x)
    message = rf"expected integers of at most 2\*\*53 = {BIG} in magnitude, got {value}, which"
    with pytest.raises(ValueError, match=message):
        open_rows(source)
    x[4, 1] = BIG if value > 0 else -BIG
    folder = tmp_path / "again"
    folder.mkdir()
    assert open_rows(integers(kind, folder, x)).rows.values[4, 1] == float(x[4, 1])


def test_open_rows__a_fill_value_may_be_any_integer(tmp_path):
    lowest = np.iinfo("i8").min
    x = xr.DataArray([[1.0, 2.0], [np.nan, 3.0]], dims=("sample", "feature"), name="x")
    encoding = {"x": {"dtype": "i8", "_FillValue": lowest}}
    x.to_dataset().to_zarr(tmp_path / "x.zarr", consolidated=False, encoding=encoding)
    ds = open_rows(tmp_path / "x.zarr", drop_nonfinite=True)
    assert ds.rows.values.tolist() == [[1.0, 2.0]]
    assert storage.recall(ds.rows.data.name) is not None


def test_open_rows__looks_at_all_large_integers_and_at_no_small_ones(no_compute):
    small = da.zeros((9, 2), dtype="u4", chunks=3)
    assert open_rows(xr.DataArray(small, dims=("sample", "feature"))).rows.dtype == np.float64
    with pytest.raises(AssertionError, match="computed behind"):
        open_rows(xr.DataArray(small.astype("i8"), dims=("sample", "feature")))
