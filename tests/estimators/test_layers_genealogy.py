"""genealogy: births, splits, merges and deaths that were planted, and where classes nucleate."""

import itertools
from math import comb

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import daskid
from daskid.estimators.layers import dendrogram, genealogy
from daskid.kernels import layers as kernels

N = 400
CLASS = np.repeat(np.arange(4), N // 4)


def tree_of(*labels, classes=CLASS, depths=None):
    depths = np.linspace(0, 1, len(labels)) if depths is None else depths
    return xr.DataTree.from_dict({
        f"/layer_{i}": xr.Dataset(
            {"peak_label": ("sample", np.asarray(x, dtype="i8"))},
            coords={"class": ("sample", classes)}, attrs={"depth": d},
        ).rename({"class": "true_label"})
        for i, (x, d) in enumerate(zip(labels, depths, strict=True))
    })  # fmt: skip


def noisy(labels, share, seed=0):
    """Move a share of the samples to other peaks."""
    rng = np.random.default_rng(seed)
    out = np.array(labels)
    moved = rng.random(len(out)) < share
    out[moved] = rng.integers(out.max() + 1, size=moved.sum())
    return out


EVENTS = ("layer_births", "layer_splits", "layer_merges", "layer_deaths")


@pytest.mark.parametrize("share", [0.0, 0.15])
def test_genealogy__finds_the_planted_splits(share):
    labels = [np.zeros(N), noisy(CLASS // 2, share), noisy(CLASS, share, 1)]
    out = genealogy(tree_of(*labels))
    assert out.layer_peaks.values.tolist() == [1, 2, 4]
    assert [out[e].values.tolist() for e in EVENTS] == [[0] * 3, [0, 1, 2], [0] * 3, [0] * 3]
    linked = out.isel(lineage=out.lineage_linked.values)
    pairs = zip(linked.lineage_layer.values[:, 0], linked.lineage_peak.values, strict=True)
    found = {(int(i), *map(int, p)) for i, p in pairs}
    assert found == {(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 1), (1, 1, 2), (1, 1, 3)}
    table = kernels.shared(labels[1].astype(int), labels[2].astype(int), (2, 4))
    second = out.isel(lineage=out.lineage_layer.values[:, 0] == 1)
    for (a, b), n in zip(second.lineage_peak.values, second.lineage_members.values, strict=True):
        assert table[a, b] == n
    assert out.lineage_members.sum() == 2 * N  # every sample, between every two layers


def test_genealogy__merges_births_and_deaths():
    rng = np.random.default_rng(0)
    spread = rng.integers(4, size=N)
    out = genealogy(tree_of(CLASS, CLASS // 2, spread))
    assert [out[e].values[1:].tolist() for e in EVENTS] == [[0, 4], [0, 0], [2, 0], [0, 2]]


def test_chance__is_hypergeometric():
    table = np.array([[5, 1], [2, 7]])
    p = kernels.chance(table)

    def exact(n, a, b, total):
        ways = range(n, min(a, b) + 1)
        return sum(comb(a, x) * comb(total - a, b - x) for x in ways) / comb(total, b)

    for i, j in itertools.product(range(2), repeat=2):
        a, b = table[i].sum(), table[:, j].sum()
        assert p[i, j] == pytest.approx(min(1, 4 * exact(table[i, j], a, b, 15)))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=40))
def test_tables__equal_counting(pairs):
    a, b = (np.array(x) for x in zip(*pairs, strict=True))
    table = kernels.shared(a, b, (4, 3))
    for i, j in itertools.product(range(4), range(3)):
        assert table[i, j] == sum(pair == (i, j) for pair in pairs)
    held = table[table.sum(axis=1) > 0]
    matches = kernels.match(held)
    for row, match in zip(held, matches, strict=True):
        own = row.sum()
        index = max(row[j] / (own + held[:, j].sum() - row[j]) for j in range(3) if row[j])
        alone = own / held.sum()
        assert match == pytest.approx((index - alone) / max(1 - alone, 1e-12))


def test_match__of_a_class_without_samples_is_none():
    table = np.array([[4.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    np.testing.assert_allclose(kernels.match(table), [1, 0, 1])


def test_nucleation__depth_is_where_the_class_is_half_its_own_peak():
    half = np.where(CLASS == 3, 3, 0)
    out = genealogy(tree_of(np.zeros(N), half, CLASS, depths=[0, 0.5, 1]), labels="true_label")
    match = out.nucleation_match.values
    np.testing.assert_allclose(match[0], 0, atol=1e-12)
    np.testing.assert_allclose(match[1], [1 / 9] * 3 + [1])  # J = 1/3, 1/4 with all in one
    np.testing.assert_allclose(match[2], 1)
    np.testing.assert_allclose(out.nucleation_depth, [0.5 + 0.5 * 7 / 16] * 3 + [0.25])
    # half of a layer's distance, uniform, and little from samples
    np.testing.assert_allclose(out.nucleation_depth_error, 0.5 / np.sqrt(12), rtol=0.1)
    assert out["class"].values.tolist() == [0, 1, 2, 3]
    never = genealogy(tree_of(np.zeros(N), half), labels="true_label")
    assert np.isnan(never.nucleation_depth.values[:3]).all()
    assert np.isnan(never.nucleation_depth_error.values[:3]).all()


def test_genealogy__refuses():
    one = tree_of(CLASS, CLASS)
    with pytest.raises(daskid.SchemaError, match="open_layers"):
        genealogy(one["layer_0"].to_dataset())
    with pytest.raises(daskid.SchemaError, match="two layers or more with peaks, got 0"):
        genealogy(xr.DataTree.from_dict({"/a": xr.Dataset({"x": ("sample", [1.0])})}))
    with pytest.raises(ValueError, match=r"one of \['peak_label', 'true_label'\], got 'none'"):
        genealogy(one, labels="none")
    with pytest.raises(ValueError, match="expected numbers above 0"):
        genealogy(one, share=0)
    nested = xr.DataTree.from_dict(
        {f"/{n}/{i}": one["layer_0"].to_dataset() for n in "ab" for i in "01"}
    )
    with pytest.raises(ValueError, match=r"got those of \['a', 'b'\]"):
        genealogy(nested)
    assert genealogy(nested["a"]).sizes["layer"] == 2
    short = one["layer_0"].to_dataset().isel(sample=slice(9))
    with pytest.raises(ValueError, match="expected 400 samples in 'b'"):
        genealogy(xr.DataTree.from_dict({"/a": one["layer_0"].to_dataset(), "/b": short}))
    missing = tree_of(CLASS, CLASS, classes=np.where(CLASS == 1, np.nan, CLASS))
    with pytest.raises(ValueError, match="got NaN in 'true_label'"):
        genealogy(missing, labels="true_label")


FOUR = [[0, 1], [2, 3], [0, 2]]


@pytest.mark.parametrize(
    ("merge", "family", "share"),
    [
        (FOUR, [0, 0, 1, 1], 1.0),
        (FOUR, [0, 1, 0, 1], 0.0),
        ([[0, 1], [0, 2], [0, 3]], [0, 0, 1, 1], 0.5),
        ([], [0, 0, 1, 1], 1 / 3),
        (FOUR, [0, 1, 2, 3], np.nan),
    ],
)
def test_dendrogram__share_of_triples(merge, family, share):
    ds = xr.Dataset({
        "peak_label": ("sample", np.repeat(np.arange(4), 5)),
        "merge_peak": (("merge", "side"), np.array(merge, dtype="i8").reshape(-1, 2)),
        "coarse": ("sample", np.repeat(family, 5)),
    })  # fmt: skip
    out = dendrogram(ds, labels="coarse")
    np.testing.assert_allclose(out.tree_agreement, share)
    assert int(out.tree_triples) == (0 if np.isnan(share) else 4)
    if share in (0, 1):
        assert float(out.tree_agreement_error) == 0


def test_joined__is_the_first_merge_of_a_pair():
    at = kernels.joined(np.array([[3, 4], [0, 3], [4, 2]]), 5)
    truth = {(3, 4): 0, (0, 3): 1, (0, 4): 1, (2, 4): 2, (0, 2): 2, (2, 3): 2}
    for a, b in itertools.combinations(range(5), 2):
        assert at[a, b] == at[b, a] == truth.get((a, b), 3)
