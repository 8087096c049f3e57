"""Pictures of the landscape: what is drawn is what the tables and the samples say."""

import io

import made_landscape
import numpy as np
import pytest
import xarray as xr
from dask.base import compute
from matplotlib.collections import LineCollection, QuadMesh
from matplotlib.colors import to_hex
from matplotlib.patches import FancyArrowPatch

from daskid import variables as v
from daskid.plot import landscape as pictures
from daskid.plot.labels import MINUS
from daskid.plot.landscape.network import spread_out
from daskid.plot.landscape.plane import cells, plane_of
from daskid.plot.landscape.surface import unbroken
from daskid.plot.landscape.tree import joins, levels

KJ = 2.494338785445972  # of a kT at 300 K: 8.31446261815324 * 0.3


def texts(ax):
    return [text.get_text() for text in ax.texts]


def names(ax):
    return [text.get_text() for text in ax.get_xticklabels()]


def joints(ax):
    return [x.get_xydata().tolist() for x in ax.lines if x.get_linestyle() == "-"]


def bars(ax):
    """Lengths of all error bars that stand upright."""
    lines = [c for c in ax.collections if isinstance(c, LineCollection)]
    return sorted(round(float(s[1, 1] - s[0, 1]), 6) for c in lines for s in c.get_segments())


def test_disconnectivity__stands_on_free_energies():
    ax = pictures.disconnectivity(made_landscape.run())
    assert names(ax) == ["0\n50%", "1\n30%", "2\n20%"]
    assert joints(ax) == [
        [[0, 0], [0, 1.25], [1, 1.25], [1, 0.5]],
        [[0.5, 1.25], [0.5, 4.0], [2, 4.0], [2, 1.0]],
    ]
    assert bars(ax) == [0.2, 0.24, 0.26, 0.3, 0.72]  # twice the errors of peaks and edges
    assert ax.get_ylabel() == "free energy over the lowest state [kT]"


def test_disconnectivity__is_in_the_units_of_the_free_energy():
    ds = made_landscape.run(**made_landscape.samples())
    ax = pictures.disconnectivity(ds)
    assert max(y for line in joints(ax) for _, y in line) == pytest.approx(4.0 * KJ)
    assert ax.get_ylabel().endswith("[kJ/mol]")
    ds["free_energy"].attrs["parameters"] = "{}"
    assert pictures.disconnectivity(ds).get_ylabel().endswith("[kT]")


def test_levels__are_those_of_the_barriers():
    """A bias that was taken off a state moves its bottom and no saddle."""
    ds = made_landscape.run()
    direct = ds["barrier_direct"].values.copy()
    direct[0] -= 0.25
    found = levels(ds.assign(barrier_direct=(made_landscape.PAIRS, direct)))
    np.testing.assert_allclose(found.bottom, [0.0, 0.25, 0.75])
    np.testing.assert_allclose(found.level, [1.0, 3.75])
    plain = levels(ds.drop_vars("barrier_direct"))
    np.testing.assert_allclose(plain.bottom, [0.0, 0.5, 1.0])
    np.testing.assert_allclose(plain.spread, [0.11, 0.35])


def test_joins__make_the_tree_of_the_best_paths():
    """0-1 at 1, 2-3 at 2, both at 3; the saddle 0-2 at 4 joins nothing any more."""
    tables = {
        "peak_log_density": ("peak", [0.0, -0.1, -0.2, -0.3]),
        "peak_log_density_error": ("peak", np.zeros(4)),
        "saddle_peak": (("saddle", "side"), [[0, 2], [3, 2], [1, 3], [0, 1]]),
        "saddle_log_density": ("saddle", [-4.0, -2.0, -3.0, -1.0]),
        "saddle_log_density_error": ("saddle", np.zeros(4)),
    }
    joined, at = joins(levels(xr.Dataset(tables)))
    assert joined.tolist() == [[0, 1], [2, 3], [0, 2]]
    assert at.tolist() == [3, 1, 2]


def test_disconnectivity__of_many_states_stays_readable():
    ax = pictures.disconnectivity(made_landscape.crowd(60))
    assert len(ax.get_xticks()) <= 30
    assert "the 40 most probable of 60" in ax.get_xlabel()
    assert len(joints(ax)) == 39


