"""How well the dimension is known by which densities were computed."""

import numpy as np
import xarray as xr

from daskid import variables as v


def dimension_error(ds: xr.Dataset) -> tuple[float, str]:
    """Return the standard error of the dimension, and what it is."""
    if v.kstar_dimension.name not in ds.variables:
        return 0.0, "no dimension in the dataset"
    attrs, given = ds[v.kstar_dimension.name].attrs, v.parameters(ds, v.kstar_dimension)
    name = f"{given.get('dimension')}_error"
    if "scale" in attrs:
        scales, found = np.atleast_1d(attrs["scales"]), np.atleast_1d(attrs["dimensions"])
        own = found[scales == attrs["scale"]]
        near = (scales >= attrs["scale"] / 32) & (scales <= attrs["scale"] * 2)
        return float(np.abs(found[near] - own).max()), "Gride over scales"
    if name in v.VARIABLES and name in ds.variables:
        return float(v.read(ds, v.VARIABLES[name])[0].compute()), name
    return 0.0, "given, without an error"
