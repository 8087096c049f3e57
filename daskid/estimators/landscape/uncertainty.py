"""How well the dimension is known by which densities were computed."""

import logging
from typing import NamedTuple

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.typing import Floats

log = logging.getLogger("daskid")


class Dimension(NamedTuple):
    """By how much to change the dimension of the densities, the error after that, its source."""

    change: float
    error: float
    words: str


def dimension_error(ds: xr.Dataset) -> Dimension:
    """Return how much the dimension of the densities is off.

    Gride's, on a density that varies, reads too much where neighborhoods are large; the number of
    features is an upper bound, and where Gride reaches it, the dimension.
    """
    if v.kstar_dimension.name not in ds.variables:
        return Dimension(0.0, 0.0, "no dimension in the dataset")
    attrs, given = ds[v.kstar_dimension.name].attrs, v.parameters(ds, v.kstar_dimension)
    name = f"{given.get('dimension')}_error"
    if "scale" in attrs:
        scales, found = np.atleast_1d(attrs["scales"]), np.atleast_1d(attrs["dimensions"])
        own = float(found[scales == attrs["scale"]][0])
        most = ds.sizes["feature"] if v.rows.name in ds.variables else np.inf
        if own >= most:
            used = float(v.read(ds, v.kstar_dimension)[0].compute())
            return Dimension(most - used, 0.0, "the number of features, which Gride reaches")
        near = (scales >= attrs["scale"] / 32) & (scales <= attrs["scale"] * 2)
        return Dimension(0.0, float(np.abs(found[near] - own).max()), "Gride over scales")
    if name in v.VARIABLES and name in ds.variables:
        return Dimension(0.0, float(v.read(ds, v.VARIABLES[name])[0].compute()), name)
    return Dimension(0.0, 0.0, "given, without an error")


def warned(dimension: Dimension, slope: Floats, error: Floats) -> str:
    """Return and log a warning where barriers are mostly as uncertain as the dimension.

    Parameters
    ----------
    dimension
        Of the densities.
    slope, error
        (p, p) changes of the barriers by a dimension larger by 1, and their errors.
    """
    most = 2.0 * (slope * dimension.error) ** 2 > error**2
    if not most.any():
        return ""
    told = (
        f"barriers are as uncertain as the dimension, known to {dimension.error:.2g} "
        f"({dimension.words}), by which up to {np.abs(slope * dimension.error)[most].max():.2g} kT "
        "of a barrier are off: give kstar the dimension, if it is known, e.g. dimension=1"
    )
    log.warning("barriers: %s", told)
    return told
