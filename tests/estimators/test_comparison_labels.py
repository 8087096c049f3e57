"""Neighborhoods, dimensions and peaks against labels: by hand, by an oracle, and hostile labels."""

import naive
import naive_comparison
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import daskid
from daskid.estimators.comparison import (
    adjusted_rand,
    id_by_label,
    label_overlap,
    normalized_mutual_info,
)

X = np.random.default_rng(0).normal(size=(60, 3))
MADE = np.arange(60) // 20


def dataset(x, labels, k=None, chunk=None):
    ds = xr.Dataset(
        {"rows": (("sample", "feature"), x)}, coords={"kind": ("sample", labels)}
    ).chunk(sample=chunk or len(x))
    return ds if k is None else daskid.knn(ds, k=k)


def searched(x=X, labels=MADE, k=25, chunk=None):
    return dataset(x, labels, k, chunk)


@given(data=st.data())
def test_label_overlap__equals_a_count_for_any_chunks(data):
    n = data.draw(st.integers(8, 30))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    labels = np.append(random.integers(0, 3, n - 2), [0, 1])
    x = random.normal(size=(n, 2)) + labels[:, np.newaxis]
    if data.draw(st.booleans()):
        x = np.round(x)
    places = naive.locations(x)
    k = data.draw(st.integers(1, min(4, len(np.unique(places)) - 2)))
    ds = searched(x, labels, len(np.unique(places)) - 1, data.draw(st.integers(1, n)))
    kept = naive_comparison.merged(places, labels)
    matrix, own = naive.distances(x[kept]), labels[kept]
    np.fill_diagonal(matrix, np.inf)
    for weighted in (False, True):
        out = label_overlap(ds, labels="kind", k=k, weighted=weighted)
        expected = naive_comparison.label_overlap(matrix, own, k, weighted)
        assert float(out.label_overlap) == pytest.approx(expected, rel=1e-12)


def test_label_overlap__says_chance_and_ceiling():
    labels = np.repeat([0, 1, 2], [5, 15, 40])
    far = X + 100.0 * labels[:, np.newaxis]
    out = label_overlap(searched(far, labels, 30), labels="kind", k=10)
    sizes = np.array([5, 15, 40])
    assert float(out.label_overlap) == float(out.label_overlap_ceiling)
    assert float(out.label_overlap_ceiling) == pytest.approx((5 * 0.4 + 55) / 60)
    assert float(out.label_overlap_chance) == pytest.approx((sizes * (sizes - 1)).sum() / 3540)
    out = label_overlap(searched(far, labels, 30), labels="kind", k=10, weighted=True)
    assert float(out.label_overlap_ceiling) == pytest.approx((0.4 + 2) / 3)
    assert float(out.label_overlap_chance) == pytest.approx(((sizes - 1) / 59).mean())


@pytest.mark.parametrize("weighted", [False, True])
def test_label_overlap__error_is_a_sum_over_what_samples_add_to_each_other(weighted):
    labels = np.random.default_rng(1).integers(0, 3, 60) // 2
    matrix = naive.distances(X)
    np.fill_diagonal(matrix, np.inf)
    out = label_overlap(searched(labels=labels), labels="kind", k=4, weighted=weighted)
    expected = naive_comparison.label_error(matrix, labels, 4, weighted)
    assert float(out.label_overlap_error) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_label_overlap__error_agrees_with_replicas(weighted):
    found = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        labels = (random.random(150) < 0.3).astype(int)
        x = random.normal(size=(150, 2)) + 1.5 * labels[:, np.newaxis]
        out = label_overlap(searched(x, labels, 25), labels="kind", k=10, weighted=weighted)
        found.append([float(out.label_overlap), float(out.label_overlap_error)])
    values, errors = np.array(found).T
    assert 0.7 < errors.mean() / values.std(ddof=1) < 1.4


def test_label_overlap__of_digits_is_the_known_one():
    from sklearn.datasets import load_digits

    digits = load_digits()
    out = label_overlap(searched(digits.data, digits.target, 31), labels="kind")
    # data.md: 0.9126, ties of integers by index; expectations differ in the fourth digit
    assert float(out.label_overlap) == pytest.approx(0.9126, abs=2e-3)


def test_label_overlap__by_chance_where_rows_are_all_the_same():
    ds = daskid.knn(dataset(np.zeros((60, 2)), MADE), k=25, duplicates="keep")
    out = label_overlap(ds, labels="kind", k=7)
    assert float(out.label_overlap) == pytest.approx(float(out.label_overlap_chance))
    with pytest.raises(daskid.SchemaError, match="no 'rows'"):
        label_overlap(ds.drop_vars("rows"), labels="kind", k=7)


