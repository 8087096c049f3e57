"""Every sentence is true of the run, and changes when the run does."""

import subprocess
import sys

import dask.array as da
import made_run
import numpy as np
import pytest
import xarray as xr

from daskid.page import summary, table
from daskid.variables import SchemaError


def test_summary__of_a_whole_run():
    assert summary(made_run.run()) == [
        "Intrinsic dimension 2.021 ± 0.018 (TwoNN) at scale 0.0131 rad, from 396 locations.",
        "Gride reads 1.980 to 2.020 at scales 0.0131 to 0.0340 rad (n1 = 1 to 4): "
        "stable within its errors.",
        "Levina-Bickel reads 1.990 ± 0.010 over the 7 nearest locations.",
        "± is one standard error of TwoNN. Shared neighbors.",
        "400 samples of 2 features (float64), all of them periodic.",
        "4 samples coincide with an earlier one: 396 distinct locations, "
        "and all geometry is of locations.",
        "The 8 nearest neighbors of each sample are known, euclidean metric; "
        "frames within 5 of each other are no neighbors.",
        "Warning: The errors of Gride for n1 = 4 are too small: they treat samples as independent.",
    ]


def gride(values, errors, **more):
    """A run whose Gride reads these."""
    return made_run.run(id_gride=("scale", values), id_gride_error=("scale", errors), **more)


def said(ds, word):
    """The only sentence with ``word`` in it."""
    (sentence,) = [sentence for sentence in summary(ds) if word in sentence]
    return sentence


@pytest.mark.parametrize(
    ("values", "errors", "sentence"),
    [
        (
            [13.2, 11.0, 8.7], [0.1, 0.1, 0.05],
            "Gride falls from 13.20 ± 0.10 at scale 0.0131 rad to 8.700 ± 0.050 at scale "
            "0.0340 rad: the dimension depends on the scale.",
        ),
        (
            [2.0, 2.2, 5.0], [0.1, 0.1, 0.5],
            "Gride rises from 2.00 ± 0.10 at scale 0.0131 rad to 5.00 ± 0.50 at scale "
            "0.0340 rad: the dimension depends on the scale.",
        ),
        (
            [2.0, 5.0, 3.0], [0.1, 0.1, 0.1],
            "Gride varies between 2.00 ± 0.10 at scale 0.0131 rad and 5.00 ± 0.10 at scale "
            "0.0210 rad: the dimension depends on the scale.",
        ),
        (
            [5.0, 2.0, 3.0], [0.1, 0.1, 0.1],
            "Gride varies between 2.00 ± 0.10 at scale 0.0210 rad and 5.00 ± 0.10 at scale "
            "0.0131 rad: the dimension depends on the scale.",
        ),
        (
            [2.0, 2.01, 2.02], [0.001, 0.001, 0.001],
            "Gride rises from 2.0000 ± 0.0010 at scale 0.0131 rad to 2.0200 ± 0.0010 at scale "
            "0.0340 rad: a small change (1 %), larger than its errors.",
        ),
        (
            [2.0, 3.0, 2.5], [0.5, 0.5, 0.5],
            "Gride reads 2.00 to 3.00 at scales 0.0131 to 0.0340 rad (n1 = 1 to 4): "
            "stable within its errors.",
        ),
        (
            [2.0, np.nan, 2.5], [0.5, 0.5, 0.5],
            "Gride reads 2.00 to 2.50 at scales 0.0131 to 0.0340 rad (n1 = 1 to 4): "
            "stable within its errors.",
        ),
        (
            [2.0, np.nan, np.nan], [0.5, 0.5, 0.5],
            "Intrinsic dimension 2.00 ± 0.50 (Gride, n1 = 1) at scale 0.0131 rad.",
        ),
    ],
)  # fmt: skip
def test_summary__compares_gride_across_scales(values, errors, sentence):
    assert sentence in summary(gride(values, errors))


def test_summary__three_errors_decide_what_is_stable():
    assert "stable" in said(gride([2.0, 2.0, 2.41], [0.1, 0.1, 0.1]), "Gride reads")
    assert "depends" in said(gride([2.0, 2.0, 2.43], [0.1, 0.1, 0.1]), "Gride rises")


def test_summary__names_gride_by_rank_where_no_scale_is_known():
    ds = gride([9.0, 8.0, 3.0], [0.1, 0.1, 0.1]).drop_vars("id_gride_radius")
    assert "from 9.00 ± 0.10 at n1 = 1 to 3.00 ± 0.10 at n1 = 4" in said(ds, "falls")


