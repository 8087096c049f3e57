"""Exports: the frames are those of the source, whatever was dropped, decimated or joined."""

import dask.array as da
import deeptime.markov as deeptime
import numpy as np
import pytest
import xarray as xr

import daskid
from daskid import variables as v
from daskid.io.export import (
    discrete_trajectories,
    export_frames,
    labels_on_source,
    to_dataframe,
)


def climate(members=None):
    """(time, lat, lon), or with members in between: every value says where it is."""
    shape = (12, 2, 3) if members is None else (12, members, 2, 3)
    dims = ("time", "lat", "lon") if members is None else ("time", "member", "lat", "lon")
    time = np.datetime64("2000-01-01", "s") + np.arange(12) * np.timedelta64(1, "D")
    coords = {"time": time, "lat": [10.0, 20.0]}
    if members:
        coords["member"] = [f"m{i}" for i in range(members)]
    return xr.DataArray(np.arange(np.prod(shape), dtype="f8").reshape(shape), coords, dims, "t2m")


def found(ds, seed=0):
    """What peaks and barriers add, at random places."""
    rng = np.random.default_rng(seed)
    n = ds.sizes["sample"]
    label = rng.integers(0, 2, n)
    label[:2] = 0, 1
    peak = [int(np.flatnonzero(label == p)[-1]) for p in (0, 1)]
    density = rng.normal(size=n)
    density[peak] = 9.0, 8.0
    return ds.assign(
        peak_label=("sample", label),
        peak_halo=("sample", rng.random(n) < 0.5),
        log_density=("sample", density),
        peak_sample=("peak", peak),
        peak_size=("peak", np.bincount(label)),
        saddle_peak=(("saddle", "side"), [[0, 1], [0, 1]]),
        edge_sample=(("saddle", "side"), [[0, 1], [0, -1]]),
        path_sample=("path_point", [peak[0], 0, 1, peak[1]]),
        path_saddle=("path_point", [0, 0, 0, 0]),
    )


