"""barriers: two Gaussians whose barrier is known, what stands in the tables, what is refused."""

import importlib

import numpy as np
import pytest
import xarray as xr
from landscape_input import wells, with_peaks

from daskid import datasets
from daskid import variables as v
from daskid.estimators.landscape import barriers

tables = importlib.import_module("daskid.estimators.landscape.barriers")

# ln p of two unit Gaussians at -2 and 2: saddle exp(-2) each, peak (1 + exp(-8)) / 2
TRUTH = np.log(0.5 * (1 + np.exp(-8.0))) + 2.0


@pytest.fixture(scope="module")
def pair():
    x = wells(4000, 0)
    ds = with_peaks(x, 250, z=2.0)
    assert ds.sizes["peak"] == 2
    return x, ds, barriers(ds, replicates=40)


def test_barriers__are_those_of_two_gaussians(pair):
    *_, out = pair
    assert np.isnan(out.barrier_direct.values[[0, 1], [0, 1]]).all()
    for a, b in ((0, 1), (1, 0)):
        value, error = float(out.barrier_direct[a, b]), float(out.barrier_direct_error[a, b])
        assert abs(value - TRUTH) < 2.5 * error
        assert 0.03 < error < 0.3
        assert abs(float(out.barrier_direct_bias[a, b])) < error
    np.testing.assert_allclose(out.barrier_minimax, out.barrier_direct, rtol=1e-12)
    assert "with the peaks and k*" in out.barrier_direct_error.attrs["covers"]
    assert out.barrier_direct_error.attrs["dimension_error"] == 0.0


def test_barriers__have_intervals_that_cover():
    # of the script tests/benchmarks/landscape_coverage.py, in small
    value, error = [], []
    for seed in range(12):
        ds = with_peaks(wells(1500, seed), 120, z=2.5)
        if ds.sizes["peak"] == 2:
            out = barriers(ds, replicates=20)
            value += out.barrier_direct.values[[0, 1], [1, 0]].tolist()
            error += out.barrier_direct_error.values[[0, 1], [1, 0]].tolist()
    value, error = np.array(value), np.array(error)
    assert value.size >= 20
    assert np.mean(abs(value - TRUTH) < 1.96 * error) >= 0.8
    assert 0.7 < error.mean() / value.std() < 1.4
    assert abs(value.mean() - TRUTH) < value.std()


def test_barriers__of_a_line_in_twenty_dimensions(caplog):
    # noise far below the spacing changes nothing; above it, the dimension is not one
    plain = in_twenty(0.0)
    faint, given = in_twenty(1e-6), in_twenty(1e-3, dimension=1.0)
    assert not caplog.text
    strong = in_twenty(1e-3)
    for out in (faint, given):
        apart = abs(out.barrier_direct - plain.barrier_direct).values[[0, 1], [1, 0]]
        assert (apart < plain.barrier_direct_error.values[[0, 1], [1, 0]]).all()
    error = strong.barrier_direct_error.attrs
    assert error["dimension_error"] > 1.0
    said = error["dimension_warning"]
    assert said.startswith("barriers are as uncertain as the dimension, known to 3.7 (Gride")
    assert f"barriers: {said}" in caplog.text
    assert "dimension_warning" not in given.barrier_minimax_error.attrs
    off = (strong.barrier_minimax_error > strong.barrier_minimax).values[[0, 1], [1, 0]]
    assert off.all()
    assert faint.barrier_direct_error.attrs["dimension_error"] < 0.2


def in_twenty(noise, dimension=None):
    more = {"dimension": 20, "noise": noise} if noise else {}
    x = datasets.double_well(3000, sigma=0.5, seed=1, **more).rows.values
    return barriers(with_peaks(x, 400, 4.0, dimension=dimension), replicates=20)


def test_barriers__tell_probability_entropy_and_halo(pair):
    _, ds, out = pair
    assert out.basin_probability.sum() == pytest.approx(1.0)
    assert out.basin_probability_error.values == pytest.approx(0.5 / np.sqrt(4000), rel=0.05)
    # of a plane Gaussian cut at the saddle: near ln(2 pi e)
    assert out.basin_entropy.values == pytest.approx(np.log(2 * np.pi * np.e), abs=0.1)
    halo = ds.peak_halo.values
    for a in range(2):
        assert float(out.basin_halo[a]) == halo[ds.peak_label.values == a].mean()


