"""Samples whose nearest ones are not known from lists: they are compared with all others.

The ``k`` nearest are then drawn at random among those that are equally far: a sample is one of them
with a probability, its *share*.
"""

from typing import NamedTuple

import numpy as np

from daskid.kernels import bits
from daskid.kernels._jit import jit
from daskid.kernels._simd import LANES
from daskid.kernels.comparison.counts import leave_out
from daskid.kernels.metrics import DIFFERENT, distance_of
from daskid.kernels.neighbors import Block, Space
from daskid.typing import Array, Floats


class Share(NamedTuple):
    """The value of one sample, what each other one adds to it, and the sum of their squares."""

    value: float
    influence: Floats
    squares: float


def distances(x: Block, y: Block, space: Space) -> Floats:
    """Return the (n, m) distances of all pairs of rows; infinite where a pair does not count."""
    out = np.empty((len(x.rows), len(y.rows)))
    if space.combine == DIFFERENT:
        columns = np.ascontiguousarray(y.rows.T)
        for row, values in zip(x.rows, out, strict=True):
            bits.write_distances(row, columns, space.weight, space.scale, values)
    else:
        _distances(x.rows, y.rows, space.combine, space.period, space.weight, out)
    leave_out(out, x.who, y.who, space.exclude)
    return out


@jit
def _distances(
    x: Array, y: Array, combine: int, period: Floats, weight: Floats, out: Floats
) -> None:
    lanes = np.empty(LANES)
    for i in range(x.shape[0]):
        for j in range(y.shape[0]):
            out[i, j] = distance_of(x[i], y[j], combine, period, weight, lanes)


def shares(distance: Floats, k: int) -> Floats:
    """Return the probability (n,) of each sample to be one of the ``k`` nearest."""
    last = np.partition(distance, k - 1)[k - 1]
    nearer, tied = distance < last, distance == last
    out: Floats = nearer + tied * ((k - nearer.sum()) / tied.sum())
    return out


def overlap(a: Floats, b: Floats, k: int) -> Share:
    """Return the expected share of neighbors in common; (n,) distances of a sample from others."""
    one, other = shares(a, k), shares(b, k)
    both = one * other / k
    excess = both - both.sum() * (one + other) / (2 * k)
    return Share(float(both.sum()), excess, float(excess @ excess))


def same(a: Floats, other: Array, k: int) -> Share:
    """Return the expected share of neighbors with the same label: ``other`` (n,) has another."""
    weight = shares(a, k) / k
    value = float(weight[~other].sum())
    excess = weight * (~other - value)
    return Share(value, excess, float(excess @ excess))


def rank(a: Floats, b: Floats, k: int) -> Share:
    """Return the expected mean rank in ``b`` of the ``k`` nearest in ``a``."""
    weight = shares(a, k) / k
    order = np.argsort(b, kind="stable")
    _, first, sizes = np.unique(b[order], return_index=True, return_counts=True)
    step = np.repeat(np.arange(sizes.size), sizes)
    ranks, held = np.empty(b.size), np.empty(b.size)
    ranks[order] = (1 + first + 0.5 * (sizes - 1))[step]
    total = np.add.reduceat(weight[order], first)
    beyond = total.sum() - np.cumsum(total)
    held[order] = (beyond + 0.5 * total)[step]
    counts = np.isfinite(b)
    value = float(weight[counts] @ ranks[counts])
    excess = np.where(counts, weight * (ranks - value), 0.0)
    # nearer than what is a neighbor: without it, the rank would be one less
    influence = excess + np.where(counts, held - 0.5 * weight, 0.0)
    return Share(value, influence, float(excess @ excess))
