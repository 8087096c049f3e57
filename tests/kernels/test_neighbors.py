"""The search of block against block: right where float32 is, and where it is not."""

from unittest import mock

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from knn_rows import HARD, NONE, N, block, normal, space_of

from daskid.kernels import neighbors as kernel
from daskid.kernels._simd import LANES
from daskid.kernels.metrics import METRICS, SQUARE, reduced_distance
from daskid.kernels.neighbors import pairs


def search(x, k, space=None, order=None, blocks=1):
    """Search all rows against blocks of them, in any order."""
    space = space_of(x) if space is None else space
    everyone = np.arange(len(x))
    lists = kernel.empty_lists(len(x), k)
    parts = np.array_split(everyone, blocks)
    for i in order if order is not None else range(blocks):
        kernel.update(lists, block(x, everyone), block(x, parts[i]), space)
    return lists


def check(x, k, **options):
    space = space_of(x, **{n: np.asarray(o, "f8") for n, o in options.items() if n != "metric"})
    if "metric" in options:
        space = space._replace(combine=METRICS[options["metric"]].combine)
    found = search(x, k, space)
    distance, index, _ = naive.knn(x, k, duplicates="keep", **options)
    np.testing.assert_array_equal(found.location, index)
    np.testing.assert_allclose(found.distance, distance, rtol=1e-14, atol=0)
    return found


PLAIN = [name for name, metric in METRICS.items() if metric.prepare is None]


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("k", [1, 20])
def test_hard_data__exact(name, k):
    check(HARD[name], k)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 31, 32, 33, 64, 65, 200, 1000])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_any_number_of_features__exact(d, dtype):
    check(normal(d, 60 if d > 100 else 300).astype(dtype), 7)


@pytest.mark.parametrize("metric", PLAIN)
@pytest.mark.parametrize("d", [2, 37])
def test_weights_and_periods__exact(metric, d):
    x = np.random.default_rng(d).uniform(-np.pi, np.pi, (200, d))
    weight = np.random.default_rng(d).random(d)
    check(x, 11, metric=metric)
    check(x, 11, metric=metric, weight=weight)
    check(x, 11, metric=metric, weight=weight, period=np.where(np.arange(d) % 3, 2 * np.pi, 0))


def test_ties_by_rounding__are_ordered_by_location():
    # squares that differ in the last bit have one root: that is a tie, too
    x = np.random.default_rng(0).integers(0, 5, (120, 5)) * 0.11
    lanes = np.empty(LANES)
    squares = [[reduced_distance(a, b, SQUARE, NONE, NONE, lanes) for b in x] for a in x]
    matrix = np.sqrt(squares)
    assert np.unique(matrix).size < np.unique(squares).size
    np.fill_diagonal(matrix, np.inf)
    index = np.argsort(matrix, axis=1, kind="stable")[:, :25]
    found = search(x, 25, blocks=3, order=[2, 0, 1])
    np.testing.assert_array_equal(found.location, index)
    np.testing.assert_array_equal(found.distance, np.take_along_axis(matrix, index, axis=1))


@given(st.data())
def test_blocks_and_tiles__any_size_any_order(data):
    n, d = data.draw(st.integers(2, 40)), data.draw(st.integers(1, 6))
    x = data.draw(arrays("f4", (n, d), elements=st.integers(-2, 2)))
    k, blocks = data.draw(st.integers(1, n - 1)), data.draw(st.integers(1, n))
    sizes = {
        "MOST_ROWS": data.draw(st.integers(1, 99)),
        "DIFFERENCES_BELOW": data.draw(st.sampled_from([0, 3, 6])),
        "LARGEST_FLOAT32": data.draw(st.sampled_from([0, 1 << 20])),
    }
    order = data.draw(st.permutations(range(blocks)))
    group = data.draw(st.sampled_from([1, 1 << 20]))
    with mock.patch.multiple(kernel, **sizes), mock.patch.object(pairs, "GROUP_BYTES", group):
        found = search(x, k, order=order, blocks=blocks)
    distance, index, _ = naive.knn(x, k, duplicates="keep")
    np.testing.assert_array_equal(found.location, index)
    np.testing.assert_array_equal(found.distance, distance)


@given(st.data())
def test_blocks_and_tiles__same_bits(data):
    n, d = data.draw(st.integers(2, 60)), data.draw(st.integers(1, 70))
    x = np.random.default_rng(n).standard_normal((n, d))
    k, blocks = data.draw(st.integers(1, n - 1)), data.draw(st.integers(1, n))
    whole = search(x, k)
    with mock.patch.multiple(kernel, MOST_ROWS=data.draw(st.integers(1, 9))):
        found = search(x, k, order=data.draw(st.permutations(range(blocks))), blocks=blocks)
    np.testing.assert_array_equal(found.location, whole.location)
    np.testing.assert_array_equal(found.distance, whole.distance)


def test_empty_blocks__change_nothing():
    x = normal(5, 20)
    lists = search(x, 3)
    before = lists.distance.copy(), lists.location.copy()
    none, everyone = np.arange(0), np.arange(20)
    for rows, others in ((everyone, none), (none, everyone)):
        part = kernel.Lists(lists.distance[rows], lists.location[rows])
        kernel.update(part, block(x, rows), block(x, others), space_of(x))
    np.testing.assert_array_equal(lists.distance, before[0])
    np.testing.assert_array_equal(lists.location, before[1])


@pytest.fixture
def path(monkeypatch):
    """What ``update`` did: dtypes of panels, rows compared with all."""
    steps = []
    rows, compare = kernel._update_rows, kernel.compare_all

    def update_rows(lists, x, part, y, space, dtype, bounds):
        steps.append(np.dtype(dtype).name)
        return rows(lists, x, part, y, space, dtype, bounds)

    def compare_all(distance, location, part, *args):
        steps.append(part.size)
        compare(distance, location, part, *args)

    monkeypatch.setattr(kernel, "_update_rows", update_rows)
    monkeypatch.setattr(kernel, "compare_all", compare_all)
    return steps


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (normal(8), ["float32"]),
        (normal(3), ["float32"]),
        ((1e4 + normal(12)).astype("f4"), ["float32"]),
        (HARD["two clusters 1000 apart, spread 1e-3"], ["float32", "float64"]),
        (HARD["two clusters 1e9 apart"], ["float32", "float64"]),
        (HARD["corners of a simplex"], ["float32", "float64", 150]),
        (np.ones((N, 2)), ["float32", "float64", N]),
    ],
)  # fmt: skip
def test_fallbacks__run_where_they_are_needed(path, x, expected):
    check(x, 2)
    assert path == expected


def test_fallbacks__leave_good_rows_alone(path):
    # the copies are too many; the others are selected in float32
    check(np.r_[10 + normal(4, 100), np.zeros((200, 4))], 2)
    assert path == ["float32", "float64", 200]


def test_exclude__leaves_frames_of_the_same_trajectory_out():
    x = normal(4, 30)
    who = np.stack([np.arange(30), np.tile(np.arange(15) * 2, 2), np.repeat([3, 8], 15)])
    space = space_of(x, exclude=4)
    lists = kernel.empty_lists(30, 6)
    kernel.update(lists, kernel.Block(x, who), kernel.Block(x, who), space)
    distance, index, _ = naive.knn(x, 6, exclude=4, frame=who[1], trajectory=who[2])
    np.testing.assert_array_equal(lists.location, index)
    np.testing.assert_allclose(lists.distance, distance, rtol=1e-14)
