"""Pictures of layers: what is drawn is what the table says."""

import numpy as np
import pytest
import xarray as xr
from made_layers import made_table
from matplotlib.patches import PathPatch, Rectangle

import daskid
from daskid.plot import layers as pictures
from daskid.plot.labels import BLUE, GRAY, with_units


@pytest.fixture
def ds():
    return made_table()


def lines(ax, color):
    return [c[0] for c in ax.containers if c[0].get_color() == color]


def test_hunchback__draws_dimensions_and_clones_with_errors(ds):
    ax = pictures.hunchback(ds)
    for color, name in ((BLUE, "profile_id"), (GRAY, "profile_clone")):
        (line,) = lines(ax, color)
        np.testing.assert_array_equal(line.get_xdata(), ds.profile_depth)
        np.testing.assert_array_equal(line.get_ydata(), ds[name])
    bars = ax.containers[0][2][0].get_segments()
    heights = [seg[1, 1] - seg[0, 1] for seg in bars]
    np.testing.assert_allclose(heights, 2 * ds.profile_id_error)
    assert with_units(ax.get_ylabel(), {}) == "intrinsic dimension (TwoNN)"


def test_overlaps__labels_only_where_known(ds):
    names = [t.get_text() for t in pictures.overlaps(ds).get_legend().get_texts()]
    assert names == ["next layer", "last layer", "labels"]
    without = ds.drop_vars([n for n in ds.data_vars if str(n).startswith("profile_label")])
    names = [t.get_text() for t in pictures.overlaps(without).get_legend().get_texts()]
    assert names == ["next layer", "last layer"]


def test_networks__have_line_styles_of_their_own(ds):
    two = xr.concat([ds, ds], "layer", data_vars="minimal", coords="minimal", compat="override",
                    join="override")  # fmt: skip
    names = [f"{run}/{n}" for run in ("a", "b") for n in ds.layer.values]
    two = two.assign_coords(layer=np.array(names, object))
    ax = pictures.hunchback(two)
    assert [line.get_linestyle() for line in lines(ax, BLUE)] == ["-", "--"]
    assert "layers, b" in [t.get_text() for t in ax.get_legend().get_texts()]


def test_matrix__shows_all_pairs(ds):
    for dark in (False, True):
        ax = pictures.overlap_matrix(ds, dark=dark)
        image = ax.get_images()[0]
        np.testing.assert_array_equal(np.ma.filled(image.get_array(), np.nan), ds.profile_overlap)
        assert image.get_clim() == (0, 1)


def test_imbalances__draws_pairs_of_layers(ds):
    ax = pictures.imbalances(ds)
    points = np.array([x.get_xydata()[0] for x in lines(ax, BLUE)])
    np.testing.assert_allclose(points[:, 0], ds.profile_to_next.values[:-1])
    np.testing.assert_allclose(points[:, 1], ds.profile_from_next.values[:-1])
    assert ax.get_xscale() == ax.get_yscale() == "log"


def test_genealogy__bars_and_bands_are_shares_of_samples(ds):
    ax = pictures.genealogy(ds)
    bars = [p for p in ax.patches if isinstance(p, Rectangle)]
    assert len(bars) == ds.layer_peaks.values.sum()
    for i in range(ds.sizes["layer"]):
        heights = [b.get_height() for b in bars if round(b.get_x() + b.get_width() / 2) == i]
        assert sum(heights) == pytest.approx(1)
    bands = [p for p in ax.patches if isinstance(p, PathPatch)]
    assert len(bands) == ds.sizes["lineage"]
    blue = [b for b in bands if b.get_alpha() > 0.3]
    assert len(blue) == ds.lineage_linked.values.sum()
    heights = sorted(b.get_path().vertices[6 + 1, 1] - b.get_path().vertices[0, 1] for b in bands)
    np.testing.assert_allclose(heights, np.sort(ds.lineage_members) / 400)
    # bands of a bar lie on it, one above the other, and do not cross more than they must
    first = [b.get_path().vertices[0, 1] for b in bands[:1]]
    assert min(first) == pytest.approx(min(b.get_y() for b in bars if b.get_x() < 0.1), abs=0.2)


def test_genealogy__keeps_the_ends_of_long_names(ds):
    long = [f"encoder.layer.{i}" for i in range(ds.sizes["layer"])]
    ax = pictures.genealogy(ds.assign_coords(layer=("layer", long)))
    told = [text.get_text().partition("\n")[0] for text in ax.get_xticklabels()]
    assert told == [f"layer.{i}" for i in range(ds.sizes["layer"])]


def test_pictures__ask_for_the_step_that_is_missing():
    with pytest.raises(daskid.SchemaError, match="run layer_profile first"):
        pictures.hunchback(xr.Dataset())
    with pytest.raises(daskid.SchemaError, match="run genealogy first"):
        pictures.genealogy(xr.Dataset())
