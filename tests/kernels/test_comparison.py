"""Counts of nearer rows equal those of a sort of exact distances, whatever rounding leaves."""

import naive_comparison as naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskid.kernels.comparison import lists, partitions, ranks, ties
from daskid.kernels.metrics import METRICS
from daskid.kernels.neighbors import Block, Space

NONE = np.zeros(0)


def who(first, n):
    number = np.arange(first, first + n)
    return np.stack([number, number, np.zeros(n, np.int64)])


def space(x, metric="euclidean", period=NONE, weight=NONE, exclude=0):
    combine, prepare = METRICS[metric]
    x = x if prepare is None else prepare(x, weight)
    span = np.ptp(x, axis=0).astype("f8")
    norm = float(np.sqrt((span**2).sum())) or 1.0
    scale = float(2.0 ** -np.ceil(np.log2(norm)))
    if metric == "hamming":
        scale, weight = float(64), np.ones(1)
    return Space(
        combine, period, weight, x.min(0).astype("f8"), x.mean(0).astype("f8"), scale, exclude
    )


def exact(blocks, rule):
    """All distances as a search computes them, infinite for oneself."""
    rows = Block(np.concatenate([b.rows for b in blocks]), np.hstack([b.who for b in blocks]))
    return ties.distances(rows, rows, rule)


def expected(distance, limit):
    return 2 * (distance < limit[:, :, None]) + (distance == limit[:, :, None])


def check(x, cut, rule, sets=1, per=2, seed=0):
    first, second = (
        Block(np.ascontiguousarray(x[s]), np.ascontiguousarray(who(0, len(x))[:, s]))
        for s in (slice(None, cut), slice(cut, None))
    )
    distance = exact((first, second), rule)
    n, random = len(x), np.random.default_rng(seed)
    limit = distance[np.arange(n), random.integers(0, n, (sets * per, n))]
    limit[np.isinf(limit)] = -np.inf
    count = expected(distance, limit)
    one, other = limit[:, :cut], limit[:, cut:]
    found = ranks.count_nearer(first, second, one, other, sets, rule)
    of_sets = count.reshape(sets, per, n, n).sum(axis=1)
    np.testing.assert_array_equal(found.x_rank, count[:, :cut, cut:].sum(axis=2))
    np.testing.assert_array_equal(found.y_rank, count[:, cut:, :cut].sum(axis=2))
    np.testing.assert_array_equal(found.y_column, of_sets[:, :cut, cut:].sum(axis=1))
    np.testing.assert_array_equal(found.x_column, of_sets[:, cut:, :cut].sum(axis=1))
    alone = ranks.count_nearer(first, first, one, one, sets, rule)
    np.testing.assert_array_equal(alone.x_rank, count[:, :cut, :cut].sum(axis=2))
    np.testing.assert_array_equal(alone.y_column, of_sets[:, :cut, :cut].sum(axis=1))


@given(data=st.data())
def test_count_nearer__equals_a_sort_of_distances(data):
    n, d = data.draw(st.integers(2, 90)), data.draw(st.integers(1, 5))
    cut, sets = data.draw(st.integers(1, n - 1)), data.draw(st.integers(1, 2))
    x = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=(n, d))
    if data.draw(st.booleans()):
        x = np.round(2 * x)  # ties and copies are the rule
    x = x.astype(data.draw(st.sampled_from(["f4", "f8"])))
    check(x, cut, space(x), sets)


@pytest.mark.parametrize(
    "metric", ["cityblock", "chebyshev", "periodic", "weighted", "cosine", "hamming"]
)
def test_count_nearer__in_every_metric(metric):
    x = np.random.default_rng(0).random((150, 3))
    period, weight = NONE, NONE
    if metric == "periodic":
        metric, period = "euclidean", np.array([1.0, 0.0, 1.0])
    if metric == "weighted":
        metric, weight = "euclidean", np.array([4.0, 0.5, 0.0])
    rule = space(x, metric, period, weight)
    if metric == "cosine":
        x = METRICS[metric].prepare(x, weight)
    if metric == "hamming":
        x = np.random.default_rng(0).integers(0, 2**63, (150, 1)).astype(np.uint64) >> np.uint64(57)
    check(x, 60, rule)


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_count_nearer__where_float32_can_tell_nothing(kind, monkeypatch):
    monkeypatch.setattr(ranks, "TILE", 64)  # some tiles are made again, others not
    x = np.random.default_rng(1).normal(size=(200, 3))
    x[:120] += 1e5  # two clusters: within each, rounding is as large as distances
    x = x.astype(kind)
    check(x, 110, space(x))
    far = (np.random.default_rng(2).normal(size=(150, 4)) * 1e-3 + 1e3).astype(kind)
    check(far, 70, space(far))


