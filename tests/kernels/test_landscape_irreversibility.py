"""Currents and their signs: equal to loops over pairs of frames and over patterns of signs."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskid.kernels.landscape import irreversibility as kernels

SEEDS = st.integers(0, 2**32 - 1)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=9))
def test_sign_p_value__is_the_share_of_all_patterns(values):
    value = np.array(values, float)
    patterns = np.array(list(itertools.product([-1, 1], repeat=value.size)))
    share = np.mean(np.abs(patterns @ value) >= abs(value.sum()))
    assert kernels.sign_p_value(value) == pytest.approx(share, rel=1e-12)
    assert kernels.sign_p_value(-value) == kernels.sign_p_value(value)


@given(SEEDS)
def test_sign_p_value__of_real_numbers_is_not_too_small(seed):
    value = np.random.default_rng(seed).normal(0.3, 1.0, 12)
    patterns = np.array(list(itertools.product([-1, 1], repeat=12)))
    sums = np.abs(patterns @ value)
    least, most = (np.mean(sums >= abs(value.sum()) - far) for far in (1e-12, 0.03))
    assert least <= kernels.sign_p_value(value) * (1 + 1e-9)
    assert kernels.sign_p_value(value) <= most * (1 + 1e-9)


def test_sign_p_value__has_tails_far_out():
    assert kernels.sign_p_value(np.ones(60)) == pytest.approx(2.0**-59)
    assert kernels.sign_p_value(np.full(60, 0.1)) == pytest.approx(2.0**-59)
    assert kernels.sign_p_value(np.full(20, 10**7)) == pytest.approx(2.0**-19)
    assert kernels.sign_p_value(np.zeros(5)) == 1.0
    assert kernels.least_p_value(np.array([0.0, 3, 4, -1])) == 0.25


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.booleans())
def test_holm__rejects_what_the_steps_down_reject(p, one_missing):
    p = np.array([*p, np.nan] if one_missing else p)
    adjusted = kernels.holm(p)
    assert (np.isnan(adjusted) == np.isnan(p)).all()
    for level in (0.01, 0.05, 0.3, 0.8):
        rejected = set()
        order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
        for rank, i in enumerate(order):
            if p[i] * (order.size - rank) > level:
                break
            rejected.add(int(i))
        assert rejected == set(np.flatnonzero(adjusted <= level).tolist())


@given(st.data())
def test_cycles__are_independent_and_closed(data):
    p = data.draw(st.integers(1, 7))
    count = np.array(data.draw(st.lists(st.integers(0, 3), min_size=p * p, max_size=p * p)))
    count = count.reshape(p, p)
    np.fill_diagonal(count, 0)
    ring, mark = kernels.cycles(count, 1, 100)
    linked = count + count.T > 0
    part = list(range(p))
    for a, b in np.argwhere(linked):
        old, new = part[a], part[b]
        part = [new if x == old else x for x in part]
    assert len(ring) == np.count_nonzero(np.triu(linked)) - p + len(set(part))
    for states, (a, b) in zip(ring, mark, strict=True):
        states = states[states >= 0].tolist()
        steps = list(zip(states, [*states[1:], states[0]], strict=True))
        assert len(set(states)) == len(states) >= 3
        assert all(linked[step] for step in steps)
        assert (a, b) in steps
        assert states[0] == min(states)
        assert states[1] < states[-1]
        others = [tuple(m) for m in mark.tolist() if tuple(m) != (a, b)]
        assert not any(s in others or s[::-1] in others for s in steps)


def test_cycles__are_marked_by_the_rarest_change():
    count = np.array([[0, 50, 4], [40, 0, 30], [5, 20, 0]])
    ring, mark = kernels.cycles(count, 9, 32)
    assert ring.tolist() == [[0, 1, 2]]
    assert mark.tolist() == [[2, 0]]
    assert kernels.cycles(count, 10, 32)[0].shape == (0, 3)
    assert kernels.cycles(count, 9, 0)[0].shape == (0, 3)


@given(SEEDS, st.integers(1, 39))
def test_wind__counts_marked_changes_for_any_chunks(seed, cut):
    rng = np.random.default_rng(seed)
    core, group = rng.integers(-1, 3, 40), np.repeat([0, 1, 2, 3], 10)
    breaks = rng.random(40) < 0.1
    number = np.array([[0, 0, -1], [0, 0, 0], [1, 0, 0]])
    expected, last = np.zeros((4, 1), int), -1
    for i in range(40):
        last = -1 if breaks[i] else last
        if core[i] >= 0:
            expected[group[i], 0] += ((last, core[i]) == (2, 0)) - ((last, core[i]) == (0, 2))
            last = core[i]
    winding, state = np.zeros((4, 1), int), -1
    for part in (slice(0, cut), slice(cut, 40)):
        state = kernels.wind(state, core[part], breaks[part], group[part], number, winding)
    np.testing.assert_array_equal(winding, expected)


@given(SEEDS, st.lists(st.sampled_from([1, -1]), min_size=2, max_size=4))
def test_basis__changes_its_sign_with_time(seed, parity):
    parity = np.array(parity)
    x, y = np.random.default_rng(seed).normal(size=(2, 5, parity.size))
    found = kernels.basis(parity, 3, 3)
    forth, back = kernels.currents(x, y, found), kernels.currents(y * parity, x * parity, found)
    np.testing.assert_allclose(back, -forth, atol=1e-12)
    assert np.linalg.matrix_rank(np.c_[found.exponent, found.target]) > 0
    rows = {(*e, j) for e, j in zip(found.exponent.tolist(), found.target.tolist(), strict=True)}
    assert len(rows) == found.target.size
    if (parity == 1).all() and parity.size == 2:
        assert found.target.size == 20


def test_sums__equal_loops_over_pairs():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 30, 3))
    parity, scale = np.array([1, 1, -1]), np.array([2.0, 0.5, 3.0])
    found = kernels.basis(parity, 2, 3)
    sums = kernels.nothing(3, found.target.size, 0)
    kernels.add(sums, x, y, np.full(30, 0.25), np.repeat([0, 2], 15), found)
    assert sums.pairs.tolist() == [15, 0, 15]
    assert sums.time.tolist() == [3.75, 0.0, 3.75]
    each = kernels.currents(x, y, found)
    for k, (exponent, j) in enumerate(zip(found.exponent, found.target, strict=True)):
        by_hand = np.prod((0.5 * (x + y)) ** exponent, axis=1) * (y - x)[:, j]
        np.testing.assert_allclose(each[:, k], by_hand, rtol=1e-12)
    np.testing.assert_allclose(sums.current[2], each[15:].sum(axis=0))
    np.testing.assert_allclose(sums.product[0], each[:15].T @ each[:15])
    area, first, second = kernels.areas(sums, found, scale, parity)
    assert (first.tolist(), second.tolist()) == ([0], [1])  # not of an odd and an even one
    u, w = x * scale, y * scale
    expected = 0.5 * (u[:15, 0] * w[:15, 1] - u[:15, 1] * w[:15, 0]).sum()
    assert area[0, 0] == pytest.approx(expected)


def coins(n, groups, chance, seed=0):
    """Sums of a current that is 1 with this chance and -1 otherwise, and one that tells nothing."""
    rng = np.random.default_rng(seed)
    f = np.stack([2.0 * (rng.random(n) < chance) - 1, rng.normal(size=n)], 1)
    f = f.reshape(groups, -1, 2)
    return kernels.Sums(
        np.full(groups, n // groups), np.full(groups, 0.5 * n / groups), f.sum(axis=1),
        np.einsum("gnk,gnl->gkl", f, f), np.zeros((groups, 0), int),
    )  # fmt: skip


def test_production__of_coins_is_known():
    truth = 0.4 * np.log(0.7 / 0.3) / 0.5
    bound, error, white = kernels.production(coins(64_000, 64, 0.7))
    assert abs(bound - truth) < 3 * error < 0.2 * truth
    assert white.shape == (64, 2)
    assert kernels.p_values(np.empty((64, 0)), white, 199, 0) == [1 / 200]


def test_production__has_no_bias_and_covers():
    # 160 sets of 640 throws: what noise adds to two currents is 2/640, and it is taken off
    for chance in (0.5, 0.6):
        truth = 2 * (2 * chance - 1) * np.log(chance / (1 - chance))
        found = [kernels.production(coins(640, 32, chance, s)) for s in range(160)]
        value, error = np.array([pair[:2] for pair in found]).T
        none = np.empty((32, 0))
        p = np.array([kernels.p_values(none, x[2], 99, s) for s, x in enumerate(found)])
        assert abs(value.mean() - truth) < 4 * value.std() / 160**0.5
        assert np.mean(abs(value - truth) < 2.2 * error) > 0.85
        raised = (p <= 0.05).mean()
        assert abs(raised - 0.05) < 0.06 if chance == 0.5 else raised > 0.95


def test_production__ignores_currents_that_are_combinations():
    sums = coins(6400, 16, 0.6)
    turn = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    more = sums._replace(current=sums.current @ turn, product=turn.T @ sums.product @ turn)
    scaled = sums._replace(current=1e6 * sums.current, product=1e12 * sums.product)
    expected = kernels.production(sums)
    for other in (more, scaled):
        found = kernels.production(other)
        assert found[:2] == pytest.approx(expected[:2], rel=1e-6)
        squares = [(x.sum(axis=0) ** 2).sum() for x in (found[2], expected[2])]
        assert squares[0] == pytest.approx(squares[1])


def test_p_values__have_the_level_they_say():
    rng, least = np.random.default_rng(0), []
    for seed in range(200):
        x = rng.standard_t(5, (32, 6))
        least.append(np.nanmin(kernels.p_values(x[:, :4], x[:, 4:], 199, seed)))
    assert abs(np.mean(np.array(least) <= 0.1) - 0.1) < 0.06


def test_p_values__know_that_tests_depend_on_each_other():
    x = np.random.default_rng(1).normal(0.35, 1.0, (32, 1))
    alone = kernels.sign_p_value(x[:, 0])
    p = kernels.p_values(x[:, [0] * 10], x, 1999, 0)
    assert p == pytest.approx(np.full(11, alone), abs=0.02)
    assert 0.02 < alone < 0.1  # ten times that by Holm's rule alone


def test_p_values__of_nothing_and_of_no_squares():
    assert np.isnan(kernels.p_values(np.empty((9, 0)), np.empty((9, 0)), 99, 0)).all()
    p = kernels.p_values(np.ones((50, 1)), np.empty((50, 0)), 99, 0)
    assert p[0] == pytest.approx(2.0**-49)
    assert np.isnan(p[1])
