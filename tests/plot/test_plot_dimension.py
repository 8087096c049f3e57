"""The pictures of the dimension show the numbers they are given, and few of them."""

import subprocess
import sys

import dask.array as da
import made_run
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from daskid import plot
from daskid.variables import SchemaError


def lists(r1, mu, location=None, **attrs):
    n = len(r1)
    distance = np.column_stack([r1, np.asarray(r1) * mu])
    return xr.Dataset(
        {
            "neighbor_distance": (("sample", "neighbor"), distance),
            "location": ("sample", np.arange(n) if location is None else location),
            "id_twonn": ((), 3.0, attrs),
        }
    )


def naive_curve(log_mu):
    ordered = np.sort(log_mu)
    n = len(ordered)
    return np.array([(ordered[j - 1], -np.log(1 - j / n)) for j in range(1, n)]).reshape(-1, 2)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def drawn(ax, text):
    """The (m, 2) points of the line whose label starts with ``text``."""
    (line,) = [line for line in ax.get_lines() if line.get_label().startswith(text)]
    return line.get_xydata(), line


@given(mu=st.lists(st.floats(1, 50), min_size=3, max_size=40), chunk=st.integers(1, 40))
def test_twonn_fit__draws_the_distribution_for_any_chunks(mu, chunk):
    ds = lists(np.full(len(mu), 0.25), np.array(mu)).chunk(sample=chunk)
    curve = plot.dimension.twonn_points(ds)["curve"].compute()
    curve = curve[np.isfinite(curve[:, 0])]
    np.testing.assert_allclose(curve[:, :2], naive_curve(np.log(mu)), rtol=1e-12, atol=1e-12)


def test_twonn_fit__marks_what_the_fit_leaves_out():
    mu = np.exp(np.random.default_rng(0).exponential(1 / 3, 50))
    ax = plot.dimension.twonn_fit(lists(np.ones(50), mu))
    kept, _ = drawn(ax, "locations")
    rest, line = drawn(ax, "largest 10%")
    assert len(kept) == 45
    assert len(rest) == 4  # the last has F = 1: nowhere to draw it
    assert line.get_markerfacecolor() == "none"
    assert kept[:, 0].max() <= rest[:, 0].min()


def test_twonn_fit__takes_method_and_fraction_from_the_step():
    mu = np.linspace(1.1, 2, 40)
    parameters = {"parameters": '{"method": "fit", "fraction": 0.75}'}
    ax = plot.dimension.twonn_fit(lists(np.ones(40), mu, **parameters))
    assert "largest 25%: not fitted" in legend(ax)
    assert len(drawn(ax, "locations")[0]) == 30


def test_twonn_fit__line_has_the_dimension_as_slope():
    ax = plot.dimension.twonn_fit(lists(np.ones(20), np.linspace(1.1, 2, 20)))
    line, _ = drawn(ax, "slope 3.00")
    np.testing.assert_allclose(line[0], 0)
    np.testing.assert_allclose(line[1, 1] / line[1, 0], 3.0)


def test_twonn_fit__leaves_out_copies_zero_and_missing_distances():
    ds = lists([1, 1, 0, 1, 1, 1], [2, 3, 4, np.inf, 5, 6], location=[0, 0, 2, 3, 4, 5])
    points = plot.dimension.twonn_points(ds)
    assert points["locations"].compute() == 3
    curve = points["curve"].compute()
    np.testing.assert_allclose(curve[np.isfinite(curve[:, 0]), 0], np.log([2, 5]))


def test_twonn_fit__thins_many_points_and_keeps_both_ends():
    n = 50_000
    mu = np.exp(np.random.default_rng(0).exponential(1 / 3, n))
    curve = plot.dimension.twonn_points(lists(np.ones(n), mu))["curve"].compute()
    curve = curve[np.isfinite(curve[:, 0]), :2]
    truth = naive_curve(np.log(mu))
    assert 500 < len(curve) <= plot.dimension.MAX_POINTS
    np.testing.assert_allclose(curve[[0, -1]], truth[[0, -1]])
    np.testing.assert_allclose(curve[:, 0], np.interp(curve[:, 1], truth[:, 1], truth[:, 0]))
    assert np.diff(curve[:, 1]).max() < 1.2  # the tail is there, though few points are in it


