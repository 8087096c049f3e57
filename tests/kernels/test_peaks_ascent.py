"""Centers, basins and borders equal the rules as they stand, on graphs full of ties."""

import naive_peaks
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from strategies_peaks import graphs

from daskid.kernels import peaks as kernels


def climbed(index, kstar, g, location):
    """Everything up to the centers, in one chunk."""
    own = np.arange(len(index))
    parent = kernels.first_higher(index, kstar, own, location, g)
    removed, *_ = contacts(index, kstar, own, location, g, parent)
    removed = kernels.strongest(removed)
    return parent, removed, kernels.climb(parent, removed)


def contacts(index, kstar, own, location, g, parent, most=9):
    root = kernels.climb(parent, np.zeros(0, kernels.REMOVAL))
    return kernels.contacts(index, kstar, own, location, g, root, most)


@given(graph=graphs())
def test_centers__equal_naive(graph):
    index, kstar, log_density, error, location = graph
    g = log_density - error
    parent, removed, center = climbed(index, kstar, g, location)
    places = [i for i in range(len(g)) if location[i] == i]
    tops, removers = naive_peaks.centers(index, kstar, list(g), places)
    assert dict(zip(removed["candidate"].tolist(), removed["sample"].tolist(), strict=True)) == (
        removers
    )
    assert sorted(np.flatnonzero(parent < 0)) == sorted([*tops, *removers])
    assert center.tolist() == naive_peaks.basins(index, kstar, list(g), location)


@given(graph=graphs(), data=st.data())
def test_borders__equal_naive(graph, data):
    index, kstar, log_density, error, location = graph
    g, own = log_density - error, np.arange(len(index))
    *_, center = climbed(index, kstar, g, location)
    across = kernels.borders(index, kstar, own, location, center)
    cuts = data.draw(st.sets(st.integers(1, len(g) - 1), max_size=4))
    first = np.array([0, *sorted(cuts)])
    order = kernels.group(across, first)
    tables = []
    for c, (a, b) in enumerate(zip(first, [*first[1:], len(g)], strict=True)):
        members = order[order[c] : order[c + 1]]
        assert ((across[members] >= a) & (across[members] < b)).all()
        assert (np.diff(members) > 0).all()
        tables.append(kernels.join(index[a:b], a, members, across, center, g))
    assert order[len(first)] == order.size
    assert sorted(order[len(first) + 1 :]) == np.flatnonzero(across >= 0).tolist()
    found = kernels.highest(np.concatenate(tables))
    expected = naive_peaks.saddles(index, kstar, list(g), location, center.tolist())
    assert found[["low", "high"]].tolist() == sorted(expected)
    assert {(x["low"], x["high"]): x["sample"] for x in found} == expected
    assert (found["height"] == g[found["sample"]]).all()


@given(graph=graphs(), most=st.integers(0, 8))
def test_contacts__are_all_that_borders_need(graph, most):
    index, kstar, log_density, error, location = graph
    g, own = log_density - error, np.arange(len(index))
    parent, removed, center = climbed(index, kstar, g, location)
    again, near, inside = contacts(index, kstar, own, location, g, parent, most)
    assert (kernels.strongest(again) == removed).all()
    root = kernels.climb(parent, np.zeros(0, kernels.REMOVAL))
    others = [
        [b for b in dict.fromkeys(root[j].tolist()) if b != root[i]] for i, j in enumerate(index)
    ]
    width = max(map(len, others))
    if width > most:
        assert near is None
        return
    assert near.shape == (len(g), width)
    for i, basins in enumerate(others):
        assert root[near[i, : len(basins)]].tolist() == basins
        assert (near[i, len(basins) :] == i).all()
    across = kernels.borders(index, kstar, own, location, center)
    assert (kernels.borders(near, inside, own, location, center) == across).all()
    members = np.flatnonzero(across >= 0)
    whole, few = (kernels.join(x, 0, members, across, center, g) for x in (index, near))
    assert (whole == few).all()


@given(graph=graphs(), data=st.data())
def test_reduction__of_parts_is_that_of_the_whole(graph, data):
    index, kstar, log_density, error, location = graph
    g, own = log_density - error, np.arange(len(index))
    parent, removed, center = climbed(index, kstar, g, location)
    cut = data.draw(st.integers(0, len(g)))
    parts = [
        kernels.strongest(
            contacts(index[rows], kstar[rows], own[rows], location[rows], g, parent)[0]
        )
        for rows in (slice(cut, None), slice(cut))
    ]
    assert (kernels.strongest(np.concatenate(parts)) == removed).all()
    across = kernels.borders(index, kstar, own, location, center)
    table = kernels.join(index, 0, np.flatnonzero(across >= 0), across, center, g)
    cut = data.draw(st.integers(0, table.size))
    parts = [kernels.highest(table[cut:]), kernels.highest(table[:cut])]
    assert (kernels.highest(np.concatenate(parts)) == kernels.highest(table)).all()


def test_climb__follows_the_list_beyond_kstar_before_the_remover():
    # sample 0 is higher than its one near neighbor, lower than the next; 3 holds it
    index = np.array([[1, 2], [2, 0], [1, 3], [0, 2]])
    g = np.array([1.0, 0.0, 2.0, 3.0])
    parent, removed, center = climbed(index, np.array([1, 1, 1, 1]), g, np.arange(4))
    assert parent.tolist() == [-4, 2, -5, -1]
    assert removed["candidate"].tolist() == [0]
    assert removed["sample"].tolist() == [3]
    assert center.tolist() == [2, 2, 2, 3]


def test_climb__a_long_chain_needs_no_recursion():
    n = 100_000
    parent = np.arange(1, n + 1)
    parent[-1] = -1
    center = kernels.climb(parent, np.zeros(0, kernels.REMOVAL))
    assert (center == n - 1).all()
    assert parent[0] == 1
