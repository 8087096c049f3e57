"""pmf: densities that are known, with errors that cover; any chunks; torsions; what is refused."""

import dask.array as da
import naive_profiles as naive
import numpy as np
import pytest
import xarray as xr

import daskid
from daskid import datasets
from daskid import variables as v
from daskid.estimators.landscape.pmf import pmf


def dataset(x, chunk=-1, **coords):
    x = np.asarray(x, "f8")
    dims = {"period": "feature", "name": "feature"}
    return xr.Dataset(
        {"rows": (("sample", "feature"), da.from_array(x, (chunk, -1)))},
        coords={n: (dims.get(n, "sample"), values) for n, values in coords.items()},
    )


def test_pmf__is_minus_the_log_of_the_density():
    x = np.repeat([[0.5], [1.5], [3.5]], [6, 3, 1], axis=0)
    x[0], x[-1] = 0.0, 4.0
    out = pmf(dataset(x), bins=4)
    assert out.pmf.values.tolist()[:2] == pytest.approx([0, np.log(2)])
    assert np.isnan(out.pmf.values[2])
    assert np.isnan(out.pmf_error.values[2])
    assert out.pmf_samples.values.tolist() == [6, 3, 0, 1]
    assert out.pmf_position.values.tolist() == [[0.5], [1.5], [2.5], [3.5]]
    assert out.pmf.attrs["zero_log_density"] == pytest.approx(np.log(0.6))  # cells of width 1
    # independent samples: binomial
    assert out.pmf_error.values[1] == pytest.approx((0.7 / 0.3 / 10) ** 0.5)


def test_pmf__of_two_features_has_flat_cells_the_last_feature_fastest():
    x = np.array([[0.0, 0.0], [0.9, 2.9], [1.0, 3.0], [0.1, 0.1]])
    out = pmf(dataset(x, name=["a", "b"]), features="b, a", bins="3, 2")
    assert out.pmf.attrs["features"] == ["b", "a"]
    assert out.pmf.attrs["shape"] == [3, 2]
    assert out.pmf.attrs["width"] == pytest.approx([1.0, 0.5])
    assert out.pmf_samples.values.reshape(3, 2).tolist() == [[2, 0], [0, 0], [0, 2]]
    assert out.pmf_position.values[1].tolist() == pytest.approx([0.5, 0.75])


def test_pmf__of_a_torsion_spans_its_period():
    x = np.array([3.1, -3.1, 0.0, 3.2, 6.3]).reshape(-1, 1)  # 3.2 is -3.08, 6.3 is 0.02
    out = pmf(dataset(x, period=[2 * np.pi]), bins=3)
    assert out.pmf_samples.values.tolist() == [2, 2, 1]
    assert out.pmf.attrs["width"] == pytest.approx([2 * np.pi / 3])


def test_pmf__in_molar_units():
    ds = datasets.double_well(2000, seed=0)
    kt, kj = pmf(ds, bins=10), pmf(ds, bins=10, temperature=300, units="kJ/mol")
    factor = 8.31446261815324e-3 * 300
    np.testing.assert_allclose(kj.pmf, factor * kt.pmf)
    np.testing.assert_allclose(kj.pmf_error, factor * kt.pmf_error)
    assert kj.pmf.attrs["units"] == kj.pmf_error.attrs["units"] == "kJ/mol"
    assert kt.pmf.attrs["convention"].startswith("A = ")


@pytest.mark.parametrize("chunk", [9, 64, 640])
def test_pmf__has_the_same_bits_for_any_chunks_and_is_naive(chunk):
    rng = np.random.default_rng(3)
    x = np.cumsum(rng.normal(size=(640, 2)), axis=0)
    trajectory = np.repeat(["b", "a"], 320)
    coords = {"trajectory": trajectory, "row": np.arange(640), "period": [0.0, 5.0]}
    out = pmf(dataset(x, chunk, **coords), bins="5, 3", block=37)
    one = pmf(dataset(x, **coords), bins="5, 3", block=37)
    for name in ("pmf", "pmf_error", "pmf_position", "pmf_samples"):
        np.testing.assert_array_equal(out[name], one[name])
    low, width = np.array([x[:, 0].min(), -2.5]), np.array(one.pmf.attrs["width"])
    counts = naive.histogram(x, low, width, (5, 3), (0.0, 5.0))
    assert one.pmf_samples.values.tolist() == counts.tolist()
    cell = np.array([
        int(np.argmax(naive.histogram([r], low, width, (5, 3), (0.0, 5.0)))) for r in x
    ])  # fmt: skip
    block = np.array([f"{t} {i // 37}" for i, t in enumerate(trajectory)])
    error = naive.share_error(cell, block, 15)[counts > 0] / (counts[counts > 0] / 640)
    np.testing.assert_allclose(one.pmf_error.values[counts > 0], error)


