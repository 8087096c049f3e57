"""Rows in cells that lie apart: which cells the rows of another one must see."""

import numpy as np

from daskid.kernels.metrics import largest_reduced
from daskid.kernels.neighbors import Lists, Space
from daskid.kernels.trees.bounds import gaps
from daskid.kernels.trees.growth import Cuts
from daskid.kernels.trees.leaves import Leaves
from daskid.kernels.trees.view import NONE, Rule, View
from daskid.typing import Array, Floats


def bounds_to(leaves: Leaves, low: Array, high: Array, view: View) -> Array:
    """Return (leaves, cells) bounds of squared coordinates to (q, cells) boxes."""
    rule, out = view.rule, np.empty((leaves.seen.shape[0], low.shape[1]), low.dtype)
    weight = rule.weight if rule.exact else NONE
    for g in range(out.shape[0]):
        own = np.ascontiguousarray(leaves.low[:, g]), np.ascontiguousarray(leaves.high[:, g])
        gaps(low, high, *own, rule.combine, rule.period, weight, out[g])
    return out


def ceilings(lists: Lists, leaves: Leaves, view: View, error: float) -> Floats:
    """Return what bounds do not exceed for each leaf if there may be neighbors of its rows.

    ``error`` is that of the coordinates of the other rows.
    """
    last = largest_reduced(lists.distance[:, -1], view.rule.combine)
    reach = np.maximum.reduceat(last, np.arange(0, last.size, view.leaf))
    if view.rule.exact:
        exact: Floats = reach * view.rule.rounding
        return exact
    root = np.sqrt(reach) * view.rule.scale * view.rule.stretch + leaves.error + error
    ceiling: Floats = root**2 * view.rule.rounding * (1 + 1e-12)
    return ceiling


def packed(view: View, cuts: Cuts) -> tuple[Array, ...]:
    """Return a view and cuts as arrays, to be written."""
    numbers = np.array([view.error, view.rule.stretch, view.rule.rounding, view.leaf])
    kind = np.array(view.rule.exact), np.empty(0, view.dtype)
    return view.axes, view.center, view.factor, numbers, *kind, *cuts


def unpacked(arrays: tuple[Array, ...], space: Space) -> tuple[View, Cuts]:
    """Return what :func:`packed` was given."""
    axes, center, factor, (error, stretch, rounding, leaf), exact, kind, *cuts = arrays
    rule = Rule(
        space.combine, space.period, space.weight, space.exclude, bool(exact),
        1.0 if exact else space.scale, float(stretch), float(rounding),
    )  # fmt: skip
    dtype = "f8" if kind.dtype == np.float64 else "f4"
    return View(rule, axes, center, factor, float(error), dtype, int(leaf)), Cuts(*cuts)