@pytest.mark.parametrize("kind", ["minimax", "direct"])
def test_barrier_matrix__has_values_and_errors(kind):
    ax = pictures.barrier_matrix(made_landscape.run(), kind)
    value = np.array(made_landscape.DIRECT if kind == "direct" else made_landscape.MINIMAX)
    found = np.ma.filled(ax.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(found, value)
    said = {text.get_position(): text.get_text() for text in ax.texts}
    assert len(said) == np.isfinite(value).sum()
    assert said[1, 0] == "1.25\n±0.21"  # from 0 to 1: row 0, column 1
    assert said[0, 1] == "0.75\n±0.22"


def test_barrier_matrix__refuses_another_kind():
    with pytest.raises(ValueError, match=r"kind: expected one of \['direct', 'minimax'\], got 'x'"):
        pictures.barrier_matrix(made_landscape.run(), "x")


@pytest.mark.parametrize("dark", [False, True])
def test_barrier_matrix__text_stands_out_of_its_cell(dark):
    ax = pictures.barrier_matrix(made_landscape.run(), dark=dark)
    (image,) = ax.images
    for text in ax.texts:
        x, y = (int(i) for i in text.get_position())
        cell = image.cmap(image.norm(image.get_array()[y, x]))
        assert contrast(to_hex(cell), text.get_color()) > 4.5


def contrast(one, other):
    low, high = sorted(luminance(c) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


def luminance(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_passage_matrix__says_what_was_never_seen():
    ax = pictures.passage_matrix(made_landscape.run())
    found = np.ma.filled(ax.images[0].get_array(), np.nan)
    assert np.isnan(found[:, 2]).all()
    assert set(texts(ax)) == {
        "57.3\n50.2..66.4", "12.5\n11.1..14.2", "9.10\n4.00..27.3", "66.4\n51.0..91.0", "> 812",
    }  # fmt: skip
    assert "[ps]" in ax.figure.axes[1].get_ylabel()


def test_network__has_an_arrow_for_what_was_seen_and_a_dashed_one_for_what_was_not():
    ax = pictures.network(made_landscape.run())
    arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    dashed = [a for a in arrows if a.get_linestyle() == "--"]
    # 0-1, 1-0 and 2-0 were seen, 2-1 only through 0, and nothing to 2
    assert (len(arrows), len(dashed)) == (5, 2)
    assert sorted(texts(ax))[-2:] == ["> 812", "> 812"]
    assert "57.3\n50.2..66.4" in texts(ax)
    width = sorted(a.get_linewidth() for a in arrows)
    assert width[-1] > width[-3]
    sizes = [line.get_markersize() for line in ax.lines]
    assert sizes == sorted(sizes, reverse=True)  # 50, 30 and 20 %
    assert sizes[0] > sizes[2]


def test_network__a_state_without_a_core_is_hollow():
    ds = made_landscape.run(**made_landscape.transitions(without_core="2"))
    faces = [line.get_color() for line in pictures.network(ds).lines]
    assert faces[0] == faces[1] != faces[2]


def test_network__of_many_states_keeps_neighbors_near():
    ds = made_landscape.crowd(40)
    ax = pictures.network(ds)
    assert not any(isinstance(patch, FancyArrowPatch) for patch in ax.patches)
    assert set(texts(ax)) == {str(c) for c in range(40)}
    place = spread_out(ds["transition_count"].values)
    apart = np.linalg.norm(place[:, np.newaxis] - place, axis=-1)
    step = np.diagonal(apart, 1)
    assert step.min() > 0.02
    assert step.max() < 0.2  # a chain of 40, drawn on a square of side 2
    assert apart[0, 39] > 1.5


def test_implied_timescales__have_bands_and_the_line_of_the_lag():
    ax = pictures.implied_timescales(made_landscape.run())
    lines = {line.get_label(): line.get_xydata() for line in ax.lines}
    np.testing.assert_array_equal(lines["time = lag"], [[0.5, 0.5], [4.0, 4.0]])
    assert lines["lag of the model"][0, 0] == 1.0
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [28.0, 28.5, 28.6, 28.4])
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(1.05 * 28.6)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("lag [ps]", "relaxation time [ps]")


def test_implied_timescales__leave_out_what_is_no_number():
    ds = made_landscape.run()
    time = ds["implied_timescale"].values.copy()
    time[1, 1] = np.nan
    ax = pictures.implied_timescales(ds.assign(implied_timescale=(("lag", "timescale"), time)))
    assert len(ax.lines[1].get_ydata()) == 3
    ax.figure.savefig(io.BytesIO(), format="svg")


def test_chapman_kolmogorov__draws_both_sides():
    ax = pictures.chapman_kolmogorov(made_landscape.run())
    predicted = [line.get_ydata().tolist() for line in ax.lines if line.get_marker() == "None"]
    assert [0.98, 0.96] in predicted
    assert [0.7, 0.5] in predicted
    assert bars(ax)[-1] == 0.04
    assert ax.get_xlabel() == "time since [ps]"


def test_plane__means_are_those_of_all_samples_whatever_the_chunks():
    ds = made_landscape.run(1000)
    one, other = (
        compute(plane_of(ds.chunk(sample=n), (v.free_energy,), {"edge": v.edge_sample}))[0]
        for n in (1000, 170)
    )
    found, again = cells(one), cells(other)
    np.testing.assert_allclose(found.mean, again.mean)
    assert found.number.sum() == 1000
    x, y = ds.rows.values.T
    bins = found.number.shape[0]
    side = np.linspace(-np.pi, np.pi, bins + 1)
    weight = np.histogram2d(y, x, [side, side], weights=ds.free_energy.values)[0]
    count = np.histogram2d(y, x, [side, side])[0]
    np.testing.assert_array_equal(found.number, count)
    np.testing.assert_allclose(found.mean[0][count > 0], (weight[count > 0]) / count[count > 0])
    where = ds.rows.values[[17, 230, 181]]
    np.testing.assert_allclose(found.marks["edge"][:3], where)
    assert np.isnan(found.marks["edge"][3]).all()  # none on that side


def test_plane__of_many_features_takes_components():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 5)) * [9.0, 4.0, 0.1, 0.1, 0.1]
    tables = made_landscape.peaks() | made_landscape.samples(500, "kT")
    ds = xr.Dataset({"rows": (("sample", "feature"), x)}).assign(tables)
    ax = pictures.surface(ds)
    assert ax.get_xlabel().startswith("principal component 1, 8")
    assert texts(ax) == ["0", "1", "2"]
    spans = np.abs(x[:, 0]).max(), np.abs(x[:, 1]).max()
    assert ax.get_xlim()[1] == pytest.approx(spans[0], rel=0.15)
    assert ax.get_ylim()[1] == pytest.approx(spans[1], rel=0.25)


