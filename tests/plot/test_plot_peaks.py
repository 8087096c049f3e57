"""Pictures of peaks: what is drawn is what the tables say."""

import io

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection

from daskid import variables as v
from daskid.plot import peaks as pictures
from daskid.plot import rows as planes


def small(**others):
    """Peaks 0 and 2 touch, 0 and 1 below that; 3 is a part of its own."""
    return xr.Dataset(
        {
            "peak_log_density": ("peak", [5.0, 4.0, 3.0, 2.0]),
            "peak_log_density_error": ("peak", [0.1, 0.1, 0.2, 0.2]),
            "saddle_peak": (("saddle", "side"), [[0, 1], [0, 2]]),
            "saddle_log_density": ("saddle", [1.0, 2.0]),
            "merge_peak": (("merge", "side"), [[0, 2], [0, 1]]),
            "merge_log_density": ("merge", [2.0, 1.0]),
            "merge_log_density_error": ("merge", [0.3, 0.4]),
            **others,
        }
    )


def samples(n=200, chunk=60, **coords):
    rng = np.random.default_rng(0)
    x = rng.random((n, 3))
    return xr.Dataset(
        {
            "rows": (("sample", "feature"), da.from_array(x, (chunk, -1)), {"units": "nm"}),
            "peak_label": ("sample", da.from_array(rng.integers(0, 3, n), 50)),
            "peak_halo": ("sample", da.from_array(rng.random(n) < 0.3, 50)),
            "peak_sample": ("peak", np.array([150, 3, 59])),
        },
        coords=coords,
    )


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_tree__joins_branches_at_their_saddles():
    ax = pictures.tree(small())
    joints = [x.get_xydata().tolist() for x in ax.lines if x.get_linestyle() == "-"]
    # from left to right: 0, 2, 1, 3
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "2", "1", "3"]
    assert joints == [
        [[0, 5], [0, 2], [1, 2], [1, 3]],
        [[0.5, 2], [0.5, 1], [2, 1], [2, 4]],
    ]
    bars = [c.get_segments() for c in ax.collections if isinstance(c, LineCollection)]
    heights = sorted(round(float(s[1, 1] - s[0, 1]), 6) for bar in bars for s in bar)
    assert heights == [0.2, 0.2, 0.4, 0.4, 0.6, 0.8]
    assert texts(ax) == []


def test_tree__writes_support_where_it_is():
    ax = pictures.tree(small(merge_support=("merge", [0.94, 1.0])))
    assert texts(ax) == ["94%", "100%"]


def test_tree__of_many_peaks_names_a_few():
    n = 200
    ds = xr.Dataset(
        {
            "peak_log_density": ("peak", np.linspace(9, 1, n)),
            "peak_log_density_error": ("peak", np.ones(n)),
            "merge_peak": (("merge", "side"), np.zeros((0, 2), int)),
            "merge_log_density": ("merge", np.zeros(0)),
            "merge_log_density_error": ("merge", np.zeros(0)),
        }
    )
    assert len(pictures.tree(ds).get_xticks()) <= pictures.MAX_NAMED


def test_topography__leaves_pairs_that_do_not_touch_blank():
    ax = pictures.topography(small())
    (image,) = ax.images
    found = np.ma.filled(image.get_array(), np.nan)
    none = np.nan
    expected = [[5, 1, 2, none], [1, 4, none, none], [2, none, 3, none], [none, none, none, 2]]
    np.testing.assert_array_equal(found, expected)


def test_basins__draw_samples_in_the_color_of_their_peak_and_the_peaks():
    ds = samples(name=("feature", ["a", "b", "$c$"]))
    ax = pictures.basins(ds, (2, 0))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$c$ [nm]", "a [nm]")
    halo, inside = ax.collections
    assert len(halo.get_offsets()) == ds.peak_halo.values.sum()
    assert halo.get_alpha() < inside.get_alpha()
    x = ds.rows.values
    np.testing.assert_array_equal(inside.get_offsets(), x[~ds.peak_halo.values][:, [2, 0]])
    of_peak = ds.peak_label.values[~ds.peak_halo.values]
    colors = inside.get_facecolors()[:, :3]
    for peak in range(3):
        assert len(np.unique(colors[of_peak == peak], axis=0)) == 1
    assert len(np.unique(colors, axis=0)) == 3
    assert texts(ax) == ["0", "1", "2"]
    for text, sample in zip(ax.texts, [150, 3, 59], strict=True):
        assert text.xy == tuple(x[sample, [2, 0]])


def test_basins__of_many_samples_say_how_many_are_drawn():
    ax = pictures.basins(samples(n=9000, chunk=1000))
    drawn = sum(len(c.get_offsets()) for c in ax.collections)
    assert drawn == pictures.MAX_DOTS
    assert ax.get_title(loc="left") == "4,000 of 9,000 samples, at random; halo paler"


@pytest.mark.parametrize("features", [(0, 3), (-1, 0), (1, 1), (0, 1, 2)])
def test_basins__refuse_other_features(features):
    with pytest.raises(ValueError, match="features: expected two positions from 0 to 2, got"):
        pictures.basins(samples(), features)


