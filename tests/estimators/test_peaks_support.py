"""significance: what resampled data show of the peaks and their tree."""

import json

import made_gaussians
import numpy as np
import peaks_input
import pytest

from daskid import variables as v
from daskid.estimators.peaks import newick, peaks, significance

SECOND = 104, 122
"""Seeds of single Gaussians with a second peak."""


def found(centers, n=150, z=1.0, chunk=200, seed=0, **others):
    x = peaks_input.blobs(np.random.default_rng(seed), centers, n)
    return peaks(peaks_input.of_rows(x, 40, 25, chunk=chunk, **others), z=z)


def test_support__is_full_for_peaks_far_apart_and_less_for_doubtful_ones():
    clear = significance(found([[0, 0], [9, 0], [0, 9]]), replicates=8)
    assert clear.sizes["peak"] == 3
    assert clear.peak_support.values.tolist() == [1, 1, 1]
    assert (clear.replicate_peaks == 3).all()
    ds = found([[0, 0], [2.2, 0]], n=300, z=0.3)
    assert ds.sizes["peak"] > 2
    doubtful = significance(ds, replicates=20)
    assert doubtful.peak_support.values[0] == 1
    assert doubtful.peak_support.values.min() < 0.8
    assert doubtful.replicate_peaks.values.std() > 0


def test_support__tells_true_peaks_from_false_ones_at_the_calibrated_z():
    # 3.5 widths apart; and single Gaussians that show a second peak, one in twenty
    apart = made_gaussians.gaussians(500, 2, 0, 100, centers=[(0,), (3.5,)])
    true = significance(peaks(apart, z="calibrated"), replicates=10)
    assert true.peak_support.shape == (2,)
    assert true.peak_support.min() >= 0.9
    for seed in SECOND:
        one = made_gaussians.gaussians(1000, 2, seed, 100)
        false = significance(peaks(one, z="calibrated"), replicates=10)
        assert false.sizes["peak"] == 2
        assert false.peak_support[1] < 0.8


def test_support__of_branches_is_that_of_the_pairs_of_far_pairs():
    # two pairs far apart, each pair with a saddle: both branches are clear
    ds = found([[0, 0], [5, 0], [60, 0], [65, 0]])
    assert ds.sizes["peak"] == 4
    assert ds.sizes["merge"] == 2
    out = significance(ds, replicates=8)
    assert (out.merge_support == 1).all()
    assert ")1;" in newick(out)


def test_support__is_the_same_for_any_chunks_and_repeats():
    kinds = [significance(found([[0, 0], [2.5, 0]], n=100, z=0.3, chunk=c), replicates=5)
             for c in (200, 33)]  # fmt: skip
    for name in ("peak_support", "merge_support", "replicate_peaks"):
        assert (kinds[0][name].values == kinds[1][name].values).all()
    other = significance(found([[0, 0], [2.5, 0]], n=100, z=0.3), replicates=5, seed=1)
    assert (other.replicate_peaks.values != kinds[0].replicate_peaks.values).any()


def test_blocks__of_frames_seen_once_shake_more_than_frames_drawn_one_by_one():
    # two states, each of a single visit: whole visits come and go in the blocks
    frames = {"row": ("sample", np.arange(400))}
    ds = found([[0, 0], [3.2, 0]], n=200, z=1.0, **frames)
    alone = significance(ds, replicates=25)
    blocks = significance(ds, replicates=25, block=100)
    assert blocks.replicate_peaks.attrs["step"] == "significance"
    assert json.loads(blocks.peak_support.attrs["parameters"])["block"] == 100
    assert "blocks of 100 frames" in blocks.peak_support.attrs["covers"]
    assert "row" in blocks.peak_support.attrs["inputs"].split()
    assert not (blocks.peak_support.values == alone.peak_support.values).all()
    one = significance(ds, replicates=4, block=400)
    # all frames in one block have one weight: nothing but a constant is added
    assert (one.peak_support == 1).all()
    assert (one.merge_support == 1).all()
    assert (one.replicate_peaks == ds.sizes["peak"]).all()


def test_blocks__by_trajectory():
    names = np.repeat(["a", "b"], 200)
    ds = found([[0, 0], [9, 0]], n=200, trajectory=("sample", names))
    out = significance(ds.set_coords("trajectory"), replicates=3, block="trajectory")
    assert (out.peak_support == 1).all()
    assert "trajectories" in out.peak_support.attrs["covers"]
    with pytest.raises(v.SchemaError, match="no 'trajectory' in the dataset: open it with"):
        significance(ds.drop_vars("trajectory"), block="trajectory")


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"replicates": 0}, "replicates: expected a whole number, 1 or more, got 0: e.g. replic"),
        ({"replicates": 2.5}, "replicates: expected a whole number, 1 or more, got 2.5"),
        ({"seed": -1}, "seed: expected a whole number, 0 or more, got -1"),
        ({"block": 0}, "block: expected 'trajectory' or a number of frames, 1 or more, got 0"),
        ({"block": "days"}, "block: expected 'trajectory' or a number of frames, .* got 'days'"),
    ],
)
def test_significance__refuses(keywords, words):
    with pytest.raises(ValueError, match=words):
        significance(found([[0, 0]], n=50), **keywords)


def test_significance__needs_peaks():
    ds = peaks_input.of_rows(np.random.default_rng(0).random((30, 2)), 6, 4)
    with pytest.raises(v.SchemaError, match="no 'peak_sample' in the dataset: run peaks first"):
        significance(ds)
    out = significance(peaks(ds), replicates=2)
    assert "peak_support" not in peaks(out, z=3.0)
