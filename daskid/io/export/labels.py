"""Labels of samples on the axes of their source, and as discrete trajectories."""

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import landscape
from daskid.io.export import recorded
from daskid.kernels.landscape import counting
from daskid.typing import Array

ABSENT = -1


def labels_on_source(
    ds: xr.Dataset, source: recorded.Given = None, *, variable: str = "peak_label"
) -> xr.DataArray:
    """Return a variable of the samples along the source's own time and trajectories; *computes*.

    Parameters
    ----------
    ds
        Rows that :func:`daskid.open_rows` opened, or a selection of them, with the variable.
    source
        What they were opened from; by default the path that the dataset remembers.
    variable
        A variable along ``sample`` alone.

    Returns
    -------
    The values along the dimensions of the source that samples and trajectories are on, in its
    order and with its coordinates. Samples that were dropped or not selected are -1 for whole
    numbers and for yes and no (1 and 0), NaN for other numbers.

    Raises
    ------
    SchemaError
        If there are no ``rows``.
    ValueError
        If there is no such variable, the source was in memory and is not given, or has not the
        rows of the dataset.
    OSError
        If the source can't be read.

    Examples
    --------
    >>> import numpy as np, xarray as xr, daskid
    >>> from daskid.io.export import labels_on_source
    >>> field = xr.DataArray([[1.0], [np.nan], [3.0]], dims=("time", "lat"), name="t2m")
    >>> ds = daskid.open_rows(field, drop_nonfinite=True)
    >>> labels_on_source(ds.assign(peak_label=("sample", [0, 1])), field).values
    array([ 0, -1,  1])
    """
    found = recorded.opened(ds, source)
    values = _values(ds, variable)
    absent = ABSENT if values.dtype.kind in "biu" else np.nan
    whole = np.full(int(np.prod(found.sizes)), absent, _room_for(values))
    whole[recorded.places(ds)] = values
    field, front = found.fields[0], found.front
    along = {n: c for n, c in field.coords.items() if c.ndim and set(c.dims) <= set(front)}
    attrs = {k: x for k, x in ds[variable].attrs.items() if k in ("long_name", "units")}
    meaning = f"{absent:g}: not among the rows"
    out = xr.DataArray(
        whole.reshape(found.sizes), along, front, variable, attrs | {"missing": meaning}
    )
    return out.transpose(*(dim for dim in field.dims if dim in front))


def discrete_trajectories(ds: xr.Dataset, *, variable: str = "peak_label") -> list[Array]:
    """Return states as deeptime takes them: an array for each segment of time; *computes*.

    Parameters
    ----------
    ds
        Samples in the order of time, trajectory by trajectory; ``time`` and ``trajectory``, if
        there are any.
    variable
        Whole numbers along ``sample``: ``peak_label``, or ``microstate`` of
        :func:`daskid.markov`.

    Returns
    -------
    One array of int32 for each segment. A segment ends with its trajectory, and at a gap: a step
    of more than 1.5 median steps of the first million frames, as in
    :func:`daskid.transitions`. Where there is no ``time``, a gap is one in the row numbers.

    Raises
    ------
    ValueError
        If there is no such variable, time does not increase along a trajectory, or a trajectory
        is in several parts.

    Examples
    --------
    >>> import xarray as xr
    >>> from daskid.io.export import discrete_trajectories
    >>> ds = xr.Dataset(
    ...     {"peak_label": ("sample", [0, 0, 1, 1, 0])},
    ...     {"time": ("sample", [0.0, 1.0, 2.0, 8.0, 9.0])},
    ... )
    >>> [states.tolist() for states in discrete_trajectories(ds)]
    [[0, 0, 1], [1, 0]]
    """
    state = _along_samples(ds, variable)
    if state.dtype.kind not in "iu":
        raise ValueError(
            f"variable: expected whole numbers along sample, got {variable!r} of {state.dtype}: "
            "e.g. variable='peak_label'"
        )
    clock = next((c for c in (v.time, v.row) if c.name in ds.variables), None)
    when = da.arange(state.size, chunks=-1) if clock is None else v.read(ds, clock)[0]
    there = v.trajectory.name in ds.variables
    label = v.read(ds, v.trajectory)[0] if there else None
    data = state.data if isinstance(state.data, da.Array) else da.from_array(state.data)
    met = landscape.Counted(counting.nothing(0), np.zeros(0, np.int64))
    parts = [
        (states.astype(np.int32), begins | gap)
        for states, _, begins, gap in landscape.segments(data, when, label, met)
    ]
    states, begins = (np.concatenate(x) for x in zip(*parts, strict=True))
    return np.split(states, np.flatnonzero(begins)[1:])


def _values(ds: xr.Dataset, variable: str) -> Array:
    values = np.asarray(_along_samples(ds, variable).values)
    if values.dtype.kind not in "biuf":
        raise ValueError(
            f"variable: expected numbers, got {variable!r} of {values.dtype}: choose another"
        )
    return values


def _along_samples(ds: xr.Dataset, variable: str) -> xr.DataArray:
    if variable not in ds.variables or ds[variable].dims != v.row.dims:
        names = sorted(str(n) for n, x in ds.data_vars.items() if x.dims == v.row.dims)
        raise ValueError(
            f"variable: expected one along sample alone, of {names}, got {variable!r}: "
            "run the step that makes it"
        )
    return ds[variable]


def _room_for(values: Array) -> np.dtype[np.generic]:
    """Return a dtype that holds the values and what is absent."""
    if values.dtype.kind == "b":
        return np.dtype(np.int8)
    if values.dtype.kind == "u":
        return np.dtype(np.int64)
    return values.dtype