def test_barriers__lead_over_the_saddle_from_peak_to_peak(pair):
    x, ds, out = pair
    side = out.edge_sample.values[0]
    assert ds.peak_label.values[side].tolist() == ds.saddle_peak.values[0].tolist()
    assert np.abs(x[side, 0]).max() < 0.7
    path = out.path_sample.values
    assert path[[0, -1]].tolist() == ds.peak_sample.values.tolist()
    label, height = ds.peak_label.values[path], ds.log_density.values[path]
    assert sorted(label.tolist()) == label.tolist()
    over = int(np.searchsorted(label, 1))
    assert set(path[over - 1 : over + 1]) == set(side)
    g = height - ds.log_density_error.values[path]
    inside = np.diff(g[: over - 1]), np.diff(g[over + 1 : -1])
    assert (inside[0] < 0).all()
    assert (inside[1] > 0).all()
    climb = float(np.nanmax(out.barrier_direct))
    assert float(out.edge_free_energy[0]) == pytest.approx(climb)
    assert 0.03 < float(out.edge_free_energy_error[0]) < 0.3
    assert (out.path_saddle == 0).all()


def test_barriers__follow_a_larger_dimension_by_the_slope(pair):
    _, ds, out = pair
    log_r = np.log(np.take_along_axis(
        ds.neighbor_distance.values, ds.kstar.values[:, np.newaxis] - 1, axis=1
    )[:, 0])  # fmt: skip
    moved = barriers(ds.assign(log_density=ds.log_density - 0.5 * log_r), replicates=40)
    change = float(moved.barrier_direct[0, 1] - out.barrier_direct[0, 1])
    assert change == pytest.approx(0.5 * float(out.barrier_dimension_slope[0, 1]), abs=0.08)


def test_barriers__take_the_number_of_features_where_gride_reaches_it(pair):
    x, ds, out = pair
    attrs = {"scale": 8, "scales": [1, 4, 8], "dimensions": [2.0, 2.1, 2.2]}
    given = ds.assign(rows=(("sample", "feature"), x), kstar_dimension=2.2)
    given["kstar_dimension"].attrs = ds.kstar_dimension.attrs | attrs
    found = barriers(given, replicates=40)
    slope = out.barrier_dimension_slope.values[0, 1]
    change = float(found.barrier_direct[0, 1] - out.barrier_direct[0, 1])
    assert change == pytest.approx(-0.2 * slope)
    told = found.barrier_direct_error.attrs
    assert (told["dimension_error"], told["dimension_change"]) == (0.0, pytest.approx(-0.2))
    assert "number of features" in told["dimension_error_of"]
    inside = barriers(given.assign(rows=(("sample", "feature"), np.c_[x, x])), replicates=2)
    assert inside.barrier_direct_error.attrs["dimension_error"] == pytest.approx(0.2)


def test_barriers__have_the_same_bits_for_any_chunks(pair):
    x, _, out = pair
    again = barriers(with_peaks(x, 250, z=2.0, chunk=700), replicates=40)
    names = [n for n in out if v.VARIABLES[n].step == "barriers"]
    xr.testing.assert_identical(again[names].drop_attrs(), out[names].drop_attrs())


def test_barriers__errors_are_larger_where_frames_come_in_blocks(pair):
    # in the order of the first axis: a block of frames is a slab of space
    x, _, _ = pair
    x = x[np.argsort(x[:, 0])]
    ds = with_peaks(x, 250, z=2.0, time=("sample", np.arange(4000.0)))
    blocks = barriers(ds, block=50, replicates=30)
    alone = barriers(ds.drop_vars("time"), replicates=30)
    ratio = blocks.barrier_direct_error / alone.barrier_direct_error
    assert float(ratio[0, 1]) > 1.5
    assert (blocks.basin_probability_error > 3 * alone.basin_probability_error).all()
    assert "blocks of 50 frames" in blocks.barrier_direct_error.attrs["covers"]
    assert "correlations of frames" in alone.barrier_direct_error.attrs["covers"]
    assert "blocks of 62 frames" in barriers(ds, replicates=2).barrier_direct_error.attrs["covers"]


