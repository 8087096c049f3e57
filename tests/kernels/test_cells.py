"""Rows against the cells nearest to them: what the naive search finds in the same cells."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daskid.blockwise.search.cells import labels
from daskid.kernels import cells
from daskid.kernels.neighbors import empty_lists
from daskid.kernels.trees.view import Rule

NONE = np.zeros(0)
SCALE = 1 / 256


def parts_of(x, weight, seed, number=2):
    """Rows of integers, in cells of two parts; the coordinates are the rows."""
    factor = np.sqrt(weight) if weight.size else np.ones(x.shape[1])
    points = (x * factor * SCALE).astype("f4")
    out, n = [], len(x)
    who = np.stack([np.arange(n), np.arange(n), np.zeros(n, np.int64)])
    for own in np.array_split(np.random.default_rng(seed).permutation(n), number):
        own = np.sort(own)
        label = labels(points[own], max(1, own.size // 8), np.random.default_rng(seed))
        members = [np.flatnonzero(label == c) for c in np.unique(label)]
        out.append(cells.cells_of(x[own], who[:, own].copy(), points[own], 1e-6, members))
    return out


def searched(parts, probes, rule, k):
    """Lists of the rows of the first part, in all parts; and what is certain."""
    x, sizes = parts[0], [part.radius.size for part in parts]
    blocks = cells.in_blocks(np.concatenate([part.center for part in parts], axis=1))
    radius, of = np.concatenate([p.radius for p in parts]), np.repeat(np.arange(len(parts)), sizes)
    n = len(x.rows)
    lists, certified = empty_lists(n, k), np.empty(n, bool)
    reach, wanted = np.empty(n, "f4"), np.zeros(len(parts), bool)
    cells.nearest_cells(x, 0, blocks, of, probes, reach, wanted)
    pairs, none = 0, np.zeros(n, bool)
    for y in [y for y, some in zip(parts, wanted, strict=True) if some]:
        given = x, y, y is x, reach, none, rule, cells.in_blocks(y.center)
        pairs += cells.search_cells(*lists, *given)
    cells.certify(lists.distance, x, 0, blocks, radius, reach, 1e-6, rule, certified)
    short = lists.location[:, -1] < 0
    if short.any():
        far = np.where(short, reach, -np.inf).astype("f4")
        for y in parts:
            given = x, y, y is x, far, short, rule, cells.in_blocks(y.center)
            cells.search_cells(*lists, *given)
    return lists, certified, pairs


def entries_of(x, i, others, weight, exclude):
    factors = weight if weight.size else np.ones(x.shape[1])
    return sorted(
        (np.sqrt((factors * (x[i] - x[j]) ** 2).sum()), j) for j in others if abs(i - j) > exclude
    )


def naive(x, parts, i, own, probes, weight, exclude, k):
    """The list of a row among its nearest cells, all if these hold too few.

    None where rounding says which of two cells is the last one, or a few more are within reach.
    """
    members = [p.who[0, a:b] for p in parts for a, b in zip(p.start, p.start[1:], strict=False)]
    center = np.concatenate([part.center for part in parts], axis=1).T.astype("f8")
    factors = np.sqrt(weight) if weight.size else np.ones(x.shape[1])
    far = ((x[i] * factors * SCALE - center) ** 2).sum(axis=1)
    far[own] = 0
    order = np.argsort(far, kind="stable")
    ends = far[order[probes - 1 : probes + 1]]
    if ends.size == 2 and np.isclose(*ends, rtol=1e-4):
        return None
    for step in (min(probes, far.size), far.size):
        found = entries_of(
            x, i, np.concatenate([members[c] for c in order[:step]]), weight, exclude
        )
        if len(found) >= k:
            break
    return found[:k]


@given(data=st.data())
@settings(max_examples=25)
def test_search_cells__equals_naive(data):
    """Small integers: ties; the cells nearest to a row, all where they hold too few."""
    n, d = data.draw(st.integers(20, 90)), data.draw(st.integers(1, 9))
    seed, k = data.draw(st.integers(0, 999)), data.draw(st.integers(1, 12))
    x = np.random.default_rng(seed).integers(-4, 5, (n, d)).astype("f8")
    weight = data.draw(st.sampled_from([NONE, np.full(d, 0.5), np.arange(1.0, d + 1)]))
    exclude = data.draw(st.sampled_from([0, 0, 1]))
    probes = data.draw(st.integers(1, 8))
    parts = parts_of(x, weight, seed)
    rule = Rule(0, NONE, weight, exclude, False, SCALE, 1.0, 1 + 1e-5)
    lists, certified, pairs = searched(parts, probes, rule, k)
    own = np.searchsorted(parts[0].start, np.arange(len(parts[0].rows)), "right") - 1
    for r, i in enumerate(parts[0].who[0]):
        expected = naive(x, parts, i, own[r], probes, weight, exclude, k)
        if certified[r]:
            expected = entries_of(x, i, range(n), weight, exclude)[:k]
        if expected is None:
            continue
        np.testing.assert_array_equal(lists.location[r, : len(expected)], [j for _, j in expected])
        np.testing.assert_allclose(
            lists.distance[r, : len(expected)], [a for a, _ in expected], rtol=1e-14
        )
        assert (lists.location[r, len(expected) :] == -1).all()
    assert pairs <= len(parts[0].rows) * n


@pytest.mark.parametrize(("k", "probes"), [(3, 6), (150, 40)])
def test_search_cells__more_rows_than_are_noted_at_a_time(k, probes):
    """Far more candidates than room; of clusters far apart, most are certain."""
    rng = np.random.default_rng(1)
    x = np.round(rng.random((1500, 2)) * 60) + 1000 * rng.integers(0, 2, (1500, 1))
    rule = Rule(0, NONE, NONE, 0, False, SCALE, 1.0, 1 + 1e-5)
    parts = parts_of(x, NONE, 0)
    everything, certified, _ = searched(parts, 10**6, rule, k)
    assert certified.all()
    for r in range(0, len(parts[0].rows), 61):
        expected = entries_of(x, parts[0].who[0, r], range(len(x)), NONE, 0)[:k]
        np.testing.assert_array_equal(everything.location[r], [j for _, j in expected])
    some, certified, _ = searched(parts, probes, rule, k)
    same = (some.location == everything.location).all(axis=1)
    assert same[certified].all()
    assert 0.05 < certified.mean() < same.mean() <= 1


def test_ranks_of__counts_nearer_cells():
    rng = np.random.default_rng(0)
    x, center = rng.random((50, 3)), rng.random((3, 80))
    wanted, own = rng.integers(0, 80, (50, 4)), rng.integers(0, 80, 50)
    wanted[:, 0] = own
    rank = np.empty((50, 4), np.int64)
    cells.ranks_of(x, own, wanted, cells.in_blocks(center), rank)
    far = ((x[:, :, np.newaxis] - center) ** 2).sum(axis=1)
    far[np.arange(50), own] = -1
    expected = [[(far[i] < far[i, c]).sum() for c in wanted[i]] for i in range(50)]
    np.testing.assert_array_equal(rank, expected)
