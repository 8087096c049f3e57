"""The block jackknife: equal to neighbors searched in each half alone, and it covers."""

import os

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.spatial import cKDTree
from scipy.stats import binom

from daskid.kernels import dimension as kernels
from daskid.kernels.dimension.estimates import gride_terms


def search(x, k):
    """The k nearest other locations of each sample, each by its first sample."""
    distance, index, location = naive.knn(x, k)
    return distance, index, location, location == np.arange(len(x))


def halves(x, block, deal, k):
    """Search each half of a deal of the blocks afresh: (distance, index, locations) of each."""
    first = np.isin(block, deal)
    for half in (first, ~first):
        places = np.unique(x[half], axis=0)
        yield naive.knn(places, k)[0], len(places)


def deals(blocks):
    """The blocks in the first half of each deal, from the masks of one sample a block."""
    masks = kernels.members(np.arange(blocks), None)[:, 0]
    return [np.flatnonzero((masks >> np.uint64(r)) & np.uint64(1)) for r in range(kernels.HALVINGS)]


def expected_error(x, block, k, estimate):
    squares = []
    for deal in deals(block.max() + 1):
        (one, n), (other, m) = halves(x, block, deal, k)
        squares.append(n * m / (n + m) ** 2 * (estimate(one) - estimate(other)) ** 2)
    return np.sqrt(np.mean(squares))


def error(lists, block, inner, outer, d=None, *, near=1.0, averaged=False, correction=1):
    distance, index, location, kept = lists
    inner, outer = np.array(inner), np.array(outer)
    member = kernels.members(block, location)
    d = np.ones(inner.size) if d is None else np.array(d)
    sums = kernels.half_sums(
        distance, index, kept, member, member, near * d, inner, outer, averaged
    )
    sums = kernels.moved(sums, near * d, d)
    return kernels.halves_error(sums, d, correction), kernels.short_share(sums)


@pytest.fixture(scope="module")
def frames():
    """90 samples in 7 blocks; some places are visited again, in the same block or in another."""
    rng = np.random.default_rng(4)
    x = rng.random((90, 2))
    x[[11, 40, 88]] = x[[10, 10, 2]]
    return x, np.arange(90) * 7 // 90


def test_twonn__equals_a_search_in_each_half(frames):
    x, block = frames
    out, short = error(search(x, 80), block, [1], [2])
    assert out[0] == pytest.approx(expected_error(x, block, 2, naive.twonn_ml), rel=1e-9)
    assert short[0] == 0


@pytest.mark.parametrize("k", [2, 6])
def test_mle__equals_a_search_in_each_half(frames, k):
    x, block = frames
    out, _ = error(search(x, 80), block, [1], [k], averaged=True, correction=0)
    expected = expected_error(x, block, k, lambda distance: naive.mle(distance, k))
    assert out[0] == pytest.approx(expected, rel=1e-9)


def test_gride__equals_a_search_in_each_half_but_for_a_step_of_newton(frames):
    x, block = frames
    lists = search(x, 80)
    d = [naive.gride(lists[0][lists[3]], n1, 2 * n1)[0] for n1 in (1, 2, 4)]
    out, _ = error(lists, block, [1, 2, 4], [2, 4, 8], d)
    for n1, found in zip((1, 2, 4), out, strict=True):
        expected = expected_error(
            x, block, 2 * n1, lambda distance, n1=n1: naive.gride(distance, n1, 2 * n1)[0]
        )
        assert found == pytest.approx(expected, rel=0.01)
    for near in (0.6, 1.6):
        moved, _ = error(lists, block, [1, 2, 4], [2, 4, 8], d, near=near)
        assert moved[0] == pytest.approx(out[0], rel=1e-12)
        np.testing.assert_allclose(moved[1:], out[1:], rtol=0.01)


def test_gride__at_the_first_scale_is_twonn_whatever_the_reference(frames):
    lists = search(frames[0], 80)
    (twonn,), (gride,) = (error(lists, frames[1], [1], [2], [d])[0] for d in (1.0, 2.7))
    assert gride == pytest.approx(twonn, rel=1e-12)


@pytest.mark.parametrize(("n1", "n2"), [(1, 2), (4, 8), (16, 32)])
@pytest.mark.parametrize("x", [1e-6, 0.3, 2.0, 9.0])
def test_gride_terms__have_the_derivatives_that_they_say(x, n1, n2):
    score, information, slope = gride_terms(x, n1, n2)
    step = 1e-5
    low, high = (gride_terms(x * np.exp(s), n1, n2) for s in (-step, step))
    assert (high[0] - low[0]) / (2 * step) == pytest.approx(score - information, rel=1e-6, abs=1e-9)
    assert (high[1] - low[1]) / (2 * step) == pytest.approx(slope, rel=1e-6, abs=1e-9)


