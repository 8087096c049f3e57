"""Alanine dipeptide: the torsions are those of the atoms, and live on a torus of dimension 2."""

import json
from importlib.resources import files

import numpy as np
import pytest
from scipy.spatial import cKDTree

from daskid import datasets
from daskid.datasets.molecules import ATOMS

PHI = ("ACE C", "ALA N", "ALA CA", "ALA C")
PSI = ("ALA N", "ALA CA", "ALA C", "NME N")


@pytest.fixture(scope="module")
def atoms():
    with files("daskid.datasets").joinpath("alanine_dipeptide.npz").open("rb") as file:
        return np.load(file)["xyz_heavy"].astype("f8")


def dihedral(atoms, names):
    a, b, c, d = (atoms[:, ATOMS.index(name)] for name in names)
    axis = (c - b) / np.linalg.norm(c - b, axis=1, keepdims=True)
    left, right = (w - (w * axis).sum(1, keepdims=True) * axis for w in (a - b, d - c))
    return np.arctan2((np.cross(axis, left) * right).sum(1), (left * right).sum(1))


@pytest.mark.parametrize(("feature", "names"), [(0, PHI), (1, PSI)])
def test_torsions__are_those_of_the_atoms(atoms, feature, names):
    rows = datasets.alanine_dipeptide().rows.values
    difference = rows[:, feature] - dihedral(atoms, names)
    assert np.abs((difference + np.pi) % (2 * np.pi) - np.pi).max() < 1e-4


def test_torsions__are_two_dimensional_on_their_torus():
    ds = datasets.alanine_dipeptide()
    np.testing.assert_array_equal(ds.period, [2 * np.pi] * 2)
    assert np.ptp(ds.rows.values, axis=0).max() <= 2 * np.pi
    x = ds.rows.values % (2 * np.pi)
    r, _ = cKDTree(x, boxsize=2 * np.pi).query(x, k=3)
    found = (len(x) - 1) / np.log(r[:, 2] / r[:, 1]).sum()
    assert abs(found - 2) < 4 * 1.25 * 2 / np.sqrt(len(x))
    assert json.loads(ds.attrs["truth"]) == {"intrinsic_dimension": 2}


def test_distances__are_those_of_all_pairs_in_nm(atoms):
    ds = datasets.alanine_dipeptide("distances")
    x = ds.rows.values
    assert x.shape == (20_000, 45)
    for pair in (0, 17, 44):
        a, b = (ATOMS.index(name) for name in str(ds["name"].values[pair]).split(" - "))
        np.testing.assert_allclose(
            x[:, pair], np.linalg.norm(atoms[:, a] - atoms[:, b], axis=1), rtol=1e-12
        )
    # lengths of the carbonyl and of the peptide bond
    names = ds["name"].values.tolist()
    assert x[:, names.index("ACE C - ACE O")].mean() == pytest.approx(0.123, abs=0.002)
    assert x[:, names.index("ACE C - ALA N")].mean() == pytest.approx(0.134, abs=0.002)
    assert len(set(names)) == 45
    assert "period" not in ds.variables
    assert json.loads(ds.attrs["truth"]) == {"intrinsic_dimension": None}


@pytest.mark.parametrize("features", ["torsions", "distances"])
def test_trajectory__has_time_in_ps_and_units(features):
    ds = datasets.alanine_dipeptide(features)
    np.testing.assert_array_equal(ds.time, np.arange(20_000) * 4 / 10)
    assert ds.time.attrs["units"] == "ps"
    assert not ds.trajectory.any()
    assert ds.rows.attrs["units"] == {"torsions": "rad", "distances": "nm"}[features]


@pytest.mark.parametrize("features", ["torsions", "distances"])
def test_bits__do_not_depend_on_chunks(features):
    whole = datasets.alanine_dipeptide(features, chunks=20_000)
    parts = datasets.alanine_dipeptide(features, chunks=777)
    assert parts.rows.chunks[0][0] == 777
    np.testing.assert_array_equal(whole.rows, parts.rows, strict=True)


@pytest.mark.parametrize("features", ["torsions", "distances"])
def test_rows__are_lazy(features, no_compute):
    datasets.alanine_dipeptide(features)


def test_file__is_under_3_mb_in_the_wheel():
    assert len(files("daskid.datasets").joinpath("alanine_dipeptide.npz").read_bytes()) < 3e6


def test_alanine_dipeptide__refuses_other_features_and_chunks():
    with pytest.raises(ValueError, match=r"features: expected 'torsions' or 'distances', got 'x'"):
        datasets.alanine_dipeptide("x")
    with pytest.raises(ValueError, match=r"chunks: expected an integer of at least 1, got 0"):
        datasets.alanine_dipeptide(chunks=0)
