"""Several variables side by side, and trajectories that are a dimension: numpy's bits."""

import json

import numpy as np
import pytest
import xarray as xr
import zarr
from made_sources import N, values

from daskid import knn, open_rows
from daskid.io import sources
from daskid.storage import rows as storage

SCALE = {"u": 0.5, "index": 3.7}
MEMBERS = 3


def text(letters):
    return np.array(list(letters), np.dtypes.StringDType())


def climate(n=N):
    """Two fields on different grids and an index, of which one is packed and one is float64."""
    rng = np.random.default_rng(1)
    index = xr.Variable("time", rng.random(n))
    return xr.Dataset(
        {
            "u": (("time", "lat", "lon"), values(n=n)),
            "v": (("level", "time"), rng.random((4, n), "f4")),
            "index": index,
        },
        {"time": np.arange(n) * 0.5, "lat": [0.0, 30.0, 60.0], "level": [1, 2, 3, 4],
         "region": ("level", text("abcd"))},
    )  # fmt: skip


def plain(ds, names, scale, dtype="f8"):
    """The features of all variables by numpy."""
    out = []
    for name in names:
        flat = ds[name].transpose("time", ...).values.reshape(ds.sizes["time"], -1).astype(dtype)
        out.append(flat * np.dtype(dtype).type(scale.get(name, 1.0)))
    return np.concatenate(out, axis=1)


def as_zarr(tmp_path, ds):
    ds.to_zarr(tmp_path / "c.zarr", consolidated=False, encoding={"u": {"chunks": (5, 2, 1)}})
    return tmp_path / "c.zarr"


def as_netcdf(tmp_path, ds):
    ds.to_netcdf(tmp_path / "c.nc", engine="h5netcdf", encoding={"u": {"chunksizes": (5, 3, 1)}})
    return tmp_path / "c.nc"


