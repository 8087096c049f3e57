"""The command export: frames, labels and tables of a run, as the Python functions give them."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner

import daskid
from daskid.cli import cli


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((600, 2)) * 0.3 + np.where(rng.random((600, 1)) < 0.5, -1.5, 1.5)
    np.save(folder / "rows.npy", x)
    daskid.analyze(daskid.open_rows(str(folder / "rows.npy")), k=60, store=str(folder / "run.zarr"))
    return folder


def run(place, *words):
    words = [
        place.joinpath(w).as_posix() if w.endswith((".zarr", ".nc", ".csv")) else w for w in words
    ]
    return CliRunner().invoke(cli, ["export", *words])


def test_frames_of_peaks__rows_of_the_source(place):
    done = run(place, "run.zarr", "peaks", "peaks.nc", "--names", "left,right")
    assert done.exit_code == 0, done.output
    with (
        xr.open_dataset(place / "peaks.nc") as frames,
        daskid.open_run(str(place / "run.zarr")) as ds,
    ):
        found = frames["rows"].values
        np.testing.assert_array_equal(found, ds.rows.values[ds.peak_sample.values])


def test_labels_and_table__and_nothing_is_replaced_unasked(place):
    assert run(place, "run.zarr", "labels", "labels.nc").exit_code == 0
    with xr.open_dataarray(place / "labels.nc") as labels:
        assert labels.size == 600
    assert run(place, "run.zarr", "table:peaks", "peaks.csv").exit_code == 0
    assert len(pd.read_csv(place / "peaks.csv")) == 2
    again = run(place, "run.zarr", "labels", "labels.nc")
    assert "OUT: expected a new path" in str(again.exception)
    assert run(place, "run.zarr", "labels", "labels.nc", "--overwrite").exit_code == 0
