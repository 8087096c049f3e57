"""The variables that steps exchange: names, dimensions, kinds and units live here only.

A step reads with :func:`read` and adds with :func:`assign`. Every added array
carries its provenance in its attributes: the step, its parameters, its inputs
and a fingerprint of all three. Attributes survive ``ds * 2`` and ``isel``, so
a fingerprint is believed only while the array's name is the one it was given.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize

from daskid.typing import Array, Floats, Ints


class SchemaError(ValueError):
    """A variable is missing, or is not what the table of variables says."""


@dataclass(frozen=True)
class Variable:
    """One line of the table: ``kind`` holds the numpy dtype kinds allowed."""

    name: str
    dims: tuple[str, ...]
    kind: str
    units: str
    long_name: str
    step: str
    coordinate: bool = False


def _coordinate(name: str, dim: str, kind: str, units: str, long_name: str) -> Variable:
    return Variable(name, (dim,), kind, units, long_name, "open_rows", coordinate=True)


rows = Variable("rows", ("sample", "feature"), "fiub", "", "rows", "open_rows")
row = _coordinate("row", "sample", "i", "1", "row number in the source")
time = _coordinate("time", "sample", "fiumM", "", "time")
trajectory = _coordinate("trajectory", "sample", "iuUTOb", "", "trajectory of the sample")
column = _coordinate("column", "feature", "i", "1", "feature number in the source")
period = _coordinate("period", "feature", "f", "", "period of the feature, 0 for none")
weight = _coordinate("weight", "feature", "f", "1", "weight of the feature in the metric")

_NK = ("sample", "neighbor")
neighbor_distance = Variable(
    "neighbor_distance", _NK, "f", "", "distance to the nearest locations", "knn"
)
neighbor_index = Variable(
    "neighbor_index", _NK, "i", "1", "sample number of the nearest locations", "knn"
)
multiplicity = Variable(
    "multiplicity", ("sample",), "i", "1", "number of samples at the same location", "knn"
)
location = Variable("location", ("sample",), "i", "1", "first sample at the same location", "knn")

id_twonn = Variable("id_twonn", (), "f", "1", "intrinsic dimension (TwoNN)", "twonn")
id_twonn_error = Variable(
    "id_twonn_error", (), "f", "1", "standard error of the intrinsic dimension (TwoNN)", "twonn"
)
id_twonn_samples = Variable(
    "id_twonn_samples", (), "i", "1", "number of locations used by TwoNN", "twonn"
)
id_twonn_ties = Variable(
    "id_twonn_ties", (), "i", "1", "number of locations with r_2 = r_1, used by TwoNN", "twonn"
)
id_twonn_left_out = Variable(
    "id_twonn_left_out", (), "i", "1", "number of locations without a ratio for TwoNN", "twonn"
)
id_twonn_radius = Variable(
    "id_twonn_radius", (), "f", "", "scale of TwoNN: mean of (r_1 + r_2) / 2", "twonn"
)

id_twonn_error_blocks = Variable(
    "id_twonn_error_blocks", (), "i", "1", "number of time blocks behind the error", "twonn"
)
id_twonn_error_short = Variable(
    "id_twonn_error_short", (), "f", "1", "share of lists too short for their half", "twonn"
)

_B = ("block_size",)
id_blocks = Variable(
    "id_blocks", _B, "f", "1", "mean intrinsic dimension of blocks (TwoNN)", "twonn_blocks"
)
id_blocks_error = Variable(
    "id_blocks_error", _B, "f", "1", "standard error of the mean over blocks", "twonn_blocks"
)
id_blocks_spread = Variable(
    "id_blocks_spread", _B, "f", "1", "standard deviation over blocks", "twonn_blocks"
)
id_blocks_radius = Variable(
    "id_blocks_radius", _B, "f", "", "scale of the blocks: mean of (r_1 + r_2) / 2", "twonn_blocks"
)
id_blocks_number = Variable(
    "id_blocks_number", _B, "i", "1", "number of blocks of this size", "twonn_blocks"
)

_S = ("scale",)
id_gride = Variable("id_gride", _S, "f", "1", "intrinsic dimension (Gride)", "gride")
id_gride_error = Variable(
    "id_gride_error", _S, "f", "1", "standard error of the intrinsic dimension (Gride)", "gride"
)
id_gride_error_kind = Variable(
    "id_gride_error_kind", _S, "i", "1", "which error id_gride_error is", "gride"
)
id_gride_radius = Variable(
    "id_gride_radius", _S, "f", "", "scale of Gride: mean of (r_n1 + r_n2) / 2", "gride"
)
id_gride_samples = Variable(
    "id_gride_samples", _S, "i", "1", "number of locations used by Gride", "gride"
)
id_gride_ties = Variable(
    "id_gride_ties", _S, "i", "1", "number of locations with r_n2 = r_n1, used by Gride", "gride"
)
id_gride_left_out = Variable(
    "id_gride_left_out", _S, "i", "1", "number of locations without a ratio for Gride", "gride"
)

id_gride_error_blocks = Variable(
    "id_gride_error_blocks", (), "i", "1", "number of time blocks behind the error", "gride"
)
id_gride_error_short = Variable(
    "id_gride_error_short", _S, "f", "1", "share of lists too short for their half", "gride"
)

id_mle = Variable("id_mle", (), "f", "1", "intrinsic dimension (Levina-Bickel)", "mle")
id_mle_error = Variable(
    "id_mle_error", (), "f", "1", "standard error of the intrinsic dimension (Levina-Bickel)", "mle"
)
id_mle_samples = Variable(
    "id_mle_samples", (), "i", "1", "number of locations used by Levina-Bickel", "mle"
)
id_mle_left_out = Variable(
    "id_mle_left_out", (), "i", "1", "number of locations without ratios for Levina-Bickel", "mle"
)

id_mle_error_blocks = Variable(
    "id_mle_error_blocks", (), "i", "1", "number of time blocks behind the error", "mle"
)
id_mle_error_short = Variable(
    "id_mle_error_short", (), "f", "1", "share of lists too short for their half", "mle"
)

_W = ("window",)
id_window = Variable(
    "id_window", _W, "f", "1", "intrinsic dimension (TwoNN of two passages)", "twonn_window"
)
id_window_error = Variable(
    "id_window_error", _W, "f", "1", "standard error of the intrinsic dimension", "twonn_window"
)
id_window_samples = Variable(
    "id_window_samples", _W, "i", "1", "number of anchors with a ratio", "twonn_window"
)
id_window_radius = Variable(
    "id_window_radius", _W, "f", "", "scale of the anchors: mean of (r_1 + r_2) / 2", "twonn_window"
)
id_window_shared = Variable(
    "id_window_shared", _W, "f", "1", "share of anchors with both neighbors on one passage",
    "twonn_window",
)  # fmt: skip

peak_label = Variable("peak_label", ("sample",), "i", "1", "density peak of the sample", "peaks")
peak_halo = Variable(
    "peak_halo", ("sample",), "b", "1", "below the highest saddle of its peak", "peaks"
)
peak_z = Variable("peak_z", (), "f", "1", "errors by which peaks stand out of saddles", "peaks")
_P = ("peak",)
peak_sample = Variable("peak_sample", _P, "i", "1", "sample number of the peak", "peaks")
peak_log_density = Variable("peak_log_density", _P, "f", "", "log density of the peak", "peaks")
peak_log_density_error = Variable(
    "peak_log_density_error", _P, "f", "1", "standard error of the peak's log density", "peaks"
)
peak_size = Variable("peak_size", _P, "i", "1", "number of samples of the peak", "peaks")
saddle_peak = Variable(
    "saddle_peak", ("saddle", "side"), "i", "1", "the two peaks beside the saddle", "peaks"
)
saddle_sample = Variable(
    "saddle_sample", ("saddle",), "i", "1", "sample number of the saddle", "peaks"
)
saddle_log_density = Variable(
    "saddle_log_density", ("saddle",), "f", "", "log density of the saddle", "peaks"
)
saddle_log_density_error = Variable(
    "saddle_log_density_error", ("saddle",), "f", "1", "standard error at the saddle", "peaks"
)
_M = ("merge",)
merge_peak = Variable(
    "merge_peak", ("merge", "side"), "i", "1", "highest peak of either branch", "peaks"
)
merge_log_density = Variable(
    "merge_log_density", _M, "f", "", "log density at which the branches join", "peaks"
)
merge_log_density_error = Variable(
    "merge_log_density_error", _M, "f", "1", "standard error at which they join", "peaks"
)
merge_size = Variable("merge_size", _M, "i", "1", "number of samples in both branches", "peaks")

_R = ("raw_peak",)
raw_peak_sample = Variable(
    "raw_peak_sample", _R, "i", "1", "sample number of the raw peak", "persistence"
)
raw_peak_log_density = Variable(
    "raw_peak_log_density", _R, "f", "", "log density of the raw peak", "persistence"
)
raw_peak_persistence = Variable(
    "raw_peak_persistence", _R, "f", "1", "drop to where a denser peak is met", "persistence"
)
raw_peak_persistence_error = Variable(
    "raw_peak_persistence_error", _R, "f", "1", "error of the peak plus the saddle's", "persistence"
)
raw_peak_elder = Variable(
    "raw_peak_elder", _R, "i", "1", "the denser raw peak that is met", "persistence"
)
surviving_peaks = Variable(
    "surviving_peaks", ("threshold",), "i", "1", "number of peaks that survive z", "persistence"
)

peak_support = Variable(
    "peak_support", _P, "f", "1", "share of replicates that have the peak", "significance"
)
merge_support = Variable(
    "merge_support", _M, "f", "1", "share of replicates that have the branch", "significance"
)
replicate_peaks = Variable(
    "replicate_peaks", ("replicate",), "i", "1", "number of peaks", "significance"
)

kstar = Variable(
    "kstar", ("sample",), "i", "1", "number of neighbors that see a constant density", "kstar"
)
kstar_capped = Variable(
    "kstar_capped", ("sample",), "b", "1", "whether the list is too short for kstar", "kstar"
)
kstar_dimension = Variable(
    "kstar_dimension", (), "f", "1", "intrinsic dimension of kstar and all later steps", "kstar"
)

log_density = Variable("log_density", ("sample",), "f", "", "log density", "density")
log_density_error = Variable(
    "log_density_error", ("sample",), "f", "1", "standard error of the log density", "density"
)

VARIABLES: dict[str, Variable] = {
    variable.name: variable for variable in tuple(globals().values()) if type(variable) is Variable
}


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
