"""Formats and chunks that are hard to read by rows: the bits of the plain array from each."""

import h5py
import numpy as np
import pytest
import xarray as xr
import zarr
from scipy.spatial.distance import cdist

from daskid import knn, open_rows
from daskid.storage import rows as storage

N = 40
FRAMES = (N, 3, 4, 2)
CHUNKS = {
    "one": FRAMES,
    "split along the features": (N, 1, 2, 1),
    "frames": (1, 3, 4, 2),
    "odd": (7, 2, 3, 2),
    "odd and split": (7, 1, 1, 1),
}


def frames(dtype="f4"):
    return (np.random.default_rng(4).standard_normal(FRAMES) * 100).astype(dtype)


def reader_of(ds):
    return storage.recall(ds.rows.data.name)


def as_zarr(path, x, chunks, zarr_format):
    dims = ("sample", "channel", "h", "w")
    z = zarr.create_array(path, data=x, chunks=chunks, zarr_format=zarr_format,
                          dimension_names=dims if zarr_format == 3 else None)  # fmt: skip
    if zarr_format == 2:
        z.attrs["_ARRAY_DIMENSIONS"] = list(dims)
    return path


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("chunks", CHUNKS)
def test_open_rows__frames_in_any_chunks(tmp_path, chunks, zarr_format):
    x = frames()
    ds = open_rows(as_zarr(tmp_path / "x.zarr", x, CHUNKS[chunks], zarr_format))
    assert ds.rows.values.tobytes() == x.reshape(N, -1).tobytes()
    reader = reader_of(ds)
    assert reader.read(5, 23).tobytes() == x[5:23].reshape(18, -1).tobytes()
    distance = np.sort(cdist(*[x.reshape(N, -1).astype("f8")] * 2), axis=1)[:, 1:4]
    np.testing.assert_allclose(knn(ds, k=3).neighbor_distance, distance, rtol=1e-12)


@pytest.mark.parametrize("axis", range(4))
@pytest.mark.parametrize("chunks", ["one", "odd and split"])
def test_open_rows__sample_axis_anywhere(tmp_path, axis, chunks):
    x = frames("f8")
    path = as_zarr(tmp_path / "x.zarr", x, CHUNKS[chunks], 3)
    dim = ("sample", "channel", "h", "w")[axis]
    expected = np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1)
    assert open_rows(path, sample=dim).rows.values.tobytes() == expected.tobytes()
    np.save(tmp_path / "x.npy", x)
    name = ("sample", "feature", "feature_1", "feature_2")[axis]
    assert open_rows(tmp_path / "x.npy", sample=name).rows.values.tobytes() == expected.tobytes()


def test_open_rows__one_chunk_that_is_no_block(tmp_path):
    x = np.random.default_rng(5).random((50_000, 100), "f4")  # 20 MB in one chunk
    zarr.create_array(tmp_path / "x.zarr", data=x, chunks=x.shape, compressors=None)
    ds = open_rows(tmp_path / "x.zarr")
    assert reader_of(ds).chunk_bytes() == x.nbytes
    assert reader_of(ds).amplification(5000) == 10
    assert ds.rows[123:4567].values.tobytes() == x[123:4567].tobytes()


def test_open_rows__shards(tmp_path):
    x = frames()
    zarr.create_array(tmp_path / "x.zarr", data=x, chunks=(5, 3, 4, 2), shards=(20, 3, 4, 2))
    ds = open_rows(tmp_path / "x.zarr")
    assert ds.rows.values.tobytes() == x.reshape(N, -1).tobytes()
    assert reader_of(ds).chunk_rows() == 5


@pytest.mark.parametrize("chunks", [None, *CHUNKS.values()])
@pytest.mark.parametrize("dtype", ["f4", ">f4", "f8", "i2", "u1", "i8"])
def test_open_rows__hdf5_datasets_in_groups(tmp_path, chunks, dtype):
    x = frames(dtype)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("layers/last", data=x, chunks=chunks)
        file.create_dataset("layers/first", data=x[:, 0], chunks=chunks and chunks[1:])
        file.create_dataset("top", data=x[:3])
    for name, expected in (("layers/last", x), ("layers/first", x[:, 0]), ("top", x[:3])):
        ds = open_rows(tmp_path / "x.h5", variable=name)
        flat = expected.reshape(len(expected), -1).astype(storage.native(x.dtype))
        assert ds.rows.values.tobytes() == flat.tobytes()
        assert reader_of(ds).array == name
    last = open_rows(tmp_path / "x.h5", variable="layers/last")
    assert reader_of(last).chunk_rows() == (chunks or (1,))[0]
    both = open_rows(tmp_path / "x.h5", variable=["layers/first", "layers/last"])
    assert both.rows.shape == (N, 8 + 24)
    assert reader_of(both) is not None
    assert open_rows(tmp_path / "x.h5").rows.shape == (3, 24)


def test_open_rows__an_hdf5_dataset_as_wide_as_long(tmp_path):
    x = np.random.default_rng(0).random((5, 5, 5))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", data=x)
    assert open_rows(tmp_path / "x.h5").rows.values.tobytes() == x.tobytes()


def test_open_rows__hdf5_names_its_groups(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("a/x", data=frames())
    with pytest.raises(ValueError, match=r"got none, but groups: .* as variable='group/name'"):
        open_rows(tmp_path / "x.h5")
    with pytest.raises(ValueError, match=r"variable: expected one of \['x'\] in .*, got 'y'"):
        open_rows(tmp_path / "x.h5", variable="a/y")
    with pytest.raises(ValueError, match=r"source: expected a file that xarray can read, .* group"):
        open_rows(tmp_path / "x.h5", variable="b/x")


def test_open_rows__arrays_of_groups_in_zarr(tmp_path):
    x = frames()
    group = zarr.open_group(tmp_path / "g.zarr", mode="w")
    group.create_array("layers/last", data=x, dimension_names=("sample", "c", "h", "w"))
    group.create_array("layers/plain", data=x[:, 0])
    for name, expected in (("layers/last", x), ("layers/plain", x[:, 0])):
        ds = open_rows(tmp_path / "g.zarr", variable=name)
        assert ds.rows.values.tobytes() == expected.reshape(N, -1).tobytes()
        assert reader_of(ds) is not None


@pytest.mark.parametrize("engine", ["scipy", "h5netcdf"])
def test_open_rows__a_netcdf_with_time_and_packing(tmp_path, engine):
    time = np.datetime64("2000-01-01", "ns") + np.arange(N) * np.timedelta64(6, "h")
    x = xr.DataArray(frames()[:, 0], dims=("time", "lat", "lon"), coords={"time": time}, name="t")
    packing = {"dtype": "i2", "scale_factor": 0.02, "add_offset": 5.0, "_FillValue": -32768}
    x.to_netcdf(tmp_path / "x.nc", engine=engine, encoding={"t": packing})
    with xr.open_dataset(tmp_path / "x.nc") as opened:
        expected = opened.t.values.reshape(N, -1)
    ds = open_rows(tmp_path / "x.nc")
    assert ds.rows.values.tobytes() == expected.tobytes()
    np.testing.assert_array_equal(ds.time, time)
    assert (reader_of(ds) is not None) == (engine == "h5netcdf")
