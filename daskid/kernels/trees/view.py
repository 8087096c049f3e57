"""How bounds see rows: as they are, or in a few coordinates that never exceed distances.

Few coordinates are those of :mod:`daskid.kernels.axes`; their errors enter every bound.
"""

from typing import NamedTuple

import numpy as np

from daskid.kernels.axes import U, V, along, lost, principal_axes, stretch
from daskid.kernels.metrics import HALF_SQUARE
from daskid.kernels.neighbors import Space
from daskid.typing import Array, Floats

NONE = np.zeros(0)
EXACT_UP_TO = 8
"""Up to so many features, rows are compared as they are."""
ALL_UP_TO = 24
"""Up to so many features, coordinates are rotated rows: nothing is left over."""
MOST_AXES, UNSEEN = 31, 0.005
"""Coordinates at the most, or fewer where they leave so small a share of the variance out."""
SAMPLE, QUERIES = 1024, 128
LEAF = 128
"""Rows of a leaf: whole strides, and more than lists of 100 neighbors."""
ROUGH = 0.01
"""Errors in float32 beyond this share of a distance to a neighbor call for float64."""


class Rule(NamedTuple):
    """What the visits of leaves need to know: all but ``exact`` and the last three as in ``Space``.

    ``exact``: coordinates are the rows. Otherwise ``scale`` times ``stretch`` times a distance
    is not below that of coordinates without errors, and ``rounding`` is that of its square.
    """

    combine: int
    period: Floats
    weight: Floats
    exclude: int
    exact: bool
    scale: float
    stretch: float
    rounding: float


class Numbers(NamedTuple):
    """A rule without its arrays: numba counts references to them at each use of the tuple."""

    combine: int
    exclude: int
    exact: bool
    scale: float
    stretch: float
    rounding: float


def numbers_of(rule: Rule) -> Numbers:
    """Return the numbers of a rule."""
    return Numbers(*(getattr(rule, name) for name in Numbers._fields))


class View(NamedTuple):
    """``axes`` (d, p) of the coordinates of rows; of no use where the rule is exact.

    ``center`` and ``factor`` (d,) as in ``Space``; ``error`` of coordinates, relative to
    lengths; rows of a leaf.
    """

    rule: Rule
    axes: Floats
    center: Floats
    factor: Floats
    error: float
    dtype: str
    leaf: int


def view_of(sample: Array, space: Space, *, exact: bool = True) -> View:
    """Return how to see rows, from a random sample of them in the form that is compared.

    Parameters
    ----------
    sample
        (m, d) rows; the more, the better the axes, and any give valid bounds.
    space
        How they are compared.
    exact
        Whether few features are seen as they are; else there are coordinates always, and distances
        are sums of squares without periods.
    """
    d = sample.shape[1]
    combine, period, weight, exclude = space.combine, space.period, space.weight, space.exclude
    if exact and (combine > HALF_SQUARE or period.size or d <= EXACT_UP_TO):
        rounding = 1 + 8 * (d + 32) * V
        rule = Rule(combine, period, weight, exclude, True, 1.0, 1.0, rounding)
        return View(rule, np.zeros((d, 0)), NONE, NONE, 0.0, "f8", LEAF)
    factor = np.full(d, space.scale)
    if weight.size:
        factor *= np.sqrt(weight)
    few = sample[:: -(-sample.shape[0] // SAMPLE)]
    y = (few.astype("f8") - space.center) * factor
    axes = _axes(y)
    error, rounding = lost(axes), 1 + 2 * (axes.shape[1] + 16) * U
    view = View(
        Rule(combine, period, weight, exclude, False, space.scale, stretch(d), rounding),
        axes, space.center, factor, 4 * U + error, "f4", LEAF,
    )  # fmt: skip
    if _is_rough(few, view):
        return view._replace(error=4 * V + error, dtype="f8")
    return view


def _axes(y: Floats) -> Floats:
    """Return orthonormal (d, p) axes, about the principal ones of (m, d) centered rows."""
    d = y.shape[1]
    if d <= ALL_UP_TO:
        return principal_axes(y, d)[0]
    axes, left = principal_axes(y, MOST_AXES)
    fits = [p for p in (7, 11, 15, 19, 23, 27) if left[p - 1] < UNSEEN]
    return np.ascontiguousarray(axes[:, : fits[0]]) if fits else axes


def _is_rough(sample: Array, view: View) -> bool:
    """Return whether float32 can't tell neighbors apart."""
    points, length = coordinates(sample, view)
    step = -(-points.shape[0] // QUERIES)
    nearest = np.full(points[::step].shape[0], np.inf)
    for i, row in enumerate(points[::step].astype("f8")):
        squares = ((points - row) ** 2).sum(axis=1)
        squares[i * step] = np.inf
        nearest[i] = squares.min()
    return bool(view.error * length.max() > ROUGH * np.sqrt(np.median(nearest)))


def coordinates(rows: Array, view: View) -> tuple[Array, Floats]:
    """Return the (n, q) coordinates of rows, and the lengths (n,) that their errors go with."""
    if view.rule.exact:
        return rows.astype("f8", copy=False), np.zeros(rows.shape[0])
    return along(rows, view.axes, view.center, view.factor, view.dtype)
