"""The picture of the data: right axes, right rows, right components."""

import io

import dask.array as da
import made_run
import numpy as np
import pytest
import xarray as xr

from daskid import plot


def data(x, names=None, period=None, **attrs):
    ds = xr.Dataset({"rows": (("sample", "feature"), x, attrs)})
    if names is not None:
        ds = ds.assign_coords(name=("feature", names))
    return ds if period is None else ds.assign_coords(period=("feature", period))


def cells(ax):
    (mesh,) = ax.collections
    return np.ma.filled(mesh.get_array(), 0)


def title(ax):
    return ax.get_title(loc="left")


def test_projection__labels_with_names_and_units():
    ax = plot.rows.projection(made_run.run())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("phi [rad]", "psi [rad]")
    unnamed = plot.rows.projection(data(made_run.rows(50), units="1"))
    assert unnamed.get_xlabel() == "feature 0"


def test_projection__axis_spans_the_period_wherever_the_data_start():
    x = made_run.rows(3000)
    turn = 2 * np.pi
    here = plot.rows.projection(data(x, period=[turn, turn]))
    np.testing.assert_allclose(here.get_xlim(), (-np.pi, np.pi))
    np.testing.assert_array_equal(cells(here).sum(), 3000)
    degrees = plot.rows.projection(data(np.degrees(x) % 360, period=[360.0, 360.0]))
    np.testing.assert_allclose(degrees.get_xlim(), (0, 360))
    np.testing.assert_array_equal(degrees.get_xticks(), [0, 90, 180, 270, 360])


def test_projection__wraps_what_lies_beyond_the_period():
    x = np.random.default_rng(0).uniform(-np.pi, np.pi, (3000, 2))
    around = np.where(x < -1, x + 2 * np.pi, x)  # another origin, the same angles
    turn = [2 * np.pi, 2 * np.pi]
    here, there = (cells(plot.rows.projection(data(rows, period=turn))) for rows in (x, around))
    assert here.sum() == there.sum() == 3000
    assert np.abs(here - there).sum() <= 4  # roundings at the edges of cells


def test_projection__marks_turns_in_pi():
    ax = plot.rows.projection(data(made_run.rows(50), period=[2 * np.pi, 0.0]))
    ax.figure.canvas.draw()
    minus = "\N{MINUS SIGN}"
    ticks = [text.get_text() for text in ax.get_xticklabels()]
    assert ticks == [f"{minus}π", f"{minus}π/2", "0", "π/2", "π"]
    assert ax.get_aspect() == "auto"  # only one of them is periodic


def test_projection__counts_rows_in_cells():
    x = np.repeat([[0.0, 0.0], [1.0, 1.0]], [900, 600], axis=0)
    counts = cells(plot.rows.projection(data(x)))
    assert sorted(counts[counts > 0]) == [600, 900]
    flat = np.column_stack([np.linspace(0, 1, 2000), np.r_[np.zeros(1999), 1]])
    assert (cells(plot.rows.projection(data(flat)))[:2].sum()) == 1999  # rows of cells are y


def test_projection__few_rows_are_dots():
    x = made_run.rows(40)
    (line,) = plot.rows.projection(data(x)).get_lines()
    np.testing.assert_array_equal(np.column_stack(line.get_data()), x)


def test_projection__chosen_features():
    x = made_run.rows(40, 5)
    ax = plot.rows.projection(data(x, names=list("abcde")), features=(3, 1))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("d", "b")
    np.testing.assert_array_equal(np.column_stack(ax.get_lines()[0].get_data()), x[:, [3, 1]])


@pytest.mark.parametrize("features", [(0, 5), (0,), (-1, 0), (0.5, 1)])
def test_projection__refuses_other_features(features):
    with pytest.raises(ValueError, match="features: expected two positions from 0 to 4, got"):
        plot.rows.projection(data(made_run.rows(40, 5)), features=features)


@pytest.mark.parametrize("shape", [(60, 5), (6, 30)])
def test_components__equal_a_singular_value_decomposition(shape):
    x = np.random.default_rng(0).random(shape) * np.arange(1, shape[1] + 1)
    plane, share = plot.rows.components(x)
    u, s, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(plane), np.abs(u[:, :2] * s[:2]), rtol=1e-8)
    np.testing.assert_allclose(share, s[:2] ** 2 / (s**2).sum())
    assert (plane[np.abs(plane).argmax(axis=0), [0, 1]] > 0).all()


def test_projection__many_features_are_principal_components_and_say_so():
    ax = plot.rows.projection(
        data(np.random.default_rng(0).random((50, 9)) * [9, 1, 1, 1, 1, 1, 1, 1, 1])
    )
    assert ax.get_xlabel().startswith("principal component 1, 9")
    assert title(ax) == "50 rows; 9 features"


def test_projection__periodic_features_enter_components_as_circles():
    rng = np.random.default_rng(0)
    angle = rng.uniform(-180, 180, 500)
    x = np.column_stack([angle, 0.01 * rng.random((500, 2))])
    ax = plot.rows.projection(data(x, period=[360.0, 0.0, 0.0]))
    plane = np.column_stack(ax.get_lines()[0].get_data())
    radius = 360 / (2 * np.pi)
    np.testing.assert_allclose(np.hypot(*plane.T), radius, rtol=0.2)


def test_projection__weights_count_in_components():
    x = np.random.default_rng(0).random((200, 3))
    weighted = data(x).assign_coords(weight=("feature", [1e6, 1.0, 1.0]))
    assert plot.rows.projection(weighted).get_xlabel() == "principal component 1, 100% of variance"


def test_projection__samples_at_most_20000_rows_and_says_so():
    points = plot.rows.projection_points(data(da.zeros((30_000, 2), chunks=(1000, 2))))
    assert points["rows"].shape == (20_000, 2)
    assert plot.rows.said(points | {"rows": np.zeros((20_000, 2))}) == (
        "20,000 of 30,000 rows, at random"
    )
    wide = plot.rows.projection_points(data(da.zeros((30_000, 10_000), chunks=(1000, -1))))
    assert wide["rows"].shape == (500, 10_000)


def test_projection__rows_of_the_sample_are_spread_and_the_same_each_time():
    n = 100_000
    x = np.repeat(np.arange(n)[:, None], 2, axis=1)
    first, again = (
        plot.rows.projection_points(data(da.from_array(x, (7000, -1))))["rows"].compute()
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
    assert len(np.unique(first[:, 0])) == 20_000
    assert abs(first[:, 0].mean() / n - 0.5) < 0.02


def test_projection_points__computes_nothing(no_compute):
    plot.rows.projection_points(made_run.run())


def test_projection__one_feature_is_a_histogram():
    ax = plot.rows.projection(data(made_run.rows(50, 1)))
    assert sum(bar.get_height() for bar in ax.patches) == 50
    assert ax.get_ylabel() == "samples per bin"


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (1, 3), (2, 4), (2000, 2), (30, 3)])
def test_projection__draws_constant_and_tiny_data(shape):
    plot.rows.projection(data(np.full(shape, 7.0))).figure.canvas.draw()


def test_projection__draws_hostile_names_as_text():
    names = ["$\\frac{$ \x00\n<b>", "x" * 10_000]
    ax = plot.rows.projection(data(made_run.rows(40), names=names, units="$"))
    assert ax.get_xlabel() == "$\\frac{$   <b> [$]"
    assert len(ax.get_ylabel()) < 50
    buffer = io.StringIO()
    ax.figure.savefig(buffer, format="svg")
    assert "\x00" not in buffer.getvalue()