def test_surface__has_states_edges_and_paths():
    ds = made_landscape.run()
    ax = pictures.surface(ds)
    assert texts(ax) == ["0", "1", "2"]
    assert ax.texts[1].xy == tuple(ds.rows.values[201])
    diamonds = next(line for line in ax.lines if line.get_marker() == "D")
    drawn = diamonds.get_xydata()
    np.testing.assert_allclose(drawn[np.isfinite(drawn[:, 0])], ds.rows.values[[17, 230, 181]])
    paths = [line.get_xydata() for line in ax.lines if line.get_marker() == "None"]
    assert len(paths) == 2
    np.testing.assert_allclose(paths[1], ds.rows.values[[0, 181, 399]])
    assert (ax.get_xlabel(), ax.get_xlim()) == ("phi [rad]", (-np.pi, np.pi))
    assert ax.figure.axes[1].get_ylabel() == "free energy [kT]"


def test_surface__of_one_feature_is_a_line():
    ax = pictures.surface(made_landscape.run().isel(feature=[1]))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("psi [rad]", "free energy [kT]")
    assert texts(ax) == ["0", "1", "2"]
    assert sum(line.get_marker() == "D" for line in ax.lines) == 3


@pytest.mark.parametrize("features", [(0, 2), (1, 1), (0,)])
def test_surface__refuses_other_features(features):
    with pytest.raises(ValueError, match="features: expected"):
        pictures.surface(made_landscape.run(), features)


def test_surface__names_the_missing_step():
    with pytest.raises(v.SchemaError, match="no 'free_energy' in the dataset: run free_energy"):
        pictures.surface(made_landscape.run().drop_vars("free_energy"))


def test_unbroken__breaks_at_both_sides_of_a_period():
    line = np.array([[3.0, 1.0], [-3.0, 1.2], [-2.9, -3.1], [-2.8, -3.0]])
    found = unbroken(line, np.array([2 * np.pi, 0.0]))
    assert np.isnan(found).all(axis=1).tolist() == [False, True, False, False, False]
    assert len(unbroken(line, np.array([0.0, 0.0]))) == 4
    assert np.isnan(unbroken(line, np.full(2, 2 * np.pi))).all(axis=1).sum() == 2


def test_committor__runs_from_source_to_target():
    ds = made_landscape.run()
    ax = pictures.committor(ds)
    (mesh,) = [c for c in ax.collections if isinstance(c, QuadMesh)]
    assert mesh.get_clim() == (0.0, 1.0)
    assert ax.figure.axes[1].get_ylabel() == "probability to reach 1 before 0"
    one = pictures.committor(ds.isel(feature=[0]))
    assert one.get_ylabel() == "probability to reach 1 before 0"