def test_id_by_label__equals_twonn_of_each_class():
    ds = dataset(X, np.array(["b", "a", "b"])[MADE], chunk=17)
    out = id_by_label(ds, labels="kind")
    np.testing.assert_array_equal(out["class"], ["a", "b"])
    for name, number in (("a", 20), ("b", 40)):
        own = xr.Dataset({"rows": (("sample", "feature"), X[ds.kind.values == name])})
        alone = daskid.twonn(daskid.knn(own, k=2)).compute()
        found = out.sel({"class": name})
        assert float(found.id_label) == float(alone.id_twonn)
        assert float(found.id_label_error) == float(alone.id_twonn_error)
        assert int(found.id_label_samples) == number


def test_id_by_label__leaves_a_small_class_without_a_dimension():
    labels = np.repeat([0, 1, 2], [2, 4, 54])
    x = X.copy()
    x[2:5] = x[2]  # the second class: two locations
    out = id_by_label(dataset(x, labels), labels="kind")
    np.testing.assert_array_equal(np.isnan(out.id_label), [True, True, False])
    np.testing.assert_array_equal(out.id_label_samples, [0, 0, 54])
    with pytest.raises(ValueError, match=r"rename it, ds\.rename"):
        id_by_label(dataset(x, labels).rename(kind="class"), labels="class")
    with pytest.raises(ValueError, match="metric: expected one of"):
        id_by_label(dataset(x, labels), labels="kind", metric="other")


def test_partitions__equal_scikit_learn():
    from sklearn import metrics

    random = np.random.default_rng(0)
    one = random.integers(0, 4, 200)
    other = np.where(random.random(200) < 0.6, one, random.integers(0, 5, 200))
    halo = random.random(200) < 0.2
    ds = xr.Dataset({
        "peak_label": ("sample", one), "peak_halo": ("sample", halo), "kind": ("sample", other),
    })  # fmt: skip
    for step, name, oracle in (
        (adjusted_rand, "adjusted_rand", metrics.adjusted_rand_score),
        (normalized_mutual_info, "normalized_mutual_info", metrics.normalized_mutual_info_score),
    ):
        out = step(ds, labels="kind")
        assert float(out[name]) == pytest.approx(oracle(one, other), rel=1e-12)
        kernel = step(ds, labels="kind", halo=False)
        assert float(kernel[name]) == pytest.approx(oracle(one[~halo], other[~halo]), rel=1e-12)
        assert (
            out[f"{name}_error"].attrs["covers"].startswith("Jackknife: the scatter over samples")
        )
        again = [
            oracle(one[drawn], other[drawn])
            for drawn in (np.random.default_rng(i).integers(0, 200, 200) for i in range(200))
        ]
        assert float(out[f"{name}_error"]) == pytest.approx(np.std(again), rel=0.25)
    framed = ds.assign_coords(time=("sample", np.arange(200.0)))
    assert "blocks of 3 frames" in adjusted_rand(framed, labels="kind").adjusted_rand_error.covers
    with pytest.raises(ValueError, match="halo: expected samples outside halos, got none"):
        adjusted_rand(ds.assign(peak_halo=("sample", halo | True)), labels="kind", halo=False)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros(60, int), "labels: expected 2 classes or more in 'kind', got 1"),
        (np.where(MADE == 1, np.nan, MADE), "got none in 'kind' for 20 \\(first: 20\\): leave"),
        (np.where(MADE == 1, "", "a"), "got none in 'kind' for 20"),
        (np.linspace(0, 1, 60), "expected integers, text or booleans in 'kind', got fractions"),
        (np.arange(60).astype("M8[s]"), "expected integers, text or booleans in 'kind', got datet"),
    ],
)
def test_labels__that_are_none_are_refused(labels, words):
    for step in (label_overlap, adjusted_rand):
        ds = searched(labels=labels).assign(peak_label=("sample", MADE))
        with pytest.raises(ValueError, match=words):
            step(ds, labels="kind")


def test_labels__must_be_there_and_along_sample():
    ds = searched().assign(wrong=("neighbor", np.arange(25)), peak_label=("sample", MADE))
    with pytest.raises(daskid.SchemaError, match=r"labels: no 'other' in the dataset, there"):
        label_overlap(ds, labels="other")
    with pytest.raises(ValueError, match=r"labels: expected 'wrong' along \('sample',\), one a s"):
        adjusted_rand(ds, labels="wrong")
    with pytest.raises(ValueError, match="lists of 31 neighbors or more for k=30, got 25"):
        label_overlap(ds, labels="kind")
    with pytest.raises(daskid.SchemaError, match="no 'peak_label' in the dataset: run peaks first"):
        normalized_mutual_info(ds.drop_vars("peak_label"), labels="kind")
    alike = [searched(labels=kind) for kind in (MADE.astype(float), MADE.astype(str), MADE > 0)]
    values = [float(label_overlap(ds, labels="kind", k=5).label_overlap) for ds in alike]
    assert values[0] == values[1]
    assert values[2] >= values[0]
