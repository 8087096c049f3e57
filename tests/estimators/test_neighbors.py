"""knn: equals the naive search whatever the chunks; copies, periods, kinds of rows, stores."""

import importlib
from unittest import mock

import dask
import dask.array as da
import naive
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from knn_check import check, check_same, dataset, naive_of
from scipy.spatial import cKDTree

import daskid
from daskid.blockwise import search as job
from daskid.kernels import neighbors as kernel

scan = importlib.import_module("daskid.blockwise.search.scan")
strips = importlib.import_module("daskid.blockwise.search.strips")


@st.composite
def searches(draw):
    """A dataset in which ties and coincident rows are the rule, and how it is searched."""
    n, d = draw(st.integers(2, 35)), draw(st.integers(1, 6))
    x = draw(arrays("i2", (n, d), elements=st.integers(-3, 3)))
    coords = {}
    if draw(st.booleans()):
        coords["period"] = draw(arrays("f8", d, elements=st.sampled_from([0.0, 6, 7, 8.5])))
    if draw(st.booleans()):
        coords["weight"] = draw(arrays("f8", d, elements=st.sampled_from([0.0, 0.25, 1, 4])))
    if draw(st.booleans()):
        coords["row"] = np.cumsum(draw(arrays("i8", n, elements=st.sampled_from([1, 2, 9]))))
        coords["trajectory"] = np.sort(draw(arrays("U1", n, elements=st.sampled_from("ab"))))
    options = {
        "metric": draw(st.sampled_from(["euclidean", "cityblock", "chebyshev"])),
        "exclude": draw(st.sampled_from([0, 0, 1, 5])),
        "duplicates": draw(st.sampled_from(["merge", "keep"])),
    }
    ds = dataset(x, (draw(st.integers(1, n)), draw(st.integers(1, d))), **coords)
    return ds, draw(st.integers(1, n - 1)), options


@pytest.mark.parametrize("method", sorted(job.METHODS))
def test_knn__of_any_method_fills_a_run_with_the_same_bits(tmp_path, method):
    x = np.random.default_rng(0).standard_normal((700, 5))
    x[600:] = x[:100]
    ds = dataset(x, (100, 5))
    alone = daskid.knn(ds, k=9)
    run = daskid.knn(ds, k=9, method=method, store=str(tmp_path / "run.zarr"))
    assert run.neighbor_distance.attrs["method"] == method
    for name in ("neighbor_distance", "neighbor_index", "location", "multiplicity"):
        np.testing.assert_array_equal(run[name], alone[name])


@given(searches(), st.data())
def test_knn__equals_naive_for_any_chunks(case, data):
    ds, k, options = case
    sizes = {
        "MOST_ROWS": data.draw(st.sampled_from([1, 5, 2048])),
        "DIFFERENCES_BELOW": data.draw(st.sampled_from([0, 3])),
    }
    options["method"] = data.draw(st.sampled_from(sorted(job.METHODS)))
    try:
        expected = naive_of(ds, k, **{n: x for n, x in options.items() if n != "method"})
    except LookupError:
        expected = None
    steps = {"side_effect": lambda shape, *_: 9}
    with (
        mock.patch.multiple(kernel, **sizes),
        mock.patch.object(job, "strip_rows", return_value=11),
        mock.patch.object(job, "memory_rows", return_value=11),
        mock.patch.object(strips, "block_rows", **steps),
        mock.patch.object(scan, "block_rows", **steps),
    ):
        if expected is not None:
            check(ds, k, expected=expected, **options)
        else:
            with pytest.raises(ValueError, match=f"k={k} needs more than"):
                daskid.knn(ds, k=k, **options)


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "chebyshev"])
@pytest.mark.parametrize("duplicates", ["merge", "keep"])
def test_knn__equals_naive_on_real_numbers(metric, duplicates):
    rng = np.random.default_rng(0)
    x = rng.uniform(-np.pi, np.pi, (250, 7))
    x[200:] = x[:50]
    ds = dataset(x, (60, 3), period=np.r_[np.full(3, 2 * np.pi), np.zeros(4)], weight=rng.random(7))
    out = check(ds, 12, rtol=1e-14, metric=metric, duplicates=duplicates)
    assert out["neighbor_distance"].dtype == np.float64
    assert out["neighbor_index"].dtype == np.int64


# -- periods --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "p"), [("euclidean", 2), ("cityblock", 1), ("chebyshev", np.inf)]
)
@pytest.mark.parametrize("origin", [0.0, -np.pi, 17.0])
def test_period__equals_ckdtree_with_boxsize(metric, p, origin):
    x = np.random.default_rng(4).uniform(0, 2 * np.pi, (400, 3))
    box = np.array([2 * np.pi, 2 * np.pi, 0])
    out = daskid.knn(dataset(x + origin, period=box), k=8, metric=metric)
    distance, index = cKDTree(x, boxsize=box).query(x, 9, p=p)
    np.testing.assert_allclose(out["neighbor_distance"], distance[:, 1:], rtol=1e-9)
    np.testing.assert_array_equal(out["neighbor_index"], index[:, 1:])


