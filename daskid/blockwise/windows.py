"""TwoNN of anchors, a random part of the rows, where a passage of the trajectory counts once.

Frames that follow each other pass a sample together: neighbors on one passage say nothing
of how many directions there are. So the second neighbor is taken from another passage: from
frames that are more than a window away from the sample and from its first neighbor. Anchors
are few, so that all of them and their lists are in memory; the rows are read block by block.
"""

from typing import NamedTuple, cast

import numpy as np

from daskid.blockwise.search import Job
from daskid.blockwise.search.anchors import Lists, search_anchors
from daskid.blockwise.sums import add
from daskid.kernels import dimension as kernels
from daskid.storage.rows import MemoryRows
from daskid.storage.subset import random_order
from daskid.typing import Array, Floats, Ints

STEP = "twonn_window"
FIRST_LIST, LONGER = 16, 4
"""Length of the lists at first, and by how much longer the next ones are."""
LEAST_CELLS = 10
"""Fewer cells of time say nothing of a scatter between them."""


class Pairs(NamedTuple):
    """(windows, anchors, 2) neighbors of two passages, and (windows, anchors) where r_2 is of one.

    ``distance`` and ``location`` as in lists of two neighbors, free where there is no other
    passage; ``shared`` says where the two nearest are frames of one passage.
    """

    distance: Floats
    location: Ints
    shared: Array


class Estimate(NamedTuple):
    """What one window gives.

    The dimension, its error, how many anchors have a ratio, the mean of (r_1 + r_2) / 2, and
    the share of anchors whose two nearest neighbors are of one passage.
    """

    dimension: float
    error: float
    samples: int
    radius: float
    shared: float


def choose_anchors(job: Job, samples: int, seed: int) -> Ints:
    """Return the positions of so many random locations, ascending; all if there are fewer."""
    order = random_order(job.location.size, seed)
    return np.sort(order[job.location[order] == order][:samples])


def neighbors_of_two_passages(job: Job, anchors: Ints, windows: tuple[int, ...]) -> Pairs:
    """Return the nearest neighbor of each anchor, and the nearest on another passage.

    Lists grow until they reach a second passage: it is there from 2 + 2 window on, or nowhere.
    """
    shape = len(windows), anchors.size
    found = Pairs(np.empty((*shape, 2)), np.empty((*shape, 2), np.int64), np.empty(shape, bool))
    k, longest, todo = FIRST_LIST, 2 + 2 * max(windows), np.arange(anchors.size)
    while todo.size:
        k = min(k, longest)
        label = STEP if k == min(FIRST_LIST, longest) else f"{STEP}, lists of {k}"
        for part, lists in search_anchors(job, anchors[todo], windows, k, label):
            for known, new in zip(found, _pairs(job, lists, windows), strict=True):
                known[:, todo[part]] = new
        short = (found.location[:, todo, 1] < 0).any(axis=0)
        todo = todo[short] if k < longest else todo[:0]
        k *= LONGER
    return found


def _pairs(job: Job, lists: Lists, windows: tuple[int, ...]) -> Pairs:
    """Return the first entry of each list, and the first one of another passage."""
    distance, location = lists
    other = location >= 0
    for w, window in enumerate(windows):
        other[w] &= ~_near(job, location[w, :, :1], location[w], window)
    place = other.argmax(axis=-1)[..., np.newaxis]
    there = np.take_along_axis(other, place, axis=-1)
    second = np.where(there, np.take_along_axis(distance, place, axis=-1), np.inf)
    position = np.where(there, np.take_along_axis(location, place, axis=-1), -1)
    return Pairs(
        np.concatenate([distance[..., :1], second], axis=-1),
        np.concatenate([location[..., :1], position], axis=-1),
        (location[..., 1] >= 0) & ~other[..., 1],
    )


def _near(job: Job, one: Ints, other: Ints, window: int) -> Array:
    """Return which locations are within a window of each other, themselves included."""
    near: Array = one == other
    if job.labels.frame is not None and job.labels.trajectory is not None and window:
        frame = cast(MemoryRows, job.labels.frame).values
        trajectory = cast(MemoryRows, job.labels.trajectory).values
        near |= (trajectory[one] == trajectory[other]) & (abs(frame[one] - frame[other]) <= window)
    return near


def cells(job: Job, frame: Ints | None, trajectory: Ints | None, length: int) -> Ints:
    """Return the cell of each row's location: (n,) numbers of ``length`` frames of a trajectory."""
    frame = np.arange(job.location.size) if frame is None else frame
    numbers: Ints = kernels.block_numbers(trajectory, frame, length)[job.location]
    return numbers


def twonn(pairs: Pairs, anchors: Ints, cell: Ints) -> list[Estimate]:
    """Return the estimate of each window."""
    return [_twonn(*pair, anchors, cell) for pair in zip(*pairs, strict=True)]


def _twonn(distance: Floats, location: Ints, shared: Array, anchors: Ints, cell: Ints) -> Estimate:
    ranks = np.array([1]), np.array([2])
    log_mu = kernels.log_ratios(distance, np.ones(anchors.size, bool), *ranks)
    n = np.count_nonzero(~np.isnan(log_mu), axis=0)
    d = float(kernels.rate(n, add(np.where(np.isnan(log_mu), 0.0, log_mu)), 1)[0])
    radius = kernels.mean(n, add(kernels.midpoints(distance, log_mu, *ranks)))
    touched = np.column_stack([cell[anchors], cell[location]])  # read where there is a ratio
    error = _error(d, log_mu[:, 0], touched)
    return Estimate(d, error, int(n[0]), float(radius[0]), float(shared.mean()))


def _error(d: float, log_mu: Floats, touched: Ints) -> float:
    """Return the sandwich error over cells: anchors share one by themselves or by a neighbor.

    In the index of the sandwich cells stand behind the anchors, as samples without a score.
    """
    known, number = np.unique(touched, return_inverse=True)
    if known.size < LEAST_CELLS:
        return float(np.nan)
    m = log_mu.size
    index = np.zeros((m + known.size, 3), np.int64)
    index[:m] = m + number.reshape(m, 3)
    score = np.concatenate([log_mu, np.full(known.size, np.nan)])
    return float(kernels.rate_error(d, score, index))
