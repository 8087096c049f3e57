"""Layers with known dimensions and peaks: truths, and the same bits for any chunks."""

import json

import numpy as np
import pytest

import daskid
from daskid.datasets.layers import DIMENSIONS, hunchback, nucleation


def truths(tree):
    return [json.loads(node.attrs["truth"]) for node in tree.children.values()]


@pytest.mark.parametrize("draw", [hunchback, nucleation])
def test_layers__same_bits_for_any_chunks_and_more_samples(draw):
    given = {"features": 40, "seed": 5}
    one, two = draw(300, **given, chunks=300), draw(400, **given, chunks=77)
    for name, node in one.children.items():
        other = two[name].to_dataset().isel(sample=slice(300))
        for key in (node.data_vars, node.coords):
            for n in key:
                if "sample" in node[n].dims:
                    np.testing.assert_array_equal(node[n], other[n])
    assert (draw(300, features=40, seed=6)["layer_1"].rows.values != one["layer_1"].rows).any()


def test_hunchback__dimensions_are_planted_and_angles_common():
    tree = hunchback(200)
    assert [t["intrinsic_dimension"] for t in truths(tree)] == list(DIMENSIONS)
    for d, node in zip(DIMENSIONS, tree.children.values(), strict=True):
        assert node.rows.shape == (200, 2000)
        value = np.linalg.svd(node.rows.values.astype("f8"), compute_uv=False)
        assert (value > 1e-3 * value[0]).sum() == 2 * d
        np.testing.assert_allclose(np.linalg.norm(node.rows, axis=1), np.sqrt(d), rtol=1e-5)
    squares = [np.square(tree[f"layer_{i}"].rows.values).sum() for i in (0, 2)]
    assert squares[0] < squares[1]
    near, far = (tree[f"layer_{i}"].rows.values.astype("f8") for i in (0, 2))
    gram = near @ near.T / 4, far @ far.T / 17  # 4 of the 17 angles are those of the first layer
    assert (
        np.corrcoef(gram[0][np.triu_indices(200, 1)], gram[1][np.triu_indices(200, 1)])[0, 1] > 0.4
    )


def test_nucleation__peaks_are_those_of_the_mixture():
    tree = nucleation(4000)
    assert [t["peaks"] for t in truths(tree)] == [1, 1, 2, 2, 10, 10]
    drops = [t["log_drop"] for t in truths(tree)]
    assert drops[:2] == [0, 0]
    assert min(drops[2:]) > 3
    # two Gaussians of width 1 are one peak up to a distance of 2 widths (Behboodian 1970)
    for apart, peaks in ((1.95, 1), (2.05, 2)):
        assert truths(nucleation(10, distances=[(apart, 0.0)]))[0]["peaks"] == peaks
    last = tree["layer_5"].to_dataset()
    label = last.true_label.values
    assert np.bincount(label).min() > 300
    np.testing.assert_array_equal(last.family, label // 5)
    means = np.stack([last.rows.values[label == c].mean(axis=0) for c in range(10)])
    apart = np.linalg.norm(means[:, None] - means, axis=-1)
    np.testing.assert_allclose(apart[0, 1:5], 9, atol=0.3)
    np.testing.assert_allclose(apart[0, 5], 10, atol=0.3)
    same = [tree[f"layer_{i}"].to_dataset().true_label.values for i in (0, 5)]
    np.testing.assert_array_equal(*same)


def test_layers__refuse():
    with pytest.raises(ValueError, match="features: expected an integer of at least 34"):
        hunchback(10, features=33)
    with pytest.raises(ValueError, match="distances: expected pairs"):
        nucleation(10, distances=[(-1.0, 0.0)])
    with pytest.raises(ValueError, match="features: expected an integer of at least 5"):
        daskid.datasets.layers.nucleation(10, features=4)
