"""Molecular trajectories: features against MDAnalysis and numpy, resumed with the same bits."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import made_peptide
import MDAnalysis
import numpy as np
import pytest
import xarray as xr
from MDAnalysis.analysis.dihedrals import Dihedral
from MDAnalysis.analysis.rms import rmsd
from MDAnalysis.lib.distances import self_distance_array
from MDAnalysis.transformations import NoJump

import daskid
from daskid.io import from_trajectory
from daskid.io.from_trajectory import open_trajectory, writing

FRAMES, BLOCK = 40, made_peptide.BLOCK
KINDS = ("torsions", "distances", "aligned")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(from_trajectory, "BLOCK_FRAMES", BLOCK)


@pytest.fixture
def paths(tmp_path):
    return made_peptide.write(tmp_path, made_peptide.peptide(FRAMES))


@pytest.fixture
def store(tmp_path):
    return tmp_path / "features.zarr"


def read(paths, atoms):
    """Return the positions of atoms as MDAnalysis reads them, frame by frame."""
    universe = MDAnalysis.Universe(*paths)
    group = universe.select_atoms(atoms)
    return np.stack([group.positions.copy() for _ in universe.trajectory])


def watched(*interrupt):
    """Return a context in which progress goes to a list, interrupted at a number of frames."""
    seen = []

    def hook(done, total):
        seen.append((done, total))
        if done in interrupt:
            raise KeyboardInterrupt

    return hooked(hook, seen)


@contextmanager
def hooked(hook, seen=None):
    with mock.patch.object(writing, "progress", made_peptide.progress_to(hook)):
        yield seen


def interrupted(*given, at=2 * BLOCK, **keywords):
    with watched(at), pytest.raises(KeyboardInterrupt):
        open_trajectory(*given, **keywords)


def test_torsions__are_those_that_the_peptide_was_built_from(paths, store):
    ds = open_trajectory(paths, store=store)
    assert ds.name.values.tolist() == made_peptide.NAMES
    truth = made_peptide.torsions(FRAMES)
    apart = ds.rows.values - np.stack([truth[name] for name in made_peptide.NAMES], axis=1)
    # 0.005 angstrom at most from rounding in xtc, on every atom 1.4 from the axis
    assert np.abs((apart + np.pi) % (2 * np.pi) - np.pi).max() < 0.02
    np.testing.assert_array_equal(ds.period, np.full(13, 2 * np.pi))
    assert ds.rows.attrs["units"] == "rad"


def test_torsions__have_the_bits_of_mdanalysis(paths, store):
    ds = open_trajectory(paths, store=store)
    protein = MDAnalysis.Universe(*paths).select_atoms("protein")
    quads = [
        getattr(protein.universe.residues[int(i) - 1], f"{kind}_selection")()
        for kind, i in (name.split() for name in made_peptide.NAMES)
    ]
    angles = Dihedral(quads).run().results.angles
    assert ds.rows.dtype == "float64"
    np.testing.assert_array_equal(np.rad2deg(ds.rows.values), angles)


def test_distances__have_the_bits_of_mdanalysis_and_the_values_of_numpy(paths, store):
    ds = open_trajectory(paths, store=store, features="distances", select="name CA CB")
    atoms = read(paths, "name CA CB")
    box = np.array([60, 60, 60, 90, 90, 90], "f4")
    direct = np.stack([self_distance_array(frame, box=box) for frame in atoms]).astype("f4")
    np.testing.assert_array_equal(ds.rows, direct)
    i, j = np.triu_indices(12, 1)
    lengths = np.linalg.norm(atoms[:, i].astype("f8") - atoms[:, j], axis=2)
    np.testing.assert_allclose(ds.rows, lengths, rtol=2e-6)  # MDAnalysis folds in single precision
    assert ds.name.values[[0, 1, -1]].tolist() == ["CA 1 - CB 1", "CA 1 - CA 2", "CA 6 - CB 6"]
    assert (ds.rows.dtype, ds.rows.attrs["units"]) == ("float32", "angstrom")
    assert "period" not in ds.coords


def test_aligned__keeps_shapes_and_is_superposed_on_the_first_frame(paths, store):
    ds = open_trajectory(paths, store=store, features="aligned")
    atoms, got = read(paths, "name CA").astype("f8"), ds.rows.values.reshape(FRAMES, 6, 3)
    for frame, before in zip(got.astype("f8"), atoms, strict=True):
        distances = [self_distance_array(np.asarray(x, "f4")) for x in (frame, before)]
        np.testing.assert_allclose(*distances, rtol=1e-5)
        least = rmsd(before, atoms[0], center=True, superposition=True)
        assert rmsd(frame, got[0]) == pytest.approx(least, abs=1e-5)
    np.testing.assert_allclose(got.mean(axis=1), 0, atol=1e-5)
    assert ds.name.values[:4].tolist() == ["CA 1 x", "CA 1 y", "CA 1 z", "CA 2 x"]


def test_samples__have_time_trajectory_and_frame(paths, store):
    ds = open_trajectory(paths, store=store)
    np.testing.assert_array_equal(ds.time, 0.5 * np.arange(FRAMES))
    assert ds.time.attrs["units"] == "ps"
    assert not ds.trajectory.any()
    np.testing.assert_array_equal(ds.frame, np.arange(FRAMES))


@pytest.mark.parametrize("features", KINDS)
def test_paths_universe_and_group__give_the_same_rows(paths, tmp_path, features):
    want = open_trajectory(paths, features=features, store=tmp_path / "paths.zarr")
    universe = MDAnalysis.Universe(*paths)
    universe.trajectory[5]
    atoms = universe.select_atoms(from_trajectory.FEATURES[features].select)
    for given in (universe, atoms):
        got = open_trajectory(
            given, features=features, store=tmp_path / f"{type(given).__name__}.zarr"
        )
        xr.testing.assert_identical(got.drop_attrs(), want.drop_attrs())


def test_universe_and_paths__go_on_with_each_other(paths, store):
    interrupted(paths, store=store)
    with watched() as seen:
        open_trajectory(MDAnalysis.Universe(*paths), store=store)
    assert seen[0] == (2 * BLOCK, FRAMES)


def test_several_trajectories__are_numbered(paths, tmp_path, store):
    _, other = made_peptide.write(tmp_path, made_peptide.peptide(11, seed=1), "other.xtc")
    ds = open_trajectory((*paths, other), store=store, features="aligned")
    np.testing.assert_array_equal(ds.trajectory, [0] * FRAMES + [1] * 11)
    np.testing.assert_array_equal(ds.frame, [*range(FRAMES), *range(11)])
    np.testing.assert_array_equal(ds.time, 0.5 * ds.frame)
    first, second = read(paths, "name CA")[0], read((paths[0], other), "name CA")
    reference = ds.rows.values[0].reshape(6, 3)
    for row, before in zip(ds.rows.values[FRAMES:], second, strict=True):
        least = rmsd(before, first, center=True, superposition=True)
        assert rmsd(row.reshape(6, 3), reference) == pytest.approx(least, abs=1e-5)


@pytest.mark.parametrize("at", [2 * BLOCK, 6 * BLOCK])
def test_several_trajectories__are_resumed_in_any_of_them(paths, tmp_path, store, at):
    other = made_peptide.write(tmp_path, made_peptide.peptide(11, seed=1), "other.xtc")[1]
    interrupted((*paths, other), store=store, at=at)
    resumed = open_trajectory((*paths, other), store=store)
    straight = open_trajectory((*paths, other), store=tmp_path / "straight.zarr")
    xr.testing.assert_identical(resumed.drop_attrs(), straight.drop_attrs())


def test_parts_in_a_universe__are_one_trajectory(paths, tmp_path, store):
    _, other = made_peptide.write(tmp_path, made_peptide.peptide(11, seed=1), "other.xtc")
    universe = MDAnalysis.Universe(paths[0], [paths[1], other])
    ds = open_trajectory(universe, store=store)
    assert not ds.trajectory.any()
    np.testing.assert_array_equal(ds.time, 0.5 * np.arange(FRAMES + 11))
    apart = open_trajectory((*paths, other), store=tmp_path / "apart.zarr")
    np.testing.assert_array_equal(ds.rows, apart.rows)
    Path(other).touch()
    with pytest.raises(ValueError, match=r"trajectory 0 part 1 modified=\d+\), got"):
        open_trajectory(universe, store=store)


def test_store__opens_alone(paths, store):
    ds = open_trajectory(paths, store=store)
    alone = daskid.open_rows(store)
    xr.testing.assert_identical(alone.drop_attrs(deep=False), ds.drop_attrs(deep=False))
    assert {"time", "trajectory", "frame", "name", "period"} <= set(alone.coords)


@pytest.mark.parametrize("features", KINDS)
def test_blocks__of_any_size_give_the_same_bits(paths, tmp_path, monkeypatch, features):
    rows = []
    for i, (name, value) in enumerate(
        (("BLOCK_FRAMES", 1), ("BLOCK_FRAMES", 100), ("BLOCK_BYTES", 300))
    ):
        monkeypatch.setattr(from_trajectory, name, value)
        ds = open_trajectory(paths, features=features, store=tmp_path / f"{i}.zarr")
        rows.append(ds.rows.values)
    for other in rows[1:]:
        np.testing.assert_array_equal(rows[0], other)


def test_blocks__hold_no_more_than_they_may(paths, store, monkeypatch):
    monkeypatch.setattr(from_trajectory, "BLOCK_BYTES", 3 * 13 * 8 + 1)
    with watched() as seen:
        open_trajectory(paths, store=store)
    assert [done for done, _ in seen] == [*range(0, FRAMES, 3), FRAMES]


def test_second_call__opens_what_is_there(paths, store):
    first = open_trajectory(paths, store=store)
    with watched() as seen:
        second = open_trajectory(paths, store=store)
    assert seen == []
    assert second.rows.data.name == first.rows.data.name
    assert not store.with_name("features.zarr.work").exists()


@pytest.mark.parametrize(
    ("features", "moment"),
    [("torsions", "between"), ("distances", "within"), ("aligned", "between")],
)
def test_killed__goes_on_with_the_same_bits(paths, store, tmp_path, features, moment):
    given = [*paths, str(store), features, moment]
    died = subprocess.run([sys.executable, made_peptide.__file__, *given], check=False)
    assert died.returncode == -signal.SIGKILL
    assert not store.exists()
    with watched() as seen:
        resumed = open_trajectory(paths, features=features, store=store)
    assert seen[0] == (2 * BLOCK, FRAMES)
    straight = open_trajectory(paths, features=features, store=tmp_path / "straight.zarr")
    xr.testing.assert_identical(resumed.drop_attrs(), straight.drop_attrs())


@pytest.mark.parametrize("array", ["rows", "time"])
def test_damaged_block__is_written_again_with_all_after_it(paths, store, tmp_path, array):
    interrupted(paths, store=store, at=4 * BLOCK)
    for chunk in tmp_path.glob(f"features.zarr.work/trajectory.zarr/{array}/c/1*"):
        for file in [chunk] if chunk.is_file() else chunk.iterdir():
            file.unlink()
    with watched() as seen:
        resumed = open_trajectory(paths, store=store)
    assert seen[0] == (BLOCK, FRAMES)
    straight = open_trajectory(paths, store=tmp_path / "straight.zarr")
    xr.testing.assert_identical(resumed.drop_attrs(), straight.drop_attrs())


def test_transformations__that_remember_frames_are_resumed_right(tmp_path, store):
    wrapped = made_peptide.peptide(FRAMES)
    drift = np.linspace(0, 200, FRAMES)[:, None, None]
    wrapped.trajectory.get_array()[:] = (wrapped.trajectory.get_array() + drift) % 60
    paths = made_peptide.write(tmp_path, wrapped)

    def unwrapped():
        universe = MDAnalysis.Universe(*paths)
        universe.trajectory.add_transformations(NoJump())
        return universe

    with pytest.raises(ValueError, match="on two sides of the box"):
        open_trajectory(paths, features="aligned", store=tmp_path / "torn.zarr")
    straight = open_trajectory(unwrapped(), features="aligned", store=tmp_path / "straight.zarr")
    interrupted(unwrapped(), features="aligned", store=store)
    resumed = open_trajectory(unwrapped(), features="aligned", store=store)
    np.testing.assert_array_equal(resumed.rows, straight.rows)
    with pytest.raises(ValueError, match=r"transformations=\['NoJump'\]\), got transform.*=None"):
        open_trajectory(paths, features="aligned", store=store)


@pytest.mark.parametrize("done", [2 * BLOCK, FRAMES])
@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"features": "distances"}, r"features=torsions, .*got .*features=distances"),
        ({"select": "resid 1:4"}, r"select=protein\), got .*select=resid 1:4"),
    ],
)
def test_other_arguments__are_named_and_need_overwrite(
    paths, store, tmp_path, done, other, message
):
    if done < FRAMES:
        interrupted(paths, store=store, at=done)
    else:
        open_trajectory(paths, store=store)
    with pytest.raises(ValueError, match=message):
        open_trajectory(paths, store=store, **other)
    with watched() as seen:
        got = open_trajectory(paths, store=store, overwrite=True, **other)
    assert seen[0] == (0, FRAMES)
    want = open_trajectory(paths, store=tmp_path / "other.zarr", **other)
    xr.testing.assert_identical(got.drop_attrs(), want.drop_attrs())


def test_overwrite__starts_again(paths, store):
    for _ in range(2):
        with watched() as seen:
            open_trajectory(paths, store=store, overwrite=True)
        assert seen[0] == (0, FRAMES)
    interrupted(paths, store=store, overwrite=True)
    with watched() as seen:
        open_trajectory(paths, store=store, overwrite=True)
    assert seen[0] == (0, FRAMES)


# MDAnalysis says so of the index that it keeps beside the file, and makes a new one
@pytest.mark.filterwarnings("ignore:Reload offsets from trajectory")
@pytest.mark.parametrize("done", [2 * BLOCK, FRAMES])
def test_another_trajectory__is_named(paths, store, tmp_path, done):
    if done < FRAMES:
        interrupted(paths, store=store, at=done)
    else:
        open_trajectory(paths, store=store)
    made_peptide.write(tmp_path, made_peptide.peptide(FRAMES + 2, seed=1))
    with pytest.raises(ValueError, match=r"trajectory 0 frames=40.* got .*trajectory 0 frames=42"):
        open_trajectory(paths, store=store)
    assert open_trajectory(paths, store=store, overwrite=True).sizes["sample"] == FRAMES + 2


def test_other_coordinates_in_memory__are_named(store):
    open_trajectory(made_peptide.peptide(9), store=store)
    open_trajectory(made_peptide.peptide(9), store=store)
    with pytest.raises(ValueError, match=r"\(coordinates=\w+\), got coordinates=\w+: choose"):
        open_trajectory(made_peptide.peptide(9, seed=1), store=store)


def test_file_that_changes_meanwhile__is_refused(paths, store):
    def hook(done, _):
        if done == 2 * BLOCK:
            os.utime(paths[1], (0, 0))

    with (
        hooked(hook),
        pytest.raises(ValueError, match=r"trajectory 0: expected .*peptide.xtc as it was"),
    ):
        open_trajectory(paths, store=store)
    assert not store.exists()


def test_second_writer__is_refused(paths, store):
    def hook(done, _):
        if done == BLOCK:
            open_trajectory(paths, store=store)

    with hooked(hook), pytest.raises(BlockingIOError, match="expected to be the only writer"):
        open_trajectory(paths, store=store)
