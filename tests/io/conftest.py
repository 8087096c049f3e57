"""A run to be, and the sources that it may have."""

import numpy as np
import pytest
import zarr
from made_steps import field, values


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.zarr"


@pytest.fixture(params=["zarr", "npy", "array", "memory", "dask"])
def source(request, tmp_path):
    if request.param == "zarr":
        out = tmp_path / "source.zarr"
        field().to_dataset().drop_vars("feature").to_zarr(out, consolidated=False)
        return out
    if request.param == "npy":
        np.save(tmp_path / "source.npy", values())
        return tmp_path / "source.npy"
    if request.param == "array":
        zarr.create_array(tmp_path / "array.zarr", data=values(), chunks=(7, 2))
        return tmp_path / "array.zarr"
    return field() if request.param == "memory" else field().chunk({"sample": 6, "feature": 1})


@pytest.fixture
def npy(tmp_path):
    np.save(tmp_path / "source.npy", values())
    return tmp_path / "source.npy"
