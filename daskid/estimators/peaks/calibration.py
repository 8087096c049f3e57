"""How far peaks must stand out: a number, or one that depends on the data's size and shape."""

import json
import math
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.kernels import peaks as kernels

WORD = "calibrated"
COVERS = (
    "The error of the 95 % quantile of simulated single Gaussians, independent samples of the "
    "given dimension; that the data may be another single peak, or have another dimension, "
    "and the interpolation between what was simulated, are left out."
)
_NEEDED = (v.neighbor_index, v.log_density, v.kstar_dimension)


def inputs(ds: xr.Dataset, z: float | str) -> tuple[v.Variable, ...]:
    """Return what a calibrated z depends on besides what peaks are found in."""
    return (v.kstar_dimension,) if z == WORD else ()


class Threshold(NamedTuple):
    """z, its standard error (NaN of a given one), and whether it is for connected parts."""

    z: float
    error: float
    connected: bool


def threshold(ds: xr.Dataset, z: float | str) -> Threshold:
    """Return z as a number.

    Raises
    ------
    SchemaError
        If what a calibrated z depends on is not there.
    ValueError
        If ``z`` is neither, or nothing was simulated for such data.
    """
    if z == WORD:
        return Threshold(*_calibrated(ds), connected=True)
    text = isinstance(z, str)
    try:
        number = float(z)
    except (TypeError, ValueError):
        number = math.nan
    if text or isinstance(z, bool) or not math.isfinite(number) or number < 0:
        raise ValueError(
            f"z: expected a number from 0 on, or {WORD!r}, got {z!r}: 1.65 is the paper's"
        )
    return Threshold(number, math.nan, connected=False)


def was_calibrated(ds: xr.Dataset) -> bool:
    """Return whether the peaks of a dataset are those of a calibrated z."""
    return v.parameters(ds, v.peak_sample).get("z") == WORD


def described(found: Threshold) -> dict[v.Variable, dict[str, Any]]:
    """Return the attributes of z."""
    if not found.connected:
        return {}
    return {v.peak_z: {"error": found.error, "covers": COVERS}}


def _calibrated(ds: xr.Dataset) -> tuple[float, float]:
    method, asked = _asked(ds)
    for (name, axis), value in zip(kernels.RANGE.items(), asked, strict=True):
        if not axis[0] <= value <= axis[-1]:
            raise ValueError(
                f"z: {WORD!r} was simulated for {name} from {axis[0]:,} to {axis[-1]:,}, got "
                f"{value:,.6g}: give a number, see persistence and significance for what each does"
            )
    return kernels.calibrated(method, *asked)


def _asked(ds: xr.Dataset) -> tuple[str, tuple[int, float, int]]:
    """Return the method of the density, and number of locations, dimension, length of lists."""
    index, _, dimension = v.read(ds, *_NEEDED)
    method = _method(ds[v.log_density.name])
    n = index.shape[0]
    if v.location.name in ds.variables:
        (location,) = v.read(ds, v.location)
        n = int((location == da.arange(n, chunks=location.chunks)).sum().compute())
    return method, (n, float(np.asarray(dimension.compute())), index.shape[1])


def _method(density: xr.DataArray) -> str:
    """Return the method of a density that is still the one of its step."""
    attrs = density.attrs
    parameters = json.loads(attrs.get("parameters", "{}"))
    own = attrs.get("step") == v.log_density.step and attrs.get("token") == v.token(density.data)
    method = str(parameters.get("method")) if own else "unknown"
    if method not in kernels.METHODS:
        raise ValueError(
            f"z: {WORD!r} was simulated for densities of the methods {kernels.METHODS}, got "
            f"{method!r}: run density with one of them, or give a number"
        )
    return method
