"""The search by leaves: the same bits as the naive one, whatever the bounds have to stand."""

import naive_trees
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from daskid.kernels import neighbors, trees
from daskid.kernels.forms import directions
from daskid.kernels.metrics import METRICS
from daskid.kernels.trees import bounds, entries, growth, view

NONE = np.zeros(0)


def space_of(x, metric="euclidean", period=NONE, weight=NONE, exclude=0):
    low, high = x.min(axis=0).astype("f8"), x.max(axis=0).astype("f8")
    span = (high - low) * (np.sqrt(weight) if weight.size else 1.0)
    norm = np.sqrt((span**2).sum())
    scale = 2.0 ** -np.ceil(np.log2(norm)) if norm > 0 else 1.0
    center = np.clip(x.mean(axis=0, dtype="f8"), low, high)
    combine = METRICS[metric].combine
    return neighbors.Space(combine, period, weight, low, center, scale, exclude)


def who_of(n, location=None, frame=None, trajectory=None):
    given = (location, frame, trajectory)
    none = (np.arange(n), np.arange(n), np.zeros(n, np.int64))
    return np.stack([a if b is None else b for a, b in zip(none, given, strict=True)])


def pruned(x, k, space, who=None, sample=None):
    block = neighbors.Block(x, who_of(len(x)) if who is None else who)
    seen = trees.view_of(x if sample is None else sample, space)
    leaves, order = trees.leaves_of(block, seen)
    lists, out = neighbors.empty_lists(len(x), k), neighbors.empty_lists(len(x), k)
    counts = trees.update_leaves(lists, leaves, leaves, seen)
    out.distance[order], out.location[order] = lists
    return out, counts


def check(x, k, space, who=None):
    found, counts = pruned(x, k, space, who)
    period, weight = (None if v.size == 0 else v for v in (space.period, space.weight))
    combine = ("square", "half", "absolute", "largest")[space.combine]
    distance, location = naive_trees.knn(x, k, combine, period, weight, who, space.exclude)
    np.testing.assert_array_equal(found.location, location)
    np.testing.assert_array_equal(found.distance, distance)
    return counts


def curved(n, features, d, seed=0):
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((n, d))
    out = np.tanh(latent @ rng.standard_normal((d, features)) / d**0.5)
    return (out + 1e-3 * rng.standard_normal((n, features))).astype("f4")


def grid(features, side, n, seed=0):
    return np.random.default_rng(seed).integers(0, side, (n, features)).astype("f4")


@pytest.mark.parametrize("k", [1, 12, 13, 60, 699])
@pytest.mark.parametrize("features", [2, 20, 40])
def test_update_leaves__is_exact_to_the_bit(features, k):
    check(x := curved(700, features, 2), k, space_of(x))


def test_update_leaves__gives_what_brute_force_gives():
    x, k = grid(12, 3, 500), 9
    block, lists = neighbors.Block(x, who_of(500)), neighbors.empty_lists(500, k)
    neighbors.update(lists, block, block, space_of(x))
    found, _ = pruned(x, k, space_of(x))
    np.testing.assert_array_equal(found.location, lists.location)
    np.testing.assert_array_equal(found.distance, lists.distance)


@pytest.mark.parametrize("k", [3, 40])
@pytest.mark.parametrize("features", [3, 12, 30])
def test_ties__are_in_order_of_location(features, k):
    x = grid(features, 2 if features > 3 else 5, 600)
    check(x, k, space_of(x))


@pytest.mark.parametrize("k", [2, 30])
@pytest.mark.parametrize("features", [5, 50])
@pytest.mark.parametrize("kind", ["offset", "clusters", "outlier", "near copies", "float64"])
def test_update_leaves__stands_rounding(kind, features, k):
    x = curved(500, features, 3).astype("f8")
    if kind == "offset":
        x += 1000.0
    if kind == "clusters":
        x[::2] += 1e5
    if kind == "outlier":
        x[7] *= 1e7
    if kind == "near copies":
        x[250:] = x[:250] * (1 + 1e-6)
    x = x if kind == "float64" else x.astype("f4")
    check(x, k, space_of(x))


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "chebyshev"])
@pytest.mark.parametrize("features", [2, 6, 35])
def test_periods_and_weights(metric, features):
    rng = np.random.default_rng(features)
    x = rng.uniform(-np.pi, np.pi, (400, features))
    x[:200] = np.round(x[:200], 1)  # ties
    period = np.where(np.arange(features) % 2, 0.0, 2 * np.pi)
    for given_period in (period, NONE):
        for weight in (rng.uniform(0, 2, features), NONE):
            space = space_of(x, metric, given_period, weight)
            for k in (2, 20):
                check(x, k, space)


def test_cosine():
    x = directions(curved(500, 12, 3).astype("f8") + 0.3, NONE)
    for k in (2, 20):
        check(x, k, space_of(x, "cosine"))


def test_weights__shape_the_axes():
    x, weight = curved(500, 30, 3), np.r_[np.full(10, 5.0), np.zeros(10), np.full(10, 0.1)]
    check(x, 5, space_of(x, weight=weight))


@given(st.data())
def test_update_leaves__equals_naive(data):
    n, d = data.draw(st.integers(2, 90)), data.draw(st.integers(1, 11))
    x = data.draw(arrays("f8", (n, d), elements=st.integers(-2, 2).map(float)))
    k = data.draw(st.integers(1, n - 1))
    exclude = data.draw(st.integers(0, 2))
    frame, trajectory = np.arange(n) // 2, np.arange(n) % 2
    space = space_of(x, exclude=exclude)
    check(x, k, space, who_of(n, None, frame, trajectory))