def test_labels__are_on_the_axes_of_a_climate_field():
    field = climate(members=3)
    ds = found(daskid.open_rows(field, trajectory="member"))
    label = labels_on_source(ds, field)
    assert label.dims == ("time", "member")
    xr.testing.assert_equal(label.time, field.time)
    for i in (0, 7, 20, 35):  # rows are member by member
        at = label.isel(member=i // 12, time=i % 12)
        assert int(at) == int(ds.peak_label[i])
        np.testing.assert_array_equal(
            field.isel(member=i // 12, time=i % 12).values.ravel(), ds.rows[i]
        )
    assert labels_on_source(ds, field, variable="log_density").dtype == np.float64


def test_labels__of_dropped_and_decimated_rows_are_absent(tmp_path):
    field = climate()
    field[3, 0, 0] = np.nan
    field.to_netcdf(tmp_path / "field.nc", engine="h5netcdf")
    ds = daskid.open_rows(tmp_path / "field.nc", drop_nonfinite=True)
    some = found(ds).isel(sample=slice(1, None, 2))
    label = labels_on_source(some)  # the path is remembered
    kept = [1, 4, 6, 8, 10]
    assert np.flatnonzero(label >= 0).tolist() == kept
    assert label[kept].values.tolist() == some.peak_label.values.tolist()
    halo = labels_on_source(some, variable="peak_halo")
    assert halo.dtype == np.int8
    assert halo[kept].values.tolist() == some.peak_halo.values.astype(int).tolist()
    density = labels_on_source(some, variable="log_density")
    assert np.flatnonzero(~np.isnan(density)).tolist() == kept


def test_labels__of_a_run_are_on_its_source(tmp_path):
    source = climate(members=2).drop_vars("member").to_dataset()
    source.to_zarr(tmp_path / "a.zarr", zarr_format=3, consolidated=False)
    ds = found(daskid.open_rows(tmp_path / "a.zarr", variable="t2m", trajectory="member"))
    run = daskid.save(ds[["rows", "peak_label"]], tmp_path / "run.zarr")
    label = labels_on_source(run)
    assert label.dims == ("time", "member")
    assert label.T.values.ravel().tolist() == ds.peak_label.values.tolist()


def test_labels__refuse_what_is_not_there():
    field = climate()
    ds = found(daskid.open_rows(field))
    with pytest.raises(ValueError, match="source: expected what the rows were opened from, got No"):
        labels_on_source(ds)
    with pytest.raises(ValueError, match="source: expected more than 11 samples"):
        labels_on_source(ds, field[:5])
    with pytest.raises(ValueError, match="variable: expected one along sample alone, of"):
        labels_on_source(ds, field, variable="peak_sample")


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("members", [None, 3])
def test_frames__of_fields_are_a_part_of_the_source(tmp_path, suffix, members):
    field = climate(members)
    field[3] = np.nan
    trajectory = "member" if members else None
    ds = found(daskid.open_rows(field, trajectory=trajectory, drop_nonfinite=True))
    some = found(ds.isel(sample=slice(2, None, 3)), seed=1)
    path = tmp_path / f"frames{suffix}"
    for which, sample in (
        ("peaks", some.peak_sample.values),
        ("saddles", some.edge_sample.values.ravel()[:3]),
        ("paths", some.path_sample.values),
    ):
        table = export_frames(some, field, path, which=which, overwrite=True)
        again = daskid.open_rows(path, variable="t2m")
        np.testing.assert_array_equal(again.rows, some.rows.values[sample])
        np.testing.assert_array_equal(table.row, some.row.values[sample])
        np.testing.assert_array_equal(again.source_row, table.row)
        np.testing.assert_array_equal(again.time, some.time.values[sample])
        assert again.lat.values.tolist() == [10.0] * 3 + [20.0] * 3
        expected = [f"peak {p}" for p in some.peak_label.values[sample]]
        assert again.state.values.tolist() == table.state.values.tolist() == expected
        energy = some.log_density.values.max() - some.log_density.values[sample]
        np.testing.assert_allclose(again.source_free_energy, energy)
    assert table.saddle.values.tolist() == [0, 0, 0, 0]
    if members:
        assert again.trajectory.values.tolist() == some.trajectory.values[sample].tolist()


def test_frames__of_several_variables_keep_their_names(tmp_path):
    field = climate()
    source = xr.Dataset({"u": field, "v": 2 * field})
    ds = found(daskid.open_rows(source, variable=["u", "v"]))
    ds = ds.assign(free_energy=("sample", np.arange(12.0), {"units": "kJ/mol"}))
    table = export_frames(ds, source, tmp_path / "two.nc", names=["warm", "cold"])
    with xr.open_dataset(tmp_path / "two.nc", engine="h5netcdf") as again:
        np.testing.assert_array_equal(again.v, 2 * field[ds.peak_sample.values])
        assert again.state.values.tolist() == ["warm", "cold"]
        assert again.free_energy.attrs["units"] == "kJ/mol"
    assert table.free_energy.values.tolist() == ds.peak_sample.values.tolist()


def test_frames__of_molecules_are_those_of_the_trajectories(tmp_path):
    mda = pytest.importorskip("MDAnalysis")
    from made_peptide import peptide, write

    paths = [write(tmp_path, peptide(n, seed=n), f"{n}.xtc") for n in (9, 14)]
    files = [paths[0][0], *(p[1] for p in paths)]
    ds = daskid.open_trajectory(files, store=tmp_path / "torsions.zarr")
    ds = found(ds.isel(sample=slice(1, None, 2)))
    table = export_frames(ds, files, tmp_path / "paths.xtc", which="paths")
    again = daskid.open_trajectory([files[0], str(tmp_path / "paths.xtc")], store=tmp_path / "b")
    np.testing.assert_allclose(
        again.rows, ds.rows.values[ds.path_sample.values], atol=2e-2
    )  # xtc is rounded to 0.01 angstrom
    assert again.time.values.tolist() == ds.time.values[ds.path_sample.values].tolist()
    lines = (tmp_path / "paths.csv").read_text().splitlines()
    assert lines[0].split(",")[:5] == ["frame", "sample", "row", "state", "saddle"]
    assert [int(line.split(",")[2]) for line in lines[1:]] == table.row.values.tolist()
    # without frame and trajectory numbers, rows tell which frame of which trajectory
    plain = ds.drop_vars(["frame", "trajectory"])
    export_frames(plain, files, tmp_path / "again.xtc", which="paths")
    one, two = (mda.Universe(files[0], str(tmp_path / f"{n}.xtc")) for n in ("paths", "again"))
    for a, b in zip(one.trajectory, two.trajectory, strict=True):
        np.testing.assert_array_equal(a.positions, b.positions)
    with pytest.raises(ValueError, match="source: expected frame"):
        export_frames(plain, files[:2], tmp_path / "c.xtc", which="paths")
    with pytest.raises(ValueError, match="source: expected a Universe"):
        export_frames(plain, None, tmp_path / "c.xtc")


def test_frames__refuse_what_is_not_there(tmp_path):
    field = climate()
    ds = found(daskid.open_rows(field))
    export_frames(ds, field, tmp_path / "a.nc")
    with pytest.raises(FileExistsError, match="path: expected a new path"):
        export_frames(ds, field, tmp_path / "a.nc")
    for given, message in (
        ({"which": "states"}, "which: expected one of"),
        ({"names": ["a"]}, "names: expected 2, one for each peak, got 1"),
    ):
        with pytest.raises(ValueError, match=message):
            export_frames(ds, field, tmp_path / "b.nc", **given)
    with pytest.raises(ValueError, match="path: expected an ending"):
        export_frames(ds, field, tmp_path / "b")
    with pytest.raises(v.SchemaError, match="run barriers first"):
        export_frames(ds.drop_vars("edge_sample"), field, tmp_path / "b.nc", which="saddles")
    assert not (tmp_path / "b.nc").exists()


def test_discrete_trajectories__are_segments_that_deeptime_counts_alike():
    label = np.array([0, 0, 1, 1, 0, 1, 1, 0, 0, 1])
    time = np.array([0, 1, 2, 3, 9, 10, 11, 0, 1, 2.0])  # a gap; then another trajectory
    trajectory = np.repeat(["b", "a"], [7, 3])
    ds = xr.Dataset(
        {"peak_label": ("sample", da.from_array(label, 3))},
        {"time": ("sample", time), "trajectory": ("sample", trajectory)},
    )
    parts = discrete_trajectories(ds)
    assert [p.tolist() for p in parts] == [[0, 0, 1, 1], [0, 1, 1], [0, 0, 1]]
    assert {p.dtype for p in parts} == {np.dtype("i4")}
    counts = deeptime.TransitionCountEstimator(1, "sliding").fit_fetch(parts).count_matrix
    assert counts.tolist() == [[2, 3], [0, 2]]  # from the record above, by hand
    plain = ds.drop_vars(["time", "trajectory"])
    assert [p.tolist() for p in discrete_trajectories(plain)] == [label.tolist()]
    gaps = plain.assign_coords(row=("sample", [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]))
    assert [p.size for p in discrete_trajectories(gaps)] == [5, 5]
    with pytest.raises(ValueError, match="variable: expected whole numbers"):
        discrete_trajectories(ds.assign(x=("sample", time)), variable="x")


def test_to_dataframe__of_peaks_saddles_and_pairs():
    ds = found(daskid.open_rows(climate()))
    barrier = xr.DataArray([[np.nan, 2.0], [1.0, np.nan]], dims=("peak", "other_peak"))
    ds = ds.assign(barrier_direct=barrier.assign_attrs(units="kT"))
    peaks = to_dataframe(ds, "peaks")
    assert peaks.peak_sample.tolist() == ds.peak_sample.values.tolist()
    saddles = to_dataframe(ds, "saddles")
    assert saddles.edge_sample_1.tolist() == [1, -1]
    assert saddles.saddle_peak_0.tolist() == [0, 0]
    barriers = to_dataframe(ds, "barriers")
    assert barriers.barrier_direct.loc[(0, 1)] == 2.0
    assert barriers.barrier_direct.loc[(1, 0)] == 1.0
    assert barriers.attrs["barrier_direct"] == {"units": "kT"}
    samples = to_dataframe(ds, "samples")
    assert {"row", "time", "peak_label"} <= set(samples.columns)
    assert len(samples) == 12
    with pytest.raises(ValueError, match="table: expected one of"):
        to_dataframe(ds, "peak")
    with pytest.raises(ValueError, match="table: expected variables along pmf_cell"):
        to_dataframe(ds, "pmf")