def test_period__both_ends_are_one_place():
    x = np.array([-180.0, -90, 0, 90, 180])[:, np.newaxis]
    out = daskid.knn(dataset(x, period=[360.0]), k=3)
    np.testing.assert_array_equal(out["location"], [0, 1, 2, 3, 0])
    np.testing.assert_array_equal(out["multiplicity"], [2, 1, 1, 1, 2])
    np.testing.assert_array_equal(out["neighbor_distance"][4], [90, 90, 180])
    np.testing.assert_array_equal(out["neighbor_index"][4], [1, 3, 2])
    kept = daskid.knn(dataset(x, period=[360.0]), k=3, duplicates="keep")
    np.testing.assert_array_equal(kept["neighbor_distance"][4], [0, 90, 90])
    np.testing.assert_array_equal(kept["neighbor_index"][4], [0, 1, 3])


# -- duplicates -----------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_copies__share_the_lists_of_their_location(share):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((400, 3))
    copied = rng.choice(400, int(400 * share), replace=False)
    whole = np.r_[x, np.repeat(x[copied], rng.integers(1, 4, copied.size), axis=0)]
    whole = whole[rng.permutation(len(whole))]
    out = check(dataset(whole, (100, -1)), 20, rtol=1e-14)
    first = out["location"].values
    _, expected = np.unique(whole, axis=0, return_inverse=True)
    assert len(set(zip(first.tolist(), expected.tolist(), strict=True))) == 400
    representatives = np.flatnonzero(first == np.arange(len(whole)))
    assert out["multiplicity"].values[representatives].sum() == len(whole)
    assert out["multiplicity"].values.max() == 4
    assert set(np.unique(out["neighbor_index"])) <= set(representatives)
    assert (out["neighbor_distance"].values > 0).all()
    np.testing.assert_array_equal(out["neighbor_index"], out["neighbor_index"][first])
    np.testing.assert_array_equal(out["neighbor_distance"], out["neighbor_distance"][first])


def test_many_more_copies_than_k():
    x = np.repeat(np.random.default_rng(0).standard_normal((5, 4)), 200, axis=0)
    out = check(dataset(x, (300, -1)), 4, rtol=1e-14)
    assert (out["multiplicity"] == 200).all()
    kept = check(dataset(x[::10]), 30, rtol=1e-14, duplicates="keep")
    assert (kept["multiplicity"] == 1).all()
    assert (kept["neighbor_distance"][:, :19] == 0).all()


def test_negative_zero__is_zero():
    x = np.array([[0.0, 1], [-0.0, 1], [2, -0.0], [2, 0.0], [5, 5]])
    out = daskid.knn(dataset(x), k=2)
    np.testing.assert_array_equal(out["location"], [0, 0, 2, 2, 4])


# -- rows of all kinds ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["?", "u1", "i2", "i8", "u4", "f2", "f4", "f8", ">f4", ">f8", ">i4"]
)
def test_any_dtype__exact(dtype):
    x = np.random.default_rng(2).integers(0, 2 if dtype == "?" else 100, (120, 12))
    check(dataset(x.astype(dtype), (50, 5)), 5)


def test_any_layout__same_bits():
    x = np.random.default_rng(2).standard_normal((100, 6))
    wide = np.zeros((200, 12))
    wide[::2, ::2] = x
    expected = daskid.knn(dataset(x), k=5)
    layouts = [np.asfortranarray(x), wide[::2, ::2], x[::-1].copy()[::-1]]
    for ds in [dataset(y) for y in layouts] + [dataset(x, c) for c in ((7, 2), (100, 1), (1, 6))]:
        check_same(daskid.knn(ds, k=5), expected)
    turned = dataset(x).transpose("feature", "sample")
    check_same(daskid.knn(turned, k=5), expected)


def test_constant_columns__add_nothing():
    x = np.random.default_rng(2).standard_normal((80, 5))
    wide = np.c_[np.full(80, 3.0), x, np.full(80, -1e30)]
    check_same(daskid.knn(dataset(wide), k=5), daskid.knn(dataset(x), k=5))


def test_float32_far_from_the_origin__loses_nothing():
    x = (1e4 + np.random.default_rng(2).standard_normal((500, 5))).astype("f4")
    out = check(dataset(x, (200, -1)), 10)
    distance = np.sort(naive.distances(x), axis=1)[:, 1:11]
    np.testing.assert_allclose(out["neighbor_distance"], distance, rtol=1e-6)


def test_numbers_of_numpy__are_integers():
    ds = dataset(np.random.default_rng(2).standard_normal((30, 2)))
    out = daskid.knn(ds, k=np.int32(4), exclude=np.int64(1))
    check_same(out, daskid.knn(ds, k=4, exclude=1))
    assert (
        out["neighbor_index"].attrs["fingerprint"]
        == daskid.knn(ds, k=4, exclude=1)["neighbor_index"].attrs["fingerprint"]
    )


