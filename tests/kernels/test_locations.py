"""Coincident rows: equal places have equal bits, hashes follow the bits."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from daskid.kernels.locations import canonical, hash_rows, most_within

NONE = np.zeros(0)


def splitmix(row):
    """The hash in Python's integers."""
    most = 2**64 - 1
    state = 0x9E3779B97F4A7C15
    for word in np.asarray(row, "f8").view("u8").tolist():
        state = ((state ^ word) + 0x9E3779B97F4A7C15) & most
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & most
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & most
        state ^= state >> 31
    return state


@given(arrays("f8", st.tuples(st.integers(1, 5), st.integers(1, 6)), elements=st.floats(width=64)))
def test_hash__equals_that_of_python_integers(rows):
    assert hash_rows(rows).tolist() == [splitmix(row) for row in rows]


def test_hash__tells_rows_apart():
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 4, (20_000, 6)).astype("f8")
    distinct = np.unique(rows, axis=0)
    assert np.unique(hash_rows(distinct)).size == len(distinct) > 4000
    # not a sum over features
    assert hash_rows(np.array([[0.0, 1.0]])) != hash_rows(np.array([[1.0, 0.0]]))


def test_canonical__has_one_zero():
    out = canonical(np.array([[-0.0, 1.0], [0.0, -1.0]], "f4"), NONE, NONE, NONE)
    assert out.dtype == np.float64
    assert not np.signbit(out[:, 0]).any()
    np.testing.assert_array_equal(out[:, 1], [1, -1])


def test_canonical__wraps_the_upper_end_of_a_period():
    rows = np.array([[-np.pi, 7.0], [np.pi, 14.0], [3.14, 0.0]])
    out = canonical(rows, np.array([-np.pi, 0.0]), np.array([2 * np.pi, 0.0]), NONE)
    np.testing.assert_array_equal(out[:, 0], [-np.pi, -np.pi, 3.14])
    np.testing.assert_array_equal(out[:, 1], rows[:, 1])
    lowest = canonical(np.array([[-0.0], [1.0]]), np.array([-0.0]), np.array([1.0]), NONE)
    assert not np.signbit(lowest).any()


def test_canonical__forgets_features_without_weight():
    out = canonical(np.array([[1.0, 2.0], [1.0, 3.0]]), NONE, NONE, np.array([2.0, 0.0]))
    np.testing.assert_array_equal(out[0], out[1])
    assert out[0, 0] == 1


@given(st.data())
def test_most_within__equals_counting_pairs(data):
    n = data.draw(st.integers(1, 25))
    frame = data.draw(arrays("i8", n, elements=st.integers(-20, 20)))
    trajectory = data.draw(arrays("i8", n, elements=st.integers(0, 2)))
    window = data.draw(st.sampled_from([1, 2, 5, 40, 2**62]))
    counts = [
        sum(
            j != i and trajectory[i] == trajectory[j] and abs(frame[i] - frame[j]) <= window
            for j in range(n)
        )
        for i in range(n)
    ]
    assert most_within(frame, trajectory, window) == max(counts)
