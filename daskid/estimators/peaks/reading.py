"""What the steps share: the lists and densities that they read, and the table of raw peaks."""

from typing import NamedTuple

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute

from daskid import variables as v
from daskid.blockwise import gather
from daskid.blockwise import peaks as blockwise
from daskid.kernels import peaks as kernels
from daskid.typing import Array, Floats

REQUIRED = (v.neighbor_index, v.kstar, v.log_density, v.log_density_error)


class Input(NamedTuple):
    """Lists in chunks, densities and errors in one chunk, and the names of what was read."""

    lists: blockwise.Lists
    log_density: da.Array
    error: da.Array
    names: tuple[v.Variable, ...]


class Found(NamedTuple):
    """The raw peaks, and the (n,) center and log density of each sample, in memory."""

    raw: kernels.Raw
    center: Array
    log_density: Floats


def read(ds: xr.Dataset) -> Input:
    """Return what peaks are found in.

    Raises
    ------
    SchemaError
        If there are no neighbor lists or no density.
    ValueError
        If there are no samples.
    """
    index, kstar, log_density, error = v.read(ds, *REQUIRED)
    if 0 in index.shape:
        raise ValueError(
            f"neighbor_index: expected one sample and one neighbor or more, got {index.shape}: "
            "run knn on data"
        )
    names: tuple[v.Variable, ...] = REQUIRED
    location = None
    if v.location.name in ds.variables:
        (location,) = v.read(ds, v.location)
        names = (*names, v.location)
    lists = blockwise.lists(index, kstar, location)
    return Input(lists, gather.whole(log_density), gather.whole(error), names)


def find(given: Input) -> Found:
    """Find the raw peaks. *Computes*.

    Raises
    ------
    ValueError
        If densities, errors, lists or their lengths are not what they should be.
    """
    g = blockwise.heights(given.log_density, given.error)
    log_density, error, g = blockwise.held(given.log_density, given.error, g)
    center, border = blockwise.basins(given.lists, g)
    center, border, log_density = compute(center, border, log_density)
    wanted = np.concatenate([kernels.centers(center), border["sample"]])
    few = np.full(center.size, np.nan)
    few[wanted] = blockwise.at(error, wanted)
    return Found(kernels.compact(center, border, log_density, few), center, log_density)


def labels(found: Found, final: kernels.Final) -> Array:
    """Return the surviving peak of each sample: (n,) int32."""
    number = np.empty(found.center.size, np.int32)
    number[found.raw.sample] = final.number
    label: Array = number[found.center]
    return label
