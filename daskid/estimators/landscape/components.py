"""Leading components of the rows, which keep apart what changes its sign with time."""

from typing import NamedTuple

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise.currents import Axes
from daskid.kernels.landscape import microstates as cells
from daskid.typing import Array, Floats, Ints

ROWS, ROW_BYTES, FEWEST_ROWS = 20_000, 1 << 26, 100
"""Rows from which axes are found, and what they may hold."""
FLAT = 1e-9
"""Share of the largest variance below which there is no component."""


class Metric(NamedTuple):
    """(d,) periods and weights, empty where they change nothing, and parities of the features."""

    period: Floats
    weight: Floats
    parity: Ints


class Plane(NamedTuple):
    """The axes, (m,) the parity of each component, and whether they are features themselves."""

    axes: Axes
    parity: Ints
    plain: bool


def metric(ds: xr.Dataset, odd: str | None) -> Metric:
    """Return what distances are made of, and which features are odd under time reversal.

    Parameters
    ----------
    ds
        Holds ``rows``.
    odd
        Names or positions of features, with commas between them.

    Raises
    ------
    ValueError
        If one is unknown, or has a period.
    """
    d = ds.sizes["feature"]
    period, weight = v.compared(ds)
    parity = np.ones(d, np.int64)
    names = [str(f) for f in range(d)]
    if "name" in ds.variables and ds["name"].dims == ("feature",):
        names = [str(name) for name in ds["name"].values]
    for word in [] if odd is None else [part.strip() for part in str(odd).split(",")]:
        known = [f for f, name in enumerate(names) if name == word]
        if not known and word.isdecimal() and int(word) < d:
            known = [int(word)]
        if len(known) != 1:
            raise ValueError(
                f"odd: expected names or positions of features, with commas between them, got "
                f"{word!r}, which is that of {len(known)}: e.g. odd={names[-1]!r}"
            )
        if period.size and period[known[0]] > 0:
            raise ValueError(
                f"odd: expected features without a period, got {word!r}, whose period is "
                f"{period[known[0]]:g}: an angle stays the same when time is reversed"
            )
        parity[known] = -1
    return Metric(period, weight, parity)


def plane(rows: da.Array, of: Metric, most: int) -> Plane:
    """Return the leading components: features if they are few, else principal ones. Computes.

    Parameters
    ----------
    rows
        (n, d).
    of
        The metric, in which a periodic feature is a circle.
    most
        How many.
    """
    n, d = rows.shape
    wanted = max(min(ROWS, ROW_BYTES // (8 * d)), FEWEST_ROWS)
    x = cells.embedded(np.asarray(rows[:: max(n // wanted, 1)].compute()), of.period, of.weight)
    around = np.count_nonzero(of.period > 0)
    kept = of.parity[of.period == 0] if around else of.parity
    parity = np.concatenate([kept, np.ones(2 * around, np.int64)])
    center = x.mean(axis=0)
    if parity.size <= most:
        variance, axis, sign = x.var(axis=0), np.eye(parity.size), parity
    else:
        variance, axis, sign = _principal(x - center, parity, most)
    used = variance > FLAT * variance.max()
    used[0] = True
    scale = np.where(variance > 0, np.sqrt(variance), 1.0)[used]
    return Plane(Axes(center, axis[used], scale), sign[used], parity.size <= most)


def _principal(x: Floats, parity: Ints, most: int) -> tuple[Floats, Floats, Ints]:
    """Return variances, axes and parities of the leading components, of one parity each."""
    found = []
    for sign in (1, -1):
        column = np.flatnonzero(parity == sign)
        if column.size:
            _, length, vector = np.linalg.svd(x[:, column], full_matrices=False)
            axis = np.zeros((min(most, len(vector)), parity.size))
            axis[:, column] = vector[:most]
            found += [(s**2 / len(x), a, sign) for s, a in zip(length, axis, strict=False)]
    found = sorted(found, key=lambda one: -one[0])[:most]
    axes = np.array([a for _, a, _ in found])
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, np.newaxis], axis=1)
    return (
        np.array([s for s, _, _ in found]), axes * np.sign(largest),
        np.array([sign for _, _, sign in found]),
    )  # fmt: skip


def own_image(ds: xr.Dataset, of: Metric) -> Array:
    """Return which peaks stay what they are when time is reversed: (p,). Computes.

    The mirror image of a peak is nearest to itself among all peaks.

    Raises
    ------
    SchemaError
        If there are no peaks.
    """
    rows, sample = v.read(ds, v.rows, v.peak_sample)
    place = np.asarray(rows[np.asarray(sample.compute())].compute())
    here = cells.embedded(place, of.period, of.weight)
    there = cells.embedded(place * of.parity, of.period, of.weight)
    own: Array = cells.nearest(there, here) == np.arange(len(place))
    return own
