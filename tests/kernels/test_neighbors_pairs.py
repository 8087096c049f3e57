"""Blocks against each other and themselves, each pair of rows once: the same lists always."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from knn_rows import HARD, N, block, normal, space_of

from daskid.kernels import neighbors as kernel
from daskid.kernels.neighbors import pairs


def part_of(lists, rows):
    return kernel.Lists(lists.distance[rows], lists.location[rows])


def put(lists, rows, part):
    lists.distance[rows], lists.location[rows] = part


def tournament(x, space, lists, parts, order, way=lambda: "pair", who=None):
    """Compare all pairs of parts in any order, as pairs or one way after the other."""

    def of(rows):
        return block(x, rows) if who is None else kernel.Block(x[rows], who[:, rows])

    for i, j in order:
        a, b = parts[i], parts[j]
        x_lists, y_lists = part_of(lists, a), part_of(lists, b)
        if i == j and way() == "pair":
            kernel.update_self(x_lists, of(a), space)
        elif way() == "pair":
            kernel.update_pair(x_lists, y_lists, of(a), of(b), space)
        else:
            kernel.update(x_lists, of(a), of(b), space)
            kernel.update(y_lists, of(b), of(a), space)
        if i != j:
            put(lists, b, y_lists)
        put(lists, a, x_lists)


def whole(x, k, **options):
    lists = kernel.empty_lists(len(x), k)
    kernel.update_self(lists, block(x, np.arange(len(x))), space_of(x, **options))
    return lists


def check(lists, x, k, **options):
    distance, index, _ = naive.knn(x, k, duplicates="keep", **options)
    np.testing.assert_array_equal(lists.location, index)
    np.testing.assert_allclose(lists.distance, distance, rtol=1e-14, atol=0)


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("k", [2, 20])
def test_hard_data__exact(name, k):
    x = HARD[name]
    check(whole(x, k), x, k)
    lists, parts = kernel.empty_lists(len(x), k), np.array_split(np.arange(len(x)), 2)
    tournament(x, space_of(x), lists, parts, [(0, 1), (1, 1), (0, 0)])
    check(lists, x, k)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 31, 70])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
def test_any_number_of_features__exact(d, dtype):
    x = (20 * normal(d, 120) + 100).clip(0, 255).astype(dtype)
    for k in (2, 119):
        check(whole(x, k), x, k)


@given(st.data())
def test_any_order_of_pairs__equals_naive(data):
    n, d = data.draw(st.integers(2, 130)), data.draw(st.integers(1, 6))
    x = data.draw(arrays("f4", (n, d), elements=st.integers(-2, 2)))
    k, blocks = data.draw(st.integers(1, n - 1)), data.draw(st.integers(1, min(n, 6)))
    distance, index, _ = naive.knn(x, k, duplicates="keep")
    lists = kernel.empty_lists(n, k)
    if data.draw(st.booleans()):
        lists = kernel.seeded_lists(distance[:, -1] * data.draw(st.sampled_from([1.0, 1.5])), k)
    parts = np.array_split(np.arange(n), blocks)
    every = [(i, j) for i in range(blocks) for j in range(i, blocks)]
    order = data.draw(st.permutations(every))
    way = lambda: data.draw(st.sampled_from(["pair", "one"]))  # noqa: E731
    tournament(x, space_of(x), lists, parts, order, way)
    np.testing.assert_array_equal(lists.location, index)
    np.testing.assert_array_equal(lists.distance, distance)


@given(st.data())
def test_any_order_of_pairs__same_bits(data):
    n, d = data.draw(st.integers(2, 200)), data.draw(st.integers(1, 70))
    x = np.random.default_rng(n).standard_normal((n, d))
    x += data.draw(st.sampled_from([0.0, 1e4, 1e8]))
    x = x.astype(data.draw(st.sampled_from(["f4", "f8"])))
    k, blocks = data.draw(st.integers(1, n - 1)), data.draw(st.integers(1, min(n, 6)))
    expected = whole(x, k)
    lists = kernel.empty_lists(n, k)
    if data.draw(st.booleans()):
        lists = kernel.seeded_lists(expected.distance[:, -1], k)
    every = [(i, j) for i in range(blocks) for j in range(i, blocks)]
    parts = np.array_split(np.arange(n), blocks)
    tournament(x, space_of(x), lists, parts, data.draw(st.permutations(every)))
    np.testing.assert_array_equal(lists.location, expected.location)
    np.testing.assert_array_equal(lists.distance, expected.distance)


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "chebyshev"])
@pytest.mark.parametrize("exclude", [0, 3])
def test_other_spaces__both_sides(metric, exclude):
    x = np.random.default_rng(0).uniform(-np.pi, np.pi, (90, 5))
    options = {"period": np.array([2 * np.pi, 0, 0, 2 * np.pi, 0]), "weight": np.arange(5.0)}
    for given_options in ({}, options):
        space = space_of(x, metric, exclude=exclude, **given_options)
        frames = np.arange(90) % 45
        who = np.stack([np.arange(90), frames, np.arange(90) // 45])
        lists, parts = kernel.empty_lists(90, 7), np.array_split(np.arange(90), 3)
        order = [(0, 1), (2, 2), (1, 2), (0, 0), (0, 2), (1, 1)]
        tournament(x, space, lists, parts, order, who=who)
        rule = {"exclude": exclude, "frame": who[1], "trajectory": who[2]}
        check(lists, x, 7, metric=metric, **rule, **given_options)


def test_seeds__that_are_too_low_stay():
    x = normal(5, 60)
    distance, index = whole(x, 4)
    lists = kernel.seeded_lists(distance[:, 1], 4)
    kernel.update_self(lists, block(x, np.arange(60)), space_of(x))
    np.testing.assert_array_equal(lists.location[:, :2], index[:, :2])
    assert (lists.location[:, 2:] == kernel.BEATEN_BY_ALL).all()
    np.testing.assert_array_equal(lists.distance[:, 2:], distance[:, [1, 1]])


@pytest.mark.parametrize("seeded", [False, True])
def test_hundreds_of_equal_distances__take_the_exact_way(monkeypatch, seeded):
    compared = []
    compare = kernel.compare_all

    def compare_all(distance, location, part, *rest):
        compared.append(part.size)
        compare(distance, location, part, *rest)

    monkeypatch.setattr(kernel, "compare_all", compare_all)
    x = np.r_[normal(6, 100), np.eye(200, 6, dtype="f8"), 9 * np.eye(6)[np.arange(300) % 6]]
    distance, index, _ = naive.knn(x, 3, duplicates="keep")
    last = distance[:, -1] * (1 + 1e-14)  # not rounded as the kernels do
    lists = kernel.seeded_lists(last, 3) if seeded else kernel.empty_lists(len(x), 3)
    parts = np.array_split(np.arange(len(x)), 2)
    tournament(x, space_of(x), lists, parts, [(0, 0), (1, 1), (0, 1)])
    np.testing.assert_array_equal(lists.location, index)
    np.testing.assert_allclose(lists.distance, distance, rtol=1e-14)
    assert compared
    assert max(compared) < len(x)


def test_each_pair__is_evaluated_once(monkeypatch):
    tiles = []
    sweep = kernel.sweep

    def count(x, y, *rest):
        tiles.append((x.order.size, y.order.size, x is y))
        sweep(x, y, *rest)

    monkeypatch.setattr(kernel, "sweep", count)
    x = normal(9)
    lists, parts = kernel.empty_lists(N, 4), np.array_split(np.arange(N), 2)
    tournament(x, space_of(x), lists, parts, [(0, 0), (0, 1), (1, 1)])
    half = N // 2
    assert tiles == [(half, half, True), (half, half, False), (half, half, True)]


def test_empty_blocks__change_nothing():
    x = normal(5, 20)
    lists = whole(x, 3)
    before = lists.distance.copy(), lists.location.copy()
    everyone, none = np.arange(20), np.arange(0)
    nothing = kernel.empty_lists(0, 3)
    kernel.update_pair(lists, nothing, block(x, everyone), block(x, none), space_of(x))
    kernel.update_pair(nothing, lists, block(x, none), block(x, everyone), space_of(x))
    kernel.update_self(nothing, block(x, none), space_of(x))
    np.testing.assert_array_equal(lists.distance, before[0])
    np.testing.assert_array_equal(lists.location, before[1])


def test_groups_of_panels__same_bits(monkeypatch):
    x = normal(12)
    expected = whole(x, 9)
    monkeypatch.setattr(pairs, "GROUP_BYTES", 1)
    found = whole(x, 9)
    np.testing.assert_array_equal(found.location, expected.location)
    np.testing.assert_array_equal(found.distance, expected.distance)
