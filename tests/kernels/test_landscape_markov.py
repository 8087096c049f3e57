"""Markov models: counts by hand, a chain whose times are known, deeptime's own answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskid.kernels.landscape import markov as kernels
from daskid.kernels.landscape import microstates as cells

FINE = 1e-12


def chain(n, transition, seed):
    rng = np.random.default_rng(seed)
    edges = np.cumsum(transition, axis=1)
    state, out = 0, np.empty(n, np.int32)
    for i, u in enumerate(rng.random(n)):
        out[i] = state
        state = int(np.searchsorted(edges[state], u))
    return np.minimum(out, len(transition) - 1)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_lag_counts__are_pairs_within_a_segment(seed, lag):
    rng = np.random.default_rng(seed)
    state, block = rng.integers(0, 3, 30), np.arange(30) * 4 // 30
    segment = np.cumsum(rng.random(30) < 0.1)
    expected = np.zeros((4, 3, 3), int)
    begin = np.flatnonzero(np.diff(segment, prepend=-1))
    for i in range(30 - lag):
        if segment[i] == segment[i + lag]:
            expected[block[i], state[i], state[i + lag]] += 1
    found = kernels.lag_counts(state, begin, lag, 3, 4)
    np.testing.assert_array_equal(found, expected)


def test_reversible__of_symmetric_counts_is_their_own():
    count = np.array([[10.0, 3.0, 0.0], [3.0, 20.0, 5.0], [0.0, 5.0, 7.0]])
    transition, stationary = kernels.reversible(count, count.sum(axis=1), FINE)
    np.testing.assert_allclose(transition, count / count.sum(axis=1, keepdims=True), rtol=1e-9)
    np.testing.assert_allclose(stationary, count.sum(axis=1) / count.sum(), rtol=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_reversible__is_in_balance_and_more_likely_than_those_near_it(seed):
    rng = np.random.default_rng(seed)
    count = rng.integers(1, 30, (4, 4)).astype(float)
    transition, stationary = kernels.reversible(count, count.sum(axis=1), FINE)
    flow = stationary[:, np.newaxis] * transition
    np.testing.assert_allclose(flow, flow.T, atol=1e-9)
    best = (count * np.log(transition)).sum()
    for _ in range(5):
        other = flow * np.exp(0.01 * (noise := rng.normal(size=(4, 4))) + 0.01 * noise.T)
        other /= other.sum(axis=1, keepdims=True)
        assert (count * np.log(other)).sum() <= best + 1e-9


@given(st.integers(0, 2**32 - 1), st.integers(2, 7))
def test_reversible__does_not_depend_on_where_it_begins(seed, m):
    # few counts of very different size: the largest steps have to be halved
    rng = np.random.default_rng(seed)
    count = np.floor(10 ** rng.uniform(-1, 5, (m, m)))
    inside = kernels.connected(count.astype(int))
    count = count[np.ix_(inside, inside)]
    plain = np.maximum(count.sum(axis=1), 1.0)
    far = plain * 10 ** rng.uniform(-2, 2, plain.size)
    if count.any():
        first, second = (kernels.reversible(count, start, FINE) for start in (plain, far))
        np.testing.assert_allclose(first[1], second[1], rtol=1e-7)
        x = first[1][:, np.newaxis] * first[0]
        out = count.sum(axis=1) / first[1]
        fixed = (count + count.T) / np.add.outer(out, out)
        np.testing.assert_allclose(fixed, x, rtol=1e-7, atol=1e-12)


def test_timescales__and_stays_of_two_states():
    transition = np.array([[0.9, 0.1], [0.3, 0.7]])
    stationary = np.array([0.75, 0.25])
    found = kernels.timescales(transition, stationary, 2)
    assert found[0] == pytest.approx(-1 / np.log(0.6))
    assert np.isnan(found[1])
    stays = kernels.stay_probabilities(transition, stationary, np.array([0, 1]), 3, 2)
    assert stays[:, 0] == pytest.approx([0.9, 0.9**2 + 0.1 * 0.3])
    assert np.isnan(stays[:, 2]).all()
    lumped = kernels.stay_probabilities(transition, stationary, np.array([0, 0]), 1, 1)
    assert lumped[0, 0] == pytest.approx(1.0)


def test_committor__of_a_random_walk_is_a_line():
    n = 6
    walk = 0.5 * (np.eye(n, k=1) + np.eye(n, k=-1))
    walk[0, 0] = walk[-1, -1] = 0.5
    ends = np.arange(n) == 0, np.arange(n) == n - 1
    assert kernels.committor(walk, *ends) == pytest.approx(np.arange(n) / (n - 1))


def test_connected__is_the_largest_set_that_leads_to_itself():
    count = np.zeros((5, 5), int)
    count[0, 1] = count[1, 0] = count[2, 3] = count[3, 4] = count[4, 2] = 1
    count[1, 2] = 9
    assert kernels.connected(count).tolist() == [2, 3, 4]


def test_models__equal_those_of_deeptime():
    pytest.importorskip("deeptime")
    from deeptime.markov import TransitionCountEstimator
    from deeptime.markov.msm import MaximumLikelihoodMSM

    weight = np.exp(-(np.subtract.outer(np.arange(8), np.arange(8)) ** 2) / 2.0)
    weight[:4, 4:] *= 0.02
    weight[4:, :4] *= 0.02
    state = chain(20_000, weight / weight.sum(axis=1, keepdims=True), 3)
    for lag in (1, 3):
        count = kernels.lag_counts(state, np.zeros(1, int), lag, 8, 1)[0]
        theirs = TransitionCountEstimator(lag, "sliding").fit_fetch(state)
        np.testing.assert_array_equal(count, np.asarray(theirs.count_matrix))
        model = MaximumLikelihoodMSM(reversible=True, maxerr=1e-13).fit_fetch(theirs)
        flat = np.ones(8)
        transition, stationary = kernels.reversible(count.astype(float), flat, FINE)
        np.testing.assert_allclose(transition, model.transition_matrix, atol=1e-8)
        found = lag * kernels.timescales(transition, stationary, 3)
        np.testing.assert_allclose(found, model.timescales(3), rtol=1e-6)
        ends = np.arange(8) == 0, np.arange(8) == 7
        np.testing.assert_allclose(
            kernels.committor(transition, *ends), model.committor_forward([0], [7]), atol=1e-4
        )


def test_microstates__are_spread_over_rare_places_too():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(5000, 2)), [[9.0, 9.0]]])
    center = cells.spread(x, 30, 0)
    own = cells.nearest(x, center)
    assert np.unique(own).size == 30
    assert (own == own[-1]).sum() == 1
    assert np.linalg.norm(x - center[own], axis=1).max() < 2.5
    assert len(cells.spread(np.zeros((10, 2)), 4, 0)) == 1


def test_microstates__are_means_of_their_rows_added_one_after_another():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(500, 3)) * 10 ** rng.uniform(-3, 3, (500, 1))
    center = cells.spread(x, 5, 0)
    own = cells.nearest(x, center)
    for m in range(5):
        total = np.zeros(3)
        for row in x[own == m]:
            total = total + row
        np.testing.assert_array_equal(center[m], total / (own == m).sum())


def test_microstates__see_a_period_as_a_circle():
    rows = np.array([[0.1, 5.0], [359.9, 5.0], [180.0, 5.0]])
    x = cells.embedded(rows, np.array([360.0, 0.0]), np.array([4.0, 1.0]))
    assert np.linalg.norm(x[0] - x[1]) == pytest.approx(2 * 0.2, rel=1e-4)
    assert np.linalg.norm(x[0] - x[2]) == pytest.approx(2 * 360 / np.pi, rel=1e-3)
    np.testing.assert_array_equal(cells.embedded(rows, np.zeros(0), np.zeros(0)), rows)


def test_farthest_by_chance__is_the_quantile_of_the_largest_of_so_many():
    # of 12 independent ones of 8 degrees of freedom 5 % of the largest are beyond
    drawn = np.abs(np.random.default_rng(0).standard_t(8, (20_000, 12))).max(axis=1)
    limit = float(kernels.farthest_by_chance(12, np.array(8.0)))
    assert (drawn > limit).mean() == pytest.approx(0.05, abs=0.006)
    more, fewer = (kernels.farthest_by_chance(n, np.array([4.0, 8.0])) for n in (800, 1))
    assert (more > fewer).all()
    assert (np.diff(more) < 0).all()
    assert fewer[1] == pytest.approx(2.306, abs=1e-3)


def test_freedom__is_of_the_deals_and_of_the_blocks_that_a_state_is_in():
    number = np.array([[5, 9, 0], [5, 0, 0], [5, 0, 0], [5, 0, 0]])
    found = kernels.freedom(number, 8)
    assert found == pytest.approx([1 / (1 / 8 + 1 / 4), 1 / (1 / 8 + 1), 1 / (1 / 8 + 1)])
