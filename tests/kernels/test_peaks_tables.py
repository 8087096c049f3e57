"""Merging and persistence on small tables, against loops over all pairs."""

import naive_peaks
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from daskid.kernels import peaks as kernels

Z = st.sampled_from([0.0, 0.7, 1.65, 4.0, 100.0])


@st.composite
def tables(draw):
    """Raw peaks and saddles at small integers; samples 0, 3, 6, ... are centers."""
    p = draw(st.integers(1, 9))
    pairs = [(a, b) for a in range(p) for b in range(a + 1, p)]
    pair = sorted(draw(st.sets(st.sampled_from(pairs)))) if pairs else []
    s = len(pair)
    order = draw(st.permutations(range(s)))
    saddle = np.array([3 * p + o for o in order], dtype=np.int64)
    density = draw(arrays("f8", 4 * p + s, elements=st.integers(0, 6)))
    error = draw(arrays("f8", 4 * p + s, elements=st.sampled_from([0.0, 0.5, 1.0])))
    sample = 3 * np.arange(p)
    return density, error, kernels.Raw(
        sample, density[sample], error[sample], np.array(pair, dtype=np.int64).reshape(-1, 2),
        saddle, density[saddle], error[saddle],
    )  # fmt: skip


def naive_merge(density, error, raw, z):
    border = {
        tuple(raw.sample[list(pair)].tolist()): int(s)
        for pair, s in zip(raw.pair.tolist(), raw.saddle_sample, strict=True)
    }
    return naive_peaks.merge(raw.sample.tolist(), border, density, error, z)


@given(table=tables(), z=Z)
def test_merge__equals_naive(table, z):
    density, error, raw = table
    end, border = naive_merge(density, error, raw, z)
    final = kernels.finish(raw, z)
    peak = raw.sample[final.center]
    assert dict(zip(raw.sample.tolist(), peak[final.number].tolist(), strict=True)) == end
    assert (np.diff(density[peak]) <= 0).all()
    found = {
        tuple(sorted(peak[pair].tolist())): int(raw.saddle_sample[s])
        for pair, s in zip(final.pair.tolist(), final.saddle, strict=True)
    }
    assert found == border


@pytest.mark.parametrize("z", [0.7, 1.65, 4.0])
def test_merge__equals_naive_where_many_saddles_move(z):
    # 50 centers, 400 saddles at eight levels: lists, heap and table of the kernel fill and empty
    rng = np.random.default_rng(int(10 * z))
    both = np.sort(rng.integers(0, 50, (1000, 2)), axis=1)
    pair = np.unique(both[both[:, 0] < both[:, 1]], axis=0)[:400]
    density = np.r_[rng.integers(2, 9, 50), rng.integers(-2, 6, 400)].astype(float)
    error = rng.choice([0.0, 0.5, 1.0], 450)
    saddle = 50 + rng.permutation(400)
    raw = kernels.Raw(
        np.arange(50), density[:50], error[:50], pair, saddle, density[saddle], error[saddle]
    )
    end, border = naive_merge(density, error, raw, z)
    final = kernels.finish(raw, z)
    assert dict(enumerate(final.center[final.number].tolist())) == end
    found = {tuple(sorted(final.center[p].tolist())) for p in final.pair}
    assert found == set(border)
    assert sorted(raw.saddle_sample[final.saddle].tolist()) == sorted(border.values())


@given(table=tables())
def test_survivors__are_the_peaks_of_each_z(table):
    density, error, raw = table
    z = np.array([0.0, 0.5, 1.65, 6.0])
    expected = [len(set(naive_merge(density, error, raw, float(at))[0].values())) for at in z]
    assert kernels.survivors(raw, z).tolist() == expected


@given(table=tables())
def test_persistence__equals_the_elder_rule(table):
    _, _, raw = table
    by_density = np.lexsort((raw.sample, -raw.log_density))
    number = np.argsort(by_density)
    lines = [
        (*sorted((int(number[a]), int(number[b]))), s, raw.saddle_log_density[s], (a, b))
        for s, (a, b) in enumerate(raw.pair.tolist())
    ]
    # ties of the level go by pair of centers, as they stand in the table
    expected = {}
    top = list(range(raw.sample.size))
    for *_, s, _, (a, b) in sorted(lines, key=lambda line: (-line[3], line[4])):
        ends = sorted({top[number[a]], top[number[b]]})
        if len(ends) == 2:
            expected[ends[1]] = (s, ends[0])
            top = [ends[0] if t == ends[1] else t for t in top]
    saddle, elder = kernels.persistence(raw)
    found = {
        int(number[c]): (int(saddle[c]), int(number[elder[c]]))
        for c in range(raw.sample.size)
        if saddle[c] >= 0
    }
    assert found == expected


