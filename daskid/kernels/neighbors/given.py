"""What a search is given: rows and who they are, how they are compared, their lists."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from daskid.kernels.locations import canonical
from daskid.kernels.metrics import HALF_SQUARE
from daskid.typing import Array, Floats, Ints

NONE = np.zeros(0)
BEATEN_BY_ALL = int(np.iinfo(np.int64).max)
"""Location of a slot that holds a threshold, no neighbor: any location comes before it."""


class Space(NamedTuple):
    """How rows are compared: all that the kernels need beside the rows.

    ``combine`` as in ``METRICS``; ``period`` and ``weight`` (d,) or empty; values
    of periodic features from ``lowest`` (d,) to less than a period above it;
    ``center`` (d,), between the values; ``scale``, a power of two that brings
    centered and weighted rows to norms of at most one; ``exclude``, in frames.
    All of rows in the form that ``prepare`` gives them (None: as they are). Of bits,
    ``weight`` (words,) and ``scale``, which the sum of weighted bits is divided by.
    ``axes`` (d, p), orthonormal and about the principal ones, are where rows are seen in few
    coordinates first (empty: those of the blocks that are compared).
    """

    combine: int
    period: Floats
    weight: Floats
    lowest: Floats
    center: Floats
    scale: float
    exclude: int
    prepare: Callable[[Array], Array] | None = None
    axes: Floats = np.zeros((0, 0))


class Block(NamedTuple):
    """(n, d) rows, and (3, n) what they are: location (ascending), frame, trajectory."""

    rows: Array
    who: Ints


class Lists(NamedTuple):
    """Neighbour lists, both (n, k): distances and location numbers."""

    distance: Floats
    location: Ints


def empty_lists(n: int, k: int) -> Lists:
    """Return ``n`` lists of ``k`` free slots."""
    return Lists(np.full((n, k), np.inf), np.full((n, k), -1, np.int64))


def seeded_lists(threshold: Floats, k: int) -> Lists:
    """Return lists of ``k`` slots that neighbors within ``threshold`` (n,) take, ties included.

    A slot that nothing has taken keeps its location, ``BEATEN_BY_ALL``. Thresholds that are not
    below the distance of the k-th neighbor cost no neighbor.
    """
    distance = np.repeat(np.asarray(threshold, "f8")[:, np.newaxis], k, axis=1)
    return Lists(distance, np.full(distance.shape, BEATEN_BY_ALL, np.int64))


def compared(rows: Array, space: Space) -> Array:
    """Return rows as read in the form that :func:`daskid.kernels.neighbors.update` compares."""
    if space.prepare is not None:
        return space.prepare(rows)
    return canonical(rows, space.lowest, space.period, NONE) if space.period.size else rows


def factor_of(features: int, space: Space) -> Floats:
    """Return what centered features (d,) are multiplied by, so that terms have their weight."""
    factor = np.full(features, space.scale)
    if space.weight.size:
        factor *= np.sqrt(space.weight) if space.combine <= HALF_SQUARE else space.weight
    return factor


def unit_of(space: Space) -> float:
    """Return what reduced distances are multiplied by where rows are multiplied by the scale."""
    return space.scale**2 if space.combine <= HALF_SQUARE else space.scale


def is_direct(space: Space) -> bool:
    """Return whether distances are no sums of squares of differences."""
    return space.combine > HALF_SQUARE or space.period.size > 0
