"""netCDF and HDF5 files: the bits of the plain array, packed or not; rows are copied once."""

import numpy as np
import pytest
import xarray as xr

import daskid


@pytest.fixture
def field():
    values = np.random.default_rng(0).random((40, 3, 4), dtype="f4")
    values[:, 1, 2] = np.nan  # land
    coords = {"lat": [10.0, 20.0, 30.0], "lon": np.arange(4.0)}
    return xr.DataArray(values, coords, ("time", "lat", "lon"), name="t")


@pytest.mark.parametrize(
    ("suffix", "engine"), [("nc", "scipy"), ("nc", "h5netcdf"), ("h5", "h5netcdf")]
)
def test_open_rows__same_bits_as_the_array(tmp_path, field, suffix, engine):
    path = tmp_path / f"field.{suffix}"
    field.to_netcdf(path, engine=engine)
    ds, plain = daskid.open_rows(path), daskid.open_rows(field)
    np.testing.assert_array_equal(ds.rows, plain.rows)
    np.testing.assert_array_equal(ds.lat, plain.lat)
    assert ds.attrs["features_dropped"] == 1
    np.testing.assert_array_equal(
        daskid.knn(ds, k=3).neighbor_distance, daskid.knn(plain, k=3).neighbor_distance
    )


def test_open_rows__packed_values_are_decoded(tmp_path, field):
    path = tmp_path / "packed.nc"
    packing = {"dtype": "i2", "scale_factor": 1e-4, "add_offset": 0.5, "_FillValue": -32768}
    field.to_netcdf(path, engine="h5netcdf", encoding={"t": packing})
    with xr.open_dataset(path) as decoded:
        np.testing.assert_array_equal(
            daskid.open_rows(path).rows, daskid.open_rows(decoded["t"].load()).rows
        )


def test_run__holds_a_copy(tmp_path, field):
    path = tmp_path / "field.nc"
    field.to_netcdf(path, engine="scipy")
    run = daskid.knn(daskid.open_rows(path), k=3, store=str(tmp_path / "run.zarr"))
    path.unlink()
    again = daskid.open_run(tmp_path / "run.zarr")
    np.testing.assert_array_equal(again.rows, run.rows)
    assert again.rows.shape == (40, 11)


def test_open_rows__says_what_is_missing(tmp_path):
    path = tmp_path / "broken.nc"
    path.write_text("no netCDF")
    with pytest.raises(ValueError, match=r"source: expected a file that xarray can read, got"):
        daskid.open_rows(path)
    two = xr.Dataset({n: (("time", "x"), np.zeros((3, 2))) for n in "ab"})
    two.to_netcdf(tmp_path / "two.nc", engine="scipy")
    with pytest.raises(ValueError, match=r"variable: expected"):
        daskid.open_rows(tmp_path / "two.nc")
