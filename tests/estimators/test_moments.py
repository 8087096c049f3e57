"""Moments: equal to their definitions for any chunks, errors as wide as replicas scatter."""

import dask
import dask.array as da
import naive_moments as naive
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import daskid
from daskid.blockwise import moments as blockwise
from daskid.estimators.moments import GROUPS, cka, gaussian_clone, principal_components

N = 240


def dataset(x, chunk=N, **coords):
    rows = da.from_array(x, (chunk, -1))
    return xr.Dataset({"rows": (("sample", "feature"), rows)}, coords=coords)


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, 5)) + 3
    y = np.tanh(x[:, :3]) @ rng.standard_normal((3, 7)) + 0.5 * rng.standard_normal((N, 7))
    return x, y


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(blockwise, "MOST_ROWS", 64)
    monkeypatch.setattr(blockwise, "TILE", 4)


NAMES = ("cka", "cka_error", "cka_unbiased", "cka_unbiased_error")


@pytest.mark.parametrize("held", [0, 1 << 24], ids=["tiles", "features"])
def test_cka__equals_the_gram_matrices(pair, held, small_blocks, monkeypatch):
    monkeypatch.setattr(blockwise, "HELD_VALUES", held)
    found = cka(*(dataset(z, 50) for z in pair))
    truth = (
        naive.cka(*pair), naive.left_out(naive.cka, *pair, GROUPS),
        naive.cka_unbiased(*pair), naive.left_out(naive.cka_unbiased, *pair, GROUPS),
    )  # fmt: skip
    np.testing.assert_allclose([float(found[n]) for n in NAMES], truth, rtol=1e-8)


@settings(max_examples=5)
@given(chunks=st.tuples(st.integers(9, N), st.integers(9, N)), held=st.sampled_from([0, 1 << 24]))
def test_moments__same_bits_for_any_chunks(pair, chunks, held):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blockwise, "HELD_VALUES", held)
        patch.setattr(blockwise, "MOST_ROWS", 64)
        whole = cka(*(dataset(z) for z in pair))
        parts = cka(*(dataset(z, c) for z, c in zip(pair, chunks, strict=True)))
        for name in NAMES:
            assert float(whole[name]) == float(parts[name])
        one, two = (principal_components(dataset(pair[1], c)) for c in (N, chunks[0]))
        for name in set(one.data_vars) - {"rows"}:
            np.testing.assert_array_equal(one[name], two[name])


def test_clone__same_bits_for_any_chunks_and_threads(pair, small_blocks):
    labels = ("sample", np.arange(N) % 3)
    whole = gaussian_clone(dataset(pair[1], label=labels), by="label", seed=3)
    for chunk in (17, 100):
        parts = gaussian_clone(dataset(pair[1], chunk, label=labels), by="label", seed=3)
        assert parts.rows.chunks[0] == dataset(pair[1], chunk).rows.chunks[0]
        with dask.config.set(scheduler="threads"):
            np.testing.assert_array_equal(whole.rows, parts.rows)
    other = gaussian_clone(dataset(pair[1], label=labels), by="label", seed=4)
    assert (other.rows.values != whole.rows.values).all()


def test_clone__has_the_moments_of_the_data_and_no_more():
    roll = daskid.datasets.swiss_roll(20_000, seed=1)
    clone = gaussian_clone(roll.assign(id_twonn=2.0))
    x, y = roll.rows.values, clone.rows.values
    spread = np.sqrt(np.diag(np.cov(x.T)))
    assert np.abs(x.mean(axis=0) - y.mean(axis=0)).max() < 0.03 * spread.max()
    np.testing.assert_allclose(np.cov(y.T) / np.outer(spread, spread),
                               np.cov(x.T) / np.outer(spread, spread), atol=0.04)  # fmt: skip
    assert "id_twonn" not in clone
    assert "truth" not in clone.attrs
    half = [np.mean(np.abs(z - z.mean(axis=0)) > 2 * spread) for z in (x, y)]
    assert half[0] < 0.3 * half[1]  # the tails are Gaussian


def test_clone__by_label_keeps_the_means_of_classes():
    rng = np.random.default_rng(0)
    label = rng.integers(3, size=6000)
    means, widths = np.array([[0, 0], [9, 0], [0, 9.0]]), np.array([0.5, 1, 2])
    x = means[label] + widths[label, None] * rng.standard_normal((6000, 2))
    clone = gaussian_clone(dataset(x, 1000, label=("sample", label)), by="label")
    y = clone.rows.values
    for c in range(3):
        own = y[label == c]
        error = widths[c] / np.sqrt(len(own))
        np.testing.assert_allclose(own.mean(axis=0), x[label == c].mean(axis=0), atol=5 * error)
        truth = np.cov(x[label == c].T)
        np.testing.assert_allclose(np.cov(own.T), truth, atol=0.15 * widths[c] ** 2)


def test_clone__of_fewer_samples_than_features_stays_in_their_span():
    x = np.random.default_rng(0).standard_normal((6, 30)).astype("f4")
    clone = gaussian_clone(dataset(x, 6))
    assert clone.rows.dtype == np.float32
    away = clone.rows.values - x.mean(axis=0)
    assert np.linalg.matrix_rank(away, tol=1e-3) == 5


