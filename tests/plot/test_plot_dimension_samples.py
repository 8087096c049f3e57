"""The pictures of the dimension against number of samples, and against the window of time."""

import json

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from daskid import plot
from daskid.variables import SchemaError

SIZES = [4000, 2000, 1000]


def blocks(d=(3.1, 2.5, 2.2), error=(0.1, 0.05, 0.05), spread=(np.nan, 0.2, 0.3)):
    values = {"id_blocks": d, "id_blocks_error": error, "id_blocks_spread": spread}
    return xr.Dataset(
        {n: ("block_size", list(x)) for n, x in values.items()}, {"block_size": SIZES}
    )


def windows(d=(20.5, 10.6, 10.7), error=(0.4, 0.3, 0.3), exclude=None, twonn=None):
    ds = xr.Dataset(
        {"id_window": ("window", list(d)), "id_window_error": ("window", list(error))},
        {"window": [0, 8, 1600]},
    )
    if exclude is not None:
        attrs = {"parameters": json.dumps({"exclude": exclude})}
        ds["neighbor_distance"] = (("sample", "neighbor"), np.ones((2, 1)), attrs)
    return ds if twonn is None else ds.assign(id_twonn=twonn, id_twonn_error=0.2)


def bars(ax):
    """(x, y, half length) of all error bars, by label."""
    return {
        c.get_label(): [
            (x, (low + high) / 2, (high - low) / 2)
            for ((x, low), (_, high)) in c[2][0].get_segments()
        ]
        for c in ax.containers
    }


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def ticks(ax):
    formatter = ax.xaxis.get_major_formatter()
    return [formatter(x, None) for x in ax.xaxis.get_majorticklocs()]


def test_blocks__draws_means_errors_and_spread():
    ax = plot.dimension.dimension_blocks(blocks())
    (points,) = bars(ax).values()
    np.testing.assert_allclose(points, [(4000, 3.1, 0.1), (2000, 2.5, 0.05), (1000, 2.2, 0.05)])
    (band,) = ax.collections[:1]
    corners = band.get_paths()[0].vertices
    assert {(2000.0, 2.7), (1000.0, 1.9), (2000.0, 2.3), (1000.0, 2.5)} == {
        (float(x), round(float(y), 9)) for x, y in corners
    }
    assert ax.get_xscale() == "log"
    assert ticks(ax) == ["4,000", "2,000", "1,000"]
    assert legend(ax) == ["spread of blocks", "TwoNN"]


def test_blocks__without_spread_have_no_band():
    ax = plot.dimension.dimension_blocks(blocks(spread=[np.nan] * 3))
    assert legend(ax) == ["TwoNN"]


def test_blocks__many_sizes_have_few_ticks():
    sizes = 4000 // 2 ** np.arange(10)
    values = ("block_size", np.linspace(3, 2, 10))
    ds = xr.Dataset(dict.fromkeys(blocks().data_vars, values), {"block_size": sizes})
    assert ticks(plot.dimension.dimension_blocks(ds)) == ["4,000", "1,000", "250", "62", "15"]


def test_window__draws_values_and_errors_evenly_spaced():
    ax = plot.dimension.dimension_window(windows())
    (points,) = bars(ax).values()
    np.testing.assert_allclose(points, [(0, 20.5, 0.4), (1, 10.6, 0.3), (2, 10.7, 0.3)])
    assert ticks(ax) == ["0", "8", "1,600"]
    assert legend(ax) == ["TwoNN of two passages"]
    assert not plot.dimension.has_plain(ax)
    assert ax.get_yscale() == "linear"


def test_window__compares_with_the_stored_neighbors_at_their_window():
    ax = plot.dimension.dimension_window(windows(exclude=8, twonn=28.5))
    np.testing.assert_allclose(bars(ax)["plain TwoNN"], [(1, 28.5, 0.2)])
    assert plot.dimension.has_plain(ax)
    low, high = ax.get_ylim()
    assert low < 10.3 < 28.7 < high
    for other in (windows(exclude=7, twonn=28.5), windows(twonn=28.5), windows(exclude=8)):
        assert not plot.dimension.has_plain(plot.dimension.dimension_window(other))


@pytest.mark.parametrize("parameters", ["[1", "[1]", "null", '{"exclude": "a"}'])
def test_window__survives_parameters_that_are_not_json(parameters):
    ds = windows(exclude=8, twonn=28.5)
    ds["neighbor_distance"].attrs["parameters"] = parameters
    assert legend(plot.dimension.dimension_window(ds)) == ["TwoNN of two passages"]


def test_axis__is_logarithmic_where_values_differ_much():
    ax = plot.dimension.dimension_window(windows((787.0, 22.0, 10.0)))
    assert ax.get_yscale() == "log"
    low, high = ax.get_ylim()
    assert low < 10 < 787 < high


def test_axis__flat_values_look_flat():
    for d in ((10.0, 10.1, 10.05), (10.0, np.nan, 10.05)):
        low, high = plot.dimension.dimension_window(windows(d, (0.01,) * 3)).get_ylim()
        assert high - low > 2.9
    plot.dimension.dimension_window(windows((np.nan,) * 3, (np.nan,) * 3))


@pytest.mark.parametrize(("draw", "ds"), [("blocks", blocks()), ("window", windows())])
def test_pictures__draw_into_axes_and_name_what_is_missing(draw, ds):
    function = getattr(plot.dimension, f"dimension_{draw}")
    ax = Figure().add_subplot()
    assert function(ds, ax) is ax
    with pytest.raises(SchemaError, match=rf"no 'id_{draw}' .* run twonn_{draw}s? first"):
        function(ds.drop_vars(f"id_{draw}"))
