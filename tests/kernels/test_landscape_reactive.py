"""Passages, tubes and their test: naive twins; the level of the test, and what it sees."""

import naive_profiles as naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from daskid.kernels.landscape import reactive as kernels

NO = np.empty(0)


@given(data=st.data())
def test_passages__are_naive_ones_for_any_chunks(data):
    n = data.draw(st.integers(1, 60))
    core = data.draw(arrays("i4", n, elements=st.integers(-1, 2)))
    begins = data.draw(arrays("?", n, elements=st.booleans())) & (np.arange(n) % 3 == 0)
    begins[0] = True
    cuts = sorted(data.draw(st.lists(st.integers(1, n), max_size=3)))
    segment, time = np.cumsum(begins), 0.5 * np.arange(n)
    parts, before = [], kernels.NOWHERE
    for a, b in zip([0, *cuts], [*cuts, n], strict=True):
        some, before = kernels.passages(
            core[a:b], time[a:b], segment[a:b], a, (2, 0), before
        )  # fmt: skip
        parts.append(some)
    found = kernels.joined(parts)
    expected = naive.passages(core, begins, 2, 0)
    assert list(zip(*(x.tolist() for x in found[:3]), strict=True)) == expected
    assert found.duration.tolist() == [0.5 * (b - a) for _, a, b in expected]


def test_frames__are_those_from_first_to_last():
    of = kernels.Passages(np.array([0, 1]), np.array([3, 5]), np.array([5, 6]), np.zeros(2))
    frame, number = kernels.frames(of)
    assert frame.tolist() == [3, 4, 5, 5, 6]
    assert number.tolist() == [0, 0, 0, 1, 1]


def test_groups__are_of_one_size_and_one_direction():
    direction = np.array([0, 1, 0, 1, 0, 1, 0])
    assert kernels.groups(direction, 4).tolist() == [0, 4, 1, 5, 2, 6, 3]
    assert kernels.groups(direction, 2).tolist() == [0, 2, 0, 2, 1, 3, 1]
    assert kernels.groups(np.ones(3, int), 2).tolist() == [0, 0, 1]


def sums_of(x, group, total):
    """Sums of (n, m, d) deviations, a frame of each point."""
    out = kernels.Sums(*(np.zeros((total, *s)) for s in (x.shape[1:2], x.shape[1:], x.shape[1:])))
    for m in range(x.shape[1]):
        kernels.add(out, group, np.full(len(x), m), x[:, m])
    return out


def passages_of(rng, number, frames=4, shift=0.0, width=1.0):
    """Deviations of passages whose frames share most of their noise, and their groups."""
    noise = rng.normal(size=(number, 1, 3, 2)) + 0.3 * rng.normal(size=(number, frames, 3, 2))
    x = (shift + width * noise).reshape(-1, 3, 2)
    return x, np.repeat(np.arange(number), frames)


def test_tube__has_errors_that_are_the_scatter():
    mean, error = [], []
    for seed in range(200):
        x, group = passages_of(np.random.default_rng(seed), 20, shift=0.5)
        found = kernels.tube(sums_of(x, group, 20))
        mean.append(found[0])
        error.append(found[1])
        np.testing.assert_allclose(found[0], x.mean(axis=0))
        np.testing.assert_allclose(found[2], x.std(axis=0))
    mean, error = np.array(mean), np.array(error)
    assert 0.9 < np.sqrt((error**2).mean()) / mean.std(axis=0).mean() < 1.1
    assert 0.91 < (np.abs(mean - 0.5) < 1.96 * error).mean() < 0.97


@pytest.mark.parametrize(
    ("shift", "width", "low", "high"), [(0, 1, 4, 16), (0.7, 1, 180, 200), (0, 1.7, 150, 200)]
)
def test_difference__keeps_its_level_and_sees_means_and_spreads(shift, width, low, high):
    alarms = 0
    for seed in range(200):
        rng = np.random.default_rng([seed, 7])
        x, group = passages_of(rng, 25)
        y, other = passages_of(rng, 25, shift=shift, width=width)
        sums = sums_of(np.concatenate([x, y]), np.concatenate([group, 25 + other]), 50)
        direction = np.repeat([0, 1], 25)
        alarms += kernels.difference(sums, direction, seed, 199) <= 0.05
    assert low <= alarms <= high


def test_difference__needs_groups_at_a_point():
    x, group = passages_of(np.random.default_rng(0), 4)
    assert np.isnan(kernels.difference(sums_of(x, group, 4), np.array([0, 1, 0, 1]), 0, 99))


def test_route__is_the_best_path():
    pair = np.array([[0, 1], [1, 2], [0, 2], [2, 3]])
    level = np.array([-3.0, -1.0, -2.0, -5.0])
    assert kernels.route(pair, level, 5, 0, 1).tolist() == [2, 1]
    assert kernels.route(pair, level, 5, 3, 1).tolist() == [3, 1]
    assert kernels.route(pair, level, 5, 0, 4).tolist() == []


def test_resampled__points_are_equally_far_and_go_around():
    rows = np.array([[2.5, 0.0], [3.0, 0.0], [-3.0, 0.0], [-2.0, 0.0]])
    line = kernels.resampled(rows, np.array([2 * np.pi, 0.0]), NO, 5)
    assert line[0] == pytest.approx([2.5, 0.0])
    assert line[-1] == pytest.approx([2 * np.pi - 2.0, 0.0])
    np.testing.assert_allclose(np.diff(line[:, 0]), (2 * np.pi - 4.5) / 4)
    corner = kernels.resampled(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]), NO, NO, 9)
    steps = np.sqrt((np.diff(corner, axis=0) ** 2).sum(axis=1))
    assert steps == pytest.approx(steps.mean(), rel=0.02)
    np.testing.assert_allclose(corner[[0, -1]], [[0.0, 0.0], [1.0, 1.0]], atol=1e-12)
    # where only the second feature counts, points are equally far along it
    bent = np.array([[0.0, 0.0], [4.0, 0.5], [5.0, 2.0]])
    weighted = kernels.resampled(bent, NO, np.array([0.0, 1.0]), 5)
    np.testing.assert_allclose(weighted[:, 1], np.linspace(0, 2, 5), atol=0.02)