def with_pmf(shape):
    axes = [np.linspace(-np.pi, np.pi, n + 1)[:-1] + np.pi / n for n in shape]
    place = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(shape))
    energies = np.arange(len(place), dtype=float)
    energies[1] = np.nan
    where = {
        "features": ["phi", "psi"][: len(shape)], "shape": list(shape),
        "width": [2 * np.pi / n for n in shape],
    }  # fmt: skip
    return made_landscape.run(
        pmf_position=(("pmf_cell", "pmf_feature"), place, where | {"units": "rad"}),
        pmf=("pmf_cell", energies, where | {"units": "kJ/mol"}),
        pmf_error=("pmf_cell", np.full(len(place), 0.5)),
    )


def test_pmf__on_a_plane_has_the_first_feature_along_x():
    ax = pictures.pmf(with_pmf((4, 3)))
    (mesh,) = [c for c in ax.collections if isinstance(c, QuadMesh)]
    found = np.ma.filled(mesh.get_array(), np.nan)
    assert found.shape == (3, 4)
    assert found[2, 0] == 2.0  # the last feature is fastest
    assert found[0, 1] == 3.0
    assert np.isnan(found[1, 0])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("phi [rad]", "psi [rad]")
    assert ax.get_title(loc="left") == "median error of a cell 0.5 kJ/mol"
    assert [t.get_text() for t in ax.get_xticklabels()] == [
        f"{MINUS}π",
        f"{MINUS}π/2",
        "0",
        "π/2",
        "π",
    ]


def test_pmf__of_one_feature_has_a_band():
    ax = pictures.pmf(with_pmf((6,)))
    assert ax.get_ylabel() == "potential of mean force [kJ/mol]"
    assert ax.lines[0].get_ydata()[2:].tolist() == [2.0, 3.0, 4.0, 5.0]
    heights = np.concatenate([p.vertices[:, 1] for p in ax.collections[0].get_paths()])
    assert heights.max() == 5.5


def with_tubes(d=2):
    path = np.linspace([0.0] * d, [1.0, 2.0, 0.1][:d], 5)
    there, back = path + 0.1, path - 0.1
    back[0] = np.nan
    record = {"parameters": '{"source": 0, "target": 2}'}
    dims = ("direction", "reactive_point", "feature")
    return xr.Dataset(
        {
            "rows": (("sample", "feature"), np.zeros((9, d)), {"units": "nm"}),
            "reactive_path": (("reactive_point", "feature"), path),
            "reactive_position": (dims, np.stack([there, back]), record),
            "reactive_position_error": (dims, np.full((2, 5, d), 0.02)),
            "reactive_spread": (dims, np.full((2, 5, d), 0.3)),
        }
    )


def test_tubes__are_drawn_where_the_path_is_longest():
    ax = pictures.tubes(with_tubes(3))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("feature 0 [nm]", "feature 1 [nm]")
    lines = {line.get_label(): line.get_xydata() for line in ax.lines}
    np.testing.assert_allclose(lines["0 to 2"][0], [0.1, 0.1])
    assert len(lines["2 to 0"]) == 4  # where there are no frames there is no point
    np.testing.assert_allclose(lines["minimax path"][-1], [1.0, 2.0])


def test_tubes__of_one_feature_stand_over_the_path():
    ax = pictures.tubes(with_tubes(1))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("point of the path", "feature 0 [nm]")


@pytest.mark.parametrize(
    ("draw", "lost"),
    [
        (pictures.disconnectivity, "peak_log_density"),
        (pictures.barrier_matrix, "barrier_minimax"),
        (pictures.network, "transition_count"), (pictures.chapman_kolmogorov, "stay_observed"),
        (pictures.implied_timescales, "implied_timescale"), (pictures.committor, "committor"),
        (pictures.passage_matrix, "mean_first_passage_time"), (pictures.tubes, "reactive_path"),
        (pictures.pmf, "pmf"),
    ],
)  # fmt: skip
def test_pictures__name_what_is_missing(draw, lost):
    ds = made_landscape.run().drop_vars(lost, errors="ignore")
    with pytest.raises(v.SchemaError, match=lost if lost != "pmf" else "pmf_position"):
        draw(ds)


def test_points__do_not_compute(no_compute):
    ds = made_landscape.run()
    ds = ds.assign({name: ds[name].chunk(sample=90) for name in ("free_energy", "committor")})
    pictures.surface_points(ds)
    pictures.committor_points(ds)
