"""The command open-trajectory: from trajectories to a store that the other commands take."""

import json
import sys

import dask
import made_peptide
import numpy as np
import pytest

import daskid
from daskid.cli import main
from daskid.io.from_trajectory import open_trajectory


@pytest.fixture
def paths(tmp_path):
    return made_peptide.write(tmp_path, made_peptide.peptide(20))


def call(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    return stop.value.code or 0


def test_open_trajectory__equals_the_function(paths, tmp_path, capsys):
    store = tmp_path / "store.zarr"
    given = ("--features", "distances", "--select", "name CB")
    assert call("open-trajectory", *paths, store, *given) == 0
    assert "open-trajectory: 20 frames, 15 distances in" in capsys.readouterr().err
    want = open_trajectory(
        paths, store=tmp_path / "want.zarr", features="distances", select="name CB"
    )
    np.testing.assert_array_equal(daskid.open_rows(store).rows, want.rows)


def test_open_trajectory__takes_many_or_none(paths, tmp_path):
    other = made_peptide.write(tmp_path, made_peptide.peptide(5, seed=1), "other.xtc")[1]
    assert call("open-trajectory", *paths, other, tmp_path / "many.zarr") == 0
    ds = daskid.open_rows(tmp_path / "many.zarr")
    assert np.bincount(ds.trajectory).tolist() == [20, 5]
    np.testing.assert_array_equal(ds.period, np.full(13, 2 * np.pi))


# a gro file says no times
@pytest.mark.filterwarnings("ignore:Reader has no dt information, set to 1.0 ps")
def test_open_trajectory__takes_a_topology_alone(paths, tmp_path):
    assert call("open-trajectory", paths[0], tmp_path / "one.zarr") == 0
    assert daskid.open_rows(tmp_path / "one.zarr").sizes["sample"] == 1


def test_open_trajectory__other_features_need_overwrite(paths, tmp_path, capsys):
    store = tmp_path / "store.zarr"
    assert call("open-trajectory", *paths, store) == 0
    assert call("open-trajectory", *paths, store, "--features", "aligned") == 1
    assert "features=torsions" in capsys.readouterr().err
    assert call("open-trajectory", *paths, store, "--features", "aligned", "--overwrite") == 0
    assert daskid.open_rows(store).sizes["feature"] == 18


def test_open_trajectory__writes_its_progress(paths, tmp_path, capsys):
    with dask.config.set({"daskid.progress": "json"}):
        assert call("open-trajectory", *paths, tmp_path / "store.zarr") == 0
    lines = [json.loads(x) for x in capsys.readouterr().err.splitlines() if x.startswith("{")]
    facts = [lines[-1][key] for key in ("step", "unit", "done", "total")]
    assert facts == ["open_trajectory", "frames", 20, 20]


def test_open_trajectory__wrong_input_is_one_line(paths, tmp_path, capsys, monkeypatch):
    store = tmp_path / "store.zarr"
    assert call("open-trajectory", *paths, store, "--features", "dihedrals") == 2
    assert call("open-trajectory", *paths, store, "--select", "resname HOH") == 1
    assert "select: expected 1 of 33 atoms or more" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "MDAnalysis", None)
    assert call("open-trajectory", *paths, store) == 1
    error = capsys.readouterr().err
    assert "pip install 'daskid[md]'" in error
    assert "a fault of daskid" not in error