def test_gride_terms__at_no_distance_are_their_limits():
    assert gride_terms(0.0, 4, 8) == (4.0, 4.0, 0.0)


@pytest.mark.parametrize("blocks", [1, 2, 3, 8, 31])
def test_members__deal_the_blocks_into_halves(blocks):
    block = np.repeat(np.arange(blocks), 2)
    masks = kernels.members(block, None)
    np.testing.assert_array_equal(masks[::2], masks[1::2])
    np.testing.assert_array_equal(masks[:, 0], ~masks[:, 1])
    found = deals(blocks)
    assert {len(deal) for deal in found} == {blocks // 2}
    if blocks > 8:
        assert len({tuple(deal) for deal in found}) == kernels.HALVINGS


def test_members__of_many_blocks_share_a_half_half_of_the_time():
    masks = kernels.members(np.arange(200), None)[:, 0]
    apart = np.bitwise_count(masks[1:] ^ masks[0])
    assert abs(apart.mean() - 32) < 1
    assert apart.std() == pytest.approx(4, rel=0.2)


def test_members__a_place_is_in_the_halves_of_all_its_samples():
    block = np.array([0, 1, 2, 3, 1])
    masks = kernels.members(block, np.array([0, 1, 2, 0, 1]))
    alone = kernels.members(block, None)
    np.testing.assert_array_equal(masks[0], alone[0] | alone[3])
    np.testing.assert_array_equal(masks[1], alone[1])
    np.testing.assert_array_equal(masks[3:], 0)


def test_block_numbers__cut_each_trajectory_into_equal_spans():
    trajectory = np.array(["b"] * 25 + ["a"] * 7)
    frame = np.concatenate([np.arange(100, 125), np.arange(7)])
    out = kernels.block_numbers(trajectory, frame, 8)
    # 25 frames: three times 8, the last one takes what is left; 7 frames: one short block
    np.testing.assert_array_equal(out, [1] * 8 + [2] * 8 + [3] * 9 + [0] * 7)
    np.testing.assert_array_equal(
        kernels.block_numbers(trajectory, frame, None), [1] * 25 + [0] * 7
    )
    np.testing.assert_array_equal(kernels.block_numbers(None, np.arange(6), 100), 0)
    np.testing.assert_array_equal(kernels.block_numbers(None, np.arange(6), 1), np.arange(6))
    assert kernels.block_numbers(None, np.arange(0), 3).size == 0


@given(data=st.data())
def test_block_numbers__keep_time_order_and_are_as_long_as_asked(data):
    n, length = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 20))
    rng = np.random.default_rng(n)
    frame = rng.choice(3 * n, n, replace=False) + data.draw(st.sampled_from([0, 10**15]))
    trajectory = rng.integers(0, data.draw(st.integers(1, 3)), n)
    out = kernels.block_numbers(trajectory, frame, length)
    assert sorted(set(out)) == list(range(kernels.count_blocks(out)))
    for one in set(trajectory):
        mine = trajectory == one
        order = np.argsort(frame[mine])
        assert (np.diff(out[mine][order]) >= 0).all()
        span = np.ptp(frame[mine]) + 1
        assert len(set(out[mine])) <= max(1, span // length)
        # a block that is not the last one spans its share of the time, and no more
        share = span // max(1, span // length)
        assert all(np.ptp(frame[mine & (out == b)]) < 2 * share for b in set(out[mine]))
    others = [set(out[trajectory == one]) for one in set(trajectory)]
    assert sum(map(len, others)) == len(set().union(*others))


def test_half_sums__count_lists_that_are_too_short():
    # samples on a line, three blocks: 0 1 | 2 3 | 4 5, the first half holds one of them
    x = np.arange(6.0)[:, np.newaxis] ** 1.5
    distance, index, location, kept = search(x, 5)
    member = kernels.members(np.arange(6) // 2, location)
    one = np.ones(1)
    sums = kernels.half_sums(
        distance, index, kept, member, member, one, np.array([1]), np.array([2]), False
    )
    for first, (n, short, *_) in zip(deals(3), sums[:, 0, 0], strict=True):
        assert len(first) == 1
        assert (n, short) == (0, 2)  # one other sample in a block of two
    np.testing.assert_array_equal(sums[:, 1, 0, :2], [[4, 0]] * kernels.HALVINGS)
    assert kernels.short_share(sums)[0] == pytest.approx(1 / 3)
    assert np.isnan(kernels.halves_error(sums[..., :4], one, 1)[0])


def test_half_sums__stop_at_free_slots_and_skip_copies():
    distance = np.array([[1.0, 2.0, np.inf], [1.0, 2.0, 4.0], [1.0, 2.0, 4.0]])
    index = np.array([[1, 2, -1], [0, 2, 1], [7, 7, 7]])
    every = np.full((3, 2), ~np.uint64(0))
    kept = np.array([True, True, False])
    ranks = np.array([1, 1]), np.array([2, 3])
    sums = kernels.half_sums(distance, index, kept, every, every, np.ones(2), *ranks, True)
    np.testing.assert_array_equal(sums[..., 0, :2], np.broadcast_to([2, 0], (64, 2, 2)))
    np.testing.assert_array_equal(sums[..., 1, :2], np.broadcast_to([1, 1], (64, 2, 2)))
    ratios = np.log(2), (np.log(4) + np.log(2)) / 2
    np.testing.assert_allclose(sums[0, 0, :, 2], [2 * (1 - ratios[0]), 1 - ratios[1]])
    np.testing.assert_allclose(sums[0, 0, :, 3], [2, 1])


def test_half_sums__leave_out_samples_without_a_ratio():
    distance, index = np.array([[0.0, 2.0], [0.0, 1.0]]), np.array([[1, 1], [0, 0]])
    every, one = np.full((2, 2), ~np.uint64(0)), np.ones(1)
    sums = kernels.half_sums(
        distance, index, np.ones(2, bool), every, every, one, np.array([1]), np.array([2]), False
    )
    np.testing.assert_array_equal(sums, 0)
    assert np.isnan(kernels.short_share(sums)[0])
    assert np.isnan(kernels.halves_error(sums[..., :4], one, 1)[0])


@pytest.mark.parametrize("case", ["one block", "all ties", "no dimension"])
def test_halves_error__is_missing_where_it_is_not_known(case, frames):
    distance, index, location, kept = search(frames[0], 80)
    block = np.zeros(90, int) if case == "one block" else frames[1]
    distance = np.ones_like(distance) if case == "all ties" else distance
    d = [np.nan] if case == "no dimension" else None
    out, _ = error((distance, index, location, kept), block, [1], [2], d)
    assert np.isnan(out[0])


def test_halves_error__is_missing_above_a_tenth_of_short_lists():
    sums = np.zeros((kernels.HALVINGS, 2, 2, 4))
    sums[:, 0], sums[:, 1] = [100, 0, 50, 100], [100, 0, 40, 100]
    sums[..., 0, 1], sums[..., 1, 1] = 11, 12
    out = kernels.halves_error(sums, np.ones(2), 0)
    np.testing.assert_allclose(kernels.short_share(sums), [11 / 111, 12 / 112])
    # 100 / 50 and 100 / 60, in halves of the same size
    assert out[0] == pytest.approx((100 / 50 - 100 / 60) / 2)
    assert np.isnan(out[1])


def record(seed, n=3000, correlation=0.99):
    """Levina-Bickel of frames of autoregressive processes, its error alone and in blocks."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((n + 1000, 3)) * np.sqrt(1 - correlation**2)
    x = lfilter([1], [1, -correlation], noise, axis=0)[1000:]
    distance, index = (np.ascontiguousarray(a[:, 1:]) for a in cKDTree(x).query(x, k=31))
    kept = np.ones(n, bool)
    inverse = kernels.mean_log_ratios(distance, kept, 10)
    d = 1 / inverse.mean()
    alone = kernels.rate_error(d, inverse, index[:, :10].astype("i4"))
    block = kernels.block_numbers(None, np.arange(n), n // 20)
    lists = distance, index, None, kept
    return d, alone, error(lists, block, [1], [10], averaged=True, correction=0)[0][0]


def test_error__of_correlated_frames_covers_in_blocks_alone():
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        pytest.skip("minutes of interpreted loops; the other tests walk the same lines")
    d, alone, blocks = np.array([record(seed) for seed in range(200)]).T
    # the estimates have a bias, since the density is not constant: no error covers that
    off = abs(d - d.mean())
    low, high = binom.interval(0.999, d.size, 0.68) / np.float64(d.size)
    assert low <= np.mean(off <= blocks) <= high
    assert 0.8 <= blocks.mean() / d.std(ddof=1) <= 1.25
    # the error of independent samples is too small: why there are blocks
    assert np.mean(off <= alone) < low
    assert alone.mean() / d.std(ddof=1) < 0.8