def test_clone__is_lazy_and_carries_nothing_computed(pair, no_compute):
    ds = dataset(pair[0]).assign(mine=("sample", np.zeros(N)))
    clone = gaussian_clone(ds)
    assert set(clone.data_vars) == {"rows"}
    assert clone.rows.shape == (N, 5)


def test_principal_components__equal_numpys(pair, small_blocks):
    x = pair[1]
    out = principal_components(dataset(x, 31), variance=0.8)
    value = np.linalg.eigvalsh(np.cov(x.T))[::-1]
    np.testing.assert_allclose(out.pca_variance, value, rtol=1e-10)
    np.testing.assert_allclose(out.pca_share, np.cumsum(value) / value.sum(), rtol=1e-10)
    assert int(out.pca_dimension) == 1 + np.argmax(np.cumsum(value) / value.sum() >= 0.8)
    np.testing.assert_allclose(out.pca_participation, value.sum() ** 2 / (value**2).sum())


def test_principal_components__errors_are_as_wide_as_replicas():
    rng = np.random.default_rng(0)
    widths = np.sqrt(1 / np.arange(1, 41))  # the share of k components is smooth in k
    drawn = (dataset(rng.standard_normal((800, 40)) * widths, 800) for _ in range(40))
    found = [principal_components(ds, variance=0.7) for ds in drawn]
    between = [np.interp(0.7, ds.pca_share, np.arange(1, 41)) for ds in found]  # not whole numbers
    spread = [float(ds.pca_participation) for ds in found]
    for name, value in (("pca_dimension", between), ("pca_participation", spread)):
        error = np.mean([float(ds[f"{name}_error"]) for ds in found])
        assert 0.7 < error / np.std(value, ddof=1) < 1.4, name


def test_cka__error_is_as_wide_as_replicas():
    rng = np.random.default_rng(1)
    turn = rng.standard_normal((4, 6))
    found = []
    for _ in range(40):
        x = rng.standard_normal((200, 4))
        y = np.maximum(x @ turn, 0) + rng.standard_normal((200, 6))
        found.append(cka(dataset(x, 200), dataset(y, 200)))
    for name in ("cka", "cka_unbiased"):
        value = np.array([float(ds[name]) for ds in found])
        error = np.mean([float(ds[f"{name}_error"]) for ds in found])
        assert 0.7 < error / value.std(ddof=1) < 1.4, name


def test_cka__is_one_under_rotation_and_unbiased_where_nothing_is_shared(pair):
    x = pair[0]
    turn = np.linalg.qr(np.random.default_rng(2).standard_normal((5, 5)))[0]
    same = cka(dataset(x), dataset(3 * x @ turn - 7))
    assert float(same.cka) == pytest.approx(1, abs=1e-9)
    assert float(same.cka_error) < 1e-6
    rng = np.random.default_rng(3)
    wide = [dataset(rng.standard_normal((N, 400))) for _ in range(2)]
    apart = cka(*wide)
    assert float(apart.cka) > 0.5  # as many features as samples: anything looks alike
    assert abs(float(apart.cka_unbiased)) < 4 * float(apart.cka_unbiased_error)


def test_constant_rows__have_no_components_and_no_cka():
    flat, x = np.ones((100, 3)), np.random.default_rng(0).standard_normal((100, 3))
    out = principal_components(dataset(flat, 100))
    assert float(out.pca_dimension) == 0 == float(out.pca_participation)
    assert np.isnan(float(cka(dataset(flat, 100), dataset(x, 100)).cka))
    np.testing.assert_array_equal(gaussian_clone(dataset(flat, 100)).rows, flat)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda ds: principal_components(ds, variance=0), "variance: expected a share"),
        (lambda ds: principal_components(ds.isel(sample=[0])), "at least 2 samples"),
        (
            lambda ds: gaussian_clone(ds, by="class"),
            r"by: expected .* one of \['label', 'lone', 'row'\]",
        ),
        (lambda ds: gaussian_clone(ds, by="lone"), "two samples or more of every value"),
        (lambda ds: gaussian_clone(ds, seed=-1), "seed: expected 0 or more"),
        (lambda ds: cka(ds, ds.isel(sample=slice(9))), "expected the 240 samples of a, got 9"),
        (lambda ds: cka(ds, ds.isel(sample=slice(None, None, -1))), "in the same order"),
        (lambda ds: cka(*[ds.isel(sample=slice(40))] * 2), "at least 80 samples, got 40"),
    ],
)
def test_moments__refuse(pair, call, match):
    lone = np.zeros(N, int)
    lone[0] = 1
    coords = {"row": np.arange(N), "label": np.arange(N) % 2, "lone": lone}
    ds = dataset(pair[0], **{n: ("sample", x) for n, x in coords.items()})
    with pytest.raises(ValueError, match=match):
        call(ds)


def test_wide_rows__are_refused_before_the_work():
    rows = da.zeros((10, 20_000), chunks=(10, 20_000))
    ds = xr.Dataset({"rows": (("sample", "feature"), rows)})
    with pytest.raises(ValueError, match="at most 16,384 features"):
        principal_components(ds)