KINDS = {
    "zarr": as_zarr,
    "netcdf": as_netcdf,
    "memory": lambda _, ds: ds,
    "dask": lambda _, ds: ds.chunk({"time": 5, "lat": 2}),
    "half of it in memory": lambda t, ds: xr.open_zarr(as_zarr(t, ds), consolidated=False).assign(
        v=ds.v
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("names", [["u", "v", "index"], ["index", "u"], ["v", "u"], ["u"]])
def test_open_rows__joins_variables(tmp_path, kind, names):
    scale = {name: factor for name, factor in SCALE.items() if name in names}
    given = climate()
    expected = plain(given, names, scale, "f8" if "index" in names else "f4")
    ds = open_rows(KINDS[kind](tmp_path, given), variable=names, scale=scale)
    assert ds.rows.dtype == expected.dtype
    assert ds.rows.values.tobytes() == expected.tobytes()
    reader = storage.recall(ds.rows.data.name)
    assert (reader is not None) == (kind in ("zarr", "netcdf"))
    np.testing.assert_array_equal(ds.time, given.time)
    if len(names) > 1:
        sizes = {"u": 6, "v": 4, "index": 1}
        assert ds.variable.values.tolist() == [n for n in names for _ in range(sizes[n])]
    if reader is not None:
        again = sources.reader_from(json.loads(json.dumps(reader.spec())))
        assert again == reader
        assert again.identity() == reader.identity()
        assert again.read(4, 11).tobytes() == expected[4:11].tobytes()


def test_open_rows__coordinates_of_joined_variables(tmp_path):
    for source in (climate(), as_zarr(tmp_path, climate())):
        ds = open_rows(source, variable=["u", "index", "v"])
        np.testing.assert_array_equal(ds.lat, [0, 0, 30, 30, 60, 60, *[np.nan] * 5])
        assert ds.region.values.tolist() == [""] * 7 + ["a", "b", "c", "d"]
        assert ds.column.values.tolist() == list(range(11))
        weighted = open_rows(source, variable=["u", "index", "v"], weights={"index": 9.0, "v": 0})
        assert weighted.weight.values.tolist() == [1.0] * 6 + [9.0] + [0.0] * 4


def test_open_rows__a_mask_in_one_of_several(tmp_path):
    given = climate()
    given.u.values[:, 1, 0] = np.nan
    given.v.values[2, 7] = np.inf
    for source in (given, given.chunk({"time": 4}), as_zarr(tmp_path, given)):
        with pytest.raises(ValueError, match=r"in 1 of 12 rows \(first: 7\)"):
            open_rows(source, variable=["v", "u"])
        ds = open_rows(source, variable=["v", "u"], drop_nonfinite=True)
        expected = plain(given, ["v", "u"], {}, "f4")
        expected = np.delete(np.delete(expected, 7, axis=0), 6, axis=1)
        assert ds.rows.values.tobytes() == expected.tobytes()
        assert ds.variable.values.tolist() == ["v"] * 4 + ["u"] * 5
        assert ds.column.values.tolist() == [0, 1, 2, 3, 4, 5, 7, 8, 9]


def test_open_rows__joined_is_known_by_all_of_its_parts(tmp_path):
    path = as_zarr(tmp_path, climate())

    def identity(**given):
        ds = open_rows(path, **given)
        return storage.recall(ds.rows.data.name).identity()

    seen = {
        identity(variable=["u", "v"]), identity(variable=["v", "u"]), identity(variable=["u"]),
        identity(variable=["u", "v"], scale={"u": 2.0}), identity(variable=["u"], scale={"u": 2.0}),
    }  # fmt: skip
    zarr.open_array(path / "v", mode="r+")[0, 0] = 7
    seen.add(identity(variable=["u", "v"]))
    assert len(seen) == 6


def test_open_rows__refuses_variables_with_other_samples(tmp_path):
    ds = climate()
    other = ds.assign(w=("frame", np.zeros(N)), long=("station", np.zeros(3)))
    with pytest.raises(
        ValueError, match=r"expected arrays with the same samples, got 12 along 'ti"
    ):
        open_rows(other, variable=["u", "w"])
    np.savez(tmp_path / "x.npz", a=np.zeros((3, 2)), b=np.zeros((4, 2)))
    with pytest.raises(ValueError, match=r"got 3 along 'sample' for 'a' and 4 along 'sample' for"):
        open_rows(tmp_path / "x.npz", variable=["a", "b"])
    for group in ("a", "b"):
        part = climate().assign_coords(time=np.arange(N) * (1.0 + (group == "b")))
        part.to_netcdf(tmp_path / "g.nc", group=group, mode="a", engine="h5netcdf")
    assert open_rows(tmp_path / "g.nc", variable=["a/u", "a/v"]).rows.shape == (N, 10)
    with pytest.raises(ValueError, match=r"expected arrays with the same 'time', got .* 'b/u'"):
        open_rows(tmp_path / "g.nc", variable=["a/u", "b/u"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"variable": []}, r"variable: expected names, each once, got \[\]"),
        ({"variable": ["u", "u"]}, r"variable: expected names, each once, got \['u', 'u'\]"),
        ({"variable": ["u", "x"]}, r"variable: expected one of .* got 'x'"),
        ({"variable": ["u"], "scale": {"v": 1.0}}, r"scale: expected a number for each of .*'u'"),
        ({"variable": ["u"], "scale": 2.0}, r"scale: expected a number for each .* got 2\.0"),
        ({"variable": "u", "scale": {"u": 0}}, r"scale: expected finite numbers above 0, got 0"),
        ({"variable": "u", "scale": {"u": "x"}}, "scale: expected finite numbers above 0, got 'x'"),
        ({"variable": "u", "scale": {"u": np.inf}}, "scale: expected finite numbers above 0"),
    ],
)
def test_open_rows__refuses_names_and_scales(given, words):
    with pytest.raises(ValueError, match=words):
        open_rows(climate(), **given)


def test_open_rows__refuses_what_is_no_name():
    with pytest.raises(TypeError, match=r"variable: expected a name or a list of names, got int"):
        open_rows(climate(), variable=3)


def test_open_rows__periods_are_scaled_as_the_values_are():
    ds = open_rows(climate(), variable=["v", "u"], scale={"v": 0.5}, period={"v": 4.0, "u": 3.0})
    assert ds.period.values.tolist() == [2.0] * 4 + [3.0] * 6
    assert "units" not in ds.rows.attrs
    single = climate().u.assign_attrs(units="K").to_dataset()
    assert open_rows(single, variable="u").rows.units == "K"
    assert "units" not in open_rows(single, variable="u", scale={"u": 2.0}).rows.attrs


def ensemble(order):
    rng = np.random.default_rng(2)
    sizes = {"member": MEMBERS, "time": 7, "x": 2, "y": 2}
    x = rng.random([sizes[d] for d in order], "f4")
    return xr.DataArray(
        x, dims=order, name="t",
        coords={"time": np.arange(7.0), "x": [1, 2], "member": text("abc"),
                "start": (("member", "time"), np.arange(21).reshape(3, 7))},
    )  # fmt: skip


