"""The k nearest locations of rows in the leaves of a tree: leaves that are too far are skipped.

The same bits as :mod:`daskid.kernels.neighbors`: distances by differences in float64, lists by
distance, then by location. Bounds only say which pairs need not be looked at.
"""

from typing import NamedTuple

from daskid.kernels.neighbors import Lists
from daskid.kernels.trees.cells import bounds_to, ceilings, packed, unpacked
from daskid.kernels.trees.entries import new_desk
from daskid.kernels.trees.growth import Cuts, cells_of, cuts_of
from daskid.kernels.trees.leaves import Leaves, leaves_of
from daskid.kernels.trees.shares import Estimate, estimate
from daskid.kernels.trees.view import View, coordinates, view_of
from daskid.kernels.trees.visits import search

__all__ = [
    "Counts",
    "Cuts",
    "Estimate",
    "Leaves",
    "Lists",
    "View",
    "bounds_to",
    "ceilings",
    "cells_of",
    "coordinates",
    "cuts_of",
    "estimate",
    "leaves_of",
    "packed",
    "unpacked",
    "update_leaves",
    "view_of",
]


class Counts(NamedTuple):
    """Pairs of rows that were not skipped, and those whose distance was computed."""

    pairs: int
    distances: int


def update_leaves(
    lists: Lists, x: Leaves, y: Leaves, view: View, first: int = 0, last: int | None = None
) -> Counts:
    """Bring the lists of rows of ``x`` up to date with the rows of ``y``, in place.

    Parameters
    ----------
    lists
        Lists of the rows of these leaves, in their order.
    x, y
        Rows in leaves, the same object where they are the same rows.
    view
        How rows are seen.
    first, last
        The leaves of ``x`` from ``first`` up to ``last`` (None: all).
    """
    desk = new_desk(x.seen, lists.location.shape[1])
    stop = x.seen.shape[0] if last is None else last
    if y.rows.shape[0]:
        search(*lists, x, y, view.rule, desk, first, stop, x is y)
    return Counts(*map(int, desk.counts))
