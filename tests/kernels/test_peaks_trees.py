"""Trees of peaks: the elder rule, scipy's linkage, Newick text."""

import re

import naive_peaks
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from daskid.kernels import peaks as kernels


@st.composite
def saddles(draw, connected=False, ties=True):
    """Number of peaks, pairs, levels."""
    p = draw(st.integers(2 if connected else 1, 8))
    pairs = [(a, b) for a in range(p) for b in range(a + 1, p)]
    chosen = set(draw(st.lists(st.sampled_from(pairs), max_size=12))) if pairs else set()
    if connected:
        chosen |= {(draw(st.integers(0, b - 1)), b) for b in range(1, p)}
    pair = np.array(sorted(chosen), dtype=np.int64).reshape(-1, 2)
    if ties:
        level = draw(st.lists(st.integers(0, 4), min_size=len(pair), max_size=len(pair)))
    else:
        level = draw(st.permutations(range(len(pair))))
    return p, pair, np.array(level, dtype=np.float64)


def minimax(p, pair, level):
    """Floyd and Warshall: the lowest saddle on the best path."""
    best = np.full((p, p), -np.inf)
    for (a, b), at in zip(pair, level, strict=True):
        best[a, b] = best[b, a] = at
    for c in range(p):
        best = np.maximum(best, np.minimum(best[:, [c]], best[[c]]))
    np.fill_diagonal(best, -np.inf)
    return best


@given(made=saddles())
def test_merge_tree__equals_naive(made):
    p, pair, level = made
    joined, at = kernels.merge_tree(pair, level, p)
    lines = [(*edge, s, level[s]) for s, edge in enumerate(pair.tolist())]
    expected = naive_peaks.tree(np.zeros(p), lines)
    assert [(*j, s) for j, s in zip(joined.tolist(), at, strict=True)] == expected


@given(made=saddles())
def test_best_paths__are_those_of_the_tree(made):
    p, pair, level = made
    found = kernels.best_paths(*kernels.elders(pair, level, p), p)
    np.testing.assert_array_equal(found, minimax(p, pair, level))


@given(made=saddles(connected=True, ties=False))
def test_linkage__cophenetic_distances_are_those_of_best_paths(made):
    p, pair, level = made
    top = level.max() + 1
    joined, at = kernels.elders(pair, level, p)
    out = kernels.linkage(joined, top - at, p)
    assert hierarchy.is_valid_linkage(out)
    assert hierarchy.is_monotonic(out)
    found = squareform(hierarchy.cophenet(out))
    expected = top - minimax(p, pair, level)
    np.fill_diagonal(expected, 0)
    np.testing.assert_array_equal(found, expected)


@given(made=saddles(connected=True, ties=False))
def test_averages__are_those_of_scipy(made):
    p, pair, level = made
    distance = 100.0 - minimax(p, pair, level)
    np.fill_diagonal(distance, 0)
    joined, at = kernels.averages(pair, level, p)
    mine = np.sort(100.0 - at)
    theirs = np.sort(hierarchy.linkage(squareform(distance), "weighted")[:, 2])
    np.testing.assert_allclose(mine, theirs, rtol=1e-12)
    assert len(joined) == p - 1


def test_averages__by_hand():
    # saddles 0-1 at 6, 1-2 at 4, 0-2 at 2: the best path 0-2 is at 4, so the mean is 4
    pair, level = np.array([[0, 1], [0, 2], [1, 2], [2, 3]]), np.array([6.0, 2, 4, 1])
    joined, at = kernels.averages(pair, level, 5)
    assert joined.tolist() == [[0, 1], [0, 2], [0, 3]]
    assert at.tolist() == [6.0, 4.0, 1.0]


@given(made=saddles())
def test_chain__joins_what_is_behind_the_highest_saddle(made):
    p, pair, level = made
    joined, at = kernels.chain(pair, level, p)
    reached, order = set(), list(zip(joined.tolist(), at, strict=True))
    edges = {frozenset(edge): x for edge, x in zip(pair.tolist(), level, strict=True)}
    for (start, new), found in order:
        if start not in reached:
            part = {start}
        reached |= {start}
        out = {e: x for e, x in edges.items() if len(e & part) == 1}
        assert found == max(out.values())
        assert any(new in e for e in out if out[e] == found)
        part.add(new)
        reached.add(new)
    assert len(joined) == len(kernels.elders(pair, level, p)[0])


def test_linkage__joins_parts_last_at_an_infinite_distance():
    out = kernels.linkage(np.array([[1, 3]]), np.array([2.0]), 4)
    assert out.tolist() == [[1, 3, 2, 2], [0, 4, np.inf, 3], [2, 5, np.inf, 4]]
    assert hierarchy.fcluster(out, 1e300, "distance").tolist() == [2, 1, 3, 1]
    assert kernels.linkage(np.zeros((0, 2), int), np.zeros(0), 1).shape == (0, 4)


@given(made=saddles())
def test_sizes_and_members__count_the_leaves(made):
    p, pair, level = made
    joined, _ = kernels.merge_tree(pair, level, p)
    size = 10 ** np.arange(p)
    members = kernels.members(joined, p)
    expected = [sum(10**c for c in leaves) for leaves in members]
    assert kernels.merge_sizes(joined, size).tolist() == expected
    assert all(min(leaves) == elder for leaves, (elder, _) in zip(members, joined, strict=True))


@given(made=saddles())
def test_newick__has_each_leaf_once_and_the_depth_of_each(made):
    p, pair, level = made
    peak = np.linspace(20, 10, p)
    joined, at = kernels.elders(pair, level, p)
    names = [f"p{c}" for c in range(p)]
    text = kernels.newick(joined, at, peak, names, None)
    lines = text.split("\n")
    assert len(lines) == p - len(joined)
    for line in lines:
        assert line.endswith(";")
        assert line.count("(") == line.count(")") == line.count(",")
    assert sorted(re.findall(r"p\d+", text)) == sorted(names)
    # from the root down to each leaf the branches add up to the drop to the last merge
    for line in lines:
        root = re.findall(r"p\d+", line)
        if len(root) == 1:
            continue
        last = max(m for m, (elder, _) in enumerate(joined) if names[elder] in root)
        for leaf, depth in depths(line).items():
            assert depth == pytest.approx(peak[names.index(leaf)] - at[last], rel=1e-4)


def depths(line):
    """Leaf to the sum of branch lengths above it."""
    stack, closed = [[]], None
    for token in re.findall(r"[(),;]|[^(),;]+", line):
        if token == "(":
            stack.append([])
        elif token == ")":
            closed = stack.pop()
        elif token not in ",;":
            name, _, length = token.partition(":")
            leaves, closed = closed or [(name, 0.0)], None
            stack[-1] += [(leaf, depth + float(length)) for leaf, depth in leaves]
    return dict(closed)  # nothing stands behind the last bracket: the root has no length


def test_newick__by_hand():
    joined, at, peak = np.array([[1, 2], [0, 1]]), np.array([2.0, 1.0]), np.array([5.0, 4, 3])
    names = ["a", "b", "c"]
    assert kernels.newick(joined, at, peak, names, None) == "(a:4,(b:2,c:1):1);"
    support = np.array([0.9, 1.0])
    assert kernels.newick(joined, at, peak, names, support) == "(a:4,(b:2,c:1)0.9:1)1;"
    assert kernels.newick(joined[:1], at[:1], peak, names, None) == "a;\n(b:2,c:1);"