ORDERS = [("member", "time", "x", "y"), ("time", "member", "x", "y"), ("x", "time", "y", "member")]
CHUNKS = [{}, {"member": 1, "time": 3}, {"member": 2, "time": 7}, {"member": 3, "time": 2, "x": 1}]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("kind", ["zarr", "netcdf", "memory", "dask"])
def test_open_rows__trajectories_along_a_dimension(tmp_path, kind, chunks, order):
    array = ensemble(order)
    sizes = tuple(chunks.get(d, size) for d, size in array.sizes.items())
    if kind == "zarr":
        source = tmp_path / "e.zarr"
        array.to_dataset().to_zarr(source, consolidated=False, encoding={"t": {"chunks": sizes}})
    elif kind == "netcdf":
        source = tmp_path / "e.nc"
        array.to_netcdf(source, engine="h5netcdf", encoding={"t": {"chunksizes": sizes}})
    else:
        source = array if kind == "memory" else array.chunk(chunks)
    ds = open_rows(source, trajectory="member")
    features = [d for d in order if d in "xy"]
    stacked = array.transpose("member", "time", *features)
    expected = stacked.values.reshape(21, 4)
    assert ds.rows.values.tobytes() == expected.tobytes()
    assert ds.trajectory.values.tolist() == ["a"] * 7 + ["b"] * 7 + ["c"] * 7
    assert ds.time.values.tolist() == list(range(7)) * 3
    assert ds.row.values.tolist() == ds.start.values.tolist() == list(range(21))
    assert (
        ds.x.values.tolist()
        == stacked[0, 0].x.broadcast_like(stacked[0, 0]).values.ravel().tolist()
    )
    reader = storage.recall(ds.rows.data.name)
    if kind in ("zarr", "netcdf"):
        for a, b in ((0, 21), (5, 9), (6, 15), (7, 14), (3, 21), (13, 14)):
            assert reader.read(a, b).tobytes() == expected[a:b].tobytes()
        assert sources.reader_from(reader.spec()).read(2, 20).tobytes() == expected[2:20].tobytes()
    else:
        assert reader is None


def test_open_rows__trajectories_without_labels_and_with_numbers(tmp_path):
    array = ensemble(ORDERS[0]).drop_vars(["member", "start"])
    assert open_rows(array, trajectory="member").trajectory.values.tolist()[::7] == [0, 1, 2]
    for labels, expected in (
        ([1.0, 3.0, 5.0], [1, 3, 5]),
        ([0.5, 1.0, 2.0], ["0.5", "1.0", "2.0"]),
    ):
        ds = open_rows(array.assign_coords(member=labels), trajectory="member")
        assert ds.trajectory.values.tolist()[::7] == expected
    assert open_rows(array, sample="member").rows.shape == (3, 28)
    with pytest.raises(ValueError, match=r"trajectory: expected a coordinate along 'member'"):
        open_rows(array, sample="member", trajectory="no")


def test_open_rows__frames_of_other_trajectories_are_never_near_in_time(tmp_path):
    rng = np.random.default_rng(3)
    x = np.cumsum(rng.standard_normal((4, 30, 2)), axis=1).astype("f4")
    array = xr.DataArray(x, dims=("member", "time", "x"), name="walk")
    array.to_dataset().to_zarr(tmp_path / "e.zarr", consolidated=False)
    ds = knn(open_rows(tmp_path / "e.zarr", trajectory="member"), k=5, exclude=3)
    flat, member = x.reshape(120, 2).astype("f8"), np.repeat(np.arange(4), 30)
    frame = np.tile(np.arange(30), 4)
    distance = np.sqrt(((flat[:, None] - flat) ** 2).sum(axis=-1))
    near = (np.abs(frame[:, None] - frame) <= 3) & (member[:, None] == member)
    expected = np.sort(np.where(near, np.inf, distance), axis=1)[:, :5]
    np.testing.assert_allclose(ds.neighbor_distance, expected, rtol=1e-12)


def test_open_rows__several_variables_of_an_ensemble_with_a_mask(tmp_path):
    array = ensemble(ORDERS[1])
    array.values[:, :, 1, 0] = np.nan
    array.values[3, 2, 0, 0] = np.nan
    both = xr.Dataset({"t": array, "q": array[:, :, 0, 0].fillna(0.0) * 2})
    both.to_zarr(tmp_path / "e.zarr", consolidated=False)
    given = {"variable": ["q", "t"], "trajectory": "member", "drop_nonfinite": True}
    found, memory = (open_rows(s, **given) for s in (tmp_path / "e.zarr", both))
    assert found.rows.values.tobytes() == memory.rows.values.tobytes()
    assert found.rows.shape == (20, 4)
    assert found.row.values.tolist() == [i for i in range(21) if i != 2 * 7 + 3]