def test_pmf__streams():
    n = 300_000
    rows = da.random.default_rng(0).normal(size=(n, 1), chunks=(10_000, 1))
    ds = xr.Dataset(
        {"rows": (("sample", "feature"), rows)},
        coords={"time": ("sample", da.arange(n, chunks=10_000))},
    )
    out = pmf(ds, bins=12)
    assert int(out.pmf_samples.sum()) == n
    assert out.rows.chunks == ds.rows.chunks
    assert "65 blocks of 4687 frames" in out.pmf_error.attrs["covers"]


def test_pmf__errors_cover_the_density_of_frames_in_time():
    # as tests/benchmarks/pmf_coverage.py, of Gaussian frames with a memory of ten
    deviation, error = [], []
    for seed in range(40):
        noise = np.random.default_rng(seed).normal(size=6000)
        x = np.empty(6000)
        x[0] = noise[0]
        for i in range(1, 6000):
            x[i] = 0.9 * x[i - 1] + (1 - 0.81) ** 0.5 * noise[i]
        out = pmf(dataset(x[:, None], time=np.arange(6000)), bins=16)
        offset = (np.arange(9) - 4) / 9 * out.pmf.attrs["width"][0]
        at = out.pmf_position.values + offset
        truth = (np.exp(-0.5 * at**2) / (2 * np.pi) ** 0.5).mean(axis=1)
        kept = np.abs(out.pmf_position.values[:, 0]) < 1.6
        found = out.pmf.attrs["zero_log_density"] - out.pmf.values
        deviation.append((found - np.log(truth))[kept])
        error.append(out.pmf_error.values[kept])
    d, e = np.concatenate(deviation), np.concatenate(error)
    assert 0.8 < np.sqrt((e**2).mean() / (d**2).mean()) < 1.25
    assert 0.9 < (np.abs(d) < 1.96 * e).mean() < 0.98


def test_pmf__takes_longer_blocks_where_errors_grow():
    slow = np.repeat(np.random.default_rng(0).normal(size=30), 200)[:, None]
    with pytest.warns(UserWarning, match="errors over blocks of 93 frames grow by 1.29"):
        short = pmf(dataset(slow, time=np.arange(6000)), bins=4, block=93)
    longer = pmf(dataset(slow, time=np.arange(6000)), bins=4)
    assert short.pmf_error.attrs["blocks"] == 65
    assert longer.pmf_error.attrs["blocks"] == 33
    assert "33 blocks of 186 frames" in longer.pmf_error.attrs["covers"]
    assert longer.pmf_error.attrs["growth"] < 1.25 < short.pmf_error.attrs["growth"]
    assert (longer.pmf_error > 1.1 * short.pmf_error).all()


def test_pmf__by_trajectory():
    x = np.random.default_rng(1).normal(size=(400, 1))
    names = np.repeat(np.arange(20), 20)
    out = pmf(dataset(x, trajectory=names), bins=5, block="trajectory")
    assert out.pmf_error.attrs["blocks"] == 20
    with pytest.raises(v.SchemaError, match="no 'trajectory' in the dataset"):
        pmf(dataset(x), bins=5, block="trajectory")
    with pytest.raises(ValueError, match="expected 8 blocks or more, got 4 blocks of 100 frames"):
        pmf(dataset(x), bins=5, block=100)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"features": "c"}, r"features: expected names or positions of \['a', 'b', 'a'\], got 'c'"),
        ({"features": "a"}, "expected a name that one feature has, got 'a'"),
        ({"features": 3}, "got 3: e.g."),
        ({"features": "0, 0"}, "expected 1 to 2 different ones"),
        ({"features": None}, "got all 3"),
        ({"features": 2}, "expected one that varies, got 'a', which is 1 in all samples"),
        ({"features": 0, "bins": 1}, "bins: expected a whole number, 2 or more, got 1"),
        ({"features": 0, "bins": "3, 4"}, "bins: expected 1 or 1 numbers"),
        ({"features": 0, "bins": "x"}, "bins: expected a whole number, 2 or more, got 'x'"),
        ({"features": 0, "block": 0}, "block: expected 'trajectory' or a number of frames"),
        ({"features": 0, "units": "kJ/mol"}, "temperature: expected one in kelvin"),
    ],
)
def test_pmf__refuses(given, message):
    x = np.random.default_rng(0).normal(size=(50, 3))
    x[:, 2] = 1.0
    with pytest.raises(ValueError, match=message):
        pmf(dataset(x, name=["a", "b", "a"]), **given)


def test_pmf__is_saved_and_opened(tmp_path):
    ds = datasets.alanine_dipeptide()
    out = pmf(ds, features="phi, psi", bins=12, temperature=300, units="kJ/mol")
    run = daskid.save(out, tmp_path / "run.zarr")
    assert run.pmf.attrs["shape"] == [12, 12]
    assert run.pmf.attrs["features"] == ["phi", "psi"]
    np.testing.assert_array_equal(run.pmf, out.pmf)