def test_summary__names_the_fit():
    ds = made_run.run()
    ds["id_twonn"].attrs["parameters"] = '{"method": "fit", "fraction": 0.9}'
    assert "2.021 ± 0.018 (TwoNN, fit) at scale" in said(ds, "Intrinsic dimension")


def test_summary__units_come_from_the_distances_and_the_metric():
    ds = made_run.run()
    ds["neighbor_distance"].attrs["units"] = "nm"
    assert "at scale 0.0131 nm," in said(ds, "(TwoNN)")
    del ds["neighbor_distance"].attrs["units"]
    assert "at scale 0.0131 rad," in said(ds, "(TwoNN)")  # those of the rows
    ds["neighbor_distance"].attrs["parameters"] = '{"metric": "cosine"}'
    assert "at scale 0.0131," in said(ds, "(TwoNN)")


def test_summary__copies_and_periods():
    assert "No two samples coincide." in summary(made_run.run(copies=0))
    assert said(made_run.run(copies=1), "coincide").startswith("1 sample coincides with")
    ds = made_run.run()
    ds["neighbor_distance"].attrs["parameters"] = '{"duplicates": "keep"}'
    assert "Samples that coincide were kept apart (duplicates = keep)." in summary(ds)
    one = ds.assign_coords(period=("feature", [0.0, 1.0]))
    assert "400 samples of 2 features (float64), 1 of them periodic." in summary(one)
    none = ds.assign_coords(period=("feature", [0.0, 0.0]))
    assert "400 samples of 2 features (float64)." in summary(none)


def test_summary__what_was_dropped():
    ds = made_run.run().assign_attrs(rows_dropped=37, features_dropped=1)
    assert "37 rows with a non-finite value were left out before anything else." in summary(ds)
    assert "1 feature nowhere finite was left out before anything else." in summary(ds)
    assert not [s for s in summary(made_run.run()) if "left out before" in s]


def test_summary__warns_of_ties():
    assert not [s for s in summary(made_run.run()) if "same distance" in s]
    assert said(made_run.run(id_twonn_ties=((), 99)), "same distance") == (
        "Warning: 99 locations (25 %) have two nearest neighbors at the same distance, "
        "as happens on lattices and with rounded numbers: this raises TwoNN."
    )


def test_summary__warns_of_locations_that_were_not_used():
    used = made_run.run(id_twonn_samples=((), 390), id_gride_samples=("scale", [396, 395, 20]))
    assert "Warning: TwoNN used 390 of 396 locations; the others gave no ratio of distances." in (
        summary(used)
    )
    assert said(used, "Gride used") == (
        "Warning: Gride used 20 of 396 locations for n1 = 4; the others gave no ratio of distances."
    )
    assert not [s for s in summary(made_run.run()) if " used " in s]


def test_summary__warns_of_what_is_no_number():
    ds = made_run.run(
        id_twonn=((), np.nan),
        id_mle_error=((), np.nan),
        id_gride=("scale", [np.nan, 2.0, 2.0]),
    )
    assert "Warning: TwoNN gave no number." in summary(ds)
    assert "Warning: Gride gave no number for n1 = 1." in summary(ds)
    assert "Warning: Levina-Bickel gave no error." in summary(ds)
    assert not [s for s in summary(ds) if s.startswith("Intrinsic dimension")]
    assert not [s for s in summary(ds) if "standard error of TwoNN" in s]
    assert not [s for s in summary(made_run.run()) if "gave no" in s]


def test_summary__warns_that_twonn_reads_low():
    assert not [s for s in summary(made_run.run(id_twonn=((), 9.9))) if "reads low" in s]
    high = gride([12.0, 9.0, 9.0], [0.1] * 3)
    assert not [s for s in summary(high) if "reads low" in s]
    assert "Gride reads low" in said(high.drop_vars("id_twonn"), "reads low")
    assert said(made_run.run(id_twonn=((), 13.29)), "reads low") == (
        "Warning: TwoNN reads low from a dimension of about 10 on, and here it reads 13.3: "
        "take it as a lower bound "
        "(for scale: TwoNN reads 14.8 in a 20-dimensional cube of 2,500 samples)."
    )


