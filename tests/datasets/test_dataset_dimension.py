"""The sets read the dimension that the literature reads on them: scipy's TwoNN is the judge.

The standard deviation of TwoNN over seeds is 1.25 d / sqrt(n) (science.md); bands are four
standard errors of the mean over the seeds used, unless the test says otherwise.
"""

import json
import pathlib

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from daskid import datasets

REFERENCES = pathlib.Path(__file__).parents[1] / "references" / "dadapy_dimension.npz"
THEIR_NAMES = {
    "sphere10": "M1_Sphere",
    "affine3": "M2_Affine_3to5",
    "nonlinear4": "M3_Nonlinear_4to6",
    "helix1": "M5a_Helix1d",
    "helix2": "M5b_Helix2d",
    "roll2": "M7_Roll",
    "affine20": "M9_Affine",
    "cube10": "M10a_Cubic",
    "cube17": "M10b_Cubic",
    "cube24": "M10c_Cubic",
    "cube70": "M10d_Cubic",
    "moebius": "M11_Moebius",
    "normal20": "M12_Norm",
    "beta10": "Mbeta",
}


def twonn(ds, boxsize=None):
    x = ds.rows.values.astype("f8")
    if boxsize is None and x.shape[1] > 10:
        r = np.sort(np.partition(cdist(x, x), 2, axis=1)[:, :3], axis=1)
    else:
        r, _ = cKDTree(x, boxsize=boxsize).query(x, k=3)
    return (len(x) - 1) / np.log(r[:, 2] / r[:, 1]).sum()


def mean_twonn(make, seeds, **keywords):
    return np.mean([twonn(make(seed=seed), **keywords) for seed in range(seeds)])


def standard_error(d, n, seeds):
    return 1.25 * d / np.sqrt(n * seeds)


def test_torus__reads_14_with_its_period_and_11_5_without():
    # testbeds.md: 14.05 and 11.5 (means over seeds), N = 2500
    sets = [datasets.torus(2500, 14, seed=seed) for seed in range(8)]
    band = 4 * standard_error(14, 2500, 8)
    assert abs(np.mean([twonn(ds, boxsize=1.0) for ds in sets]) - 14.05) < band
    assert abs(np.mean([twonn(ds) for ds in sets]) - 11.5) < band


def test_cube__has_the_rows_of_the_torus_and_no_period():
    torus, cube = datasets.torus(100, 3, seed=2), datasets.cube(100, 3, seed=2)
    np.testing.assert_array_equal(torus.rows, cube.rows)
    np.testing.assert_array_equal(torus.period, np.ones(3))
    assert "period" not in cube.variables


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_torus__is_uniform_below_one_in_both_dtypes(dtype):
    rows = datasets.torus(200_000, 2, dtype=dtype).rows.values
    assert rows.dtype == dtype
    assert rows.min() >= 0
    assert rows.max() < 1
    counts = np.histogram2d(*rows.T, bins=10, range=[[0, 1], [0, 1]])[0]
    chi2 = ((counts - 2000) ** 2 / 2000).sum()
    assert abs(chi2 - 99) < 4 * np.sqrt(2 * 99)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_flat_torus__reads_d(d):
    found = mean_twonn(lambda seed: datasets.flat_torus(2500, d, 32, seed=seed), 4)
    # in five dimensions neighbors are far enough apart for the curvature to count
    assert abs(found - d) < 4 * standard_error(d, 2500, 4) + (0.15 if d == 5 else 0)


def test_flat_torus__is_an_isometric_torus_of_known_density():
    ds = datasets.flat_torus(4000, 3, 40, dtype="float64")
    x = ds.rows.values
    np.testing.assert_allclose((x**2).sum(axis=1), 3, rtol=1e-12)
    # cos z and sin z are uncorrelated, of variance 1/2 each, in 6 orthogonal directions
    variance = np.linalg.svd(x, compute_uv=False) ** 2 / len(x)
    np.testing.assert_allclose(variance[:6], 0.5, atol=4 / np.sqrt(len(x)))
    assert variance[6:].max() < 1e-25
    truth = json.loads(ds.attrs["truth"])
    assert truth["log_density"] == pytest.approx(-3 * np.log(2 * np.pi), rel=1e-15)


def test_flat_torus__is_float32_unless_told():
    assert datasets.flat_torus(10, 1, 2).rows.dtype == "float32"


def test_swiss_roll__is_two_dimensional():
    found = mean_twonn(lambda seed: datasets.swiss_roll(2500, seed=seed), 4)
    assert abs(found - 2) < 4 * standard_error(2, 2500, 4)


def test_noisy_swiss_roll__reads_2_on_few_and_4_5_on_many_rows():
    # testbeds.md: 2.11 at N = 300 and 4.54 at N = 20,000, one seed each, 10 features
    noisy = [datasets.swiss_roll(300, noise=0.05, dimension=10, seed=s) for s in range(20)]
    single, mean = standard_error(2.11, 300, 1), standard_error(2.11, 300, 20)
    assert abs(np.mean([twonn(ds) for ds in noisy]) - 2.11) < 2 * (single + mean)
    many = datasets.swiss_roll(20_000, noise=0.05, dimension=10)
    assert abs(twonn(many) - 4.54) < 4 * np.sqrt(2) * standard_error(4.54, 20_000, 1)


def test_swiss_roll__noise_fills_every_feature():
    quiet = datasets.swiss_roll(5000, dimension=6).rows.values
    assert not quiet[:, 3:].any()
    loud = datasets.swiss_roll(5000, dimension=6, noise=0.5).rows.values
    np.testing.assert_allclose((loud - quiet).std(axis=0), 0.5, rtol=4 / np.sqrt(2 * 5000))


@pytest.mark.parametrize("name", datasets.MANIFOLDS)
def test_manifold__reads_what_scikit_dimensions_reads(name):
    with np.load(REFERENCES) as stored:
        line = list(stored["manifold/name"]).index(THEIR_NAMES[name])
        mean, sd = stored["manifold/twonn_mean"][line], stored["manifold/twonn_sd"][line]
        theirs = int(stored["manifold/seeds"])
    found = mean_twonn(lambda seed: datasets.manifold(2500, name, seed=seed), 4)
    assert abs(found - mean) < 4 * sd * np.sqrt(1 / 4 + 1 / theirs)


def test_manifold__reads_low_from_dimension_10():
    for name in ("affine20", "cube17", "cube24", "cube70", "normal20", "beta10"):
        ds = datasets.manifold(2500, name)
        assert twonn(ds) < 0.92 * json.loads(ds.attrs["truth"])["intrinsic_dimension"]
