"""Distances between rows, exact: the same bits whatever asked for them.

Terms are added in 32 lanes (feature f in lane f mod 32) and the lanes in one
fixed tree, in float64 on differences of the rows as compared. The *reduced* distance
is the squared one for the Euclidean and cosine metrics, the distance itself for the others.
"""

from typing import Any, NamedTuple, Protocol

import numpy as np

from daskid.kernels._jit import inlined, jit
from daskid.kernels._simd import HALVES, LANES, squares
from daskid.kernels.forms import directions, packed
from daskid.typing import Array, Floats

SQUARE, HALF_SQUARE, ABSOLUTE, LARGEST, DIFFERENT = range(5)


class Prepare(Protocol):
    """Brings rows into the form that is compared, weights included; there are no periods."""

    def __call__(self, rows: Array, weight: Floats) -> Array: ...  # noqa: D102


class Metric(NamedTuple):
    """One line of the table: how terms of a distance combine, of rows in which form.

    ``prepare`` is None where rows are compared as they are.
    """

    combine: int
    prepare: Prepare | None = None


METRICS: dict[str, Metric] = {
    "euclidean": Metric(SQUARE),
    "cityblock": Metric(ABSOLUTE),
    "chebyshev": Metric(LARGEST),
    "cosine": Metric(HALF_SQUARE, directions),
    "hamming": Metric(DIFFERENT, packed),
}


@inlined
def distance_of(
    x: Array, y: Array, combine: int, period: Floats, weight: Floats, lanes: Floats
) -> float:
    """Return the distance of two (d,) rows; parameters of :func:`reduced_distance`."""
    reduced = reduced_distance(x, y, combine, period, weight, lanes)
    if combine == SQUARE:
        return float(np.sqrt(reduced))
    return 0.5 * reduced if combine == HALF_SQUARE else reduced


@inlined
def reduced_distance(
    x: Array, y: Array, combine: int, period: Floats, weight: Floats, lanes: Floats
) -> float:
    """Return the reduced distance of two (d,) rows.

    Parameters
    ----------
    x, y
        (d,) rows; differences are taken in float64.
    combine
        ``SQUARE`` or ``HALF_SQUARE``, ``ABSOLUTE`` or ``LARGEST``: sum of squares, sum, maximum.
    period
        (d,) periods, 0 for none; empty when no feature has one. Values of a
        periodic feature span one period at most.
    weight
        (d,) weights of the terms; empty for unit weights.
    lanes
        (32,) scratch.
    """
    if combine <= HALF_SQUARE and period.size == 0 and weight.size == 0:
        return squares(x, y, lanes)
    return _sum_of_terms(x, y, combine, period, weight, lanes)


@jit
def _sum_of_terms(
    x: Array, y: Array, combine: int, period: Floats, weight: Floats, lanes: Floats
) -> float:
    lanes[:] = 0.0
    for f in range(x.size):
        difference = abs(np.float64(x[f]) - np.float64(y[f]))
        if period.size and period[f] > 0:
            difference = min(difference, period[f] - difference)
        term = difference * difference if combine <= HALF_SQUARE else difference
        if weight.size:
            term *= weight[f]
        lane = f % LANES
        lanes[lane] = max(lanes[lane], term) if combine == LARGEST else lanes[lane] + term
    if combine == LARGEST:
        return float(lanes.max())
    for width in HALVES:
        for lane in range(width):
            lanes[lane] += lanes[lane + width]
    return float(lanes[0])


def largest_reduced(distance: Floats, combine: int) -> Floats:
    """Return what reduced distances don't exceed if their distances don't exceed these.

    Several squares have the same root, up to two roundings away.
    """
    if combine == SQUARE:
        return distance**2 * (1 + 4 * float(np.finfo("f8").eps))
    return 2 * distance if combine == HALF_SQUARE else distance


def lengths(distance: Any, metric: str) -> Any:
    """Return distances (array of any kind) as lengths, whose d-th powers are volumes.

    Those of ``cosine``, half the squares of chords between directions, become chords: a
    dimension read from the distances themselves would be half of that of the directions.
    """
    return np.sqrt(2 * distance) if metric == "cosine" else distance
