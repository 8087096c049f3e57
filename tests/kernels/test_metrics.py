"""Distances: right to the last bits, the same bits for equal values, the shorter way round."""

import typing
from fractions import Fraction
from math import fsum, inf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import daskid
from daskid.kernels._simd import LANES
from daskid.kernels.metrics import (
    ABSOLUTE,
    HALF_SQUARE,
    LARGEST,
    METRICS,
    SQUARE,
    distance_of,
    largest_reduced,
    reduced_distance,
)

NONE = np.zeros(0)


def distance(x, y, combine=SQUARE, period=NONE, weight=NONE):
    return distance_of(x, y, combine, period, weight, np.empty(LANES))


def lane_tree(terms, combine=SQUARE):
    """The order of additions that the module promises, term by term."""
    lanes = [0.0] * 32
    for f, term in enumerate(terms):
        lanes[f % 32] = max(lanes[f % 32], term) if combine == LARGEST else lanes[f % 32] + term
    while len(lanes) > 1:
        half = len(lanes) // 2
        pairs = zip(lanes[:half], lanes[half:], strict=True)
        lanes = [max(a, b) if combine == LARGEST else a + b for a, b in pairs]
    return lanes[0]


pairs_of_rows = st.integers(1, 100).flatmap(
    lambda d: arrays("f8", (2, d), elements=st.floats(-1e3, 1e3, allow_subnormal=False))
)


@given(pairs_of_rows)
def test_euclidean__adds_in_lanes_then_in_a_tree(rows):
    x, y = rows
    expected = lane_tree([float(a - b) * float(a - b) for a, b in zip(x, y, strict=True)])
    assert reduced_distance(x, y, SQUARE, NONE, NONE, np.empty(LANES)) == expected
    assert distance(x, y) == sqrt(expected)


@given(pairs_of_rows, st.sampled_from([SQUARE, HALF_SQUARE, ABSOLUTE, LARGEST]), st.data())
def test_weights_and_periods__add_in_the_same_order(rows, combine, data):
    x, y = rows
    weight = data.draw(arrays("f8", x.size, elements=st.floats(0, 10, allow_subnormal=False)))
    period = data.draw(arrays("f8", x.size, elements=st.sampled_from([0.0, 2000.0, 2500.0])))
    terms = []
    for a, b, p, w in zip(x, y, period, weight, strict=True):
        shorter = min(abs(a - b), p - abs(a - b) if p else inf)
        terms.append(float((shorter * shorter if combine <= HALF_SQUARE else shorter) * w))
    expected = lane_tree(terms, combine)
    of = {SQUARE: sqrt, HALF_SQUARE: lambda square: square / 2}
    assert distance(x, y, combine, period, weight) == of.get(combine, float)(expected)


@given(pairs_of_rows, st.sampled_from([SQUARE, HALF_SQUARE, ABSOLUTE, LARGEST]))
def test_distance__is_right_and_symmetric(rows, combine):
    x, y = rows
    exact = [abs(Fraction(float(a)) - Fraction(float(b))) for a, b in zip(x, y, strict=True)]
    expected = {
        SQUARE: sqrt(fsum(float(e * e) for e in exact)),
        HALF_SQUARE: fsum(float(e * e) for e in exact) / 2,
        ABSOLUTE: fsum(map(float, exact)),
        LARGEST: float(max(exact)),
    }[combine]
    assert distance(x, y, combine) == pytest.approx(expected, rel=1e-14, abs=1e-300)
    assert distance(x, y, combine) == distance(y, x, combine)
    assert distance(x, x, combine) == 0


@given(pairs_of_rows)
def test_float32__has_the_bits_of_its_values_in_float64(rows):
    x, y = rows.astype("f4")
    assert distance(x, y) == distance(x.astype("f8"), y.astype("f8"))
    assert distance(x, y) == distance(x, y, period=np.zeros(x.size), weight=np.ones(x.size))


def test_far_from_the_origin__loses_nothing():
    x = np.array([1e8, 1e8, -1e8])
    assert distance(x, x + np.array([0.5, 0.0, 0.25])) == sqrt(0.3125)


def test_period__goes_the_shorter_way():
    x, y, period = np.array([-170.0, 0.0]), np.array([170.0, 3.0]), np.array([360.0, 0.0])
    assert distance(x, y, SQUARE, period) == sqrt(20**2 + 3**2)
    assert distance(x, y, ABSOLUTE, period) == 23
    assert distance(x, y, LARGEST, period) == 20
    ends = np.array([-180.0]), np.array([180.0])
    assert distance(*ends, SQUARE, period[:1]) == 0


@given(st.floats(0, 1e150), st.integers(0, 8))
def test_largest_reduced__bounds_all_squares_of_one_root(square, steps):
    above = square
    for _ in range(steps):
        above = np.nextafter(above, inf)
    if np.sqrt(above) == np.sqrt(square):
        assert above <= largest_reduced(np.sqrt(square), SQUARE)
    assert largest_reduced(square, LARGEST) == square
    assert largest_reduced(square, HALF_SQUARE) / 2 == square
    assert largest_reduced(np.array(inf), SQUARE) == inf


def test_table__has_the_metrics_that_knn_names():
    named = typing.get_type_hints(daskid.knn)["metric"]
    assert set(METRICS) == set(typing.get_args(named))
