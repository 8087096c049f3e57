"""Rows against the cells nearest to them: what the naive search finds in the same cells."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from daskid.blockwise.search import cells
from daskid.kernels.cells import ranks_of, search_cells
from daskid.kernels.neighbors import empty_lists


@given(data=st.data())
@settings(max_examples=25)
def test_search_cells__equals_naive(data):
    """Small integers: ties; the cells nearest to a row, more where they hold too few."""
    n, d = data.draw(st.integers(20, 80)), data.draw(st.integers(1, 9))
    seed, k = data.draw(st.integers(0, 999)), data.draw(st.integers(1, 12))
    x = np.random.default_rng(seed).integers(-4, 5, (n, d)).astype("f8")
    weight = data.draw(st.sampled_from([np.zeros(0), np.full(d, 0.5), np.arange(1.0, d + 1)]))
    exclude = data.draw(st.sampled_from([0, 0, 1]))
    probes = data.draw(st.integers(1, 8))
    factor = (np.sqrt(weight) if weight.size else np.ones(d)) / 256
    who = np.stack([np.arange(n), np.arange(n), np.zeros(n, np.int64)])
    parts = cells.split_rows(x, np.zeros(d), factor, 8, seed)
    rows, own = cells.arranged(x, who, np.zeros(d), factor, 1 / 256, parts)
    lists, certified = empty_lists(n, k), np.empty(n, bool)
    pairs = search_cells(0, *rows, *own, probes, 0, weight, exclude, *lists, certified)
    expected = naive(x, parts, probes, weight, exclude, k)
    for r in range(n):
        i = rows.who[0, r]
        if expected[i] is None:
            continue
        want = expected[i][1]
        np.testing.assert_array_equal(lists.location[r, : len(want)], [j for _, j in want])
        np.testing.assert_allclose(lists.distance[r, : len(want)], [x for x, _ in want], rtol=1e-14)
        assert (lists.location[r, len(want) :] == -1).all()
    if None not in expected:
        assert pairs == sum(scanned for scanned, _ in expected)


def naive(x, parts, probes, weight, exclude, k):
    """Sorted lists among the nearest cells, and how many rows are in them.

    None where rounding says which of two cells is the last one.
    """
    factors = weight if weight.size else np.ones(x.shape[1])
    z = x * np.sqrt(factors)
    center = np.array([z[own].mean(axis=0) for own in parts])
    out = []
    for i in range(len(x)):
        far = ((z[i] - center) ** 2).sum(axis=1)
        far[next(c for c, own in enumerate(parts) if i in own)] = -1
        order = np.argsort(far, kind="stable")
        for step in (min(probes, far.size), far.size):  # all cells where these hold too few
            near = np.sort(np.concatenate([parts[c] for c in order[:step]]))
            entries = sorted(
                (np.sqrt((factors * (x[i] - x[j]) ** 2).sum()), j)
                for j in near
                if abs(i - j) > exclude
            )  # fmt: skip
            if len(entries) >= k:
                break
        ends = far[order[probes - 1 : probes + 1]]
        if ends.size == 2 and np.isclose(*ends):
            out.append(None)
            continue
        out.append((near.size, entries[:k]))
    return out


def test_ranks_of__counts_nearer_cells():
    rng = np.random.default_rng(0)
    x, center = rng.random((50, 3)), rng.random((3, 20))
    wanted, own = rng.integers(0, 20, (50, 4)), rng.integers(0, 20, 50)
    rank = np.empty((50, 4), np.int64)
    ranks_of(wanted, own, x, center, rank)
    far = ((x[:, :, np.newaxis] - center) ** 2).sum(axis=1)
    far[np.arange(50), own] = -1
    expected = [[(far[i] < far[i, c]).sum() for c in wanted[i]] for i in range(50)]
    np.testing.assert_array_equal(rank, expected)