def test_persistence__draws_the_numbers_and_the_z_used():
    ds = xr.Dataset(
        {"surviving_peaks": ("threshold", [9, 4, 2]), "peak_z": ((), 1.65)},
        coords={"threshold": [0.0, 0.1, 0.2]},
    )
    curve, used = pictures.persistence(ds).lines
    assert curve.get_ydata().tolist() == [9, 4, 2]
    assert used.get_label() == "z = 1.65"
    assert len(pictures.persistence(ds.drop_vars("peak_z")).lines) == 1
    many = ds.assign(surviving_peaks=("threshold", [900, 40, 2]))
    assert pictures.persistence(many).get_yscale() == "log"


def test_points__do_not_compute(no_compute):
    pictures.tree_points(small())
    pictures.topography_points(small())
    pictures.basins_points(samples())


def test_pictures__can_be_written():
    ds = xr.merge(
        [small().drop_vars(["peak_log_density_error"]), samples().drop_vars("peak_sample")]
    )
    for ax in (pictures.topography(ds), pictures.tree(small())):
        buffer = io.BytesIO()
        ax.figure.savefig(buffer, format="svg")
        assert buffer.getvalue().count(b"<path") > 5


def test_pictures__name_what_is_missing():
    for draw, step in ((pictures.tree, "peaks"), (pictures.persistence, "persistence")):
        with pytest.raises(v.SchemaError, match=f"in the dataset: run {step} first"):
            draw(xr.Dataset())


def circle():
    """Two peaks on a torus of side 8; rows of peak 0 lie on both sides of its seam."""
    x = np.array([[7.5, 0.5], [-0.2, 8.4], [0.3, 0.2], [4.0, 4.0], [12.2, 4.1]])
    return xr.Dataset(
        {
            "rows": (("sample", "feature"), x),
            "peak_label": ("sample", [0, 0, 0, 1, 1]),
            "peak_halo": ("sample", np.zeros(5, bool)),
            "peak_sample": ("peak", [1, 4]),
        },
        coords={"period": ("feature", [8.0, 8.0])},
    )


def test_basins__lie_within_the_period_and_so_do_the_numbers():
    ax = pictures.basins(circle())
    (_, inside) = ax.collections
    at = np.asarray(inside.get_offsets())
    np.testing.assert_allclose(at[:3], [[-0.5, 0.5], [-0.2, 0.4], [0.3, 0.2]], atol=1e-12)
    assert ax.get_xlim() == (-4.0, 4.0)
    assert ax.get_ylim() == (0.0, 8.0)
    np.testing.assert_allclose([t.xy for t in ax.texts], [[-0.2, 0.4], [-3.8, 4.1]], atol=1e-12)


def test_basins__of_many_features_lie_on_their_components():
    ds = samples()
    ax = pictures.basins(ds)
    assert ax.get_xlabel().startswith("principal component 1, ")
    (_, inside) = ax.collections
    x = np.vstack([ds.rows.values, ds.rows.values[ds.peak_sample.values]])
    plane, _ = planes.components(x.astype("f8"))
    keep = ~ds.peak_halo.values
    np.testing.assert_allclose(inside.get_offsets(), plane[: len(keep)][keep])


def test_basins__numbers_of_many_peaks_do_not_hide_each_other():
    rng = np.random.default_rng(0)
    x, n = rng.random((400, 2)), 25
    ds = xr.Dataset(
        {
            "rows": (("sample", "feature"), x),
            "peak_label": ("sample", np.arange(400) % n),
            "peak_halo": ("sample", np.zeros(400, bool)),
            "peak_sample": ("peak", np.arange(n)),
        }
    )
    ax = pictures.basins(ds)
    named = [int(t) for t in texts(ax)]
    assert named[0] == 0
    assert len(named) == pictures.MAX_NUMBERED
    at = x[named]
    apart = np.hypot(*(at[:, np.newaxis] - at).T)
    assert apart[~np.eye(len(at), dtype=bool)].min() > 0.9 * pictures.BADGE
    assert len(ax.lines) == n - len(named)
    assert ax.get_title(loc="left") == "halo paler; 12 of 25 peaks numbered"


def test_basins__refuse_a_single_feature():
    with pytest.raises(ValueError, match="features: expected two positions from 0 to 0, got None"):
        pictures.basins(samples().isel(feature=[0]))


def test_topography__of_one_peak_has_one_tick():
    ds = xr.Dataset(
        {
            "peak_log_density": ("peak", [1.0]),
            "saddle_peak": (("saddle", "side"), np.zeros((0, 2), int)),
            "saddle_log_density": ("saddle", np.zeros(0)),
        }
    )
    assert pictures.topography(ds).get_xticks().tolist() == [0]


@pytest.mark.parametrize(("curve", "scale"), [([45, 30, 25], "linear"), ([900, 40, 2], "log")])
def test_persistence__ticks_are_plain_numbers(curve, scale):
    ds = xr.Dataset(
        {"surviving_peaks": ("threshold", curve)}, coords={"threshold": [0.0, 0.1, 0.2]}
    )
    ax = pictures.persistence(ds)
    assert ax.get_yscale() == scale
    ax.figure.draw_without_rendering()
    low, high = ax.get_ylim()
    seen = [t.get_text() for t in ax.get_yticklabels() if low <= t.get_position()[1] <= high]
    assert len(seen) >= 3
    assert all(text.isdecimal() for text in seen)