def test_summary__warns_of_neighbors_in_time():
    frames = made_run.run().assign_coords(time=("sample", np.arange(made_run.N)))
    assert not [s for s in summary(frames) if "frames that follow" in s]
    frames["neighbor_distance"].attrs["parameters"] = '{"exclude": 0}'
    assert said(frames, "frames that follow").startswith("Warning: Samples are frames in time")
    assert not [s for s in summary(frames.drop_vars("time")) if "frames that follow" in s]


@pytest.mark.parametrize("parameters", ["[1", "[1]", "null", 7])
def test_summary__survives_parameters_that_are_not_json(parameters):
    ds = made_run.run()
    for name in ds.data_vars:
        ds[name].attrs["parameters"] = parameters
    assert "Levina-Bickel reads 1.990 ± 0.010." in summary(ds)


def test_summary__of_a_run_with_rows_or_neighbors_only():
    assert summary(made_run.run()[["rows"]]) == [
        "400 samples of 2 features (float64), all of them periodic."
    ]
    assert summary(made_run.run()[["neighbor_distance"]])[0] == "400 samples."


def test_summary__text_of_the_run_is_one_line():
    ds = made_run.run()
    ds["neighbor_distance"].attrs["parameters"] = '{"metric": "a\\nb\\u001b[31mc\\u202e"}'
    text = "\n".join(summary(ds))
    assert not set(text) & {"\x1b", "\u202e"}
    assert "a b [31mc metric" in text


@pytest.mark.parametrize("function", [summary, table])
def test_summary_and_table__refuse_what_is_no_run(function):
    with pytest.raises(SchemaError, match=r"ds: expected an xarray\.Dataset, got DataArray"):
        function(xr.DataArray([1]))
    with pytest.raises(SchemaError, match=r"ds: expected 'rows' or a result, got \['tem"):
        function(xr.Dataset({"temperature": 1.0}))


@pytest.mark.parametrize("function", [summary, table])
def test_summary_and_table__read_no_long_table(function):
    def refuse(block):
        raise AssertionError("read the neighbors")

    ones = da.ones((made_run.N, 8), chunks=100)
    long = ones.map_blocks(refuse, dtype="f8", meta=np.empty((0, 0)))
    distance, rows = (("sample", "neighbor"), long), (("sample", "feature"), long[:, :2])
    assert function(made_run.run(neighbor_distance=distance, rows=rows))


def test_summary__leaves_the_run_as_it_is():
    ds = made_run.run().load()
    before = ds.copy(deep=True)
    summary(ds)
    xr.testing.assert_identical(ds, before)


def test_table__value_error_and_what_it_covers():
    small = "Fisher information alone, as if samples were independent: too small"
    assert table(made_run.run()) == [
        ("intrinsic dimension (TwoNN)", "2.021", "0.018", "Shared neighbors."),
        ("intrinsic dimension (Gride), n1 = 1", "2.020", "0.020", "Shared neighbors"),
        ("intrinsic dimension (Gride), n1 = 2", "2.000", "0.015", "Shared neighbors"),
        ("intrinsic dimension (Gride), n1 = 4", "1.9800", "0.0040", small),
        ("intrinsic dimension (Levina-Bickel)", "1.990", "0.010", "not recorded"),
    ]


def test_table__what_each_kind_of_error_covers_is_taken_from_the_run():
    ds = made_run.run()
    ds["id_gride_error_kind"].attrs["flag_covers"] = ["this", "that"]
    covered = [covers for name, _, _, covers in table(ds) if "Gride" in name]
    assert covered == ["this", "this", "that"]


def test_table__of_a_run_without_results_is_empty():
    assert table(made_run.run()[["rows"]]) == []


def test_page__imports_matplotlib_only_to_draw():
    code = "import sys, daskid.page; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([3.0, 2.2], "a rise with the number of samples, as of noise dimensions."),
        ([2.2, 3.0], "it falls with the number of samples."),
        ([2.21, 2.2], "the number of samples does not matter within errors."),
    ],
)
def test_blocks__say_whether_the_number_of_samples_matters(values, verdict):
    ds = xr.Dataset(
        {"id_blocks": ("block_size", values), "id_blocks_error": ("block_size", [0.02, 0.02])},
        {"block_size": [4000, 500]},
    )
    (sentence,) = [s for s in summary(ds) if "blocks" in s]
    assert sentence.endswith(verdict)
    assert f"In blocks of 500 samples TwoNN reads {values[1]:.3f} ± 0.020" in sentence
    assert f"in blocks of 4,000 it reads {values[0]:.3f} ± 0.020" in sentence