@pytest.mark.parametrize(
    ("z", "peaks"), [(0.0, [0, 3, 6]), (1.0, [0, 3, 6]), (1.01, [0, 6]), (3.0, [0, 6]), (9, [6])]
)
def test_merge__by_hand(z, peaks):
    # densities 4, 2, 5; saddles at 1 and 2.5, all errors 0.5: margins 3 and 1, 1.5 and 2.5
    density = np.array([4.0, 0, 0, 2.0, 0, 0, 5.0, 0, 0, 1.0, 1.0])
    pair, saddle = np.array([[0, 1], [0, 2]]), np.array([9, 10])
    half = np.full(3, 0.5)
    raw = kernels.Raw(
        np.array([0, 3, 6]), density[[0, 3, 6]], half, pair, saddle, density[saddle], half[:2]
    )
    assert sorted(raw.sample[kernels.finish(raw, z).center]) == peaks


def test_merge__a_saddle_above_its_peak_has_a_margin_without_errors():
    raw = kernels.Raw(
        np.array([0, 1]), np.array([1.0, 2.0]), np.zeros(2), np.array([[0, 1]]), np.array([2]),
        np.array([1.5]), np.zeros(1),
    )  # fmt: skip
    assert raw.sample[kernels.finish(raw, 0.0).center].tolist() == [1]
    level = raw._replace(saddle_log_density=np.array([1.0]))
    assert kernels.finish(level, 50.0).center.size == 2


def test_merge__a_hub_is_joined_in_little_time():
    # 2,000 peaks round one; a loop over all pairs for each merge would take minutes
    n = 2000
    pair = np.column_stack([np.zeros(n, int), np.arange(1, n + 1)])
    raw = kernels.Raw(
        np.arange(n + 1), np.r_[2.0, np.ones(n)], np.ones(n + 1), pair,
        np.arange(n + 1, 2 * n + 1), np.zeros(n), np.ones(n),
    )  # fmt: skip
    assert kernels.survivors(raw, np.linspace(0, 6, 20))[[0, -1]].tolist() == [n + 1, 1]


def test_compact__finds_the_lines_of_the_centers():
    center = np.array([4, 1, 1, 4, 4])
    border = np.array([(1, 4, 2, 0.0)], dtype=kernels.BORDER)
    density = np.arange(5.0)
    raw = kernels.compact(center, border, density, density / 10)
    assert raw.sample.tolist() == [1, 4]
    assert raw.pair.tolist() == [[0, 1]]
    assert raw.saddle_sample.tolist() == [2]
    assert raw.saddle_log_density.tolist() == [2.0]
    assert raw.saddle_error.tolist() == [0.2]
    assert raw.error.tolist() == [0.1, 0.4]


class TestShifts:
    """Resampled densities."""

    def lists(self, n=4000, k=16):
        rng = np.random.default_rng(0)
        return rng.integers(0, 50_000, (n, k)), np.full(n, k), 50_000

    @pytest.mark.parametrize("which", ["knn", "pak", "smooth"])
    def test_scatter__is_the_error(self, which):
        index, kstar, total = self.lists()
        k = kstar.astype(float)
        error = {
            "knn": 1 / np.sqrt(k),
            "pak": np.sqrt((4 * k + 2) / (k * (k - 1))),
            "smooth": 0.5 / np.sqrt(k),
        }[which]
        weight = kernels.weights(np.arange(total), 0, 0)
        moved = kernels.shifts(index, kstar, error, weight)
        # 4,000 lists that hardly share neighbors: their scatter is known to 3 %
        assert moved.std() == pytest.approx(error[0], rel=0.12)

    def test_shift__by_hand(self):
        weight = np.array([1.0, 2.0, 6.0, 1.0])
        index = np.array([[1, 2, 0], [0, 3, 1]])
        moved = kernels.shifts(index, np.array([2, 2]), np.full(2, np.sqrt(0.5)), weight)
        np.testing.assert_allclose(moved, [np.log(4.0), 0.0], atol=1e-15)
        steep = kernels.shifts(index, np.array([2, 2]), np.full(2, 1.0), weight)
        # excess 2: slope sqrt(3 / (1 - 1/4)) = 2, on (2 - 6) / 2 of a total of 8
        np.testing.assert_allclose(steep, [np.log(4.0) - 0.5, 0.0], atol=1e-12)

    def test_weights__are_exponential_and_those_of_the_unit(self):
        weight = kernels.weights(np.arange(100_000), 1, 2)
        assert weight.min() > 0
        assert weight.mean() == pytest.approx(1, abs=0.02)
        assert weight.std() == pytest.approx(1, abs=0.03)
        assert np.median(weight) == pytest.approx(np.log(2), abs=0.02)
        assert abs(np.corrcoef(weight[1:], weight[:-1])[0, 1]) < 0.02
        blocks = kernels.weights(np.array([7, 7, 3]), 1, 2)
        assert blocks.tolist() == weight[[7, 7, 3]].tolist()
        for other in (kernels.weights(np.arange(9), 1, 3), kernels.weights(np.arange(9), 2, 2)):
            assert not (other == weight[:9]).any()