def test_count_nearer__counts_no_frame_within_the_window():
    x = np.random.default_rng(0).normal(size=(80, 2))
    check(x, 33, space(x, exclude=4))
    rule = space(x, exclude=4)
    one = Block(x, who(0, 80))
    found = ranks.count_nearer(one, one, np.full((1, 80), 1e3), np.full((1, 80), 1e3), 1, rule)
    left_out = 1 + np.minimum(np.arange(80), 4) + np.minimum(np.arange(80)[::-1], 4)
    np.testing.assert_array_equal(found.x_rank[0], 2 * (80 - left_out))


def test_count_nearer__counts_nothing_without_a_limit():
    x = np.random.default_rng(0).normal(size=(70, 2))
    one, none = Block(x, who(0, 70)), np.full((1, 70), -np.inf)
    found = ranks.count_nearer(one, one, none, none, 1, space(x))
    assert not found.x_rank.any()
    assert not found.y_column.any()


def test_bounds__hold_for_every_value_of_a_tile():
    x = (np.random.default_rng(3).normal(size=(256, 40)) * 3 + 20).astype("f4")
    rule = space(x)
    one = Block(x, who(0, 256))
    distance = exact((one,), rule)
    limit = np.where(np.isinf(distance), 1.0, distance)[:1]
    tiles = ranks._products(one, one, limit, limit, rule, np.float32)
    tile = tiles(slice(0, 256), slice(0, 256))
    slack = tile.x_over[0].astype("f8") - rule.scale**2 * limit[0] ** 2
    wrong = np.abs(tile.values - rule.scale**2 * distance**2)
    np.fill_diagonal(wrong, 0)
    assert (wrong <= slack[:, None]).all()
    assert wrong.max() > 1e-3 * slack.max()  # and are not loose for nothing


@given(data=st.data())
def test_shares__are_probabilities(data):
    n = data.draw(st.integers(3, 12))
    values = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    k = data.draw(st.integers(1, n - 1))
    distance = np.array([np.inf, *values], "f8")
    matrix = np.full((n + 1, n + 1), np.inf)
    matrix[0] = distance
    named = naive.probability(matrix, 0, k)
    np.testing.assert_allclose(ties.shares(distance, k), [named.get(j, 0.0) for j in range(n + 1)])


def test_ties_rank__equals_naive_ranks():
    random = np.random.default_rng(0)
    a, b = (random.integers(0, 4, (9, 9)).astype("f8") for _ in range(2))
    for matrix in (a, b):
        np.fill_diagonal(matrix, np.inf)
    for i in range(9):
        expected = sum(p * naive.rank(b, i, j) for j, p in naive.probability(a, i, 3).items()) / 3
        assert ties.rank(a[i], b[i], 3).value == pytest.approx(expected)


def test_spread__counts_each_pair_once():
    random = np.random.default_rng(0)
    near = np.array([random.permutation(np.delete(np.arange(12), i))[:4] for i in range(12)], "i4")
    excess, influence = random.normal(size=near.shape), np.zeros(12)
    dense = np.zeros((12, 12))
    np.put_along_axis(dense, near.astype(int), excess, axis=1)
    pairs = lists.spread(near, excess, np.arange(12), influence)
    np.testing.assert_allclose(influence, dense.sum(axis=0))
    assert pairs == pytest.approx(((dense + dense.T) ** 2).sum() / 2)
    group, influence = np.arange(12) // 3, np.zeros(12)
    dense[group[:, None] == group] = 0
    lists.spread(near, excess, group, influence)
    np.testing.assert_allclose(influence, dense.sum(axis=0))


@given(data=st.data())
def test_partitions__equal_naive_counts(data):
    n = data.draw(st.integers(4, 25))
    one, other = (
        np.unique(
            data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), return_inverse=True
        )[1]
        for _ in range(2)
    )
    if one.max() == other.max() == 0:
        return
    table = partitions.table_of(one, other)
    if max(table.shape) > 1 and table.shape != (n, n):
        assert partitions.adjusted_rand(table) == pytest.approx(naive.adjusted_rand(one, other))
    assert partitions.normalized_mutual_info(table) == pytest.approx(
        naive.normalized_mutual_info(one, other), abs=1e-12
    )


def test_partitions__jackknife_leaves_samples_out_one_by_one():
    random = np.random.default_rng(0)
    one, other = random.integers(0, 3, 40), random.integers(0, 2, 40)
    without = []
    for i in range(40):
        rest = np.arange(40) != i
        without.append(naive.adjusted_rand(one[rest], other[rest]))
    error = np.sqrt(39 / 40 * ((without - np.mean(without)) ** 2).sum())
    found = partitions.jackknife(partitions.adjusted_rand, one, other, np.arange(40))
    assert found == pytest.approx(error, rel=1e-10)
    groups = np.arange(40) // 5
    assert partitions.jackknife(partitions.adjusted_rand, one, other, groups) > 0
