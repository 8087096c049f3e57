"""knn: equals the naive search whatever the chunks, catches planted bugs, refuses clearly."""

import importlib
import inspect
import sys
import types
from unittest import mock

import dask
import dask.array as da
import naive
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import cKDTree

import daskid
from daskid import kernels
from daskid.blockwise import search as job
from daskid.kernels import neighbors as kernel

scan = importlib.import_module("daskid.blockwise.search.scan")
PER_FEATURE = ("period", "weight")


def dataset(x, chunks=None, **coords):
    coords = {n: ("feature" if n in PER_FEATURE else "sample", c) for n, c in coords.items()}
    rows = x if chunks is None else da.from_array(x, chunks)
    return xr.Dataset({"rows": (("sample", "feature"), rows)}, coords)


def same(a, b):
    for name in ("neighbor_distance", "neighbor_index", "location", "multiplicity"):
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def check(ds, k, rtol=0.0, **options):
    """Compare knn with the naive search of the same dataset."""
    out = daskid.knn(ds, k=k, **options)
    given = {n: ds[n].values for n in (*PER_FEATURE, "trajectory") if n in ds}
    if "row" in ds:
        given["frame"] = ds["row"].values
    distance, index, location = naive.knn(ds["rows"].values, k, **given, **options)
    np.testing.assert_array_equal(out["location"], location)
    np.testing.assert_array_equal(out["multiplicity"], np.bincount(location)[location])
    np.testing.assert_array_equal(out["neighbor_index"], index)
    np.testing.assert_allclose(out["neighbor_distance"], distance, rtol=rtol, atol=0)
    return out


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


@given(searches(), st.data())
def test_knn__equals_naive_for_any_chunks(case, data):
    ds, k, options = case
    sizes = {
        "X_TILE": data.draw(st.sampled_from([1, 5, 256])),
        "Y_TILE": data.draw(st.sampled_from([1, 5, 512])),
        "SPARE": data.draw(st.sampled_from([2, 64])),
        "DIRECT_BELOW": data.draw(st.sampled_from([0, 3])),
    }
    steps = {"side_effect": lambda shape, *_: 9}
    with (
        mock.patch.multiple(kernel, **sizes),
        mock.patch.object(job, "strip_rows", return_value=11),
        mock.patch.object(job, "block_rows", **steps),
        mock.patch.object(scan, "block_rows", **steps),
    ):
        try:
            check(ds, k, **options)
        except LookupError:  # the naive search finds too few neighbors
            pytest.fail("knn must refuse")
        except ValueError as error:
            assert f"k={k} needs more than" in str(error)
            with pytest.raises(LookupError):
                naive_of(ds, k, **options)


def naive_of(ds, k, **options):
    given = {n: ds[n].values for n in (*PER_FEATURE, "trajectory") if n in ds}
    if "row" in ds:
        given["frame"] = ds["row"].values
    return naive.knn(ds["rows"].values, k, **given, **options)


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


# -- planted bugs ---------------------------------------------------------------------------------


def ties():
    return dataset(np.random.default_rng(0).integers(0, 3, (140, 4)).astype("f4")), 3, {}


def clusters():
    x = np.random.default_rng(0).standard_normal((90, 4)) + 1000 * (np.arange(90) % 3)[:, None]
    return dataset(x), 4, {"duplicates": "keep"}


