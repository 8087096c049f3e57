"""The search of directions and of bits: scipy's distances, the same for any strips and blocks."""

import importlib
from contextlib import ExitStack
from unittest import mock

import dask
import naive
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist

from daskid.blockwise import search as job
from daskid.kernels import bits
from daskid.storage.rows import MemoryRows, RowReader

# the package has functions of these names
scan = importlib.import_module("daskid.blockwise.search.scan")
strips = importlib.import_module("daskid.blockwise.search.strips")
probe = importlib.import_module("daskid.blockwise.search.probe")
NONE = np.zeros(0)


def rule(k, metric, period=NONE, weight=NONE, exclude=0, merge=True):
    return job.Rule(k, metric, np.asarray(period), np.asarray(weight), exclude, merge)


def search(x, k, metric, source=None, method="auto", **options):
    source = MemoryRows(np.ascontiguousarray(x)) if source is None else source
    return job.search(job.prepare(source, rule(k, metric, **options), None, None), method=method)


def check_same(a, b):
    for name in ("distance", "index", "location", "multiplicity"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def check_scipy(found, x, metric, w=None):
    """Indices and distances of lists without copies; ties of bits by their number."""
    matrix = cdist(x, x, metric, w=w)
    np.fill_diagonal(matrix, np.inf)
    order = np.argsort(matrix, axis=1, kind="stable")[:, : found.index.shape[1]]
    np.testing.assert_array_equal(found.index, order)
    expected = np.take_along_axis(matrix, order, axis=1)
    # scipy's cosine cancels
    np.testing.assert_allclose(found.distance, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("d", [2, 4, 40])
@pytest.mark.parametrize("dtype", ["f4", "i2"])
@pytest.mark.parametrize("weighted", [False, True])
def test_cosine__is_scipys(d, dtype, weighted):
    rng = np.random.default_rng(d)
    x = (1000 * (rng.standard_normal((300, d)) + 0.3)).astype(dtype)
    weight = rng.random(d) if weighted else None
    found = search(x, 20, metric="cosine", weight=NONE if weight is None else weight, merge=False)
    check_scipy(found, x.astype("f8"), "cosine", weight)


@pytest.mark.parametrize("d", [5, 64, 200])
@pytest.mark.parametrize("form", ["bool", "0 and 1", "-1 and 1"])
def test_hamming__is_scipys(d, form):
    x = np.random.default_rng(d).random((300, d)) < 0.4
    given = {"bool": x, "0 and 1": x.astype("u1"), "-1 and 1": np.where(x, 1.0, -1.0)}[form]
    check_scipy(search(given, 150, metric="hamming", merge=False), x, "hamming")
    weight = np.random.default_rng(0).integers(0, 4, d).astype("f8")
    found = search(given, 150, metric="hamming", weight=weight, merge=False)
    check_scipy(found, x, "hamming", weight)


@pytest.mark.parametrize("metric", ["cosine", "hamming"])
@given(data=st.data())
def test_directions_and_bits__any_strips_and_blocks(metric, data):
    n, d = data.draw(st.integers(3, 25)), data.draw(st.integers(1, 6))
    x = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 2, (n, d)).astype("f8")
    if metric == "cosine":
        x = (x + 0.5) * data.draw(arrays("f8", (n, 1), elements=st.sampled_from([1, 2, 3])))
    weight = data.draw(st.sampled_from([NONE, np.linspace(1, 3, d)]))
    merge = data.draw(st.booleans())
    options = {"weight": weight if weight.size else None}
    locations = len(set(naive.locations(x, metric, **options))) if merge else n
    exclude = data.draw(st.sampled_from([0, 1]))
    if locations < 4:
        return
    options |= {"metric": metric, "exclude": exclude}
    k = data.draw(st.integers(1, locations - 1 - 2 * exclude))
    steps = st.integers(n // 7 + 1, n)
    strip, block = data.draw(steps), data.draw(steps)
    rows = {"side_effect": lambda shape, *_: min(block, shape[0])}
    with ExitStack() as stack:
        for patch in (
            mock.patch.object(job, "strip_rows", return_value=strip),
            mock.patch.object(job, "memory_rows", return_value=strip),
            mock.patch.object(strips, "block_rows", **rows),
            mock.patch.object(scan, "block_rows", **rows),
            mock.patch.object(bits, "ROOM", 2),
        ):
            stack.enter_context(patch)
        methods = sorted({*job.METHODS} - ({"pruned"} if metric == "hamming" else set()))
        method = data.draw(st.sampled_from(methods))
        found = search(x, k, merge=merge, method=method, **{**options, "weight": weight})
    check_same(found, search(x, k, merge=merge, **{**options, "weight": weight}))
    distance, index, location = naive.knn(x, k, duplicates="merge" if merge else "keep", **options)
    np.testing.assert_array_equal(found.location, location)
    np.testing.assert_allclose(found.distance, distance, rtol=1e-12, atol=1e-16)
    if metric == "hamming" and not weight.size:  # equal distances are equal to the bit
        np.testing.assert_array_equal(found.index, index)
    # the lists are those of the distances, in order, without repetition
    matrix = naive.distances(x, metric, weight=options["weight"])
    taken = np.take_along_axis(matrix[location], found.index, axis=1)
    np.testing.assert_allclose(taken, found.distance, rtol=1e-12, atol=1e-16)
    assert all(len(set(row)) == k for row in found.index.tolist())


def test_cosine__multiples_are_one_location():
    rng = np.random.default_rng(0)
    x = rng.integers(-50, 50, (40, 7)).astype("f8")
    every = np.r_[x, 2 * x, 3 * x, x / 4, -x]
    found = search(every, 5, metric="cosine")
    np.testing.assert_array_equal(found.location[:160], np.tile(np.arange(40), 4))
    assert (found.location[160:] >= 160).all()
    np.testing.assert_array_equal(found.distance[:40], found.distance[80:120])


@pytest.mark.parametrize("metric", ["cosine", "hamming"])
def test_directions_and_bits__of_rows_at_rest_and_processes(tmp_path, client, metric):
    x = np.random.default_rng(0).integers(0, 2, (300, 40)).astype("f4")
    x[:, 0] = 1
    zarr.create_array(str(tmp_path / "x.zarr"), data=x, chunks=(70, 40))
    source = RowReader(str(tmp_path / "x.zarr"), "", x.shape, "float32")
    weight = np.linspace(1, 2, 40)
    with mock.patch.object(job, "strip_rows", return_value=90):
        found = search(None, 8, source=source, metric=metric, weight=weight)
    with dask.config.set(scheduler="synchronous"):
        check_same(found, search(x, 8, metric=metric, weight=weight))


def test_probe__of_every_metric(monkeypatch):
    monkeypatch.setattr(probe, "SECONDS", 1e-3)
    x = np.random.default_rng(0).integers(0, 2, (200, 9)) * 2 - 1
    for metric in job.METRICS:
        for method in ("strips", "tiles"):
            assert 0 < job.probe(x, rule(5, metric), method, 200) < np.inf
    with pytest.raises(ValueError, match="period: expected none for metric='hamming'"):
        job.probe(x, rule(5, "hamming", period=[9.0] * 9), "strips", 200)


def test_probe__counts_pairs_and_entries(monkeypatch):
    monkeypatch.setattr(job, "seconds_of", lambda *_, once: (1e-9, 1e-7))
    x = np.random.default_rng(0).random((50, 2))
    entered = 10**6 * 5 * (1 + np.log(10**6 / 5))
    got = {
        method: job.probe(x, rule(5, "euclidean"), method, 10**6) for method in ("strips", "tiles")
    }
    assert got["strips"] == pytest.approx(1e3 + 1e-7 * entered)
    assert got["tiles"] == pytest.approx(5e2 + 2e-7 * entered, rel=1e-5)
    assert probe.entries(3, 4, 5) == 12


NAN = np.array([[0.0, 1], [np.nan, 2], [3, np.inf], [4, 5]])


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (np.c_[[0.0, 1.0, 0.0]], {"metric": "cosine"},
         r"metric='cosine', got 2 rows of zeros \(first: 0\), .*: leave them out, or use"),
        (np.array([[1.0, 2], [0, 3]]), {"metric": "cosine", "weight": [1.0, 0.0]},
         r"got 1 rows of zeros \(first: 1\)"),
        (np.c_[[1.0, 2.0]], {"metric": "cosine", "period": [8.0]},
         "period: expected none for metric='cosine', got 8 for feature 0: use one of euclidean, "),
        (np.c_[[0.0, 1.0, 2.0, 0.5]], {"metric": "hamming"},
         r"0 and 1 or -1 and 1, .* other values in 2 rows \(first: 2\): use metric='cit"),
        (np.c_[[0, 1, -1]], {"metric": "hamming"}, "got -1, 0, 1: use metric='cityblock'"),
        (NAN, {"metric": "hamming"}, "NaN or infinity in 2 rows"),
        (NAN, {"metric": "cosine"}, "NaN or infinity in 2 rows"),
        (np.c_[[1.0, 2.0, 4.0]], {"metric": "cosine"}, "got 1 distinct locations: there is"),
        (np.c_[[0, 1]], {"metric": "hamming", "weight": [0.0]}, "got 1 distinct locations"),
    ],
)  # fmt: skip
def test_rows_without_direction_or_bits__are_named(x, options, message):
    with pytest.raises(ValueError, match=message):
        search(x, 1, **options)
