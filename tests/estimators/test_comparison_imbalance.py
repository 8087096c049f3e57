"""Information imbalance: that of brute-force ranks, the same bits anywhere, honest errors."""

import naive
import naive_comparison
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import daskid
from daskid.estimators.comparison import (
    imbalance_plane,
    information_imbalance,
    overlap,
    select_features,
)


def rows(x, chunk=None, **coords):
    ds = xr.Dataset({"rows": (("sample", "feature"), x)}).assign_coords(coords)
    return ds.chunk(sample=chunk or len(x))


def layer(x, k=25, *, chunk=None, coords=None, **keywords):
    k = min(k, len(np.unique(x, axis=0)) - 1 if "duplicates" not in keywords else len(x) - 1)
    return daskid.knn(rows(x, chunk, **(coords or {})), k=k, **keywords)


def both(out):
    return [float(out[name]) for name in ("imbalance_ab", "imbalance_ba")]


def matrices(*sets, **keywords):
    """Distances among the samples that are distinct in one set at least."""
    kept = naive_comparison.merged(*(naive.locations(x, **keywords) for x in sets))
    found = [naive.distances(x[kept], **keywords) for x in sets]
    for matrix in found:
        np.fill_diagonal(matrix, np.inf)
    return found


@given(data=st.data())
def test_imbalance__equals_brute_force_for_any_chunks(data):
    n = data.draw(st.integers(8, 30))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    one, other = random.normal(size=(n, 2)), random.normal(size=(n, 3))
    if data.draw(st.booleans()):  # ties and copies are the rule
        one, other = np.round(one), np.round(other)
    other[:, 0] += one[:, 0]
    if data.draw(st.booleans()):  # copies in both
        one, other = (np.concatenate([x, x[:3]]) for x in (one, other))
    least = min(len(np.unique(x, axis=0)) for x in (one, other))
    k = data.draw(st.integers(1, min(4, least - 2)))
    chunks = data.draw(st.tuples(st.integers(1, n), st.integers(1, n)))
    a, b = (layer(x, chunk=c) for x, c in zip((one, other), chunks, strict=True))
    matrix = matrices(one, other)
    expected = [naive_comparison.imbalance(*m, k) for m in (matrix, matrix[::-1])]
    np.testing.assert_allclose(both(information_imbalance(a, b, k=k)), expected, rtol=1e-12)
    shared = naive_comparison.overlap(*matrix, k)
    assert float(overlap(a, b, k=k).overlap) == pytest.approx(shared, rel=1e-12)


@pytest.mark.parametrize(
    "keywords", [{"metric": "cityblock"}, {"metric": "cosine"}, {"period": 1.0}]
)
def test_imbalance__is_of_the_metric_of_the_search(keywords):
    random = np.random.default_rng(0)
    one, other = random.random((40, 2)) + 0.01, random.random((40, 2)) + 0.01
    keywords = dict(keywords)
    period = keywords.pop("period", None)
    coords = {} if period is None else {"period": ("feature", [period] * 2)}
    a, b = (layer(x, coords=coords, **keywords) for x in (one, other))
    named = keywords if period is None else {"period": [period] * 2}
    expected = naive_comparison.imbalance(*matrices(one, other, **named), 2)
    assert both(information_imbalance(a, b, k=2))[0] == pytest.approx(expected, rel=1e-12)