def test_exclude__may_be_longer_than_a_trajectory():
    ds = dataset(np.random.default_rng(2).random((40, 2)), trajectory=np.repeat(list("abcd"), 10))
    out = check(ds, 30, rtol=1e-14, exclude=10**30)
    assert not (out["neighbor_index"].values // 10 == np.arange(40)[:, np.newaxis] // 10).any()


# -- what comes out, and where it goes ------------------------------------------------------------


def test_result__has_provenance_and_is_lazy_to_carry():
    ds = dataset(np.random.default_rng(2).standard_normal((700, 2)))
    out = daskid.knn(ds, k=4)
    assert out["neighbor_distance"].dims == out["neighbor_index"].dims == ("sample", "neighbor")
    assert isinstance(out["neighbor_distance"].data, da.Array)
    attrs = out["neighbor_distance"].attrs
    assert attrs["step"] == "knn"
    assert '"k": 4' in attrs["parameters"]
    assert attrs["pairs"] == 700 * 701 // 2


def test_older_results__are_dropped():
    ds = dataset(np.random.default_rng(2).standard_normal((50, 2)))
    older = daskid.knn(ds, k=4).pipe(daskid.twonn)
    out = daskid.knn(older, k=7)
    assert "id_twonn" not in out
    assert out.sizes["neighbor"] == 7


def test_store__same_bits(tmp_path):
    x = np.random.default_rng(2).standard_normal((600, 4)).astype("f4")
    x[500:] = x[:100]
    expected = daskid.knn(dataset(x), k=5)
    path = tmp_path / "rows.zarr"
    zarr.create_array(str(path), data=x, chunks=(130, 3))
    opened = daskid.open_rows(path)
    for i, ds in enumerate([dataset(x, (90, 2)), opened]):
        run = str(tmp_path / f"run{i}.zarr")
        check_same(daskid.knn(ds, k=5, store=run), expected)
        check_same(daskid.open_run(run), expected)
    check_same(daskid.knn(opened, k=5), expected)


def test_store__same_bits_on_a_cluster(tmp_path, client):
    x = np.random.default_rng(2).standard_normal((600, 4)).astype("f4")
    on_cluster = daskid.knn(dataset(x), k=5, store=str(tmp_path / "run.zarr")).compute()
    with dask.config.set(scheduler="synchronous"):
        check_same(on_cluster, daskid.knn(dataset(x), k=5))


def refuse(*_, **__):
    raise AssertionError("searched again")


def test_store__searches_once(tmp_path, monkeypatch):
    ds, store = dataset(np.random.default_rng(2).standard_normal((60, 3))), str(tmp_path / "run")
    first = daskid.knn(ds, k=4, store=store).compute()
    monkeypatch.setattr(job, "search", refuse)
    check_same(daskid.knn(ds, k=4, store=store), first)
    check_same(daskid.knn(daskid.open_run(store), k=4, store=store), first)
    for options in ({"k": 5}, {"k": 4, "metric": "cityblock"}, {"k": 4, "exclude": 1}):
        with pytest.raises(ValueError, match=r"^store: .* got .*: use another run, or overwrite"):
            daskid.knn(ds, store=store, **options)
    with pytest.raises(AssertionError, match="searched again"):
        daskid.knn(ds, k=5, store=store, overwrite=True)


def test_store__keeps_what_it_holds_if_the_search_can_not_run(tmp_path):
    ds = dataset(np.repeat(np.random.default_rng(2).standard_normal((60, 3)), 2, axis=0))
    store = str(tmp_path / "run")
    first = daskid.knn(ds, k=4, store=store).compute()
    with pytest.raises(ValueError, match="got 60 distinct locations: use k=59 or less"):
        daskid.knn(ds, k=60, store=store, overwrite=True)
    check_same(daskid.open_run(store), first)
    assert daskid.knn(ds, k=59, store=store, overwrite=True).sizes["neighbor"] == 59


def test_store__takes_a_dataset_that_has_other_neighbors(tmp_path):
    ds = dataset(np.random.default_rng(2).standard_normal((60, 3)))
    out = daskid.knn(daskid.knn(ds, k=9), k=4, store=str(tmp_path / "run"))
    check_same(out, daskid.knn(ds, k=4))


def test_fingerprint__holds_the_trajectories_that_a_window_looks_at():
    x = np.random.default_rng(2).standard_normal((60, 3))
    plain, parts = dataset(x), dataset(x, trajectory=np.arange(60) // 30)

    def fingerprint(ds, **options):
        return daskid.knn(ds, k=4, **options)["location"].attrs["fingerprint"]

    assert fingerprint(plain) == fingerprint(parts)
    assert fingerprint(plain, exclude=2) != fingerprint(parts, exclude=2)
