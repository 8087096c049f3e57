"""Distances between rows, exact: the same bits whatever asked for them.

Terms are added in 32 lanes (feature f in lane f mod 32) and the lanes in one
fixed tree, in float64 on differences of the rows as given. The *reduced* distance
is the squared one for the Euclidean metric, the distance itself for the others.
"""

from typing import NamedTuple

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Array, Floats

LANES, HALVES = 32, (16, 8, 4, 2, 1)
SQUARE, ABSOLUTE, LARGEST = 0, 1, 2


class Metric(NamedTuple):
    """One line of the table: how the terms of a distance combine."""

    combine: int


METRICS: dict[str, Metric] = {
    "euclidean": Metric(SQUARE),
    "cityblock": Metric(ABSOLUTE),
    "chebyshev": Metric(LARGEST),
}


@jit
def distance_of(
    x: Array, y: Array, combine: int, period: Floats, weight: Floats, lanes: Floats
) -> float:
    """Return the distance of two (d,) rows; parameters of :func:`reduced_distance`."""
    reduced = reduced_distance(x, y, combine, period, weight, lanes)
    return float(np.sqrt(reduced)) if combine == SQUARE else reduced


@jit
def reduced_distance(
    x: Array, y: Array, combine: int, period: Floats, weight: Floats, lanes: Floats
) -> float:
    """Return the reduced distance of two (d,) rows.

    Parameters
    ----------
    x, y
        (d,) rows; differences are taken in float64.
    combine
        ``SQUARE``, ``ABSOLUTE`` or ``LARGEST``: sum of squares, sum, maximum.
    period
        (d,) periods, 0 for none; empty when no feature has one. Values of a
        periodic feature span one period at most.
    weight
        (d,) weights of the terms; empty for unit weights.
    lanes
        (32,) scratch.
    """
    lanes[:] = 0.0
    if combine == SQUARE and period.size == 0 and weight.size == 0:
        _add_squares(x, y, lanes)
    else:
        _add_terms(x, y, combine, period, weight, lanes)
    if combine == LARGEST:
        return float(lanes.max())
    for width in HALVES:
        for lane in range(width):
            lanes[lane] += lanes[lane + width]
    return float(lanes[0])


@jit
def _add_squares(x: Array, y: Array, lanes: Floats) -> None:
    whole = x.size - x.size % LANES
    for start in range(0, whole, LANES):
        for lane in range(LANES):
            difference = np.float64(x[start + lane]) - np.float64(y[start + lane])
            lanes[lane] += difference * difference
    for f in range(whole, x.size):
        difference = np.float64(x[f]) - np.float64(y[f])
        lanes[f - whole] += difference * difference


@jit
def _add_terms(
    x: Array, y: Array, combine: int, period: Floats, weight: Floats, lanes: Floats
) -> None:
    for f in range(x.size):
        difference = abs(np.float64(x[f]) - np.float64(y[f]))
        if period.size and period[f] > 0:
            difference = min(difference, period[f] - difference)
        term = difference * difference if combine == SQUARE else difference
        if weight.size:
            term *= weight[f]
        lane = f % LANES
        lanes[lane] = max(lanes[lane], term) if combine == LARGEST else lanes[lane] + term


def largest_reduced(distance: Floats, combine: int) -> Floats:
    """Return what reduced distances don't exceed if their distances don't exceed these.

    Several squares have the same root, up to two roundings away.
    """
    return distance**2 * (1 + 4 * float(np.finfo("f8").eps)) if combine == SQUARE else distance
