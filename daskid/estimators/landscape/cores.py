"""What transitions are counted from: the cores of the peaks, and the order of time."""

from typing import NamedTuple

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import landscape as blockwise
from daskid.typing import Floats, Ints

DEEPEST = 1.0
"""Depth of a core below its peak in kT, where half the drop to where it ends is no less."""
TABLES = v.peak_label, v.log_density, v.peak_log_density, v.merge_peak, v.merge_log_density


class Cores(NamedTuple):
    """(n,) core of each sample, lazy, and (p,) how deep they are."""

    core: da.Array
    depth: Floats


class Clock(NamedTuple):
    """(n,) times, (n,) trajectories or None, the unit of time, and what was read."""

    time: da.Array
    trajectory: da.Array | None
    unit: str
    inputs: tuple[v.Variable, ...]


def cores(ds: xr.Dataset) -> Cores:
    """Return the samples around each peak that stand for its state.

    Raises
    ------
    SchemaError
        If there are no peaks.
    """
    label, log_density, *tables = v.read(ds, *TABLES)
    height, joined, level = (np.asarray(x.compute()) for x in tables)
    depth = np.minimum(DEEPEST, 0.5 * persistences(height, joined, level))
    return Cores(blockwise.cores(label, log_density, height - depth), depth)


def named_cores(ds: xr.Dataset, name: str) -> tuple[Cores, v.Variable]:
    """Return the samples that a variable says are in the cores, and what was read. Computes.

    Raises
    ------
    ValueError
        If there is no such variable, it is no whole number of each sample, or a number is not of
        a peak.
    """
    if name not in ds.variables or ds[name].dims != ("sample",) or ds[name].dtype.kind not in "iu":
        raise ValueError(
            f"core: expected the name of whole numbers (sample), -1 outside of all cores, got "
            f"{name!r}: e.g. core='core' after ds.assign(core=('sample', numbers))"
        )
    named = v.Variable(name, ("sample",), "iu", "1", "core that the sample is in", "")
    (core,) = v.read(ds, named)
    most = int(core.max().compute())
    states = ds.sizes.get("peak", max(most, 0) + 1)
    if not 0 <= most < states:
        raise ValueError(
            f"core: expected {name!r} to have numbers of the states up to {states - 1}, got "
            f"{most} at most: -1 is for samples outside of all cores"
        )
    return Cores(core.astype(np.int32), np.full(states, np.nan)), named


def persistences(height: Floats, joined: Ints, level: Floats) -> Floats:
    """Return the drop from each peak to where it ends: (p,).

    That is where it is joined to a denser one; of the densest peak of a part, where the last one
    is joined to it, and infinite if there is none.
    """
    out = np.full(height.size, np.inf)
    for (elder, younger), at in zip(joined, level, strict=True):
        out[younger] = height[younger] - at
        out[elder] = height[elder] - at
    return out


def clock(ds: xr.Dataset) -> Clock:
    """Return the times of the samples: ``time``, or else frame numbers.

    Raises
    ------
    ValueError
        If times are not numbers or dates.
    """
    inputs = tuple(c for c in (v.time, v.trajectory) if c.name in ds.variables)
    if v.time not in inputs and v.row.name in ds.variables:
        inputs = (v.row, *inputs)
    found = dict(zip(inputs, v.read(ds, *inputs), strict=True))
    n = ds.sizes["sample"]
    time = found.get(v.time, found.get(v.row, da.arange(n, chunks=blockwise.FRAMES)))
    unit = "frames"
    if v.time in inputs:
        dates = time.dtype.kind in "mM"
        unit = "s" if dates else str(ds[v.time.name].attrs.get("units", ""))
    return Clock(time, found.get(v.trajectory), unit, inputs)
