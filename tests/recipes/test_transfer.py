"""cut_advice and last_layer: planted depths and correlations are found, with honest errors."""

import numpy as np
import pytest
import xarray as xr

import daskid
from daskid.kernels.layers import falls, pearson
from daskid.recipes import transfer
from daskid.recipes.transfer import cut_advice, last_layer

N, DEPTHS = 300, np.linspace(0, 1, 5)


def network(mixed, seed):
    """Layers of common coordinates, of which a share is replaced by the network's own."""
    common = np.random.default_rng(0).standard_normal((N, 3))
    own = np.random.default_rng(seed).standard_normal((N, 3))
    layers = {}
    for i, (depth, share) in enumerate(zip(DEPTHS, mixed, strict=True)):
        x = np.sqrt(1 - share) * common + np.sqrt(share) * own
        ds = xr.Dataset({"rows": (("sample", "feature"), x)}, attrs={"depth": depth})
        layers[f"/layer_{i}"] = daskid.knn(ds, k=11)
    return xr.DataTree.from_dict(layers)


def test_cut_advice__finds_where_networks_part():
    mixed = [0.0, 0.01, 0.02, 1.0, 1.0]
    out = cut_advice(network(mixed, 1), network(mixed, 2), k=10)
    assert float(out.cut_overlap[0]) == 1
    assert (np.abs(out.cut_overlap[3:] - 10 / (N - 1)) < 5 * out.cut_overlap_error[3:]).all()
    assert 0.25 < float(out.cut_depth) < 0.75
    between, error = 0.25 / np.sqrt(12), float(out.cut_depth_error)
    assert between < error < 2 * between
    turned = [
        xr.DataTree.from_dict({f"/{n}": tree[n].to_dataset() for n in reversed([*tree.children])})
        for tree in (network(mixed, 1), network(mixed, 2))
    ]
    assert float(cut_advice(*turned, k=10).cut_depth) == pytest.approx(
        float(out.cut_depth), abs=0.1
    )
    later = [0.0, 0.0, 0.0, 0.0, 1.0]
    other = cut_advice(network(later, 1), network(later, 2), k=10)
    assert float(other.cut_depth) == pytest.approx(0.875, abs=0.02)


def test_cut_advice__says_nothing_where_networks_do_not_part():
    same = network([0.0] * 5, 1)
    assert np.isnan(float(cut_advice(same, same, k=10).cut_depth))
    apart = [1.0] * 5  # nothing in common from the first layer on
    assert np.isnan(float(cut_advice(network(apart, 1), network(apart, 2), k=10).cut_depth))


@pytest.mark.parametrize("value", [[1.0, 0.9995, 1.0], [1 - 2e-16, 1.0, 1.0], [0.1, 0.2, 0.9]])
def test_parting__is_unknown_where_overlaps_differ_by_ties_or_only_rise(value):
    depth, none = np.array([0.0, 0.5, 1.0]), np.zeros(3)
    assert np.isnan(transfer._parting(depth, np.array(value), none)).all()


def test_falls__is_linear_between_layers_and_starts_at_the_top():
    depth = np.array([0.0, 0.5, 1.0])
    assert falls(depth, np.array([1.0, 1.0, 0.0])) == pytest.approx(0.75)
    assert falls(depth, np.array([0.0, 1.0, 0.0])) == pytest.approx(0.75)
    assert np.isnan(falls(depth, np.array([0.0, 0.5, 1.0])))


def test_cut_advice__refuses():
    tree = network([0.0] * 5, 1)
    renamed = xr.DataTree.from_dict({"/a": tree["layer_0"].to_dataset()})
    with pytest.raises(ValueError, match="two layers or more with names of tree_a"):
        cut_advice(tree, renamed)
    short = xr.DataTree.from_dict({
        f"/{n}": node.to_dataset().isel(sample=slice(99)) for n, node in tree.children.items()
    })  # fmt: skip
    with pytest.raises(ValueError, match="expected 300 samples in 'b/layer_0'"):
        cut_advice(tree, short, k=5)


def table(value):
    return xr.Dataset({
        "profile_id": ("layer", [9.0, value]), "profile_id_error": ("layer", [0.1, 0.1])
    })  # fmt: skip


def test_pearson__its_interval_covers():
    rng, truth, covered = np.random.default_rng(0), 0.8, 0
    for _ in range(400):
        x = rng.standard_normal(12)
        y = truth * x + np.sqrt(1 - truth**2) * rng.standard_normal(12)
        r, low, high = pearson(x, y)
        assert r == pytest.approx(np.corrcoef(x, y)[0, 1])
        covered += low < truth < high
    assert 366 <= covered <= 393  # 95 % of 400, two-sided, at 0.2 %


def test_last_layer__correlates_the_last_dimension():
    value = {"d": 3.0, "a": 7.0, "c": 4.0, "b": 9.0, "e": 2.0}
    wrong = {"a": 0.3, "b": 0.35, "c": 0.15, "d": 0.2, "e": 0.1}
    out = last_layer({n: table(x) for n, x in value.items()}, wrong)
    assert out.network.values.tolist() == list("abcde")
    np.testing.assert_array_equal(out.last_id, [7, 9, 4, 3, 2])
    np.testing.assert_array_equal(out.last_id_error, 0.1)
    truth = pearson(out.last_id.values, np.array([wrong[n] for n in "abcde"]))
    assert (float(out.last_r), float(out.last_r_low), float(out.last_r_high)) == truth
    assert truth[0] > 0.9


def test_last_layer__refuses():
    profiles = {n: table(i) for i, n in enumerate("abcd")}
    with pytest.raises(ValueError, match="name them alike"):
        last_layer(profiles, dict.fromkeys("abce", 0.1))
    with pytest.raises(ValueError, match="nothing to correlate"):
        last_layer(profiles, dict.fromkeys("abcd", 0.1))
