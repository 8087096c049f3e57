"""Rows in the form that is compared: directions right and alike for multiples, bits in words."""

from fractions import Fraction
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from daskid.kernels.forms import directions, packed, word_weights

NONE = np.zeros(0)
ROWS = arrays("f8", st.tuples(st.integers(1, 4), st.integers(1, 40)), elements=st.floats(-9, 9))


@given(ROWS)
def test_directions__have_length_one_and_the_signs_of_the_rows(x):
    x = x[np.abs(x).max(axis=1) > 1e-3]
    out = directions(x, NONE)
    np.testing.assert_allclose(np.sqrt((out**2).sum(axis=1)), 1, rtol=1e-15)
    expected = x / np.sqrt((x**2).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(out, expected, rtol=1e-14, atol=1e-300)
    assert not np.signbit(out[out == 0]).any()


@given(arrays("i8", st.integers(1, 40), elements=st.integers(-99, 99)), st.integers(1, 999))
def test_directions__of_exact_multiples_have_the_same_bits(x, factor):
    if not x.any():
        return
    weight = np.linspace(0.1, 3, x.size)
    for w in (NONE, weight):
        both = directions(np.stack([x, factor * x]).astype("f8"), w)
        np.testing.assert_array_equal(both[0], both[1])
        opposite = directions(-x[np.newaxis].astype("f8"), w)
        np.testing.assert_array_equal(opposite[0], -both[0] + 0.0)


def test_directions__of_any_dtype_and_size():
    x = np.array([[3.0, 4.0]])
    for rows in (x.astype("f4"), x.astype("i2"), x * 1e300, x * 1e-310):
        np.testing.assert_allclose(directions(rows, NONE), [[0.6, 0.8]], rtol=1e-13)
    assert np.isnan(directions(np.zeros((1, 2)), NONE)).all()


def test_directions__weights_are_those_of_the_products():
    x, weight = np.array([[1.0, 2.0, 9.0], [3.0, 1.0, -7.0]]), np.array([2.0, 0.5, 0.0])
    u, v = directions(x, weight)
    product = (2 * 3 + 0.5 * 2) / sqrt((2 + 0.5 * 4) * (2 * 9 + 0.5))
    assert 0.5 * ((u - v) ** 2).sum() == pytest.approx(1 - product, rel=1e-14)
    # what does not count makes no difference, however large
    x[:, 2] *= 1e300
    np.testing.assert_array_equal(directions(x, weight), np.stack([u, v]))


def test_directions__near_ones_keep_their_digits():
    x = np.array([[1.0, 0.0], [1.0, 1e-9]])
    u, v = directions(x, NONE)
    sine = Fraction(1e-9) ** 2 / (1 + Fraction(1e-9) ** 2)
    # 1 - cos = sin^2 / (1 + cos)
    assert 0.5 * ((u - v) ** 2).sum() == pytest.approx(float(sine / 2), rel=1e-14)


@given(st.integers(1, 200), st.sampled_from(["?", "i1", "f4", "u8"]))
def test_packed__bit_of_a_word_is_a_feature(d, dtype):
    x = np.random.default_rng(d).integers(0, 2, (3, d)).astype(dtype)
    words = packed(x, NONE)
    assert words.shape == (3, -(-d // 64))
    assert words.dtype == np.uint64
    for row, bits in zip(x, words, strict=True):
        number = sum(int(word) << (64 * w) for w, word in enumerate(bits))
        assert [number >> f & 1 for f in range(words.shape[1] * 64)] == [
            *row.astype(int),
            *[0] * (words.shape[1] * 64 - d),
        ]
    np.testing.assert_array_equal(words, packed(2.0 * x - 1, NONE))


def test_packed__features_of_one_weight_share_words():
    weight = np.array([2.0, 0.5, 0.0, 2.0, 0.5, 2.0])
    x = np.array([[1, 0, 1, 0, 1, 1]])
    np.testing.assert_array_equal(packed(x, weight), [[0b10, 0b101]])
    np.testing.assert_array_equal(word_weights(weight, 6), [0.5, 2.0])
    np.testing.assert_array_equal(word_weights(np.repeat([3.0, 1.0], [65, 64]), 129), [1, 3, 3])
    np.testing.assert_array_equal(word_weights(NONE, 129), [1, 1, 1])
    assert packed(x, np.zeros(6)).shape == (1, 0)
