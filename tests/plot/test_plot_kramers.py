"""The Arrhenius plot: points with bars of both errors, their lines, and slope 1 beside them."""

import numpy as np
import pytest
import xarray as xr

from daskid.plot import kramers as pictures
from daskid.variables import SchemaError

BOTH = ("passage", "run")


def dataset(unit="ps"):
    return xr.Dataset(
        {
            "kramers_peak": (("passage", "side"), [[0, 1], [1, 0], [0, 2]]),
            "kramers_log_time": (
                BOTH, [[5.0, 7.1, 9.2], [3.0, np.nan, 5.0], [np.nan] * 3], {"time_units": unit},
            ),
            "kramers_log_time_error": (BOTH, [[0.1, 0.2, 0.3], [0.1, np.nan, 0.2], [np.nan] * 3]),
            "kramers_exponent": (BOTH, [[3.0, 5.0, 7.0], [2.0, np.nan, 4.5], [np.nan] * 3]),
            "kramers_exponent_error": (BOTH, [[0.2, 0.3, 0.4], [0.2, np.nan, 0.3], [np.nan] * 3]),
            "kramers_slope": ("passage", [1.05, 0.8, np.nan]),
            "kramers_slope_error": ("passage", [0.1, 0.2, np.nan]),
            "kramers_intercept": ("passage", [1.85, 1.4, np.nan]),
        }
    )  # fmt: skip


def test_arrhenius__draws_points_with_both_errors():
    ax = pictures.arrhenius(dataset())
    assert len(ax.containers) == 2
    along, up = ax.containers[0].lines[2]
    assert [np.ptp(s[:, 0]) for s in along.get_segments()] == pytest.approx([0.4, 0.6, 0.8])
    assert [np.ptp(s[:, 1]) for s in up.get_segments()] == pytest.approx([0.2, 0.4, 0.6])
    assert ax.containers[1].lines[0].get_xdata().tolist() == [2.0, 4.5]
    assert ax.get_ylabel() == "ln (passage time / ps)"
    assert ax.get_xlabel() == "2 \u0394V / \u03c3\u00b2"
    assert pictures.arrhenius(dataset("")).get_ylabel() == "ln passage time"


def test_arrhenius__draws_lines_of_both_passages_and_slope_1():
    lines = {x.get_label(): x.get_xydata() for x in pictures.arrhenius(dataset()).lines}
    first = lines["0 \u2192 1: slope 1.05 \u00b1 0.10"]
    np.testing.assert_allclose(first, [[3, 5.0], [7, 9.2]])
    np.testing.assert_allclose(lines["1 \u2192 0: slope 0.80 \u00b1 0.20"], [[2, 3.0], [4.5, 5.0]])
    np.testing.assert_allclose(np.diff(lines["slope 1"], axis=0), [[5.0, 5.0]])
    middle = np.mean([5.0, 7.1, 9.2, 3.0, 5.0]) - np.mean([3.0, 5.0, 7.0, 2.0, 4.5])
    np.testing.assert_allclose(lines["slope 1"][:, 1] - lines["slope 1"][:, 0], middle)


def test_arrhenius__of_passages_without_a_line_and_of_none():
    ds = dataset()
    ds["kramers_slope"][1] = np.nan
    labels = [x.get_label() for x in pictures.arrhenius(ds).lines]
    assert "1 \u2192 0: seen in too few runs" in labels
    ax = pictures.arrhenius(ds.isel(passage=[2]))
    assert ax.get_title(loc="left") == "no passage was seen"
    many = xr.concat([dataset().isel(passage=[0])] * 12, "passage")
    assert len(pictures.arrhenius(many).containers) == pictures.MAX_PASSAGES


def test_arrhenius__needs_kramers():
    with pytest.raises(SchemaError, match="no 'kramers_peak' in the dataset: run kramers first"):
        pictures.arrhenius(xr.Dataset())
