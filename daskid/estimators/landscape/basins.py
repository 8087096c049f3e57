"""How probable, how wide and how vague each basin is, with errors."""

from typing import Any

import numpy as np

from daskid import variables as v
from daskid.estimators.landscape.blocks import Units
from daskid.typing import Array, Floats


def basins(
    label: Array, halo: Array, log_density: Floats, peaks: int, unit: Units
) -> dict[v.Variable, Any]:
    """Return probability, entropy and halo of each basin, and their errors.

    All are ratios of sums over samples; their errors are those of ratios of sums over the
    units, to first order.

    Parameters
    ----------
    label, halo, log_density
        (n,) of all samples.
    peaks
        How many there are.
    unit
        What is drawn as one.
    """
    cell = unit.number * peaks + label
    number = _sums(np.ones(label.size), cell, unit.total, peaks)
    share, share_error = _ratio(number, number.sum(axis=1, keepdims=True))
    minus, minus_error = _ratio(_sums(-log_density, cell, unit.total, peaks), number)
    vague, vague_error = _ratio(_sums(halo.astype("f8"), cell, unit.total, peaks), number)
    relative = share_error / share
    return {
        v.basin_probability: share,
        v.basin_probability_error: share_error,
        v.basin_entropy: minus + np.log(share),
        v.basin_entropy_error: np.hypot(minus_error, relative),
        v.basin_halo: vague,
        v.basin_halo_error: vague_error,
    }


def _sums(values: Floats, cell: Array, units: int, peaks: int) -> Floats:
    sums: Floats = np.bincount(cell, values, minlength=units * peaks).astype("f8")
    return sums.reshape(units, peaks)


def _ratio(above: Floats, below: Floats) -> tuple[Floats, Floats]:
    """Return the ratio of the sums over units of (u, p) and (u, p or 1), and its error."""
    total = below.sum(axis=0)
    ratio: Floats = above.sum(axis=0) / total
    units = len(above)
    left = above - ratio * below
    error: Floats = np.sqrt((left**2).sum(axis=0) * units / (units - 1)) / total
    return ratio, error
