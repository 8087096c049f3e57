"""Mixtures: rows follow the density, the density integrates to one, the peaks are its maxima."""

import json

import numpy as np
import pytest
from scipy.ndimage import maximum_filter
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from daskid import datasets
from daskid.datasets.density import Mixture, log_density

MIXTURES = {
    "default": {},
    "uneven": {
        "means": [[0, 0], [4, 1], [1, 5]],
        "widths": [[1, 0.3], [0.4, 0.4], [2, 1]],
        "weights": [1, 3, 2],
    },
    # closer than two widths: one peak between the means
    "merged": {"means": [[0, 0], [1.5, 0]]},
    # the middle mean is a minimum along the first axis
    "flanked": {"means": [[-2, 0], [0, 0], [2, 0]], "widths": [[0.5], [3], [0.5]]},
}
every_mixture = pytest.mark.parametrize("keywords", MIXTURES.values(), ids=MIXTURES)


def scipy_log_density(x, means=None, widths=1.0, weights=None):
    means = np.array([(0, 0), (5, 0), (2, 4)] if means is None else means, "f8")
    widths = np.broadcast_to(widths, means.shape)
    weights = np.ones(len(means)) if weights is None else np.array(weights, "f8")
    parts = [
        np.atleast_1d(multivariate_normal(m, np.diag(s**2)).logpdf(x))
        for m, s in zip(means, widths, strict=True)
    ]
    return logsumexp(parts, axis=0, b=(weights / weights.sum())[:, None])


def grid(spacing=0.05):
    axis = np.arange(-12, 14, spacing)
    x = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    return x


@every_mixture
def test_true_log_density__equals_scipys(keywords):
    ds = datasets.gaussian_mixture(500, **keywords)
    expected = scipy_log_density(ds.rows.values, **keywords)
    np.testing.assert_allclose(ds.true_log_density, expected, rtol=0, atol=1e-12)


@every_mixture
def test_density__integrates_to_one(keywords):
    means = np.array(keywords.get("means", [(0, 0), (5, 0), (2, 4)]), "f8")
    weights = np.array(keywords.get("weights", np.ones(len(means))), "f8")
    widths = np.broadcast_to(keywords.get("widths", 1.0), means.shape)
    mixture = Mixture(means, widths, weights / weights.sum())
    x = grid()
    total = np.exp(log_density(x.reshape(-1, 2), mixture)).sum() * 0.05**2
    assert total == pytest.approx(1, abs=3e-4)  # the box cuts four widths of the widest


@every_mixture
def test_rows__follow_the_density(keywords):
    # the mean of 1/p over the rows inside a box is its area
    ds = datasets.gaussian_mixture(100_000, seed=3, **keywords)
    x, p = ds.rows.values, np.exp(ds.true_log_density.values)
    peaks = np.array(json.loads(ds.attrs["truth"])["peaks"])
    for center in peaks:
        inside = (np.abs(x - center) < 0.3).all(axis=1)
        share = inside / p / 0.6**2
        error = share.std() / np.sqrt(len(x))
        assert error < 0.05
        assert abs(share.mean() - 1) < 4 * error


@every_mixture
def test_peaks__are_the_maxima_on_a_grid(keywords):
    x = grid()
    height = scipy_log_density(x.reshape(-1, 2), **keywords).reshape(x.shape[:2])
    top = (height == maximum_filter(height, 3)) & (height > height.max() - 8)
    expected = x[top]
    truth = json.loads(datasets.gaussian_mixture(1, **keywords).attrs["truth"])
    peaks = np.array(truth["peaks"])
    distance = np.abs(expected[:, None] - peaks[None]).max(axis=2)
    assert distance.shape[0] >= distance.shape[1]
    # a maximum halfway between grid lines shows on both of them
    assert (distance.min(axis=1) <= 0.05).all()
    assert (distance.min(axis=0) <= 0.05).all()
    np.testing.assert_allclose(
        truth["peak_log_density"], scipy_log_density(peaks, **keywords), atol=1e-12
    )


def test_merged_components__share_a_peak_between_their_means():
    truth = json.loads(datasets.gaussian_mixture(1, means=[[0], [1.5]]).attrs["truth"])
    np.testing.assert_allclose(truth["peaks"], [[0.75]], atol=1e-6)


def test_gaussian__is_standard():
    ds = datasets.gaussian(50_000, 3)
    x = ds.rows.values
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=4 / np.sqrt(len(x)))
    np.testing.assert_allclose(np.cov(x.T), np.eye(3), atol=6 / np.sqrt(len(x)))
    expected = multivariate_normal(np.zeros(3)).logpdf(x)
    np.testing.assert_allclose(ds.true_log_density, expected, atol=1e-12)
    assert json.loads(ds.attrs["truth"]) == {
        "intrinsic_dimension": 3,
        "peaks": [[0.0, 0.0, 0.0]],
        "peak_log_density": [pytest.approx(-1.5 * np.log(2 * np.pi))],
    }


def test_float32__log_density_is_that_of_the_rounded_rows():
    ds = datasets.gaussian(1000, 2, dtype="float32")
    assert ds.rows.dtype == "float32"
    expected = multivariate_normal(np.zeros(2)).logpdf(ds.rows.values.astype("f8"))
    np.testing.assert_allclose(ds.true_log_density, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"means": [0, 1]}, r"means: expected finite .* got shape \(2,\): pass one row"),
        ({"means": [[np.nan]]}, "means: expected finite"),
        ({"means": np.zeros((0, 2))}, r"means: .* got shape \(0, 2\)"),
        ({"widths": 0}, "widths: expected one positive number"),
        ({"widths": [1, 2, 3]}, r"widths: .* or shape \(3, 1\) or \(3, 2\), got \[1. 2. 3.\]"),
        ({"weights": [1, 2]}, "weights: expected 3 positive numbers"),
        ({"weights": [1, 2, 0]}, "weights: expected 3 positive numbers, .*: leave out"),
    ],
)
def test_gaussian_mixture__refuses(keywords, message):
    with pytest.raises(ValueError, match=message):
        datasets.gaussian_mixture(10, **keywords)
