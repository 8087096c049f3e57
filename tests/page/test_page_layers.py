"""The section of layers: sentences that the table bears out, numbers with errors, safe names."""

import re

import numpy as np
import pytest
import xarray as xr
from made_layers import made_table

import daskid
from daskid.page.provenance import commands


@pytest.fixture(scope="module")
def ds():
    return made_table()


@pytest.fixture(scope="module")
def page(ds, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    return daskid.report(ds, path, interactive=False).read_text()


def test_summary__says_where_the_dimension_is_largest(ds):
    assert daskid.summary(ds) == [
        "The largest dimension is 12.00 ± 0.40, in <b>conv: it first rises, then falls along "
        "the layers (a hunchback).",
        "Neighbors share their label with probability 0.300 ± 0.010 in the first layer, "
        "0.900 ± 0.010 in the last (0.25 by chance).",
        "Density peaks from layer to layer: 1, 2, 4; 3 splits, 0 merges.",
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([4.0, 12.0, 11.8], "; it is lower before it."),
        ([12.0, 11.9, 4.0], "; it is lower after it."),
        ([4.0, 4.1, 4.05], "; no layer is lower by more than 2 standard errors."),
        ([np.nan, 4.1, 3.0], "; it is lower after it."),
    ],
)
def test_summary__calls_no_hunchback_what_is_none(ds, value, said):
    other = ds.assign(profile_id=("layer", value))
    sentence = daskid.summary(other)[0]
    assert sentence.endswith(said)
    assert "hunchback" not in sentence


def test_page__has_the_table_and_all_pictures(ds, page):
    assert 'href="#layers"' in page
    for words in ("12.00 ± 0.40", "0.700 ± 0.010", "2,000", "6.00", "fc"):
        assert words in page
    assert page.count("<figure>") == 5
    assert "&lt;b&gt;conv" in page
    assert "<b>conv" not in page
    depth, error = float(ds.nucleation_depth[0]), float(ds.nucleation_depth_error[0])
    assert re.search(rf"{depth:.2f} ± {error:.2f}", page)


def test_page__says_the_command_that_makes_it_again(ds):
    ds = ds.copy()
    ds.profile_id.attrs |= {"step": "layer_profile", "parameters": '{"k": 30, "labels": "kind"}'}
    assert commands(ds) == ["daskid layers SOURCE --out STORE --k 30 --labels kind"]


def test_page__without_labels_or_peaks(ds, tmp_path):
    gone = ("lineage", "layer_", "nucleation", "profile_label", "profile_to", "profile_from")
    less = ds.drop_vars([n for n in ds.data_vars if str(n).startswith(gone)])
    text = daskid.report(less, tmp_path / "page.html", interactive=False).read_text()
    assert text.count("<figure>") == 3
    assert "overlap with labels" not in text
    assert "Depth at which" not in text


def test_page__a_run_has_no_such_section(tmp_path):
    x = np.random.default_rng(0).random((50, 2))
    ds = xr.Dataset({"rows": (("sample", "feature"), x)})
    assert (
        'href="#layers"'
        not in daskid.report(ds, tmp_path / "page.html", interactive=False).read_text()
    )