def test_twonn_points__computes_nothing_and_reads_two_columns(no_compute):
    made = made_run.run()
    points = plot.dimension.twonn_points(made)
    assert points["curve"].shape == (made_run.N, 3)


def test_twonn_fit__never_reads_the_third_column():
    def refuse(block):
        raise AssertionError("read a column that is not drawn")

    first = da.from_array(made_run.distances()[:, :2], (100, 2))
    other = da.ones((made_run.N, 5), chunks=(100, 5)).map_blocks(
        refuse, dtype="f8", meta=np.empty((0, 0))
    )
    ds = made_run.run(neighbor_distance=(("sample", "neighbor"), da.concatenate([first, other], 1)))
    plot.dimension.twonn_fit(ds)


def test_twonn_fit__names_what_is_missing():
    ds = lists(np.ones(5), np.full(5, 2.0))
    with pytest.raises(SchemaError, match="no 'id_twonn' in the dataset: run twonn first"):
        plot.dimension.twonn_fit(ds.drop_vars("id_twonn"))
    with pytest.raises(ValueError, match="neighbor_distance: expected 2 neighbors or more, got 1"):
        plot.dimension.twonn_fit(ds.isel(neighbor=[0]))


def test_twonn_fit__survives_a_dimension_that_is_no_number():
    ax = plot.dimension.twonn_fit(lists(np.zeros(5), np.full(5, 2.0)).assign(id_twonn=np.nan))
    assert not any("slope" in text for text in legend(ax))
    ax.figure.canvas.draw()


def bars(ax, text):
    (container,) = [c for c in ax.containers if c.get_label() == text]
    data, _, (segments,) = container
    return data.get_xydata(), np.array(segments.get_segments()), data


def test_dimension_scale__draws_points_with_their_errors():
    ax = plot.dimension.dimension_scale(made_run.run())
    points, segments, _ = bars(ax, "Gride")
    np.testing.assert_allclose(points, [(0.0131, 2.02), (0.021, 2.00)])
    np.testing.assert_allclose(np.ptp(segments[:, :, 1], axis=1) / 2, [0.02, 0.015])
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel().endswith("[rad]")


def test_dimension_scale__hollow_where_the_error_is_too_small():
    ax = plot.dimension.dimension_scale(made_run.run())
    points, _, marker = bars(ax, "Gride, error too small")
    np.testing.assert_allclose(points, [(0.034, 1.98)])
    assert to_hex(marker.get_markerfacecolor()) == "#ffffff"


def test_dimension_scale__believes_the_meaning_of_a_flag_not_its_number():
    kind = xr.DataArray(
        [7, 7, 3],
        dims="scale",
        attrs={"flag_values": [3, 7], "flag_meanings": "sandwich fisher_too_small"},
    )
    ax = plot.dimension.dimension_scale(made_run.run(id_gride_error_kind=kind))
    assert len(bars(ax, "Gride, error too small")[0]) == 2


def test_dimension_scale__adds_the_other_estimates():
    ax = plot.dimension.dimension_scale(made_run.run())
    np.testing.assert_allclose(bars(ax, "TwoNN")[0], [(0.0131, 2.0213)])
    line, _ = drawn(ax, "Levina-Bickel, k = 7")
    np.testing.assert_allclose(line[:, 1], 1.99)
    less = made_run.run().drop_vars(["id_twonn", "id_mle", "id_gride_error_kind"])
    assert legend(plot.dimension.dimension_scale(less)) == ["Gride"]


def test_dimension_scale__flat_curve_looks_flat():
    low, high = plot.dimension.dimension_scale(made_run.run()).get_ylim()
    assert low < 0.86 * 2
    assert high > 1.14 * 2


def test_dimension_scale__survives_scales_without_a_number():
    nothing = made_run.run(
        id_gride=("scale", [2.0, np.nan, np.nan]), id_gride_error=("scale", [np.nan] * 3)
    )
    plot.dimension.dimension_scale(nothing).figure.canvas.draw()


def test_pictures__go_into_given_axes_and_leave_pyplot_alone():
    ax = Figure().add_subplot()
    assert plot.dimension.dimension_scale(made_run.run(), ax) is ax
    code = (
        "import sys, made_run; from daskid import plot; ds = made_run.run(2000);"
        "[f(ds).figure.canvas.draw() for f in (plot.dimension.twonn_fit,"
        " plot.dimension.dimension_scale, plot.rows.projection)];"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