def test_barriers__by_the_best_path_lead_through_other_basins():
    # three in a row: 0 and 2 do not touch, or only far below
    means = np.array([[-4.0, 0.0], [0.0, 0.0], [4.0, 0.0]])
    x = wells(4500, 2, means)
    ds = with_peaks(x, 200, z=2.5)
    assert ds.sizes["peak"] == 3
    out = barriers(ds, replicates=4)
    middle = int(np.abs(x[ds.peak_sample.values, 0]).argmin())
    a, b = (c for c in range(3) if c != middle)
    direct, minimax = out.barrier_direct.values, out.barrier_minimax.values
    lower = direct[middle, b] - direct[middle, a]
    assert minimax[a, b] == pytest.approx(direct[a, middle] + max(lower, 0.0), abs=0.1)
    assert np.isnan(direct[a, b]) or direct[a, b] > minimax[a, b] + 1
    assert np.isfinite(out.barrier_minimax_error.values[a, b])


def test_barriers__errors_hold_where_two_saddles_are_equal():
    # over the lower of two errors of 1 on the only path: its mean square is 1 as well
    rng, pair = np.random.default_rng(0), np.array([[0, 2], [1, 2]])
    value, error = [], []
    for level in rng.normal(size=(300, 2)):
        moved = np.c_[np.zeros((20, 3)), rng.normal(size=(20, 2))]
        height = np.append([9.0, 9.0, 9.0], level)
        told = tables._climbs(height, moved, np.zeros(5), pair, np.zeros(5))
        value.append(told[v.barrier_minimax][0, 1])
        error.append(told[v.barrier_minimax_error][0, 1])
    off, error = np.array(value) - 9.0, np.array(error)
    assert np.mean(off**2) == pytest.approx(1.0, abs=0.1)
    assert off.mean() == pytest.approx(np.pi**-0.5, abs=0.1)
    assert 0.95 < error.mean() < 1.05  # 0.91 from levels as they are
    assert np.mean(abs(off) < 1.96 * error) > 0.92


def test_barriers__of_one_peak_are_none():
    ds = with_peaks(wells(400, 3, np.zeros((1, 2))), 60, z=9.0)
    out = barriers(ds, replicates=2)
    assert out.barrier_direct.shape == (1, 1)
    assert np.isnan(out.barrier_direct.values).all()
    assert np.isnan(out.barrier_minimax_error.values).all()
    assert out.basin_probability.values.tolist() == [1.0]
    assert out.sizes["path_point"] == 0


def test_barriers__grow_their_errors_with_that_of_the_dimension(pair):
    _, ds, out = pair
    twonn = ds.assign(id_twonn=2.0, id_twonn_error=0.3)
    attrs = ds.kstar_dimension.attrs
    twonn["kstar_dimension"].attrs = attrs | {"parameters": '{"dimension": "id_twonn"}'}
    found = barriers(twonn, replicates=40)
    slope = out.barrier_dimension_slope.values[0, 1]
    square = found.barrier_direct_error**2 - out.barrier_direct_error**2
    assert float(square[0, 1]) == pytest.approx((0.3 * slope) ** 2)
    assert found.barrier_direct_error.attrs["dimension_error_of"] == "id_twonn_error"
    scales = {"scale": 8, "scales": [1, 4, 8, 16, 32], "dimensions": [2.4, 2.1, 2.0, 2.05, 9.0]}
    twonn["kstar_dimension"].attrs = attrs | scales
    assert barriers(twonn, replicates=2).barrier_direct_error.attrs["dimension_error"] == (
        pytest.approx(0.4)
    )


def test_barriers__name_what_is_wrong(pair):
    _, ds, _ = pair
    with pytest.raises(v.SchemaError, match="no 'peak_sample' in the dataset: run peaks first"):
        barriers(ds.drop_vars("peak_sample"))
    with pytest.raises(ValueError, match="replicates: expected a whole number, 2 or more, got 1"):
        barriers(ds, replicates=1)
    with pytest.raises(ValueError, match="block: expected 8 blocks or more, got 4 blocks of 1000"):
        barriers(ds, block=1000)
    with pytest.raises(v.SchemaError, match="no 'trajectory' in the dataset: open it with"):
        barriers(ds, block="trajectory")
    with pytest.raises(ValueError, match="block: expected 'trajectory' or a number of frames"):
        barriers(ds, block=0)
