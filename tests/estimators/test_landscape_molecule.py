"""Alanine dipeptide from frames to states, energies, times and files, as a user would."""

import warnings
from importlib.resources import files

import numpy as np
import pytest

import daskid
from daskid import datasets
from daskid.estimators.landscape import barriers, free_energy, transitions
from daskid.estimators.landscape.pmf import pmf
from daskid.estimators.landscape.reactive import reactive_paths
from daskid.io.export import (
    discrete_trajectories,
    export_frames,
    labels_on_source,
    to_dataframe,
)

EVERY = 5
ENERGY = {"temperature": 300, "units": "kJ/mol"}


@pytest.fixture(scope="module")
def molecule():
    ds = datasets.alanine_dipeptide().isel(sample=slice(None, None, EVERY))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # 100 neighbors are few for its basins
        ds = daskid.kstar(daskid.knn(ds, k=100), dimension=2.0)
    ds = daskid.peaks(daskid.density(ds), z=3.0)
    ds = transitions(barriers(free_energy(ds, **ENERGY), replicates=2))
    return reactive_paths(pmf(ds, features="phi, psi", bins=24, **ENERGY), points=8)


def test_states__are_beta_and_alpha(molecule):
    place = np.degrees(molecule.rows.values[molecule.peak_sample.values])
    place = place[np.argsort(place[:, 1])]
    # data.md: alpha at (-75, -15), beta and PII from (-145, 155) on
    np.testing.assert_allclose(place, [[-75, -15], [-145, 155]], atol=25)


def test_pmf__is_in_kilojoules_and_lowest_at_the_states(molecule):
    assert molecule.pmf.attrs["units"] == "kJ/mol"
    value = molecule.pmf.values.reshape(molecule.pmf.attrs["shape"])
    place = np.degrees(molecule.pmf_position.values).reshape(24, 24, 2)
    alpha = np.nanmin(np.where(np.abs(place[..., 1] + 15) < 60, value, np.nan))
    beta = np.nanmin(np.where(np.abs(place[..., 1] - 155) < 40, value, np.nan))
    assert max(alpha, beta) < 3
    assert np.isnan(value[place[..., 0] > 30]).mean() > 0.9  # phi > 0 is not seen in 8 ns
    one = pmf(molecule, features="psi", bins=36, **ENERGY)
    psi = np.degrees(one.pmf_position.values[:, 0])
    between = one.pmf.values[(psi > 60) & (psi < 125)]
    assert 6 < np.nanmax(between) < 13
    assert np.nanmax(one.pmf_error.values[(psi > 60) & (psi < 125)]) < 3


def test_times__are_in_the_units_of_the_trajectory(molecule):
    time = molecule.mean_first_passage_time
    assert time.attrs["units"] == "ps"
    assert (time.values[[0, 1], [1, 0]] > 25).all()
    assert (time.values[[0, 1], [1, 0]] < 90).all()
    nano = molecule.assign_coords(time=(molecule.time / 1000).assign_attrs(units="ns"))
    again = transitions(nano).mean_first_passage_time
    assert again.attrs["units"] == "ns"
    np.testing.assert_allclose(again, time / 1000)


def test_errors__are_of_64_blocks_of_the_frames_that_are_left(molecule, caplog):
    # 4,000 of 20,000 frames: 62 of these are 310 rows of the source
    assert "blocks of 310 frames" in molecule.barrier_direct_error.attrs["covers"]
    assert not caplog.text
    barriers(molecule, block=50, replicates=2)
    assert "block: 50 rows of the source are 10 samples" in caplog.text


def test_tubes__are_one_in_equilibrium(molecule):
    assert (molecule.reactive_count.values > 40).all()
    assert float(molecule.reactive_difference_p) > 0.01
    path = np.degrees(molecule.reactive_path.values)
    tube = np.degrees(molecule.reactive_position.values)
    away = tube - path - 360 * np.round((tube - path) / 360)
    assert np.nanmax(np.abs(away)) < 60


def test_frames__of_the_states_have_their_torsions(molecule, tmp_path):
    mda = pytest.importorskip("MDAnalysis")
    path = files("daskid.datasets").joinpath("alanine_dipeptide.npz")
    with path.open("rb") as file, np.load(file) as data:
        heavy = 10 * data["xyz_heavy"].astype("f4")  # nm to angstrom
    universe = mda.Universe.empty(heavy.shape[1], trajectory=True)
    universe.load_new(heavy, dt=0.4)
    table = export_frames(molecule, universe, tmp_path / "peaks.xtc", names=["first", "second"])
    assert table.row.values.tolist() == (EVERY * molecule.peak_sample.values).tolist()
    again = mda.Universe.empty(heavy.shape[1], trajectory=True)
    again.load_new(str(tmp_path / "peaks.xtc"))
    for frame, sample in zip(again.trajectory, molecule.peak_sample.values, strict=True):
        a, b, c, d, e = frame.positions[[1, 3, 4, 6, 8]]
        found = [mda.lib.distances.calc_dihedrals(*x) for x in ((a, b, c, d), (b, c, d, e))]
        np.testing.assert_allclose(found, molecule.rows.values[sample], atol=0.02)
        assert frame.time == pytest.approx(float(molecule.time[sample]), abs=1e-2)


def test_exports__of_torsions(molecule, tmp_path):
    source = datasets.alanine_dipeptide().rows
    export_frames(molecule, source, tmp_path / "saddles.nc", which="saddles")
    again = daskid.open_rows(tmp_path / "saddles.nc")
    sample = molecule.edge_sample.values.ravel()
    np.testing.assert_array_equal(again.rows, molecule.rows.values[sample])
    label = labels_on_source(molecule, source)
    assert label.sizes == {"sample": 20_000}
    assert (label[::EVERY].values == molecule.peak_label.values).all()
    assert int((label >= 0).sum()) == molecule.sizes["sample"]
    (states,) = discrete_trajectories(molecule)
    assert (states == molecule.peak_label.values).all()
    barrier = to_dataframe(molecule, "barriers")
    assert barrier.transition_count.sum() == molecule.transition_count.values.sum()
