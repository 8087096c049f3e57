"""Ranks from pairs of blocks: those of a sort, for any blocks, in memory and at rest."""

import numpy as np
import pytest
import xarray as xr

import daskid
from daskid import variables as v
from daskid.blockwise import search
from daskid.blockwise.comparison import features, lists, ranks, ties
from daskid.blockwise.comparison.classes import ChosenRows
from daskid.kernels.comparison import ties as kernels
from daskid.storage.rows import MemoryRows, recall

N = 500


def rows_of(x, metric="euclidean", position=None, source=None):
    source = MemoryRows(x) if source is None else source
    none = np.zeros(0)
    space = search.prepare(source, search.Rule(1, metric, none, none, 0, False), None, None).space
    position = np.arange(len(x)) if position is None else position
    n = position.size
    who = np.stack([np.arange(n), np.arange(n), np.zeros(n, np.int64)])
    return ranks.Rows(source, space, position, who)


@pytest.fixture(scope="module")
def sorted_rows():
    """Rows, the order of all others of each by distance, and their ranks in other rows."""
    x = np.random.default_rng(0).normal(size=(N, 4))
    difference = x[:, np.newaxis] - x
    distance = np.sqrt((difference**2).sum(axis=-1))
    np.fill_diagonal(distance, np.inf)
    rank = np.argsort(np.argsort(distance, axis=1), axis=1) + 1
    other = np.random.default_rng(1).permutation(N - 1)[np.newaxis] + np.zeros((N, 1), int)
    other += other >= np.arange(N)[:, np.newaxis]
    return x, other, np.take_along_axis(rank, other, axis=1)


def counted(rows, neighbor, sets=1):
    rank, column = ranks.ranks(rows, ranks.limits(rows, neighbor.T), sets, "test")
    return 0.5 * (rank.T + 1), column


def test_ranks__of_all_neighbors_equal_those_of_a_sort(sorted_rows):
    x, other, expected = sorted_rows
    rank, column = counted(rows_of(x), other)
    np.testing.assert_array_equal(rank, expected)
    into = np.bincount(other.ravel(), minlength=N)
    np.testing.assert_array_equal(column[0], into + 2 * of_nearer(x, other))


def of_nearer(x, other):
    """How often each sample is nearer than one of the neighbors."""
    out = np.zeros(len(x), int)
    for i in range(len(x)):
        distance = np.sqrt(((x - x[i]) ** 2).sum(axis=1))
        distance[i] = np.inf
        out += (distance[np.newaxis] < distance[other[i], np.newaxis]).sum(axis=0)
    return out


@pytest.mark.parametrize("step", [43, 100, 499])
def test_ranks__do_not_depend_on_blocks(sorted_rows, step, monkeypatch):
    x, other, _ = sorted_rows
    few = other[:, :3]
    monkeypatch.setattr(ranks, "blocks", lambda rows: slices(rows, step))
    monkeypatch.setattr(ranks, "LIMIT_BYTES", 8 * 4 * 4 * step)
    rank, column = counted(rows_of(x.astype("f4")), few)
    monkeypatch.undo()
    whole, all_columns = counted(rows_of(x.astype("f4")), few)
    np.testing.assert_array_equal(rank, whole)
    np.testing.assert_array_equal(column, all_columns)


def slices(rows, step):
    n = rows.position.size
    return [slice(a, min(a + step, n)) for a in range(0, n, step)]


def test_ranks__of_rows_at_rest_and_of_some_samples(sorted_rows, tmp_path):
    x, _, _ = sorted_rows
    ds = xr.Dataset({"rows": (("sample", "feature"), x)})
    run = daskid.save(daskid.open_rows(ds), str(tmp_path / "run.zarr"))
    reader = recall(v.read(run, v.rows)[0].name)
    assert reader is not None
    position = np.sort(np.random.default_rng(2).permutation(N)[:60])[::-1].copy()
    few = np.random.default_rng(3).integers(0, 59, (60, 2))
    few += few >= np.arange(60)[:, np.newaxis]
    found, memory = (
        counted(rows_of(x, position=position, source=source), few, sets=2)
        for source in (reader, MemoryRows(x))
    )
    for one, two in zip(found, memory, strict=True):
        np.testing.assert_array_equal(one, two)
    chosen, wanted = x[position], few
    np.testing.assert_array_equal(counted(rows_of(chosen), wanted, sets=2)[0], found[0])
    subset = ChosenRows(reader, np.sort(position))
    np.testing.assert_array_equal(subset.read(3, 20), x[np.sort(position)[3:20]])
    assert (subset.shape, subset.chunk_rows()) == ((60, 4), 1)


