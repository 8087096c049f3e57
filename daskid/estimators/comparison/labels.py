"""Labels of samples, checked: a name along ``sample``, no gaps."""

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise.search import pool
from daskid.typing import Array, Ints


def codes_of(ds: xr.Dataset, labels: str, *, classes: int = 2) -> tuple[Ints, Array]:
    """Return the class of each sample, numbered from 0, and the labels of the classes.

    Parameters
    ----------
    ds, labels
        The dataset, and the name of the variable or coordinate that holds the labels.
    classes
        How many there must be.

    Raises
    ------
    SchemaError
        If there are no such labels.
    ValueError
        If they are not along ``sample``, not labels, missing for some samples, or too few.
    """
    if not isinstance(ds, xr.Dataset):
        raise v.SchemaError(
            f"expected an xarray.Dataset, got {type(ds).__name__}: start with daskid.open_rows"
        )
    if labels not in ds.variables:
        along = sorted(str(name) for name in ds.variables if ds[name].dims == ("sample",))
        raise v.SchemaError(
            f"labels: no {labels!r} in the dataset, there are {along}: give the name of a variable "
            f"along sample, or add one with ds.assign_coords({labels}=('sample', values))"
        )
    array = ds[labels]
    if array.dims != ("sample",):
        raise ValueError(
            f"labels: expected {labels!r} along ('sample',), one a sample, got {array.dims}: "
            f"add labels with ds.assign_coords({labels}=('sample', values))"
        )
    (values,) = pool.compute(array.data)
    values = np.asarray(values)
    missing = _missing(values, labels)
    if missing.any():
        raise ValueError(
            f"labels: expected a label for every sample, got none in {labels!r} for "
            f"{missing.sum()} (first: {np.flatnonzero(missing)[0]}): leave these samples out with "
            "ds.isel(sample=...) before knn, or give them a label of their own"
        )
    if values.dtype.kind == "O":
        values = values.astype(str)
    names, codes = np.unique(values, return_inverse=True)
    if names.size < classes:
        raise ValueError(
            f"labels: expected {classes} classes or more in {labels!r}, got {names.size}: "
            "all samples have the same label, there is nothing to compare"
        )
    return codes.astype(np.int64), names


def _missing(values: Array, labels: str) -> Array:
    """Return which labels are missing; refuse what is no label."""
    kind = values.dtype.kind
    if kind in "biu":
        return np.zeros(values.shape, bool)
    if kind == "f":
        missing = np.isnan(values)
        if (values[~missing] != np.round(values[~missing])).any():
            raise ValueError(
                f"labels: expected integers, text or booleans in {labels!r}, got fractions: "
                "put the values into classes, e.g. with numpy.digitize"
            )
        return np.asarray(missing)
    if kind in "UTS":
        return np.asarray(values == np.asarray("", values.dtype))
    if kind == "O":
        return np.array([not isinstance(value, str) or not value for value in values], bool)
    raise ValueError(
        f"labels: expected integers, text or booleans in {labels!r}, got {values.dtype}: "
        "convert them first"
    )
