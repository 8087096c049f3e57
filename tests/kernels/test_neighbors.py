"""The search of block against block: right where float32 is, and where it is not."""

from fractions import Fraction
from unittest import mock

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from daskid.kernels import neighbors as kernel
from daskid.kernels._simd import LANES
from daskid.kernels.metrics import METRICS, SQUARE, reduced_distance

NONE = np.zeros(0)


def space_of(x, metric="euclidean", period=NONE, weight=NONE, exclude=0):
    lowest, highest = x.min(axis=0).astype("f8"), x.max(axis=0).astype("f8")
    norm = np.sqrt(((highest - lowest) ** 2 * (weight if weight.size else 1)).sum())
    scale = 2.0 ** -np.ceil(np.log2(norm)) if norm else 1.0
    center = np.clip(x.mean(axis=0, dtype="f8"), lowest, highest)
    return kernel.Space(
        METRICS[metric].combine, period, weight, lowest, center, float(scale), exclude
    )


def block(x, rows):
    return kernel.Block(x[rows], np.stack([rows, rows, np.zeros(rows.size, np.int64)]))


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


rng = np.random.default_rng(5)
N = 350
PLAIN = [name for name, metric in METRICS.items() if metric.prepare is None]
half = np.arange(N)[:, np.newaxis] < N // 2


def normal(d, n=N):
    return np.random.default_rng(d).standard_normal((n, d))


HARD = {
    "offset 1e4, float32": (1e4 + normal(12)).astype("f4"),
    "offset 1e8": 1e8 + normal(12),
    "two clusters 1000 apart": normal(8) + 1000 * half,
    "two clusters 1000 apart, spread 1e-3": 1e-3 * normal(8) + 1000 * half,
    "two clusters 1e9 apart": normal(8) + 1e9 * half,
    "an outlier at 1e6": np.r_[normal(8), [[1e6] * 8]],
    "outliers at 1e30": np.r_[normal(8), [[1e30] * 8], [[-1e30] * 8]],
    "Cauchy": normal(8) / normal(8, N)[:, :1] ** 3,
    "pairs 1e-6 apart": np.repeat(normal(9, N // 2), 2, axis=0) + 1e-6 * normal(9, N // 2 * 2),
    "scaled by 1e-30": 1e-30 * normal(6),
    "scaled by 1e30, float32": (1e30 * normal(6)).astype("f4"),
    "a constant column of 1e300": np.c_[normal(5), np.full(N, 1e300)],
    "one column counts": np.c_[normal(1), 1e-12 * normal(40)],
    "few distinct rows": normal(5, 7)[rng.integers(0, 7, N)],
    "a lattice": rng.integers(0, 3, (N, 6)).astype("f4"),
    "corners of a simplex": np.eye(150),
}


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
        "X_TILE": data.draw(st.integers(1, 9)),
        "Y_TILE": data.draw(st.integers(1, 9)),
        "SPARE": data.draw(st.sampled_from([1, 8, 64])),
        "DIRECT_BELOW": data.draw(st.sampled_from([0, 3, 6])),
        "LARGEST_FLOAT32": data.draw(st.sampled_from([0, 1 << 20])),
    }
    order = data.draw(st.permutations(range(blocks)))
    with mock.patch.multiple(kernel, **sizes):
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
    with mock.patch.multiple(kernel, X_TILE=data.draw(st.integers(1, 9)), Y_TILE=3, SPARE=4):
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
    """What ``update`` did: dtypes of product tiles, "direct", rows compared with all."""
    steps = []
    product, direct, compare = kernel.product_tiles, kernel.direct_tiles, kernel.compare_all

    def product_tiles(y, space, dtype):
        steps.append(np.dtype(dtype).name)
        return product(y, space, dtype)

    def direct_tiles(*args):
        steps.append("direct")
        return direct(*args)

    def compare_all(distance, location, part, *args):
        steps.append(part.size)
        compare(distance, location, part, *args)

    for function in (product_tiles, direct_tiles, compare_all):
        monkeypatch.setattr(kernel, function.__name__, function)
    return steps


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (normal(8), ["float32"]),
        (normal(3), ["direct"]),
        ((1e4 + normal(12)).astype("f4"), ["float32"]),
        (HARD["two clusters 1000 apart, spread 1e-3"], ["float32", "float64"]),
        (HARD["two clusters 1e9 apart"], ["float32", "float64", N]),
        (HARD["corners of a simplex"], ["float32", "float64", 150]),
        (np.ones((N, 2)), ["direct", N]),
    ],
)  # fmt: skip
def test_fallbacks__run_where_they_are_needed(path, x, expected):
    check(x, 2)
    assert path == expected


def test_fallbacks__leave_good_rows_alone(path):
    # the copies are too many; the others are selected in float32
    check(np.r_[10 + normal(4, 100), np.zeros((200, 4))], 2)
    assert path == ["float32", "float64", 200]