def frames():
    x = np.random.default_rng(0).standard_normal((60, 2)).cumsum(axis=0)
    return dataset(x, trajectory=np.arange(60) // 20), 3, {"exclude": 4}


def angles():
    x = np.random.default_rng(0).integers(-4, 5, (60, 2)) * 45.0
    return dataset(x, period=[360.0, 0.0], weight=[4.0, 0.25]), 3, {"metric": "cityblock"}


CASES = {f.__name__: f for f in (ties, clusters, frames, angles)}
MUTATIONS = [
    # the limit of a full row from lower bounds, not from upper ones
    ("clusters", "selection", "_kth_bound(bound[1, :held], k", "_kth_bound(bound[0, :held], k"),
    # lower bounds without the rounding error
    ("clusters", "neighbors", "y_norm[part], 1 - error, floor)", "y_norm[part], 1 + error, floor)"),
    # the limit of a list that is full: k - 1, the last, is the one that counts
    ("clusters", "neighbors", "lists.distance[part, k - 1]", "lists.distance[part, 0]"),
    # ties by the larger location, and new entries before older ones
    ("ties", "neighbors", "tie and new_location[b] < old", "tie and new_location[b] > old"),
    ("ties", "neighbors", "new[b] < old[a]", "new[b] <= old[a]"),
    # a row that overflowed is not compared with all
    ("ties", "neighbors", "return part[count < 0]", "return part[count > 0]"),
    # the own location is a neighbor
    ("ties", "selection", "if x_self[0, i] == y_self[0, j]", "if x_self[0, i] < y_self[0, j] < 0"),
    ("frames", "selection", "y_self[1, j]) <= exclude", "y_self[1, j]) < exclude"),
    ("frames", "selection", "x_self[2, i] != y_self[2, j]", "x_self[2, i] == y_self[2, j]"),
    ("angles", "metrics", "min(difference, period[f] - d", "max(difference, period[f] - d"),
    ("angles", "metrics", "term *= weight[f]", "term += weight[f]"),
    ("angles", "locations", "out - lowest >= period", "out - lowest > period"),
]


@pytest.fixture
def plain(monkeypatch):
    """Run the kernels as plain Python, from their sources, with one change to one of them."""

    def load(changed="", old="", new=""):
        # numba's decorator would compile, which nobody needs for some dozen rows
        jit = types.SimpleNamespace(jit=lambda function: function)
        monkeypatch.setitem(sys.modules, "daskid.kernels._jit", jit)
        loaded = {}
        for name in ("metrics", "locations", "selection", "neighbors"):
            full = f"daskid.kernels.{name}"
            source = inspect.getsource(importlib.import_module(full))
            if name == changed:
                assert source.count(old) == 1
                source = source.replace(old, new)
            loaded[name] = types.ModuleType(full)
            exec(compile(source, full, "exec"), loaded[name].__dict__)
            monkeypatch.setitem(sys.modules, full, loaded[name])
            monkeypatch.setattr(kernels, name, loaded[name])
        # integers that overflow are a warning in plain Python
        loaded["locations"].mix_rows = original.mix_rows
        loaded["neighbors"].X_TILE, loaded["neighbors"].Y_TILE = 16, 32
        monkeypatch.setattr(job, "update", loaded["neighbors"].update)
        for module in (job, scan):
            monkeypatch.setattr(module, "canonical", loaded["locations"].canonical)
        monkeypatch.setattr(scan, "hash_rows", loaded["locations"].hash_rows)
        monkeypatch.setattr(job, "block_rows", lambda shape, *_: 64)

    original = importlib.import_module("daskid.kernels.locations")
    return load


@pytest.mark.parametrize("case", CASES)
def test_plain_kernels__pass(plain, case):
    plain()
    ds, k, options = CASES[case]()
    check(ds, k, rtol=1e-14, **options)


@pytest.mark.parametrize(("case", "module", "old", "new"), MUTATIONS)
def test_planted_bug__is_caught(plain, case, module, old, new):
    plain(module, old, new)
    ds, k, options = CASES[case]()
    with pytest.raises(AssertionError, match="not equal"):
        check(ds, k, rtol=1e-14, **options)


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
        same(daskid.knn(ds, k=5), expected)
    turned = dataset(x).transpose("feature", "sample")
    same(daskid.knn(turned, k=5), expected)


def test_constant_columns__add_nothing():
    x = np.random.default_rng(2).standard_normal((80, 5))
    wide = np.c_[np.full(80, 3.0), x, np.full(80, -1e30)]
    same(daskid.knn(dataset(wide), k=5), daskid.knn(dataset(x), k=5))


def test_float32_far_from_the_origin__loses_nothing():
    x = (1e4 + np.random.default_rng(2).standard_normal((500, 5))).astype("f4")
    out = check(dataset(x, (200, -1)), 10)
    distance = np.sort(naive.distances(x), axis=1)[:, 1:11]
    np.testing.assert_allclose(out["neighbor_distance"], distance, rtol=1e-6)


def test_numbers_of_numpy__are_integers():
    ds = dataset(np.random.default_rng(2).standard_normal((30, 2)))
    out = daskid.knn(ds, k=np.int32(4), exclude=np.int64(1))
    same(out, daskid.knn(ds, k=4, exclude=1))
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
    assert attrs["pairs"] == 700**2


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
        same(daskid.knn(ds, k=5, store=run), expected)
        same(daskid.open_run(run), expected)
    same(daskid.knn(opened, k=5), expected)


def test_store__same_bits_on_a_cluster(tmp_path, client):
    x = np.random.default_rng(2).standard_normal((600, 4)).astype("f4")
    on_cluster = daskid.knn(dataset(x), k=5, store=str(tmp_path / "run.zarr")).compute()
    with dask.config.set(scheduler="synchronous"):
        same(on_cluster, daskid.knn(dataset(x), k=5))


def refuse(*_, **__):
    raise AssertionError("searched again")


def test_store__searches_once(tmp_path, monkeypatch):
    ds, store = dataset(np.random.default_rng(2).standard_normal((60, 3))), str(tmp_path / "run")
    first = daskid.knn(ds, k=4, store=store).compute()
    monkeypatch.setattr(job, "search", refuse)
    same(daskid.knn(ds, k=4, store=store), first)
    same(daskid.knn(daskid.open_run(store), k=4, store=store), first)
    for options in ({"k": 5}, {"k": 4, "metric": "cityblock"}, {"k": 4, "exclude": 1}):
        with pytest.raises(ValueError, match="store: .* holds .* computed with"):
            daskid.knn(ds, store=store, **options)
        with pytest.raises(AssertionError, match="searched again"):
            daskid.knn(ds, store=store, overwrite=True, **options)


def test_store__takes_a_dataset_that_has_other_neighbors(tmp_path):
    ds = dataset(np.random.default_rng(2).standard_normal((60, 3)))
    out = daskid.knn(daskid.knn(ds, k=9), k=4, store=str(tmp_path / "run"))
    same(out, daskid.knn(ds, k=4))


def test_fingerprint__holds_the_trajectories_that_a_window_looks_at():
    x = np.random.default_rng(2).standard_normal((60, 3))
    plain, parts = dataset(x), dataset(x, trajectory=np.arange(60) // 30)

    def fingerprint(ds, **options):
        return daskid.knn(ds, k=4, **options)["location"].attrs["fingerprint"]

    assert fingerprint(plain) == fingerprint(parts)
    assert fingerprint(plain, exclude=2) != fingerprint(parts, exclude=2)


# -- bad input ------------------------------------------------------------------------------------

GOOD = np.random.default_rng(0).standard_normal((20, 3))
COPIES = np.repeat(GOOD[:4], 5, axis=0)


@pytest.mark.parametrize(
    ("ds", "options", "message"),
    [
        (dataset(GOOD), {"k": 0}, "k: expected an integer, 1 or more, got 0: give the number"),
        (dataset(GOOD), {"k": -3}, "k: expected an integer, 1 or more, got -3: "),
        (dataset(GOOD), {"k": True}, "k: expected an integer, 1 or more, got True: "),
        (dataset(GOOD), {"k": 2.5}, r"k: expected an integer, 1 or more, got 2\.5: "),
        (dataset(GOOD), {"k": "3"}, "k: expected an integer, 1 or more, got '3': "),
        (dataset(GOOD), {"k": 20}, "k=20 needs more than 20 samples, got 20: use k=19 or less"),
        (dataset(COPIES), {"k": 4},
         "k=4 needs more than 4 locations, got 4 distinct locations: use k=3 or less"),
        (dataset(np.ones((9, 2))), {"k": 1},
         "k=1 needs .* got 1 distinct locations: there is nothing to search"),
        (dataset(GOOD[:0]), {}, "rows: expected 2 samples and 1 feature or more, got 0 and 3: "),
        (dataset(GOOD[:1]), {}, "rows: expected 2 samples and 1 feature or more, got 1 and 3: "),
        (dataset(GOOD[:, :0]), {}, "rows: expected .* got 20 and 0: there are no neighbors"),
        (dataset(GOOD[:2]), {"k": 2}, "k=2 needs more than 2 samples, got 2: use k=1 or less"),
        (dataset(GOOD), {"metric": "cosine"},
         "metric: expected one of .*'euclidean', 'cityblock', 'chebyshev'.*, got 'cosine': choose"),
        (dataset(GOOD), {"metric": ["euclidean"]}, r"metric: .* got \['euclidean'\]: choose"),
        (dataset(GOOD), {"duplicates": "drop"},
         r"duplicates: expected one of \['merge', 'keep'\], got 'drop': choose"),
        (dataset(GOOD), {"exclude": -1},
         "exclude: expected an integer, 0 or more, got -1: give a number of frames, 0 for none"),
        (dataset(GOOD), {"exclude": 1.5}, r"exclude: expected an integer, 0 or more, got 1\.5: "),
        (dataset(GOOD), {"exclude": True}, "exclude: expected an integer, 0 or more, got True: "),
        (dataset(GOOD), {"k": 12, "exclude": 4},
         "k=12 .* up to 8 of them within 4 frames: use k=11 or less or a smaller exclude"),
        (dataset(np.where(GOOD > 1, np.nan, GOOD)), {}, r"rows: expected finite values, got NaN "
         r"or infinity in \d+ rows \(first: .*\): open them with daskid.open_rows"),
        (dataset(np.where(GOOD > 1, -np.inf, GOOD)), {}, "rows: expected finite values, got NaN"),
        (dataset(GOOD, period=[-1.0, 0, 0]), {},
         "period: expected finite numbers, 0 or more, got -1 for feature 0: correct"),
        (dataset(GOOD, period=[0, 0, np.inf]), {}, "period: .* got inf for feature 2: correct"),
        (dataset(GOOD, weight=[1, np.nan, 1]), {}, "weight: .* got nan for feature 1: correct"),
        (dataset(GOOD, period=[0, 0.5, 0]), {},
         r"period: expected values within one period \(0.5\) in feature 1, got a span of .*: wrap"),
    ],
)  # fmt: skip
def test_bad_input__is_named(ds, options, message):
    with pytest.raises(ValueError, match=message):
        daskid.knn(ds, **{"k": 1, **options})


@pytest.mark.parametrize(
    ("ds", "message"),
    [
        (xr.Dataset(), "no 'rows' in the dataset: run open_rows first"),
        (
            xr.Dataset({"rows": (("a", "b"), GOOD)}),
            r"'rows': expected dimensions .* got \('a', 'b'",
        ),
        (dataset(GOOD.astype(complex)), "'rows': expected a dtype of kind .* got complex128"),
        (dataset(GOOD.astype(object)), "'rows': expected a dtype of kind .* got object"),
        (dataset(GOOD.astype(str)), "'rows': expected a dtype of kind .* got <U"),
        (GOOD, "expected an xarray.Dataset, got ndarray: start with daskid.open_rows"),
    ],
)
def test_no_rows__are_named(ds, message):
    with pytest.raises(daskid.SchemaError, match=message):
        daskid.knn(ds, k=1)


def test_long_doubles__are_refused():
    with pytest.raises(TypeError, match="at most 64 bits, got float128: convert it first"):
        daskid.knn(dataset(GOOD.astype(np.longdouble)), k=1)


def test_memory__is_asked_for_before_it_is_taken(monkeypatch):
    monkeypatch.setattr(job, "search", refuse)
    with (
        dask.config.set({"daskid.memory": "10 kB"}),
        pytest.raises(
            MemoryError,
            match=r"store: expected a run to write to, got none: rows and lists of 100 neighbors "
            r"take .* the limit is .*: give knn\(\.\.\., store='RUN.zarr'\), or raise daskid.memory",
        ),
    ):
        daskid.knn(dataset(np.zeros((200, 3))), k=100)


def test_memory__of_lists_in_a_store_is_not_counted(tmp_path):
    ds = dataset(np.random.default_rng(0).standard_normal((200, 3)))
    with dask.config.set({"daskid.memory": "10 kB"}):
        same(daskid.knn(ds, k=100, store=str(tmp_path / "run")), naive_run(ds))


def naive_run(ds):
    return daskid.knn(ds, k=100).compute()
