"""The variables that steps exchange: names, dimensions, kinds and units live here only.

A step reads with :func:`read` and adds with :func:`assign`. Every added array
carries its provenance in its attributes: the step, its parameters, its inputs
and a fingerprint of all three. Attributes survive ``ds * 2`` and ``isel``, so
a fingerprint is believed only while the array's name is the one it was given.
"""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize

from daskid.typing import Array, Floats, Ints
from daskid.variables.table import *  # noqa: F403  its names are those of this module
from daskid.variables.table import VARIABLES, period, row, rows, trajectory, weight
from daskid.variables.variable import Variable as Variable

APPROXIMATE = "approximate"
"""Attribute of approximate neighbors, and of all that is computed from them: their recall."""


class SchemaError(ValueError):
    """A variable is missing, or is not what the table of variables says."""


def read(ds: xr.Dataset, *variables: Variable) -> tuple[da.Array, ...]:
    """Return the dask arrays of ``variables``, in the dimension order of the table.

    Raises
    ------
    SchemaError
        If one is missing, has other dimensions, or another kind of dtype.
    """
    return tuple(_read(ds, variable) for variable in variables)


def _read(ds: xr.Dataset, variable: Variable) -> da.Array:
    if not isinstance(ds, xr.Dataset):
        raise SchemaError(
            f"expected an xarray.Dataset, got {type(ds).__name__}: start with daskid.open_rows"
        )
    if variable.name not in ds.variables:
        raise SchemaError(f"no {variable.name!r} in the dataset: run {variable.step} first")
    array = ds[variable.name]
    if set(array.dims) != set(variable.dims):
        raise SchemaError(
            f"{variable.name!r}: expected dimensions {variable.dims}, got {array.dims}: "
            f"rename them with ds.rename, or run {variable.step}"
        )
    if array.dtype.kind not in variable.kind:
        raise SchemaError(
            f"{variable.name!r}: expected a dtype of kind {variable.kind!r}, got {array.dtype}: "
            f"convert it with ds.astype, or run {variable.step}"
        )
    data = array.transpose(*variable.dims).data
    return data if isinstance(data, da.Array) else da.from_array(data)


def per_feature(ds: xr.Dataset, variable: Variable) -> Floats:
    """Return ``period`` or ``weight`` as (d,) numbers, empty if it is not there.

    Raises
    ------
    SchemaError
        If they are not numbers along ``feature``.
    ValueError
        If they are not finite, or negative.
    """
    if variable.name not in ds.variables:
        return np.zeros(0)
    values = np.asarray(_read(ds, variable).compute(), dtype="f8")
    if (bad := ~np.isfinite(values) | (values < 0)).any():
        f = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"{variable.name}: expected finite numbers, 0 or more, got {values[f]:g} for feature "
            f"{f}: correct the coordinate, 0 stands for none"
        )
    return values


def compared(ds: xr.Dataset) -> tuple[Floats, Floats]:
    """Return periods and weights of the features, each empty where they change nothing."""
    periods, weights = per_feature(ds, period), per_feature(ds, weight)
    return (
        periods if (periods > 0).any() else np.zeros(0),
        weights if (weights != 1).any() else np.zeros(0),
    )


def frames(ds: xr.Dataset) -> tuple[Ints | None, Ints | None]:
    """Return (N,) frame numbers and codes of trajectories, None for what is not there."""
    frame = codes = None
    if row.name in ds.variables:
        frame = np.asarray(_read(ds, row).compute(), np.int64)
    if trajectory.name in ds.variables:
        names = _read(ds, trajectory).compute()
        codes = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return frame, codes


def parameters(ds: xr.Dataset, variable: Variable) -> dict[str, Any]:
    """Return the parameters that a variable was computed with, {} if they are not known."""
    return dict(json.loads(ds[variable.name].attrs.get("parameters", "{}")))


