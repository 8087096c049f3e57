"""knn_approximate: what it says of itself is so; what it finds is exact; never silent."""

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from knn_check import check_same, dataset

import daskid
from daskid.estimators.neighbors.append import append
from daskid.estimators.neighbors.approximate import knn_approximate

MEASURED = ("neighbor_recall", "neighbor_recall_low", "neighbor_recall_high", "neighbor_certified")
N = 12_000


def cloud(n=N, d=8, seed=0):
    """Clusters of unequal width, float32."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)) * np.exp(rng.uniform(-1, 1, n).round())[:, np.newaxis]
    return (x + rng.integers(0, 3, (n, 1)) * 4).astype("f4")


@pytest.fixture(scope="module")
def exact():
    return daskid.knn(dataset(cloud()), k=10).compute()


@pytest.fixture(scope="module")
def found():
    return knn_approximate(dataset(cloud()), k=10, recall=0.95).compute()


def share_of(found, exact):
    last = exact.neighbor_distance.values[:, -1:]
    return (found.neighbor_distance.values <= last).mean(axis=1)


def test_knn_approximate__finds_what_it_says(found, exact):
    share = share_of(found, exact)
    low, high = float(found.neighbor_recall_low), float(found.neighbor_recall_high)
    assert 0.95 <= low <= found.neighbor_recall <= high <= 1
    assert low - 0.01 <= share.mean() <= high + 0.01
    assert share.mean() < 1  # it is approximate: the test can fail
    assert found.neighbor_distance.attrs["pairs"] < 0.8 * N**2
    assert found.neighbor_distance.attrs["probes"] < found.neighbor_distance.attrs["cells"]


def test_knn_approximate__distances_are_exact(found, exact):
    for i in range(0, N, 97):
        theirs = dict(
            zip(exact.neighbor_index.values[i], exact.neighbor_distance.values[i], strict=True)
        )
        ours = zip(found.neighbor_index.values[i], found.neighbor_distance.values[i], strict=True)
        assert all(theirs.get(j, r) == r for j, r in ours)
    order = np.lexsort((found.neighbor_index, found.neighbor_distance))
    assert (order == np.arange(10)).all()
    np.testing.assert_array_equal(found.location, exact.location)


def test_knn_approximate__same_bits_for_any_chunks_and_threads(found):
    x = cloud()
    with dask.config.set(scheduler="threads", num_workers=3):
        check_same(knn_approximate(dataset(x, chunks=(777, 3)), k=10, recall=0.95), found)
    other = knn_approximate(dataset(x), k=10, recall=0.95, seed=1)
    assert not np.array_equal(other.neighbor_index, found.neighbor_index)


@pytest.mark.parametrize("stored", [False, True])
def test_knn_approximate__same_bits_on_workers(found, client, tmp_path, stored):
    options = {"store": str(tmp_path / "run.zarr")} if stored else {}
    out = knn_approximate(dataset(cloud()), k=10, recall=0.95, **options)
    check_same(out, found)
    for name in MEASURED:
        assert float(out[name]) == float(found[name])


def test_knn_approximate__copies_frames_and_weights():
    """Merged copies, excluded frames and weights mean what they mean for knn."""
    x = cloud(3000, 3)
    x[-50:] = x[:50]
    ds = dataset(x, weight=[1.0, 0.0, 4.0], trajectory=np.repeat([0, 1], 1500))
    out, exact = (f(ds, k=6, exclude=4) for f in (knn_approximate, daskid.knn))
    np.testing.assert_array_equal(out.location, exact.location)
    np.testing.assert_array_equal(out.multiplicity, exact.multiplicity)
    assert share_of(out, exact).mean() >= float(out.neighbor_recall_low) - 0.01
    cosine, exact = (
        f(dataset(cloud(3000, 12)), k=6, metric="cosine") for f in (knn_approximate, daskid.knn)
    )
    assert share_of(cosine, exact).mean() >= float(cosine.neighbor_recall_low) - 0.01


def test_knn_approximate__all_cells_are_exact():
    x = np.random.default_rng(0).random((300, 20))
    out, exact = knn_approximate(dataset(x), k=20, recall=0.999), daskid.knn(dataset(x), k=20)
    check_same(out, exact)
    assert [float(out[n]) for n in MEASURED] == [1, 1, 1, 1]


def test_knn_approximate__what_comes_of_it_says_so(found):
    words = f"recall {float(found.neighbor_recall):.4f} ["
    ds = daskid.mle(daskid.twonn(found), k=5)
    for name in ("neighbor_distance", "id_twonn", "id_mle_error"):
        assert ds[name].attrs["approximate"].startswith(words)
    for kept in (ds, ds[["id_twonn"]]):
        (caution,) = (s for s in daskid.summary(kept) if "approximate" in s)
        assert caution.startswith(f"Warning: Neighbors are approximate: {words}")
    assert not any("approximate" in s for s in daskid.summary(daskid.knn(ds, k=10)))


def test_knn_approximate__into_a_run(tmp_path, found):
    path = str(tmp_path / "run.zarr")
    ds = dataset(cloud())
    options = {"k": 10, "recall": 0.95, "store": path}
    check_same(knn_approximate(ds, **options), found)
    out = knn_approximate(daskid.open_run(path), **options)
    assert out.neighbor_distance.attrs["seconds"] == daskid.open_run(path).neighbor_distance.seconds
    with pytest.raises(ValueError, match=r"recall=0.95\), got recall=0.9"):
        knn_approximate(ds, **(options | {"recall": 0.9}))
    with pytest.raises(ValueError, match="expected 'neighbor_distance' as the run"):
        daskid.knn(ds, k=10, store=path)
    with pytest.raises(ValueError, match="expected neighbors of knn, got approximate ones"):
        append(path, dataset(cloud(5, seed=9)))
    daskid.save(daskid.twonn(out), path)
    exact = daskid.knn(daskid.open_run(path), k=10, store=path, overwrite=True)
    assert not {*MEASURED, "id_twonn"} & set(exact.variables)
    assert "approximate" not in exact.neighbor_distance.attrs


REFUSED = {
    "metric": ({"metric": "cityblock"}, "metric: expected euclidean or cosine"),
    "recall": ({"recall": 1.0}, "recall: expected a number above 0 and below 1, got 1.0"),
    "seed": ({"seed": -1}, "seed: expected an integer, 0 or more, got -1"),
    "k": ({"k": 50}, "k=50 needs more than 50 samples, got 40"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_knn_approximate__refuses(case):
    with pytest.raises(ValueError, match=REFUSED[case][1]):
        knn_approximate(dataset(cloud(40)), **({"k": 3} | REFUSED[case][0]))


def test_knn_approximate__refuses_periods_and_little_memory():
    with pytest.raises(ValueError, match="period: expected none, as cells on a circle"):
        knn_approximate(dataset(cloud(40, 1) / 100, period=[1.0]), k=3)
    rows = da.zeros((10**6, 10), chunks=(10**5, 10))
    with dask.config.set({"daskid.memory": "100 MB"}), pytest.raises(MemoryError, match="rows: "):
        knn_approximate(xr.Dataset({"rows": (("sample", "feature"), rows)}), k=3)
