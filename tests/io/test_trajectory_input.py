"""Molecular trajectories that make no sense: every one is told what was expected and what to do."""

import gc
import sys
from pathlib import Path

import made_peptide
import MDAnalysis
import numpy as np
import pytest
from MDAnalysis.lib.distances import self_distance_array

import daskid
from daskid.io.from_trajectory import features, open_trajectory, writing


@pytest.fixture
def store(tmp_path):
    return tmp_path / "features.zarr"


def moved(universe, atoms, frame, by):
    """Return the universe with some atoms moved in one frame, or in all."""
    positions = universe.trajectory.get_array()
    positions[frame, atoms.ix] += np.asarray(by, "f4")
    return universe


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"features": "dihedrals"}, "features: expected one of .'torsions', .* got 'dihedrals'"),
        ({"select": "resname HOH"}, "select: expected 1 of 33 atoms or more, got none for 'resn"),
        ({"select": "nonsense"}, "select: expected atoms in MDAnalysis's .* got 'nonsense'"),
        ({"select": "name CA and resid 6"}, None),
        ({"select": "name CB", "features": "distances"}, None),
        ({"features": "distances", "select": "name CA and resid 1"}, "got 0 of 1 atoms"),
        ({"features": "aligned", "select": "resid 1 and name CA N"}, "3 atoms or more"),
    ],
)
def test_keywords(keywords, message, store):
    universe = made_peptide.peptide(3)
    if message is None:
        assert open_trajectory(universe, store=store, **keywords).sizes["sample"] == 3
        return
    with pytest.raises(ValueError, match=message):
        open_trajectory(universe, store=store, **keywords)
    assert not store.exists()


def test_no_protein__has_no_torsions(store):
    universe = made_peptide.peptide(3)
    universe.residues.resnames = "UNK"
    universe.residues[2].atoms.names = "X"
    with pytest.raises(ValueError, match="got none for 'protein': choose others with select"):
        open_trajectory(universe, store=store)
    with pytest.raises(ValueError, match=r"torsions, got none in 1 residues \(UNK\): select"):
        open_trajectory(universe.residues[2].atoms, store=store)


def test_atoms_without_names__have_no_torsions(store):
    universe = MDAnalysis.Universe.empty(4, trajectory=True)
    with pytest.raises(ValueError, match=r"expected names, residues and segments.*got none"):
        open_trajectory(universe.atoms, store=store)
    with pytest.raises(ValueError, match=r"got 'protein' .*load a topology that has what it"):
        open_trajectory(universe, store=store)


def test_too_many_pairs(store, monkeypatch):
    monkeypatch.setattr(features, "MOST_PAIRS", 14)
    with pytest.raises(ValueError, match=r"got 15 of 6 atoms.*or take features='aligned'"):
        open_trajectory(made_peptide.peptide(3), features="distances", store=store)


@pytest.mark.parametrize("frame", [0, 2])
def test_torn_molecule__is_refused_for_aligned_only(frame, store, tmp_path):
    universe = made_peptide.peptide(3)
    want = open_trajectory(universe, features="distances", store=tmp_path / "whole.zarr")
    torn = moved(universe, universe.select_atoms("resid 4:6"), frame, [0, 60, 0])
    message = f"whole molecules, got CA 3 and CA 4 on two sides of the box in frame {frame}"
    with pytest.raises(ValueError, match=message):
        open_trajectory(torn, features="aligned", store=store)
    got = open_trajectory(torn, features="distances", store=tmp_path / "torn.zarr")
    np.testing.assert_allclose(got.rows, want.rows, rtol=1e-5)
    alike = [open_trajectory(u, store=tmp_path / f"{u is torn}.zarr").rows.values
             for u in (torn, made_peptide.peptide(3))]  # fmt: skip
    apart = (alike[0] - alike[1] + np.pi) % (2 * np.pi) - np.pi
    np.testing.assert_allclose(apart, 0, atol=1e-4)


def test_molecules_apart__may_drift_but_not_jump(store, tmp_path):
    two = MDAnalysis.Merge(made_peptide.peptide(1).atoms, made_peptide.peptide(1).atoms)
    positions = np.stack([two.atoms.positions] * 4)
    positions[:, 33:] += [0, 0, 40]
    positions[:, 33:] += np.arange(4)[:, None, None] * np.array([0, 8, 0])
    for jump, path in ((0, store), (60, tmp_path / "jump.zarr")):
        positions[3, 33:] -= [jump, 0, 0]
        two.load_new(positions.astype("f4"), dimensions=[60, 60, 60, 90, 90, 90])
        if jump:
            with pytest.raises(ValueError, match="two sides of the box in frame 3"):
                open_trajectory(two, features="aligned", store=path)
        else:
            open_trajectory(two, features="aligned", store=path)


def test_labels__tell_segments_and_copies_apart(tmp_path):
    two = MDAnalysis.Merge(made_peptide.peptide(1).atoms, made_peptide.peptide(1).atoms)
    two.select_atoms("index 33:65").positions += 20
    ds = open_trajectory(two, features="distances", store=tmp_path / "1.zarr")
    assert ds.name.values[0] == "CA 1 #1 - CA 2 #6"
    assert len(set(ds.name.values)) == ds.sizes["feature"]
    torsions = open_trajectory(two, store=tmp_path / "2.zarr").name.values
    assert len(set(torsions)) == torsions.size == 26
    other = two.add_Segment(segid="B")
    two.residues[6:].segments = other
    ds = open_trajectory(two, features="distances", store=tmp_path / "3.zarr")
    assert ds.name.values[[0, 5]].tolist() == ["CA A:1 - CA A:2", "CA A:1 - CA B:1"]
    assert "phi B:2" in open_trajectory(two, store=tmp_path / "4.zarr").name.values