def assign(
    ds: xr.Dataset,
    values: Mapping[Variable, Any],
    *,
    inputs: Iterable[Variable],
    parameters: Mapping[str, Any] | None = None,
    attrs: Mapping[Variable, Mapping[str, Any]] | None = None,
) -> xr.Dataset:
    """Add the outputs of one step; drop what was computed from an older version of them.

    Parameters
    ----------
    ds
        Receives the variables; it is not changed in place.
    values
        Arrays or scalars by variable.
    inputs, parameters
        What the values were computed from; both enter the fingerprint.
    attrs
        Further attributes by variable, e.g. what an error covers.
    """
    described = describe(ds, values, inputs=inputs, parameters=parameters, attrs=attrs)
    out = drop_dependents(ds, {variable.name for variable in values})
    data = {v: (x if isinstance(x, da.Array) else np.asarray(x)) for v, x in values.items()}
    return out.assign(
        {v.name: (v.dims, x, {**described[v.name], "token": token(x)}) for v, x in data.items()}
    )


def describe(
    ds: xr.Dataset,
    outputs: Iterable[Variable],
    *,
    inputs: Iterable[Variable],
    parameters: Mapping[str, Any] | None = None,
    attrs: Mapping[Variable, Mapping[str, Any]] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the attributes that :func:`assign` gives to each of the outputs, by name."""
    outputs, inputs = tuple(outputs), tuple(inputs)
    step = outputs[0].step
    given = json.dumps(dict(parameters or {}), sort_keys=True, default=_plain)
    record = {
        "step": step,
        "parameters": given,
        "inputs": " ".join(i.name for i in inputs),
        "fingerprint": identify(step, given, [fingerprint(ds[i.name]) for i in inputs]),
    }
    # what comes of approximate neighbors says so
    known = [ds[i.name].attrs[APPROXIMATE] for i in inputs if APPROXIMATE in ds[i.name].attrs]
    if known:
        record[APPROXIMATE] = known[0]
    return {
        v.name: {
            "long_name": v.long_name,
            **({"units": v.units} if v.units else {}),
            **dict((attrs or {}).get(v, {})),
            **record,
        }
        for v in outputs
    }


def identify(step: str, parameters: str, inputs: Iterable[str]) -> str:
    """Return the fingerprint of a step's results from its parameters and its inputs' ones."""
    return sha256(json.dumps([step, parameters, list(inputs)]).encode()).hexdigest()[:32]


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"parameters: expected numbers, text or lists, got {type(value).__name__}")


def drop_dependents(ds: xr.Dataset, names: set[str]) -> xr.Dataset:
    """Drop the variables ``names``, those of the same step, and all computed from them."""
    return ds.drop_vars(dependents(ds, names))


def dependents(ds: xr.Dataset, names: set[str]) -> set[str]:
    """Return those of ``names`` in ``ds``, those of their steps, and all that depends on them.

    That is what was computed from them, and what lies along a dimension of a step's
    own, such as ``neighbor``. Attributes are believed for declared variables only:
    others may have inherited theirs.
    """
    steps = {VARIABLES[n].step for n in names if n in VARIABLES} - {"open_rows"}
    declared = {str(n): ds[n].attrs for n in ds.variables if n in VARIABLES}
    found = names | {n for n, attrs in declared.items() if attrs.get("step") in steps}
    while True:
        dims = {d for n in found & set(VARIABLES) for d in VARIABLES[n].dims} - set(rows.dims)
        more = {
            n for n, attrs in declared.items() if found & set(str(attrs.get("inputs", "")).split())
        }
        more |= {str(n) for n in ds.variables if n not in declared and dims & set(ds[n].dims)}
        if more <= found:
            return found & set(map(str, ds.variables))
        found |= more


def fingerprint(array: xr.DataArray) -> str:
    """Return what identifies the values: the step's record, or the array itself."""
    current = token(array.data)
    if array.attrs.get("token") == current and "fingerprint" in array.attrs:
        return str(array.attrs["fingerprint"])
    return current


def token(data: da.Array | Array) -> str:
    """Return the name of a dask array, or a hash of the content of another."""
    return str(data.name) if isinstance(data, da.Array) else str(tokenize(data))