def exact_reduced(x, y, weight):
    weight = [Fraction(float(w)) for w in weight] if weight.size else [1] * x.size
    terms = zip(weight, x.tolist(), y.tolist(), strict=True)
    return sum(w * (Fraction(a) - Fraction(b)) ** 2 for w, a, b in terms)


def check_bounds(x, y, space, tiles, every=1):
    """Bounds hold for the reduced distance as computed, and for the exact one."""
    lanes = np.empty(LANES)
    first = 0
    for tile in tiles.of(x):
        for i in range(0, len(x), every):
            for j in range(0, tile.low.shape[1], every):
                low = float(tile.low[i, j])
                high = low * (1 + tile.relative) + tile.x_slack[i] + tile.y_slack[j]
                other = y[tiles.order[first + j]]
                reduced = reduced_distance(
                    x[i], other, space.combine, space.period, space.weight, lanes
                )
                assert low <= reduced * tiles.units
                # with room for other squares of the same root
                assert reduced * tiles.units * (1 + 2**-50) <= high
                if space.combine == SQUARE and space.period.size == 0:
                    exact = exact_reduced(x[i], other, space.weight)
                    assert Fraction(low) <= exact * Fraction(tiles.units) <= Fraction(high)
        first += tile.low.shape[1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", HARD)
def test_bounds__hold_on_hard_data(name, dtype):
    x = HARD[name]
    x = np.r_[x[:12], x[-12:]]
    space = space_of(x)
    check_bounds(x, x, space, kernel.product_tiles(kernel.Block(x, None), space, dtype), every=5)


ADVERSARIAL = {
    # terms that round the same way: errors add up instead of cancelling
    "equal features": lambda d: np.outer([1.1, 1.1 + 1e-7, -1.1, 0.3], np.ones(d)),
    "one sign, far from the center": lambda d: 1 + 2.0**-23 * np.abs(normal(d, 6)),
    "alternating": lambda d: np.where(np.arange(d) % 2, 0.7, -0.7) * (1 + 1e-7 * normal(d, 5)),
    "all magnitudes": lambda d: normal(d, 6) * 10.0 ** np.linspace(-300, 0, d),
    "subnormal in float32": lambda d: np.r_[1e-21 * normal(d, 6), [[1.0] * d]],
    "subnormal in float64": lambda d: np.r_[1e-158 * normal(d, 6), [[1.0] * d]],
    "last bits": lambda d: 1 + np.spacing(1.0) * rng.integers(0, 9, (6, d)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("d", [4, 100, 1500])
def test_bounds__hold_on_adversarial_data(name, dtype, d):
    x = ADVERSARIAL[name](d)
    for weight in (NONE, 10.0 ** np.linspace(-20, 3, d)):
        space = space_of(x, weight=weight)
        tiles = kernel.product_tiles(kernel.Block(x, None), space, dtype)
        check_bounds(x, x, space, tiles, every=1 if d < 1000 else 3)


@given(
    st.tuples(st.integers(2, 5), st.integers(1, 12)).flatmap(
        lambda shape: arrays("f8", shape, elements=st.floats(-1e100, 1e100))
    ),
    st.sampled_from([np.float32, np.float64, None]),
)
def test_bounds__hold_on_any_floats(x, dtype):
    space = space_of(x)
    if space.scale > 1e140:  # the search refuses such data
        return
    y = kernel.Block(x, None)
    product = kernel.product_tiles(y, space, dtype or np.float64)
    check_bounds(x, x, space, product if dtype else kernel.direct_tiles(y, space))


@pytest.mark.parametrize("metric", PLAIN)
@pytest.mark.parametrize("d", [1, 3, 40, 700])
def test_bounds__of_direct_sums_hold(metric, d):
    x = np.random.default_rng(d).uniform(-3, 3, (12, d)) * 10.0 ** np.linspace(-100, 0, d)
    x = np.r_[x, x * (1 + 1e-15)]
    for period in (NONE, np.where(np.arange(d) % 2, 7.0, 0.0)):
        for weight in (NONE, np.random.default_rng(1).random(d)):
            space = space_of(x, metric, period, weight)
            tiles = kernel.direct_tiles(kernel.Block(x, None), space)
            check_bounds(x, x, space, tiles, every=3)


def test_exclude__leaves_frames_of_the_same_trajectory_out():
    x = normal(4, 30)
    who = np.stack([np.arange(30), np.tile(np.arange(15) * 2, 2), np.repeat([3, 8], 15)])
    space = space_of(x, exclude=4)
    lists = kernel.empty_lists(30, 6)
    kernel.update(lists, kernel.Block(x, who), kernel.Block(x, who), space)
    distance, index, _ = naive.knn(x, 6, exclude=4, frame=who[1], trajectory=who[2])
    np.testing.assert_array_equal(lists.location, index)
    np.testing.assert_allclose(lists.distance, distance, rtol=1e-14)
