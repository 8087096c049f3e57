"""Frames are numbered through all chunks: segments, and groups of blocks that follow each other."""

import numpy as np
import pytest

from daskid.blockwise import currents
from daskid.kernels.landscape import irreversibility as kernels


def rule(length, most):
    basis = kernels.basis(np.ones(2, int), 1, 2)
    return currents.Rule(1, length, most, basis, np.zeros((1, 1), int), 0)


@pytest.mark.parametrize("cut", [1, 5, 11])
def test_numbered__blocks_begin_with_trajectories_for_any_chunks(cut):
    begins = np.isin(np.arange(12), [0, 5])
    breaks = begins | (np.arange(12) == 3)
    end, parts = currents._End(-1, -1, 0), []
    for part in (slice(0, cut), slice(cut, 12)):
        *found, end = currents._numbered(begins[part], breaks[part], end, rule(3, 5))
        parts.append(found)
    segment, group = (np.concatenate(x) for x in zip(*parts, strict=True))
    assert segment.tolist() == [0] * 3 + [1] * 2 + [2] * 7
    assert group.tolist() == [0] * 3 + [1] * 2 + [2] * 3 + [3] * 3 + [4]


def test_numbered__takes_many_blocks_together():
    begins = np.ones(600, bool)
    _, group, _ = currents._numbered(begins, begins, currents._End(-1, -1, 0), rule(0, 600))
    assert (np.diff(group) >= 0).all()
    assert np.unique(group).tolist() == list(range(currents.GROUPS))
    assert np.bincount(group).max() == 3