def test_imbalance__leaves_out_the_frames_of_the_search():
    x = np.cumsum(np.random.default_rng(0).normal(size=(60, 2)), axis=0)
    coords = {"row": ("sample", np.arange(60)), "trajectory": ("sample", np.arange(60) // 30)}
    a, b = (layer(z, coords=coords, exclude=3) for z in (x, x[:, :1] + 0.1 * x[:, 1:] ** 2))
    sets = matrices(x, x[:, :1] + 0.1 * x[:, 1:] ** 2)
    near = np.abs(np.arange(60) - np.arange(60)[:, None]) <= 3
    near &= np.arange(60) // 30 == (np.arange(60) // 30)[:, None]
    for matrix in sets:
        matrix[near] = np.inf
    total = 0.0
    for i in range(60):
        ((j, _),) = naive_comparison.probability(sets[0], i, 1).items()
        others = np.isfinite(sets[1][i])
        closer = (sets[1][i] < sets[1][i, j]).sum()
        total += 2 / (others.sum() + 1) * (1 + closer) / 60
    out = information_imbalance(a, b)
    assert float(out.imbalance_ab) == pytest.approx(total)
    assert "blocks of 1 frames" in out.imbalance_ab_error.covers
    with pytest.raises(ValueError, match="b: expected neighbors that leave out as many frames"):
        information_imbalance(a, layer(x, coords=coords))


def test_imbalance__of_later_frames_finds_the_driver():
    random = np.random.default_rng(0)
    x = np.zeros((600, 2))
    for t in range(1, 600):  # the second follows the first
        x[t, 0] = 0.9 * x[t - 1, 0] + random.normal()
        x[t, 1] = 0.5 * x[t - 1, 1] + np.tanh(x[t - 1, 0]) + 0.1 * random.normal()
    first, second, joint = (layer(z) for z in (x[:, :1], x[:, 1:], x))
    gain = {
        name: both(information_imbalance(own, own, lag=1, k=5))[0]
        - both(information_imbalance(joint, own, lag=1, k=5))[0]
        for name, own in (("second", second), ("first", first))
    }
    assert gain["second"] > 0.1
    assert abs(gain["first"]) < 0.05
    out = information_imbalance(first, second, lag=1)
    assert out.attrs["samples"] == 599
    early, late = layer(x[:-1, :1]), layer(x[1:, 1:])
    assert both(information_imbalance(early, late)) == pytest.approx(both(out), rel=0.02)


def test_imbalance__of_a_constant_layer_says_nothing():
    x = np.random.default_rng(0).normal(size=(60, 2))
    dead = layer(np.zeros((60, 3)), duplicates="keep")
    out = information_imbalance(layer(x), dead, k=3)
    np.testing.assert_allclose(both(out), [1.0, 1.0])
    assert float(out.imbalance_ab_error) < 0.01
    shared = overlap(layer(x), dead, k=5)
    np.testing.assert_allclose([float(shared.overlap), float(shared.overlap_chance)], 5 / 59)


def test_imbalance__of_gaussians_orders_as_theory_says():
    # widths (1, 1, eps): the first two say all but the least, each alone the same, the last nothing
    x = np.random.default_rng(0).normal(size=(800, 3)) * [1, 1, 1e-3]
    names = {"all": [0, 1, 2], "01": [0, 1], "0": [0], "1": [1], "2": [2]}
    layers = {name: layer(x[:, features]) for name, features in names.items()}
    plane = imbalance_plane(layers)
    to, error = (plane[n].sel(layer="all") for n in ("imbalance", "imbalance_error"))
    back = plane.imbalance.sel(other_layer="all")
    assert float(to.sel(other_layer="01")) < 0.01
    assert float(back.sel(layer="01")) < 0.01
    for one in "01":
        assert 0.3 < float(back.sel(layer=one)) < 0.7
        assert float(to.sel(other_layer=one)) < 0.1
    assert abs(float(back.sel(layer="2")) - 1) < 4 * float(
        plane.imbalance_error.sel(layer="2", other_layer="all")
    )
    assert abs(float(to.sel(other_layer="2")) - 1) < 4 * float(error.sel(other_layer="2"))
    single = information_imbalance(layers["all"], layers["0"])
    assert both(single) == [float(to.sel(other_layer="0")), float(back.sel(layer="0"))]


def test_imbalance__on_a_cluster_has_the_same_bits(client, tmp_path):
    import dask

    x = np.random.default_rng(0).normal(size=(250, 5)).astype("f4")
    sets = [x, np.round(x[:, :2] * 4)]
    runs = []
    for i, values in enumerate(sets):
        path = str(tmp_path / f"{i}.zarr")
        daskid.save(daskid.open_rows(rows(values, 60)), path)
        runs.append(daskid.knn(daskid.open_run(path), k=25, store=path))
    memory = [layer(z, chunk=77) for z in sets]
    with dask.config.set(scheduler=None):
        of_runs, of_rows = information_imbalance(*runs, k=2), overlap(*memory, k=20)
    xr.testing.assert_identical(of_runs, information_imbalance(*memory, k=2))
    xr.testing.assert_identical(of_rows, overlap(*runs, k=20))


@pytest.mark.parametrize("k", [1, 3])
def test_errors__are_sums_over_what_samples_add_to_each_other(k):
    x = np.random.default_rng(5).normal(size=(70, 3))
    a, b = layer(x), layer(x[:, :2] + 0.1 * x[:, 2:])
    matrix = matrices(x, x[:, :2] + 0.1 * x[:, 2:])
    out = information_imbalance(a, b, k=k).merge(overlap(a, b, k=k + 3))
    found = [float(out[f"{n}_error"]) for n in ("imbalance_ab", "imbalance_ba", "overlap")]
    expected = [naive_comparison.imbalance_error(*m, k) for m in (matrix, matrix[::-1])]
    expected.append(naive_comparison.overlap_error(*matrix, k + 3))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_errors__agree_with_replicas():
    """As tests/benchmarks/imbalance.py does with more of them: 40 leave 11 % of scatter."""
    found = []
    for seed in range(40):
        x = np.random.default_rng(seed).normal(size=(200, 3)) * [1, 1, 0.3]
        a, b = layer(x), layer(x[:, :2])
        out = information_imbalance(a, b).merge(overlap(a, b, k=10))
        names = ("imbalance_ab", "imbalance_ba", "overlap")
        found.append([[float(out[n]), float(out[f"{n}_error"])] for n in names])
    values = np.array(found)
    ratio = values[:, :, 1].mean(axis=0) / values[:, :, 0].std(axis=0, ddof=1)
    assert (ratio > 0.7).all()
    assert (ratio < 1.4).all()


def test_select_features__finds_the_planted_ones_in_order():
    x = np.random.default_rng(0).normal(size=(400, 8))
    x[:, 7] = np.round(x[:, 7])
    target = layer(x[:, [5, 2, 0]] * [3, 2, 1])
    out = select_features(rows(x, 90), target, most=3)
    np.testing.assert_array_equal(out.selected_feature, [5, 2, 0])
    assert (np.diff(out.selected_imbalance) < 0).all()
    assert (out.selected_imbalance_error > 0).all()
    last = information_imbalance(layer(x[:, [5, 2, 0]], k=20), target)
    assert float(out.selected_imbalance[-1]) == float(last.imbalance_ab)
    weighted = rows(x).assign_coords(weight=("feature", [1, 1, 1, 1, 1, 0, 1, 1.0]))
    assert select_features(weighted, target, most=1).selected_feature.item() == 2


def test_bad_input__is_named():
    x = np.random.default_rng(0).normal(size=(50, 3))
    a = layer(x, coords={"row": ("sample", np.arange(50))})
    with pytest.raises(ValueError, match="b: expected the 50 samples of a, got 40: select the"):
        information_imbalance(a, layer(x[:40]))
    swapped = layer(x, coords={"row": ("sample", np.arange(50)[::-1])})
    with pytest.raises(ValueError, match="same order, got row 49 for row 0 as sample 0: sort"):
        overlap(a, swapped, k=5)
    with pytest.raises(ValueError, match="lists of 26 neighbors or more for k=25, got 25: run knn"):
        information_imbalance(a, a, k=25)
    with pytest.raises(daskid.SchemaError, match="no 'neighbor_distance' in the dataset: run knn"):
        overlap(rows(x), a, k=5)
    with pytest.raises(daskid.SchemaError, match="no 'rows' in the dataset"):
        information_imbalance(a, a.drop_vars("rows"))
    with pytest.raises(ValueError, match="k: expected an integer, 1 or more, got 0"):
        information_imbalance(a, a, k=0)
    with pytest.raises(ValueError, match="lag: expected frames that are 50 frames apart, got none"):
        information_imbalance(a, a, lag=50)
    with pytest.raises(ValueError, match="tree: expected two layers with rows or more, got 1"):
        imbalance_plane({"a": a})
    with pytest.raises(ValueError, match="most: expected 3 or less, the features that have a w"):
        select_features(rows(x), a, most=4)
    with pytest.raises(ValueError, match="target: expected the 40 samples of ds, got 50"):
        select_features(rows(x[:40]), a, most=1)
    with pytest.raises(ValueError, match=r"metric: expected one of .* to choose features by, got"):
        select_features(layer(np.abs(x) + 1, metric="cosine"), a, most=1)


def test_comparisons__of_approximate_neighbors_say_so():
    x = np.random.default_rng(0).normal(size=(400, 3)).astype("f4")
    exact = layer(x[:, :2], 6)
    rough = daskid.knn_approximate(rows(x), k=6, recall=0.8)
    said = rough.neighbor_index.attrs["approximate"]
    found = [
        information_imbalance(rough, exact),
        overlap(rough, exact, k=3),
        imbalance_plane({"a": rough, "b": exact}),
    ]
    for out in found:
        assert out.attrs["approximate"] == f"a: {said}"
        assert all(out[name].attrs["approximate"] == f"a: {said}" for name in out.data_vars)
    assert select_features(exact, rough, most=1).attrs["approximate"] == f"target: {said}"
    assert "approximate" not in information_imbalance(exact, exact).attrs
