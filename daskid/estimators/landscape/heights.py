"""Where peaks and saddles of smoothed densities are, how high they are, and how they scatter."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import dask.array as da
import numpy as np

from daskid.blockwise import landscape as blockwise
from daskid.estimators.landscape.blocks import Units, halves
from daskid.kernels.landscape import barriers as kernels
from daskid.typing import Array, Floats, Ints

ENTRIES = 1 << 24
"""Entries of lists that are in memory at a time."""
DEPTH = 6.0
"""Errors by which samples near a border may be lower than its saddle."""
MOST = 128
"""Samples among which a peak is chosen in halves of the data."""
CHOICES = 20
"""Deals by which the bias of a choice is measured."""


class Table(NamedTuple):
    """Peaks and saddles in memory: (p,), (s, 2) and (s,) as :func:`daskid.peaks` gives them."""

    peak: Ints
    pair: Ints
    saddle: Ints
    level: Floats


class Lists(NamedTuple):
    """(n, k) lists, (n,) how many count and first samples at the same places; same chunks."""

    neighbor: da.Array
    distance: da.Array
    kstar: da.Array
    location: da.Array


class Whole(NamedTuple):
    """(n,) basin, log density and its error of all samples."""

    label: Array
    log_density: Floats
    error: Floats


class Border(NamedTuple):
    """(n,) heights of all samples and (m,) samples near borders, ascending."""

    height: Floats
    row: Ints


class Heights(NamedTuple):
    """Of points: (q,) heights, and (replicates, q) halves of the difference of two halves."""

    value: Floats
    moved: Floats


class _Balls(NamedTuple):
    """(q, k) lists of points, as places in (m,) ``member``, (q,) how many count, and own places."""

    place: Ints
    kstar: Array
    own: Ints
    weight: Floats
    member: Ints


def deals(unit: Units, n: int, replicates: int, seed: int) -> Array:
    """Return who is in the first half in each deal: (replicates, n / 8) packed bits."""
    out = np.empty((replicates, -(-n // 8)), np.uint8)
    for replicate in range(replicates):
        out[replicate] = np.packbits(halves(unit, seed, replicate))
    return out


def border(lists: Lists, table: Table, whole: Whole) -> Border:
    """Return densities averaged over k*, and who is near a border."""
    log_density = da.from_array(whole.log_density, chunks=-1)
    height = blockwise.averages(lists.neighbor, lists.kstar, lists.location, log_density)
    center = da.from_array(table.peak[whole.label], chunks=-1)
    across = blockwise.touching(lists.neighbor, lists.kstar, lists.location, center)
    near = _near_borders(table, np.asarray(across.compute()), whole, lists.neighbor.shape[1])
    return Border(np.asarray(height.compute()), near)


def located(lists: Lists, table: Table, whole: Whole, near: Border) -> tuple[Ints, Ints]:
    """Return the samples of peaks and saddles: (p,) and (s,), by densities averaged over k*.

    A peak is looked for among the neighbors of its sample, in its basin; a saddle among
    samples near borders, where it is the highest at which both basins meet. Where that leads
    nowhere, peaks and saddles stay.
    """
    neighbor, kstar = blockwise.rows((lists.neighbor, lists.kstar), near.row)
    place = _places(near)
    saddle = kernels.saddles(
        neighbor, kstar, near.row, near.height[near.row], place, whole.label, near.height,
        table.peak, table.pair,
    )  # fmt: skip
    peak = _highest(lists, table, whole.label, near.height)
    return peak, np.where(saddle < 0, table.saddle, saddle)


def _places(near: Border) -> Ints:
    place = np.full(near.height.size, -1, np.int64)
    place[near.row] = np.arange(near.row.size)
    return place


def _near_borders(table: Table, across: Array, whole: Whole, stored: int) -> Ints:
    """Return samples that see another basin and are not far below its saddle, ascending."""
    label, log_density, error = whole
    row = np.flatnonzero(across >= 0)
    level = np.full((table.peak.size, table.peak.size), np.inf)
    level[tuple(table.pair.T)] = level[tuple(table.pair.T[::-1])] = table.level
    above = log_density[row] - level[label[row], label[across[row]]]
    near = above > -DEPTH * error[row]
    row, above = row[near], np.abs(above[near])
    most = ENTRIES // (4 * stored)
    nearest: Ints = np.sort(row[np.argsort(above, kind="stable")[:most]])
    return nearest


def _highest(lists: Lists, table: Table, label: Array, height: Floats) -> Ints:
    """Return the highest of each peak and its neighbors in its basin, the first of equals."""
    neighbor, kstar = blockwise.rows((lists.neighbor, lists.kstar), table.peak)
    out = table.peak.copy()
    for c, peak in enumerate(table.peak):
        near = np.append(peak, neighbor[c, : kstar[c]])
        near = near[label[near] == c]
        out[c] = near[height[near].argmax()]
    return out


def heights(lists: Lists, point: Ints, whole: Whole, dealt: Array) -> Heights:
    """Return the heights of points, regressed over their neighborhoods, and their scatter."""
    value, moved = np.empty(point.size), np.empty((len(dealt), point.size))
    size = max(ENTRIES // lists.neighbor.shape[1] ** 2, 1)
    for first in range(0, point.size, size):
        part = slice(first, first + size)
        balls = _balls(lists, point[part])
        value[part] = kernels.weighted(*balls[:4], whole.log_density[balls.member])
        for r, (one, other) in enumerate(_densities(lists, balls.member, whole, dealt)):
            moved[r, part] = kernels.weighted(*balls[:4], 0.5 * (one - other))
    return Heights(value, moved)


def peak_bias(lists: Lists, table: Table, whole: Whole, dealt: Array) -> Floats:
    """Return by how much the heights of peaks are too high, as each was chosen: (p,).

    In either half the peak is chosen anew, and evaluated in both. What is chosen is not
    the true peak, so that the other half says less than its height, by as much as the same half
    says more; halves have twice the variance: a quarter of the difference.
    """
    stored = lists.neighbor.shape[1]
    out = np.zeros(table.peak.size)
    size = max(ENTRIES // (16 * MOST * stored), 1)
    for first in range(0, table.peak.size, size):
        near, start = _candidates(lists, table.peak, whole.label, range(first, first + size))
        balls = _balls(lists, near)
        both = list(_densities(lists, balls.member, whole, dealt[:CHOICES]))
        for one, other in [*both, *(pair[::-1] for pair in both)]:
            height = kernels.averages(*balls[:3], one)
            excess = kernels.weighted(*balls[:4], one - other)
            for c, (a, b) in enumerate(itertools.pairwise(start), start=first):
                out[c] += excess[a + int(height[a:b].argmax())]
    return out / (8.0 * min(CHOICES, len(dealt)))


def saddle_bias(lists: Lists, table: Table, whole: Whole, near: Border, dealt: Array) -> Floats:
    """Return by how much the heights of saddles are too high, as each was chosen: (s,).

    As :func:`peak_bias`. Highest along the border and lowest across: in one dimension a saddle is
    too low, in many too high.
    """
    total, times = np.zeros(len(table.pair)), np.zeros(len(table.pair))
    neighbor, kstar = blockwise.rows((lists.neighbor, lists.kstar), near.row)
    balls, place = _balls(lists, near.row), _places(near)
    both = list(_densities(lists, balls.member, whole, dealt[:CHOICES]))
    for one, other in [*both, *(pair[::-1] for pair in both)]:
        height = kernels.averages(*balls[:3], one)
        saddle = kernels.saddles(
            neighbor, kstar, near.row, height, place, whole.label, near.height,
            table.peak, table.pair,
        )  # fmt: skip
        excess = kernels.weighted(*balls[:4], one - other)
        there = saddle >= 0
        total[there] += excess[place[saddle[there]]]
        times += there
    return 0.25 * total / np.maximum(times, 1.0)


def _candidates(lists: Lists, peak: Ints, label: Array, number: range) -> tuple[Ints, list[int]]:
    """Return samples near some peaks, in their basins, and where those of each start."""
    some = [c for c in number if c < peak.size]
    neighbor, kstar = blockwise.rows((lists.neighbor, lists.kstar), peak[some])
    near, start = [], [0]
    for r, c in enumerate(some):
        step = -(-int(kstar[r]) // MOST)
        every = np.append(peak[c], neighbor[r, : kstar[r] : max(step, 1)])
        near.append(every[label[every] == c])
        start.append(start[-1] + near[-1].size)
    return np.concatenate(near), start


def _balls(lists: Lists, point: Ints) -> _Balls:
    neighbor, distance, kstar = blockwise.rows(lists[:3], point)
    counted = np.arange(neighbor.shape[1]) < kstar[:, np.newaxis]
    inside = np.where(counted, neighbor, point[:, np.newaxis])
    member, place = np.unique(np.column_stack([point, inside]), return_inverse=True)
    place = place.reshape(point.size, neighbor.shape[1] + 1)
    weight = kernels.intercept_weights(distance, kstar)
    return _Balls(np.ascontiguousarray(place[:, 1:]), kstar, place[:, 0].copy(), weight, member)


def _densities(
    lists: Lists, member: Ints, whole: Whole, dealt: Array
) -> Iterator[tuple[Floats, Floats]]:
    """Yield the log densities of some samples in both halves of each deal."""
    neighbor, kstar = blockwise.rows((lists.neighbor, lists.kstar), member)
    for packed in dealt:
        half = np.unpackbits(packed, count=whole.label.size).view(bool)
        one, other = kernels.half_densities(
            neighbor, kstar, whole.log_density[member], whole.error[member], half
        )
        yield one, other
