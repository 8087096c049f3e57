"""density_at: at stored rows the stored densities, to the bit; elsewhere the true ones."""

import numpy as np
import pytest
import xarray as xr

import daskid
from daskid import variables as v
from daskid.blockwise import nearest


def stored(x, k=60, chunk=70, metric="euclidean", **coords):
    ds = xr.Dataset({"rows": (("sample", "feature"), x)}).chunk(sample=chunk)
    ds = ds.assign_coords({name: ("feature", c) for name, c in coords.items()})
    return daskid.kstar(daskid.knn(ds, k=k, metric=metric), dimension=2)


@pytest.fixture(scope="module")
def copies():
    """Rows in float32, a fifth of them four times."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(250, 2)) ** 3
    x = np.concatenate([x, *[x[:50]] * 3])[rng.permutation(400)].astype("f4")
    return stored(x, 100)


@pytest.mark.parametrize("method", ["pak", "kstar", "knn"])
def test_density_at__stored_rows_is_theirs_to_the_bit(copies, method, monkeypatch):
    monkeypatch.setattr(nearest, "NEW_ROWS", 90)
    expected = daskid.density(copies, method=method).compute()
    out = daskid.density_at(copies, copies.rows, method=method)
    names = ["neighbor_distance", "neighbor_index", "log_density", "log_density_error"]
    if method != "knn":
        names += ["kstar", "kstar_capped"]
    for name in names:
        np.testing.assert_array_equal(out[name], expected[name])
    assert (expected.location < np.arange(400)).sum() == 150


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "chebyshev"])
def test_density_at__goes_round_periods_and_weighs_features(metric):
    rng = np.random.default_rng(1)
    x = np.stack([rng.normal(0, 0.1, 300) % 1, rng.normal(size=300)], axis=1)
    x = np.round(x * 2**20) / 2**20  # what is added below changes no bit
    ds = stored(x, 200, metric=metric, period=[1.0, 0.0], weight=[4.0, 1.0])
    expected = daskid.density(ds).log_density.values
    np.testing.assert_array_equal(daskid.density_at(ds, x).log_density, expected)
    out = daskid.density_at(ds, x + np.array([8.0, 0.0]))
    np.testing.assert_array_equal(out.log_density, expected)


@pytest.mark.filterwarnings("ignore:kstar")  # 290 of 300 neighbors: there are no more to ask for
def test_density_at__of_directions_does_not_depend_on_lengths():
    x = np.random.default_rng(4).normal(size=(300, 3)) ** 3
    ds = stored(x, 290, metric="cosine", weight=[1.0, 2.0, 0.5])
    out = daskid.density_at(ds, 8 * x)
    np.testing.assert_array_equal(out.log_density, daskid.density(ds).log_density)
    with pytest.raises(ValueError, match="other than 0 in every row for metric='cosine', got zero"):
        daskid.density_at(ds, np.zeros((1, 3)))


def test_density_at__does_not_depend_on_chunks():
    rng = np.random.default_rng(2)
    x, new = rng.normal(size=(300, 5)), rng.normal(size=(20, 5))
    one, other = (daskid.density_at(stored(x, 280, chunk), new) for chunk in (300, 13))
    xr.testing.assert_identical(one, other)


def test_density_at__of_a_gaussian_is_true_within_its_error():
    x = np.random.default_rng(3).normal(size=(3000, 2))
    ds = stored(x, 600, chunk=1000)
    new = np.stack([np.linspace(0, 2, 9), np.zeros(9)], axis=1)
    out = daskid.density_at(ds, new)
    true = -np.log(2 * np.pi) - new[:, 0] ** 2 / 2
    assert np.abs((out.log_density - true) / out.log_density_error).max() < 3
    assert out.log_density_error.max() < 0.5


def test_density_at__far_away_is_small_and_finite(copies):
    out = daskid.density_at(copies, [[1e6, 0.0], [0.0, 0.0]])
    assert np.isfinite(out.log_density).all()
    assert float(out.log_density[0]) < -20 < float(out.log_density[1])
    assert out.neighbor_index.values.min() >= 0


@pytest.mark.parametrize(
    ("rows", "keywords", "words"),
    [
        ([0.0, 1.0], {}, r"one row or more of 2 features, as stored, got shape \(2,\)"),
        ([[0.0, 1.0, 2.0]], {}, r"got shape \(1, 3\)"),
        (np.zeros((0, 2)), {}, r"got shape \(0, 2\)"),
        ([[0.0, 1.0], [np.nan, 0]], {}, r"NaN or infinity in 1 rows \(first: 1\)"),
        ([[0.0, 1.0]], {"k": 3}, "k: expected none with method='pak'"),
        ([[0.0, 1.0]], {"method": "best"}, "method: expected one of"),
        ([[0.0, 1.0]], {"method": "knn", "k": 101}, "k: expected an integer from 1 to 100"),
    ],
)
def test_density_at__refuses(copies, rows, keywords, words):
    with pytest.raises(ValueError, match=words):
        daskid.density_at(copies, rows, **keywords)


@pytest.mark.parametrize("name", ["rows", "neighbor_distance", "kstar"])
def test_density_at__names_what_is_missing(copies, name):
    with pytest.raises(v.SchemaError, match=f"no '{name}' in the dataset"):
        daskid.density_at(copies.drop_vars(name), [[0.0, 1.0]])
