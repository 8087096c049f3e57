"""Runs of sources of every kind: opened again, in the same bits; no secret in them."""

import h5py
import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import MemoryStore

from daskid import knn, open_rows, open_run, save
from daskid.storage import rows as storage
from daskid.storage.rows import remote

N = 30


def plain(dtype="f4"):
    return np.random.default_rng(6).random((N, 2, 3), dtype)


def ensemble():
    return xr.Dataset({
        "a": (("member", "time", "x"), np.random.default_rng(7).random((3, 10, 4), "f4")),
        "b": (("time", "member"), np.random.default_rng(8).random((10, 3))),
    })  # fmt: skip


def as_hdf5(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("group/x", data=plain(), chunks=(7, 2, 1))
    return tmp_path / "x.h5", {"variable": "group/x"}


def as_netcdf(tmp_path):
    x = xr.DataArray(plain(), dims=("time", "lat", "lon"), name="t")
    x.to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    return tmp_path / "x.nc", {}


def as_ensemble(tmp_path):
    ensemble().to_zarr(tmp_path / "e.zarr", consolidated=False)
    given = {"variable": ["a", "b"], "scale": {"b": 2.0}, "trajectory": "member"}
    return tmp_path / "e.zarr", given


def as_url(_):
    zarr.create_array("memory://runs/x.zarr", data=plain(), chunks=(7, 2, 3), overwrite=True)
    return "memory://runs/x.zarr", {"storage_options": {"note": "hidden"}}


def as_store(_):
    store = MemoryStore()
    zarr.create_array(store, data=plain(), chunks=(7, 2, 3))
    return store, {}


KINDS = [as_hdf5, as_netcdf, as_ensemble, as_url, as_store]


@pytest.mark.parametrize("made", KINDS)
def test_run__of_every_kind_of_source(tmp_path, made):
    source, given = made(tmp_path)
    ds = knn(open_rows(source, **given), k=3)
    run = tmp_path / "run.zarr"
    save(ds, run)
    assert not (run / "rows").exists()
    again = open_run(run)
    assert storage.recall(again.rows.data.name) is not None
    assert again.rows.values.tobytes() == ds.rows.values.tobytes()
    np.testing.assert_array_equal(again.neighbor_distance, ds.neighbor_distance)
    assert again.rows.attrs["parameters"] == ds.rows.attrs["parameters"]
    written = b"".join(p.read_bytes() for p in run.rglob("*") if p.is_file())
    assert b"hidden" not in written
    assert b"storage_options" not in written


def test_run__of_a_source_that_changed_or_is_gone(tmp_path):
    for made in (as_hdf5, as_url):
        source, given = made(tmp_path)
        run = tmp_path / f"{made.__name__}.zarr"
        save(open_rows(source, **given), run)
        if made is as_hdf5:
            with h5py.File(tmp_path / "other.h5", "w") as file:
                file["group/x"] = 1 - plain()
            (tmp_path / "other.h5").replace(source)
        else:
            zarr.open_array(source, mode="r+")[0] = 0
        with pytest.raises(ValueError, match=r"source: expected .* changed files: make a new run"):
            open_run(run)
        if made is as_hdf5:
            source.unlink()
            with pytest.raises(FileNotFoundError, match=r"x\.h5/group/x', to which the run .*"):
                open_run(run)


def test_run__of_a_store_in_another_process(tmp_path, monkeypatch):
    source, _ = as_store(tmp_path)
    save(open_rows(source), tmp_path / "run.zarr")
    monkeypatch.setattr(remote, "_ACCESS", {})
    with pytest.raises(RuntimeError, match=r"open it with daskid\.open_rows first"):
        open_run(tmp_path / "run.zarr")
    open_rows(source)
    assert open_run(tmp_path / "run.zarr").rows.shape == (N, 6)