def test_other_rows__are_searched_as_well_in_any_parts():
    x, k = curved(900, 30, 2), 25
    space, who = space_of(x), who_of(len(x))
    seen, (distance, location) = trees.view_of(x[:200], space), naive_trees.knn(x, k)
    parts = [np.arange(0, 500), np.arange(500, 501), np.arange(501, 900)]
    made = [trees.leaves_of(neighbors.Block(x[p], who[:, p]), seen) for p in parts]
    own, order = made[0]
    lists = neighbors.empty_lists(500, k)
    for other in (made[2][0], own, made[1][0]):
        for first in range(own.seen.shape[0]):
            rows = slice(first * seen.leaf, (first + 1) * seen.leaf)
            some = neighbors.Lists(lists.distance[rows], lists.location[rows])
            trees.update_leaves(some, own, other, seen, first, first + 1)
    np.testing.assert_array_equal(lists.location, location[order])
    np.testing.assert_array_equal(lists.distance, distance[order])


def test_leaves__are_skipped_where_there_are_few_dimensions():
    x = np.random.default_rng(0).random((6000, 2)).astype("f4")
    assert pruned(x, 2, space_of(x))[1].pairs < 0.06 * 6000**2
    x = curved(6000, 60, 2)
    assert pruned(x, 2, space_of(x))[1].pairs < 0.2 * 6000**2


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("features", [12, 60])
def test_coordinates__never_exceed_distances(features, dtype):
    x = curved(300, features, 4).astype("f8") * 10.0 ** np.linspace(-8, 0, features)
    x[:3] *= 1e4
    x[150:] = x[:150] * (1 + 1e-9)
    space = space_of(x)
    seen = trees.view_of(x, space)
    if dtype == "f8":
        seen = seen._replace(dtype="f8", error=seen.error)
    points, length = view.coordinates(x, seen)
    a, b = np.triu_indices(300, 1)
    z = np.sqrt(((points[a].astype("f8") - points[b]) ** 2).sum(axis=1))
    true = np.sqrt(((x[a] - x[b]) ** 2).sum(axis=1)) * space.scale
    assert (z <= true * seen.rule.stretch + seen.error * (length[a] + length[b])).all()


@pytest.mark.parametrize("combine", ["square", "absolute", "largest"])
def test_gaps__are_those_of_the_nearest_point(combine):
    rng = np.random.default_rng(0)
    points, period = rng.uniform(0, 6, (4, 50)), np.array([0.0, 6.0, 6.0, 0.0])
    weight, number = np.array([1.0, 2.0, 0.5, 3.0]), ["square", "half", "absolute", "largest"]
    out = np.empty(50)
    for low in (np.array([1.0, 0.1, 4.0, 2.0]), np.array([0.0, 5.0, 0.0, 3.0])):
        high = low + np.array([2.0, 0.9, 1.0, 0.0])
        bounds.gaps(points, points, low, high, number.index(combine), period, weight, out)
        expected = [naive_trees.gap(p, low, high, combine, period, weight) for p in points.T]
        np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("principal", [True, False])
@pytest.mark.parametrize("n", [1, 64, 65, 500])
def test_grow__orders_all_rows(n, principal):
    points = np.random.default_rng(n).standard_normal((n, 3))
    order = growth.grow(points, 64, principal)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    copies = np.zeros((n, 3))
    np.testing.assert_array_equal(np.sort(growth.grow(copies, 64, principal)), np.arange(n))


def test_kth_bound__holds_so_many():
    values = np.r_[np.random.default_rng(0).random(90), np.full(38, np.nan)]
    for rank in (1, 40, 90):
        top = entries.kth_bound(values, 90, rank, np.inf)
        assert rank <= (values[:90] <= top).sum() <= rank + rank // 16 + 1


def test_estimate__says_do_not_where_it_does_not_pay():
    rng = np.random.default_rng(0)
    low, high = rng.standard_normal((2048, 2)), rng.standard_normal((2048, 20))
    few = trees.estimate(low, space_of(low), 2, 10**6)
    many = trees.estimate(high, space_of(high), 100, 10**6)
    assert few.share < 0.01
    assert many.share > 0.9
    assert 0 < few.seconds < many.seconds
    assert trees.estimate(low[:100], space_of(low), 50, 10**6).share == 1.0


def test_bounds_without_slack__lose_neighbors(monkeypatch):
    x = grid(12, 3, 700)
    check(x, 9, space := space_of(x))
    sound = trees.view_of
    wrong = sound(x, space)._replace(error=0.0)
    wrong = wrong._replace(rule=wrong.rule._replace(stretch=1.0, rounding=1.0))
    monkeypatch.setattr(trees, "view_of", lambda *_: wrong)
    with pytest.raises(AssertionError):
        check(x, 9, space)


def test_boxes_that_are_too_small__lose_neighbors(monkeypatch):
    x = curved(700, 3, 2)
    sound = trees.leaves_of

    def wrong(block, seen):
        leaves, order = sound(block, seen)
        shrunk = leaves.low + 0.2 * (leaves.high - leaves.low)
        return leaves._replace(low=shrunk), order

    monkeypatch.setattr(trees, "leaves_of", wrong)
    with pytest.raises(AssertionError):
        check(x, 9, space_of(x))