@pytest.mark.parametrize("metric", ["euclidean", "chebyshev"])
def test_nearest__equals_a_search_in_each_space(metric):
    x = np.random.default_rng(0).normal(size=(90, 5)).astype("f4")
    rows = rows_of(x, metric)
    found = features.nearest(rows, np.array([3, 1]), np.array([0, 4]))
    for nearest, feature in zip(found, (0, 4), strict=True):
        difference = np.abs(x[:, np.newaxis].astype("f8") - x)[..., [3, 1, feature]]
        matrix = difference.max(-1) if metric == "chebyshev" else (difference**2).sum(-1)
        np.fill_diagonal(matrix, np.inf)
        np.testing.assert_array_equal(nearest, matrix.argmin(axis=1))


def test_nearest__draws_among_ties_in_any_blocks(monkeypatch):
    x = np.repeat(np.arange(3.0), 40)[:, np.newaxis]
    rows, none = rows_of(x), np.zeros(0, np.int64)
    (found,) = features.nearest(rows, none, np.array([0]))
    assert (x[found] == x).all()
    assert np.bincount(found).max() < 8  # not one for all
    monkeypatch.setattr(features, "blocks", lambda rows, _: slices(rows, 11))
    np.testing.assert_array_equal(features.nearest(rows, none, np.array([0]))[0], found)


def test_gathered__knows_which_lists_tell_the_nearest():
    x = np.array([[0.0], [1.0], [3.0], [3.0], [6.0], [10.0], [11.0]])
    ds = daskid.knn(xr.Dataset({"rows": (("sample", "feature"), x)}), k=3)
    index, distance = v.read(ds, v.neighbor_index, v.neighbor_distance)
    location, every = ds.location.values, np.arange(7)
    near, known = lists.gathered(index, distance, location, every, 1, all_there=True)
    # 1 is as far from 0 as no other; 6 sees two samples at 3, which have each other
    np.testing.assert_array_equal(known, [True, True, False, False, False, True, True])
    assert near[0, 0] == 1
    merged = np.array([0, 1, 2, 4, 5, 6])
    near, known = lists.gathered(index, distance, location, merged, 1, all_there=True)
    np.testing.assert_array_equal(known, [True] * 6)
    np.testing.assert_array_equal(near[:, 0], [1, 0, 1, 2, 5, 4])


def test_compare__adds_up_what_tied_samples_do_to_others(monkeypatch):
    x = np.random.default_rng(0).integers(0, 3, (40, 2)).astype("f8")
    rows, other = rows_of(x), rows_of(x[:, :1] + 0.1 * x[:, 1:])
    samples, weight = np.arange(1, 40, 3), np.linspace(1, 2, 13)
    monkeypatch.setattr(ties, "HELD_BYTES", 16 * 40 * 5)  # five samples a task
    found = ties.compare(rows, other, samples, 2, "rank", weight)
    a, b = (kernels.distances(*[ranks.read(z.source, *z[1:])] * 2, z.space) for z in (rows, other))
    each = [kernels.rank(a[i], b[i], 2) for i in samples]
    np.testing.assert_array_equal(found.values, [share.value for share in each])
    influence = sum(w * share.influence for w, share in zip(weight, each, strict=True))
    np.testing.assert_allclose(found.influence, influence)
    assert found.pairs == pytest.approx(
        sum(w**2 * s.squares for w, s in zip(weight, each, strict=True))
    )
    weights = kernels.shares(a[1], 2) / 2
    own = np.where(np.isfinite(b[1]), b[1], np.nan)
    nearer = (own[:, None] < own) + 0.5 * ((own[:, None] == own) & ~np.eye(40, dtype=bool))
    excess = each[0].influence - nearer @ weights
    assert excess[np.isfinite(own)].sum() == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(excess[(weights == 0) & np.isfinite(own)], 0, atol=1e-12)