def test_group__counts_copies_once_and_is_that_of_the_first_frame(store, tmp_path):
    universe = made_peptide.peptide(9)
    ca = universe.select_atoms("name CA")
    ds = open_trajectory(ca + ca, features="distances", store=store)
    assert ds.sizes["feature"] == 15
    assert universe.trajectory.frame == 0
    near = universe.select_atoms("name CA CB and around 8 index 1", updating=True)
    expected = near.n_atoms
    numbers = {near.n_atoms for _ in universe.trajectory}
    universe.trajectory[4]
    assert len(numbers) > 1
    ds = open_trajectory(near, features="aligned", store=tmp_path / "near.zarr")
    assert ds.sizes["feature"] == 3 * expected


def test_no_box__takes_distances_as_they_are(store):
    universe = made_peptide.peptide(3, box=60.0)
    moved(universe, universe.select_atoms("resid 6"), slice(None), [0, 50, 0])
    universe.load_new(universe.trajectory.get_array())
    ds = open_trajectory(universe, features="distances", store=store)
    atoms = universe.select_atoms("name CA")
    direct = [self_distance_array(atoms.positions) for _ in universe.trajectory]
    np.testing.assert_array_equal(ds.rows, np.asarray(direct, "f4"))
    assert ds.rows.values.max() > 40


# MDAnalysis closes in its destructor what it could not open
@pytest.mark.filterwarnings("ignore:Exception ignored in. <function ReaderBase.__del__")
def test_empty_trajectory(store, tmp_path):
    topology, _ = made_peptide.write(tmp_path, made_peptide.peptide(3))
    (tmp_path / "empty.xtc").touch()
    with pytest.raises(ValueError, match=r"got .*empty\.xtc' \(.*\): give the files that belong"):
        open_trajectory((topology, tmp_path / "empty.xtc"), store=store)
    gc.collect()


def test_no_coordinates(store):
    with pytest.raises(ValueError, match="expected a trajectory, got a topology without"):
        open_trajectory(MDAnalysis.Universe.empty(3), store=store)


def test_other_objects(store):
    with pytest.raises(
        TypeError, match=r"expected an MDAnalysis Universe or AtomGroup, .* got ndar"
    ):
        open_trajectory(np.zeros((3, 3)), store=store)


def test_paths__missing_or_of_another_molecule(store, tmp_path):
    topology, trajectory = made_peptide.write(tmp_path, made_peptide.peptide(3))
    with pytest.raises(FileNotFoundError, match=r"got '.*nowhere\.xtc': nothing there"):
        open_trajectory((topology, tmp_path / "nowhere.xtc"), store=store)
    (tmp_path / "x.nonsense").write_text("nothing")
    with pytest.raises(ValueError, match="in formats that MDAnalysis reads, got"):
        open_trajectory(tmp_path / "x.nonsense", store=store)
    with MDAnalysis.Writer(str(tmp_path / "few.xtc"), 3) as writer:
        writer.write(made_peptide.peptide(1).atoms[:3])
    for given in ((topology, tmp_path / "few.xtc"), (topology, trajectory, tmp_path / "few.xtc")):
        with pytest.raises(ValueError, match="give the files that belong together"):
            open_trajectory(given, store=store)


# a gro file may hold many frames, but says no times
@pytest.mark.filterwarnings("ignore:Reader has no dt information, set to 1.0 ps")
def test_topology_alone__is_its_own_trajectory(store, tmp_path):
    topology, _ = made_peptide.write(tmp_path, made_peptide.peptide(3))
    assert open_trajectory(topology, store=store).rows.shape == (1, 13)


# MDAnalysis looks for the lost frame once more, and keeps a new index beside the file
@pytest.mark.filterwarnings("ignore:seek failed, recalculating offsets")
def test_file_cut_short_meanwhile__names_the_frame(store, tmp_path, monkeypatch):
    paths = made_peptide.write(tmp_path, made_peptide.peptide(40))

    def cut(*_):
        with Path(paths[1]).open("r+b") as file:
            file.truncate(2000)

    monkeypatch.setattr(writing, "progress", made_peptide.progress_to(cut))
    with pytest.raises(OSError, match=r"expected 40 frames in .*peptide.xtc, got no frame \d+"):
        open_trajectory(paths, store=store)


def test_nonfinite_coordinates__are_told_by_their_rows(store):
    universe = made_peptide.peptide(5)
    moved(universe, universe.atoms[1:2], 3, [np.nan] * 3)
    with pytest.raises(ValueError, match=r"got NaN or infinity in 1 of 5 rows \(first: 3\)"):
        open_trajectory(universe, features="distances", store=store)
    assert daskid.open_rows(store, drop_nonfinite=True).sizes["sample"] == 4


def test_store__that_holds_something_else(store, tmp_path):
    universe = made_peptide.peptide(3)
    store.mkdir()
    (store / "other").touch()
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match="which holds something else"):
            open_trajectory(universe, store=store, overwrite=overwrite)
    run = tmp_path / "run.zarr"
    daskid.save(open_trajectory(universe, store=tmp_path / "made.zarr"), run)
    with pytest.raises(FileExistsError, match="expected a new path, got the run"):
        open_trajectory(universe, store=run, overwrite=True)
    with pytest.raises(FileNotFoundError, match="expected an existing folder"):
        open_trajectory(universe, store=tmp_path / "no" / "folder.zarr")
    assert (store / "other").exists()


def test_missing_package__says_what_to_install(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "MDAnalysis", None)
    with pytest.raises(ImportError, match=r"expected MDAnalysis.*pip install 'daskid\[md\]'"):
        open_trajectory(("a.gro", "b.xtc"), store=store)
