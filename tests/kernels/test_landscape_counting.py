"""Counting between cores: equal to the visits one by one, whatever the chunks."""

import itertools

import naive_landscape
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from daskid.kernels.landscape import counting as kernels


@st.composite
def records(draw):
    n = draw(st.integers(1, 60))
    core = np.array(draw(st.lists(st.integers(-1, 2), min_size=n, max_size=n)), np.int32)
    step = np.array(draw(st.lists(st.sampled_from([1.0, 2.0, 0.5]), min_size=n, max_size=n)))
    begins = np.array(draw(st.lists(st.integers(0, 12), min_size=n, max_size=n))) == 0
    begins[0] = True
    return core, np.cumsum(step), begins


def counted(record, dwell, cuts=()):
    core, time, begins = record
    tally = kernels.nothing(3)
    edges = sorted({0, len(core), *(c for c in cuts if c < len(core))})
    for a, b in itertools.pairwise(edges):
        kernels.advance(tally, core[a:b], time[a:b], begins[a:b], dwell)
    kernels.finish(tally)
    return tally


@given(record=records(), dwell=st.sampled_from([0.0, 1.0, 2.5]), data=st.data())
def test_advance__equals_naive_for_any_chunks(record, dwell, data):
    cuts = data.draw(st.lists(st.integers(1, 59), max_size=6))
    tally = counted(record, dwell, cuts)
    count, spent, stays = naive_landscape.transitions(*record, dwell, 3)
    np.testing.assert_array_equal(tally.changes, count)
    np.testing.assert_allclose(tally.time, spent, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(tally.stay[:, 0], [len(s) for s in stays])
    np.testing.assert_allclose(tally.stay[:, 1], [sum(s) for s in stays], atol=1e-12)
    np.testing.assert_allclose(tally.stay[:, 2], [sum(t * t for t in s) for s in stays], atol=1e-9)
    whole = counted(record, dwell)
    for name, values in tally._asdict().items():
        np.testing.assert_array_equal(values, getattr(whole, name), err_msg=name)


def test_advance__needs_as_much_time_as_asked_for():
    core = np.array([0, 0, 1, 0, 1, -1, 1, 0], np.int32)
    record = core, np.arange(8.0), np.arange(8) == 0
    assert counted(record, 0.0).changes[:2, :2].tolist() == [[0, 2], [2, 0]]
    # two frames apart, with one outside of all cores between them
    assert counted(record, 2.0).changes[:2, :2].tolist() == [[0, 1], [0, 0]]
    assert counted(record, 2.0).time[:2].tolist() == [4.0, 3.0]
    assert counted(record, 2.5).changes.sum() == 0


def test_rates__have_the_intervals_of_poisson_counts():
    count = np.array([[0, 7], [0, 0]])
    rate, low, high = kernels.rates(count, np.array([2.0, 5.0]))
    assert rate[0, 1] == 3.5
    assert poisson.sf(6, 2 * low[0, 1]) == pytest.approx(0.025)
    assert poisson.cdf(7, 2 * high[0, 1]) == pytest.approx(0.025)
    assert low[1, 0] == 0.0
    assert high[1, 0] == pytest.approx(3.689 / 5, rel=1e-3)
    assert np.isnan(np.diag(rate)).all()
    assert np.isnan(kernels.rates(count, np.array([2.0, 0.0]))[2][1, 0])


@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_passage_times__equal_naive(seed, p):
    rate = np.random.default_rng(seed).uniform(0.2, 1.0, (p, p))
    expected = naive_landscape.passage_times(rate)
    np.testing.assert_allclose(kernels.passage_times(rate), expected, rtol=1e-6)


def test_passage_times__of_many_states_at_once_are_those_of_one_target_each():
    # rates over six orders; a state that is left only to nowhere makes each target its own system
    rng = np.random.default_rng(0)
    rate = 10.0 ** rng.uniform(-6, 0, (3, 12, 12)) * (rng.random((12, 12)) < 0.4)
    ring = np.eye(12, k=1) + np.eye(12, k=-11)
    rate += 1e-3 * ring
    many = kernels.passage_times(rate)
    wide = np.zeros((3, 13, 13))
    wide[:, :12, :12] = rate
    np.testing.assert_allclose(many, kernels.passage_times(wide)[:, :12, :12], rtol=1e-8)
    assert np.nanmax(many) / np.nanmin(many) > 100


def test_passage_times__are_infinite_where_another_state_may_be_the_end():
    # 0 -> 1 or 2, 1 -> 0, 2 -> nowhere, 3 -> 0, and nobody goes to 3
    rate = np.zeros((4, 4))
    rate[0, 1] = rate[0, 2] = rate[1, 0] = rate[3, 0] = 1.0
    found = kernels.passage_times(rate)
    assert found[1, 2] == pytest.approx(3.0)
    assert found[3, 0] == 1.0
    assert np.isinf(found[0, 1])
    assert np.isinf(found[2]).sum() == 3
    assert np.isinf(found[:3, 3]).all()


def test_passages__cover_what_is_true():
    # two states, exponential stays, for as long as 12 changes of each take
    rng = np.random.default_rng(0)
    inside, ratio = 0, []
    for seed in range(300):
        stay = rng.exponential([3.0, 1.0], (200, 2))
        change = np.cumsum(stay.ravel())
        number = int(np.searchsorted(change, 48.0))
        tally = kernels.nothing(2)
        stays = np.diff(np.r_[0.0, change[:number], 48.0])
        tally.changes[0, 1], tally.changes[1, 0] = (number + 1) // 2, number // 2
        tally.time[:] = stays[::2].sum(), stays[1::2].sum()
        for state in range(2):
            seen = stays[state:number:2]
            tally.stay[state] = seen.size, seen.sum(), (seen**2).sum()
        mean, low, high = kernels.passages(tally, seed, 400)
        inside += low[0, 1] < 3.0 < high[0, 1]
        ratio.append(mean[0, 1])
    assert 0.91 <= inside / 300 <= 0.98
    assert np.mean(ratio) == pytest.approx(3.0, rel=0.15)


def test_passages__of_what_was_never_seen_are_infinite_with_a_lower_bound():
    tally = kernels.nothing(2)
    tally.changes[0, 1] = 4
    tally.time[:] = 8.0, 20.0
    mean, low, high = kernels.passages(tally, 0, 400)
    assert mean[0, 1] == 2.0
    assert low[0, 1] < 2.0 < high[0, 1]
    assert np.isinf(mean[1, 0])
    assert np.isinf(high[1, 0])
    assert low[1, 0] == pytest.approx(28.0 / 3.689, rel=1e-3)
