"""Rows of bits: counts of what differs are right, ties go to the smaller location."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from daskid.kernels import bits
from daskid.kernels.forms import packed, word_weights

NONE = np.zeros(0)


@pytest.mark.parametrize("d", [1, 63, 64, 65, 300])
@pytest.mark.parametrize("weight", ["none", "two", "all different"])
def test_distances__equal_scipys(d, weight):
    rng = np.random.default_rng(d)
    x = rng.random((2 * bits.TILE + 37, d)) < 0.5
    w = {"none": NONE, "two": rng.integers(1, 3, d).astype("f8"), "all different": rng.random(d)}
    w = w[weight]
    words = packed(x, w)
    out = np.empty(len(x))
    columns, total = np.ascontiguousarray(words.T), w.sum() if w.size else float(d)
    for i in range(0, len(x), 100):
        bits.write_distances(words[i], columns, word_weights(w, d), total, out)
        expected = cdist(x[i : i + 1], x, "hamming", w=w if w.size else None)[0]
        np.testing.assert_allclose(out, expected, rtol=1e-13)
        if not w.size:
            np.testing.assert_array_equal(out, expected)


def test_equal_weights__make_equal_distances():
    # 0.1 has no last digit: sums of it in another order would differ
    x = np.eye(130)
    weight = np.full(130, 0.1)
    words, out = packed(x, weight), np.empty(130)
    columns = np.ascontiguousarray(words.T)
    bits.write_distances(words[0], columns, word_weights(weight, 130), 13.0, out)
    assert np.unique(out).size == 2


def test_update__ties_by_location():
    x = np.random.default_rng(0).random((700, 6)) < 0.5
    words, who = packed(x, NONE), np.stack([np.arange(700)] * 2 + [np.zeros(700, np.int64)])
    distance, location = np.full((700, 90), np.inf), np.full((700, 90), -1)
    for part in (slice(300, 700), slice(0, 300)):
        bits.update_lists(
            distance, location, words, who, np.ascontiguousarray(words[part].T),
            np.ascontiguousarray(who[:, part]), word_weights(NONE, 6), 6.0, 0,
        )  # fmt: skip
    matrix = cdist(x, x, "hamming")
    np.fill_diagonal(matrix, np.inf)
    order = np.argsort(matrix, axis=1, kind="stable")[:, :90]
    np.testing.assert_array_equal(location, order)
    np.testing.assert_array_equal(distance, np.take_along_axis(matrix, order, axis=1))
