"""kstar and density: equal to the naive ones for any chunks, of locations, of the right scale."""

import json

import dask
import naive
import naive_density
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import daskid
from daskid import variables as v
from daskid.blockwise import gather
from daskid.estimators.density import neighborhoods

DIMS = ("sample", "neighbor")


def made(distance, index, chunk=None, **others):
    """Return a dataset of given lists, as knn leaves it."""
    ds = xr.Dataset({"neighbor_distance": (DIMS, distance), "neighbor_index": (DIMS, index)})
    ds = ds.assign({name: ("sample", x) for name, x in others.items()})
    return ds.chunk(sample=chunk or len(distance))


def searched(x, k, chunk=None, exclude=0, **keywords):
    distance, index, location = naive.knn(x, k, exclude=exclude, **keywords)
    ds = made(distance, index, chunk, location=location)
    ds["neighbor_distance"].attrs["parameters"] = json.dumps({"exclude": exclude})
    return ds


@pytest.fixture(scope="module")
def gaussian():
    """600 samples in two dimensions, with lists long enough."""
    return searched(np.random.default_rng(0).normal(size=(600, 2)), 300)


@pytest.fixture(scope="module")
def noisy_line():
    """A line of uneven density, and noise in ten dimensions, of the order of r_1."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(500, 10)) * 2e-3
    x[:, 0] += np.exp(0.7 * rng.normal(size=500))
    return searched(x, 400)


# k*


@given(data=st.data())
@settings(max_examples=25)
def test_kstar__equals_naive_with_ties_for_any_chunks_and_panels(data):
    n, k = data.draw(st.integers(12, 30)), data.draw(st.integers(5, 8))
    x = np.array(data.draw(st.lists(st.integers(0, 4), min_size=2 * n, max_size=2 * n)))
    distance, index, location = naive.knn(x.reshape(n, 2), k, duplicates="keep")
    d, alpha = data.draw(st.floats(0.5, 5)), data.draw(st.sampled_from([1e-6, 0.01, 0.4]))
    ds = made(distance, index, data.draw(st.integers(1, n)), location=location)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gather, "LEAST", data.draw(st.integers(1, 4)))
        patch.setattr(gather, "PANEL_BYTES", 0)
        patch.setattr(neighborhoods, "SHARE", 1.0)
        out = daskid.kstar(ds, dimension=d, alpha=alpha)
    expected = naive_density.kstar(distance, index, d, alpha)
    np.testing.assert_array_equal(out.kstar, expected)
    np.testing.assert_array_equal(out.kstar_capped, expected == k - 1)


def test_kstar__stops_reading_when_all_samples_have_stopped(gaussian, monkeypatch):
    panels = []
    monkeypatch.setattr(gather, "PANEL_BYTES", 0)
    monkeypatch.setattr(gather, "panel", lambda *x, f=gather.panel: panels.append(x[1:]) or f(*x))
    # a dimension that is far too large stops at once, if the ratio of radii is not just 1
    out = daskid.kstar(gaussian, dimension=2000.0)
    assert int(out.kstar.max()) < 60
    assert panels == [(a, a + 8) for a in range(3, int(out.kstar.max()) + 1, 8)]


def test_kstar__error_of_its_own_dimension_is_that_of_gride(gaussian):
    out = daskid.gride(daskid.kstar(gaussian))
    at = out.sel(scale=out.kstar_dimension.attrs["scale"])
    assert float(out.kstar_dimension) == float(at.id_gride)
    assert float(out.kstar_dimension_error) == float(at.id_gride_error) > 0


@pytest.mark.parametrize("given", [2.5, 2, "2.5", np.float32(2.5)])
def test_kstar__takes_the_dimension_as_a_number(gaussian, given):
    out = daskid.kstar(gaussian, dimension=given)
    assert float(out.kstar_dimension) == float(given)
    assert out.kstar_dimension.attrs["source"] == "given"
    assert np.isnan(out.kstar_dimension_error)


def test_kstar__takes_the_dimension_of_a_variable_and_depends_on_it(gaussian):
    out = daskid.kstar(daskid.twonn(gaussian), dimension="id_twonn")
    assert float(out.kstar_dimension) == float(out.id_twonn)
    assert out.kstar_dimension.attrs["source"] == "variable id_twonn"
    assert float(out.kstar_dimension_error) == float(out.id_twonn_error) > 0
    other = daskid.twonn(out, method="fit")
    assert "kstar" not in other


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ("id_twonn", v.SchemaError, "no 'id_twonn' in the dataset: run twonn first"),
        ("id_gride", ValueError, r"'id_gride' along scale: .*float\(ds\.id_gride\.isel\(scale=-1"),
        ("twonn", ValueError, "dimension: expected a positive number, or the name .* got 'twonn'"),
        (0.0, ValueError, "dimension: expected a positive number.* got 0.0"),
        (-2, ValueError, "got -2"),
        (True, ValueError, "got True"),
        (np.inf, ValueError, "got inf"),
        ("id_mle", ValueError, "got 'id_mle', which holds nan"),
    ],
)
def test_kstar__refuses_other_dimensions(gaussian, given, error, words):
    ds = daskid.gride(gaussian).assign(id_mle=np.nan)
    with pytest.raises(error, match=words):
        daskid.kstar(ds, dimension=given)


def test_kstar__default_dimension_is_that_of_gride_at_its_own_scale(noisy_line):
    out = daskid.gride(daskid.kstar(noisy_line))
    source = out.kstar_dimension.attrs
    assert float(out.kstar_dimension) == float(out.id_gride.sel(scale=source["scale"]))
    np.testing.assert_array_equal(source["dimensions"], out.id_gride)
    # k* of that dimension alone leads to the same scale
    again = daskid.kstar(noisy_line, dimension=float(out.kstar_dimension))
    np.testing.assert_array_equal(again.kstar, out.kstar)
    r = noisy_line.neighbor_distance.values
    radius = np.median(np.take_along_axis(r, out.kstar.values[:, np.newaxis] - 1, axis=1))
    middle = [np.median(r[:, n - 1] + r[:, 2 * n - 1]) / 2 for n in source["scales"]]
    assert source["scales"][np.argmin(np.abs(np.log(middle / radius)))] == source["scale"]
    assert source["fixed_point"] == 1


def test_kstar__default_dimension_does_not_see_noise_below_its_scale(noisy_line):
    out = daskid.kstar(daskid.twonn(noisy_line))
    assert float(out.id_twonn) > 3
    assert abs(float(out.kstar_dimension) - 1) < 0.1


@pytest.mark.filterwarnings("ignore:kstar. 3:UserWarning")  # in one dimension lists are short
def test_kstar__default_dimension_is_at_most_the_number_of_features(gaussian):
    # lists alone know no features; then as if there were fewer than Gride reads
    free = daskid.kstar(gaussian)
    assert float(free.kstar_dimension) > 1.5
    flat = gaussian.assign(rows=(("sample", "feature"), np.zeros((600, 1))))
    out = daskid.kstar(flat)
    assert float(out.kstar_dimension) == 1.0
    source = out.kstar_dimension.attrs
    assert source["source"].startswith("the number of features: Gride reads ")
    assert source["dimensions"] == free.kstar_dimension.attrs["dimensions"]
    assert min(source["dimensions"]) > 1.0
    xr.testing.assert_equal(out.kstar, daskid.kstar(flat, dimension=1.0).kstar)
    wide = gaussian.assign(rows=(("sample", "feature"), np.zeros((600, 3))))
    assert float(daskid.kstar(wide).kstar_dimension) == float(free.kstar_dimension)
    assert float(daskid.kstar(flat, dimension=3.5).kstar_dimension) == 3.5


def test_kstar__of_scales_in_a_circle_takes_the_largest(gaussian, monkeypatch):
    radii = iter([1.0, 2.0])
    scales = np.array([1, 2]), np.array([2.0, 1.9]), np.array([1.0, 2.0])
    monkeypatch.setattr(neighborhoods, "_scales", lambda lists: scales)
    monkeypatch.setattr(
        neighborhoods.blockwise, "median", lambda *_: np.ma.masked_array(next(radii)).view(Value)
    )
    out = daskid.kstar(gaussian)
    assert out.kstar_dimension.attrs["scale"] == 2
    assert out.kstar_dimension.attrs["fixed_point"] == 0


class Value(np.ma.MaskedArray):
    """A number with the method of a dask array."""

    def compute(self):
        return float(self)


def test_kstar__says_so_where_gride_finds_no_dimension():
    ds = made(np.ones((8, 6)), np.array([[j for j in range(8) if j != i][:6] for i in range(8)]))
    with pytest.raises(ValueError, match=r"dimension: expected distances that differ.*dimension=2"):
        daskid.kstar(ds)


def test_kstar__warns_of_short_lists_and_names_the_k_that_would_do():
    x = np.random.default_rng(2).normal(size=(800, 2))
    with pytest.warns(UserWarning, match="beyond the 60 neighbors stored.*run knn with k=") as seen:
        out = daskid.kstar(searched(x, 60), dimension=2)
    k = out.kstar_capped.attrs["enough"]
    assert f"k={k};" in str(seen[0].message)
    assert f"{out.kstar_capped.attrs['share']:.1%}" in str(seen[0].message)
    assert out.kstar_capped.attrs["share"] == float(out.kstar_capped.mean()) > 0.01
    longer = daskid.kstar(searched(x, k), dimension=2)  # no warning
    assert longer.kstar_capped.attrs["share"] <= 0.01
    assert longer.kstar_capped.attrs["enough"] == k


def test_kstar__where_there_are_no_more_neighbors_it_says_that():
    x = np.random.default_rng(3).random((30, 2))
    with pytest.warns(UserWarning, match="there are no more of them"):
        out = daskid.kstar(searched(x, 29), dimension=2)
    assert out.kstar_capped.attrs["enough"] == 29


@pytest.mark.parametrize(
    ("metric", "weight", "factor"),
    [("euclidean", 4.0, 2.0), ("cityblock", 4.0, 4.0), ("euclidean", 0.0, np.inf)],
)
def test_kstar__reports_balls_beyond_half_a_period(metric, weight, factor):
    x = np.random.default_rng(4).random((150, 2)) * [1, 3]
    ds = searched(x, 100, metric=metric, period=[1, 3], weight=[weight, 1])
    ds["neighbor_distance"].attrs["parameters"] = json.dumps({"metric": metric})
    ds = ds.assign_coords(period=("feature", [1.0, 3.0]), weight=("feature", [weight, 1.0]))
    half = min(0.5 * factor, 1.5)
    with pytest.warns(UserWarning, match="kstar: ") as seen:
        out = daskid.kstar(ds, dimension=2)
    r = ds.neighbor_distance.values[np.arange(150), out.kstar.values - 1]
    assert out.kstar.attrs["share_beyond_half_period"] == (r > half).mean()
    assert ("reach beyond half a period" in str(seen[-1].message)) == ((r > half).mean() > 0.01)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -1, np.nan])
def test_kstar__refuses_alpha(gaussian, alpha):
    with pytest.raises(ValueError, match="alpha: expected a chance between 0 and 1"):
        daskid.kstar(gaussian, dimension=2, alpha=alpha)


def test_kstar__refuses_a_selection_made_after_the_search(gaussian):
    with pytest.raises(ValueError, match=r"neighbor_index: expected positions 0 to 99.*run knn on"):
        daskid.kstar(gaussian.drop_vars("location").isel(sample=slice(100)), dimension=2)


@pytest.mark.parametrize("step", [daskid.kstar, daskid.density])
def test_steps__refuse_what_has_no_density(gaussian, step):
    with pytest.raises(v.SchemaError, match="no 'neighbor_distance' in the dataset: run knn first"):
        step(xr.Dataset())
    with pytest.raises(ValueError, match="needs 5 neighbors or more, got 4: run knn"):
        step(gaussian.isel(neighbor=slice(4)))
    ds = gaussian.copy()
    ds["neighbor_distance"].attrs["parameters"] = '{"metric": "hamming"}'
    with pytest.raises(ValueError, match="volumes, got 'hamming': run knn with another metric"):
        step(ds)


# density


@pytest.mark.parametrize("chunk", [7, 100, 600])
def test_density__has_the_same_bits_for_any_chunks(gaussian, chunk):
    one = daskid.density(daskid.kstar(gaussian, dimension=2))
    ds = daskid.kstar(gaussian.chunk(sample=chunk, neighbor=50), dimension=2)
    for method in ("pak", "kstar", "knn"):
        out = daskid.density(ds, method=method)
        expected = daskid.density(one, method=method)
        np.testing.assert_array_equal(out.log_density, expected.log_density)
        np.testing.assert_array_equal(out.log_density_error, expected.log_density_error)


def test_density__equals_naive(gaussian):
    ds = daskid.kstar(gaussian, dimension=1.7)
    r, k = gaussian.neighbor_distance.values, ds.kstar.values
    pak = daskid.density(ds)
    np.testing.assert_allclose(
        pak.log_density, naive_density.pak_log_density(r, k, 1.7, 600), atol=1e-6
    )
    np.testing.assert_allclose(pak.log_density_error, np.sqrt((4 * k + 2) / (k * (k - 1))))
    ball = daskid.density(ds, method="kstar")
    expected = naive_density.knn_log_density(r, k, 1.7, 600)
    np.testing.assert_allclose(ball.log_density, expected, atol=1e-12)
    np.testing.assert_allclose(ball.log_density_error, k**-0.5)
    fixed = daskid.density(ds, method="knn", k=17)
    expected = naive_density.knn_log_density(r, np.full(600, 17), 1.7, 600)
    np.testing.assert_allclose(fixed.log_density, expected, atol=1e-12)
    np.testing.assert_allclose(fixed.log_density_error, 17**-0.5)
    every = daskid.density(ds, method="knn")
    np.testing.assert_array_equal(
        every.log_density, daskid.density(ds, method="knn", k=300).log_density
    )


def test_density__does_not_compute(gaussian, no_compute):
    ds = gaussian.assign(kstar=("sample", np.full(600, 9)), kstar_dimension=2.0)
    ds["neighbor_distance"].attrs["parameters"] = '{"exclude": 3}'
    for method in ("pak", "kstar", "knn"):
        daskid.density(ds, method=method)


def test_density__is_that_of_locations_and_copies_share_it():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(400, 2))
    copies = rng.choice(400, 80, replace=False)
    doubled = np.concatenate([x, *[x[copies]] * rng.integers(1, 4)])
    alone = daskid.density(daskid.kstar(searched(x, 200), dimension=2))
    out = daskid.density(daskid.kstar(searched(doubled, 200), dimension=2))
    np.testing.assert_array_equal(out.log_density[:400], alone.log_density)
    first = out.location.values
    for name in ("kstar", "log_density", "log_density_error"):
        np.testing.assert_array_equal(out[name], out[name].values[first])
    assert np.isfinite(out.log_density).all()
    assert (first < np.arange(len(first))).sum() >= 80


def test_density__counts_the_locations_outside_the_window():
    rng = np.random.default_rng(6)
    x = np.repeat(rng.normal(size=(150, 2)), 2, axis=0)[:299]
    x[200] = x[3]
    row, trajectory = np.arange(299) + 40, np.repeat(["a", "b"], [170, 129])
    how = {"frame": row, "trajectory": (trajectory == "b").astype(int)}
    ds = searched(x, 100, exclude=6, **how)
    ds = ds.assign_coords(row=("sample", row), trajectory=("sample", trajectory))
    ds = ds.assign(kstar=("sample", np.full(299, 20)), kstar_dimension=2.0)
    number = naive_density.admissible(ds.location.values, row, how["trajectory"], 6)
    assert len(set(number)) > 3
    plain = ds.copy()
    plain["neighbor_distance"] = plain.neighbor_distance.drop_attrs()
    shift = daskid.density(ds).log_density - daskid.density(plain).log_density
    np.testing.assert_allclose(shift, np.log(150) - np.log(number), atol=1e-12)


@pytest.mark.parametrize("scale", [1e3, 1e-3])
def test_density__another_unit_of_length_shifts_it_in_200_dimensions(scale):
    x = np.random.default_rng(7).normal(size=(300, 200))
    one, other = (daskid.kstar(searched(y, 60), dimension=200.0) for y in (x, scale * x))
    np.testing.assert_array_equal(one.kstar, other.kstar)
    assert len(np.unique(one.kstar)) > 5
    for method in ("pak", "kstar"):
        before = daskid.density(one, method=method).log_density.values
        after = daskid.density(other, method=method).log_density.values
        np.testing.assert_allclose(after - before, -200 * np.log(scale), rtol=0, atol=1e-9 * 200)


def test_density__of_a_mixture_is_the_true_one_within_its_error():
    ds = daskid.knn(daskid.datasets.gaussian_mixture(2000, widths=0.5, seed=1), k=300)
    out = daskid.density(daskid.kstar(ds, dimension=2)).compute()
    z = (out.log_density - out.true_log_density) / out.log_density_error
    assert abs(float(z.mean())) < 0.3
    assert 0.8 < float(z.std()) < 1.25
    # k* neighbors in a ball are farther from it than they say: density is not constant there
    ball = daskid.density(out, method="kstar")
    assert float(((ball.log_density - out.true_log_density) / ball.log_density_error).std()) > 1.3


def test_density__says_what_its_error_covers(gaussian):
    ds = daskid.kstar(gaussian, dimension=2)
    for method, words in (("pak", "PAk"), ("kstar", "kstar neighbors"), ("knn", "k neighbors")):
        out = daskid.density(ds, method=method)
        assert words in out.log_density_error.attrs["covers"]
    assert json.loads(out.log_density.attrs["parameters"]) == {"k": 300, "method": "knn"}
    assert "log_density" not in daskid.kstar(out, dimension=3)


def test_density__refuses(gaussian):
    with pytest.raises(v.SchemaError, match="no 'kstar_dimension' in the dataset: run kstar first"):
        daskid.density(gaussian)
    ds = daskid.kstar(gaussian, dimension=2)
    with pytest.raises(ValueError, match=r"method: expected one of .*'pak'.*, got 'best': choose"):
        daskid.density(ds, method="best")
    with pytest.raises(ValueError, match=r"k: expected none with method='pak'.*method='knn'"):
        daskid.density(ds, k=10)
    for k in (0, 301, True, 2.0):
        with pytest.raises(ValueError, match="k: expected an integer from 1 to 300"):
            daskid.density(ds, method="knn", k=k)
    short = ds.isel(neighbor=slice(int(ds.kstar.max()) - 1)).assign_attrs(ds.attrs)
    with pytest.raises(ValueError, match=r"kstar: expected ranks from 1 to .* run kstar again"):
        daskid.density(short).log_density.compute()


def test_steps__give_the_same_bits_on_a_cluster(gaussian, client):
    ds = gaussian.chunk(sample=150)
    there = daskid.density(daskid.kstar(ds, dimension=2)).compute()
    with dask.config.set(scheduler="synchronous"):
        here = daskid.density(daskid.kstar(gaussian, dimension=2)).compute()
    xr.testing.assert_identical(here.drop_attrs(), there.drop_attrs())
