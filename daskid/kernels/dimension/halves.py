"""The jackknife that deletes half of the blocks at a time: for frames in time.

Blocks of frames are dealt into two halves, again and again. An estimate of a half has lost
the other one from its samples *and* from their neighbors, so two halves are two independent
draws if blocks are, and their difference has the variance of a whole: no sum over pairs. A
jackknife that deletes one block at a time counts what depends on several blocks once for
each of them (Efron & Stein, Ann. Stat. 9, 586 (1981)): on independent samples its errors
are 1.5 to 1.8 times too large.
"""

import math

import numpy as np

from daskid.kernels._jit import jit
from daskid.kernels.dimension.estimates import gride_terms
from daskid.typing import Array, Floats, Ints

HALVINGS = 64
"""How often blocks are dealt: a bit each of a 64-bit mask."""
TOO_SHORT = 0.1
"""Share of lists too short for a half from which on there is no error."""
SMALLEST_RATE = 1e-12
"""Means of ln mu below this are rounding of zero."""


def block_numbers(trajectory: Array | None, frame: Ints, length: int | None) -> Ints:
    """Return the block of each sample, 0 to the number of blocks less one: (n,).

    Parameters
    ----------
    trajectory
        (n,) labels of any kind; None: all the same.
    frame
        (n,) frame numbers.
    length
        Frames a block spans at least; None for whole trajectories. A trajectory is cut into
        as many spans of time as have this length, the last one takes what is left; a shorter
        one is one block.
    """
    n = frame.size
    own = np.zeros(n, np.int64)
    if trajectory is not None:
        _, own = np.unique(trajectory, return_inverse=True)
    if length is None or n == 0:
        return own
    first, last = np.full(own.max() + 1, frame.max()), np.full(own.max() + 1, frame.min())
    np.minimum.at(first, own, frame)
    np.maximum.at(last, own, frame)
    span = last - first + 1
    blocks = np.maximum(span // length, 1)
    before = np.cumsum(blocks) - blocks
    inside = np.minimum((frame - first[own]) // (span // blocks)[own], blocks[own] - 1)
    _, number = np.unique(before[own] + inside, return_inverse=True)
    return number


def count_blocks(block: Ints) -> int:
    """Return how many blocks there are."""
    return int(block.max(initial=-1)) + 1


def members(block: Ints, location: Ints | None) -> Array:
    """Deal the blocks into halves; return in which of them each location has a sample.

    Parameters
    ----------
    block
        (n,) block of each sample.
    location
        (n,) first sample at the same place; None: every sample is its own.

    Returns
    -------
    (n, 2) masks of 64 bits: bit r of entry h says that half h of deal r has the location.
    The first half has a block less where their number is odd.
    """
    blocks = count_blocks(block)
    deal = np.random.default_rng(0)
    first = np.zeros(blocks, np.uint64)
    for r in range(HALVINGS):
        first[deal.permutation(blocks)[: blocks // 2]] |= np.uint64(1) << np.uint64(r)
    own = np.stack([first, ~first], axis=1)[block]
    if location is None:
        return own
    out = np.zeros_like(own)
    np.bitwise_or.at(out, location, own)
    return out


@jit
def half_sums(
    distance: Array,
    index: Ints,
    kept: Array,
    own: Array,
    member: Array,
    d: Floats,
    inner: Ints,
    outer: Ints,
    averaged: bool,
) -> Floats:
    """Sum over the samples of each half, with neighbors of the same half alone.

    Parameters
    ----------
    distance, index
        (n, k) lists; -1 is a free slot, and ends the list.
    kept
        (n,) bool, False where the sample is a copy of another.
    own, member
        (n, 2) and (N, 2) masks of :func:`members`, of these samples and of all.
    d
        (s,) dimensions at which the terms of the likelihood are taken; any will do for ranks 1
        and 2, where F is a straight line, others should be near, see :func:`moved`.
    inner, outer
        (s,) ranks of the ratios, counted from 1.
    averaged
        Whether to take the mean of ln(r_outer / r_j) over j < outer, as for ranks 1 and 2.

    Returns
    -------
    (HALVINGS, 2, s, 5): samples with a ratio, lists that are too short, and the sums of
    :func:`gride_terms`.
    """
    n, k = distance.shape
    reach = outer.max()
    out = np.zeros((HALVINGS, 2, outer.size, 5))
    masks, logs, near = np.empty((k, 2), np.uint64), np.empty(k), np.empty(reach)
    for i in range(n):
        if not kept[i]:
            continue
        length = _read(distance[i], index[i], member, masks, logs)
        for r in range(HALVINGS):
            bit = np.uint64(1) << np.uint64(r)
            for half in range(2):
                if not own[i, half] & bit:
                    continue
                found = 0
                for c in range(length):
                    if masks[c, half] & bit:
                        near[found] = logs[c]
                        found += 1
                        if found == reach:
                            break
                _add(out[r, half], near, found, d, inner, outer, averaged)
    return out


@jit
def _read(distance: Floats, index: Ints, member: Array, masks: Array, logs: Floats) -> int:
    """Fill in masks and logarithms of one list; return how many there are."""
    for c in range(index.size):
        if index[c] < 0:
            return c
        masks[c] = member[index[c]]
        logs[c] = math.log(np.float64(distance[c])) if distance[c] > 0.0 else np.nan
    return index.size


@jit
def _add(
    out: Floats, near: Floats, found: int, d: Floats, inner: Ints, outer: Ints, averaged: bool
) -> None:
    """Add one list of ``found`` logarithms to the (s, 5) sums of a half, in place."""
    for s in range(outer.size):
        n1, n2 = inner[s], outer[s]
        if found < n2:
            out[s, 1] += 1.0
            continue
        value = near[n2 - 1] - near[n1 - 1]
        if averaged:
            value = 0.0
            for j in range(n2 - 1):
                value += (near[n2 - 1] - near[j]) / (n2 - 1)
            n1, n2 = 1, 2
        if np.isfinite(value):
            out[s, 0] += 1.0
            for term, one in enumerate(gride_terms(d[s] * value, n1, n2)):
                out[s, 2 + term] += one


def moved(sums: Floats, near: Floats, d: Floats) -> Floats:
    """Return the sums at ``d`` from those that were taken at ``near``: (..., s, 4).

    Two terms of a series in d, one for C: exact for ranks 1 and 2, where F is a straight line
    and C is constant; with others an error moves by a percent where ``near`` is off by half.
    """
    n, short, score, information, slope = np.moveaxis(sums, -1, 0)
    off = d / near - 1
    return np.stack(
        [
            n,
            short,
            score + (score - information) * off - slope * off**2 / 2,
            information + slope * off,
        ],
        axis=-1,
    )


def halves_error(sums: Floats, d: Floats, correction: int) -> Floats:
    """Return the error from the differences between halves: (s,), NaN where there is none.

    The estimate of a half is one step of Newton's rule from ``d``.

    Parameters
    ----------
    sums
        Of all samples, at ``d``, see :func:`moved`.
    d
        (s,) dimensions.
    correction
        Samples less in the score: 1 for :func:`gride`, 0 for the mean of inverses.
    """
    n, _, score, information = np.moveaxis(sums, -1, 0)
    curvature = information - correction
    slope = curvature - (score - correction)
    estimate = np.full(n.shape, np.nan)
    np.divide(d * curvature, slope, out=estimate, where=(n > 1) & (slope > SMALLEST_RATE * n))
    share = n[:, 0] * n[:, 1] / np.maximum(n.sum(axis=1), 1) ** 2
    variance = (share * (estimate[:, 0] - estimate[:, 1]) ** 2).mean(axis=0)
    error: Floats = np.sqrt(np.where(short_share(sums) > TOO_SHORT, np.nan, variance))
    return error


def short_share(sums: Floats) -> Floats:
    """Return the share of lists that are too short for their half: (s,), NaN of none."""
    n, short = sums[..., 0].sum(axis=(0, 1)), sums[..., 1].sum(axis=(0, 1))
    out: Floats = np.full(n.shape, np.nan)
    np.divide(short, n + short, out=out, where=n + short > 0)
    return out
