"""From any array to ``rows (sample, feature)``: which dimension is which, what is left out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.io import sources
from daskid.io.store import lazy_rows
from daskid.storage import rows as storage
from daskid.typing import Array, Floats, Ints

SAMPLE_NAMES = ("sample", "time", "frame")
PerFeature = float | Sequence[float] | Mapping[str, float] | str | None


def open_rows(
    source: str | Path | xr.DataArray | xr.Dataset,
    *,
    variable: str | None = None,
    sample: str | None = None,
    time: str | None = None,
    trajectory: str | None = None,
    period: PerFeature = None,
    weights: PerFeature = None,
    drop_nonfinite: bool = False,
) -> xr.Dataset:
    """Open samples as ``rows (sample, feature)``. *Computes* one pass over floating-point rows.

    Every dimension but the sample one becomes features; their coordinates go along, as
    plain coordinates of ``feature``. The source is only ever read.

    Parameters
    ----------
    source
        Path of a Zarr array or group, of a ``.npy`` or ``.npz`` file; a DataArray or a
        Dataset. An array without dimension names has its samples along the first axis.
    variable
        Which array of a group, ``.npz`` file or Dataset; not needed if there is only one.
    sample
        The sample dimension; default: the only one named sample, time or frame.
    time, trajectory
        Coordinates along the sample dimension: time (default: the one named time), and
        which trajectory a sample belongs to (default: the one named trajectory).
    period
        Period of each feature in its own units, 0 for none: one number for all, one each, a
        mapping from feature name, or the name of a coordinate along the features.
    weights
        Weight of each feature in the metric, given as ``period`` is.
    drop_nonfinite
        Leave out samples with NaN or infinite values, and count them, instead of
        raising. A feature that is non-finite in every sample (a land mask) is always left
        out.

    Returns
    -------
    A dataset with lazy ``rows`` and the coordinates ``row`` and ``column`` (their numbers
    in the source), ``time``, ``trajectory``, ``period`` and ``weight`` where given. Its
    attributes count what was left out.

    Raises
    ------
    ValueError
        If it is not clear which variable or dimension is meant, if there are no
        samples or features, if values are not finite, or a period or weight is out
        of range; it lists the choices.
    TypeError
        If the values are not real numbers.
    FileNotFoundError
        If there is nothing at the path.

    Examples
    --------
    >>> import numpy as np, xarray as xr, daskid
    >>> field = xr.DataArray(np.zeros((3, 2, 2)), dims=("time", "lat", "lon"),
    ...                      coords={"lat": [10.0, 20.0]})
    >>> ds = daskid.open_rows(field)
    >>> ds.rows.shape, ds.lat.values
    ((3, 4), array([10., 10., 20., 20.]))
    """
    field, reader = sources.resolve(source, variable)
    dim = _sample_dim(field, sample)
    dtype = storage.native(field.dtype)
    others = [str(d) for d in field.dims if d != dim]
    shape = (field.sizes[dim], int(np.prod([field.sizes[d] for d in others], dtype=int)))
    if shape[0] < 1 or shape[1] < 1:
        raise ValueError(
            f"source: expected samples and features, got {dict(field.sizes)}: nothing to analyze"
        )
    coords = _sample_coords(field, dim, time, trajectory) | _feature_coords(field, dim, others)
    for given, what in ((period, v.period), (weights, v.weight)):
        coords |= _per_feature(given, what, coords, shape[1])
    if reader is not None:
        reader = reader.along(field.get_axis_num(dim), shape, dtype)
        rows = lazy_rows(reader, f"rows-{reader.identity()}")
    else:
        rows = _flattened(field, dim, dtype)
    dropped, columns = _nonfinite(rows, drop_nonfinite)
    if dropped.size or columns is not None:
        rows = _without(rows, reader, dropped, columns)
    return _dataset(field, rows, coords, source, shape, dropped, columns)


def _sample_dim(field: xr.DataArray, sample: str | None) -> str:
    dims = [str(d) for d in field.dims]
    if sample is not None:
        if sample not in dims:
            raise ValueError(f"sample: expected one of the dimensions {dims}, got {sample!r}")
        return sample
    found = [d for d in dims if d in SAMPLE_NAMES]
    if len(found) != 1:
        raise ValueError(
            f"sample: expected one dimension named {', '.join(SAMPLE_NAMES)}, got dimensions {dims}: "
            f"choose one, e.g. sample={dims[0] if dims else 'sample'!r}"
        )
    return found[0]


def _sample_coords(
    field: xr.DataArray, dim: str, time: str | None, trajectory: str | None
) -> dict[str, Any]:
    along = {str(n): c for n, c in field.coords.items() if c.dims == (dim,)}
    out = {}
    for given, name in ((time, "time"), (trajectory, "trajectory")):
        if given is not None and given not in along:
            raise ValueError(
                f"{name}: expected a coordinate along {dim!r}, one of {sorted(along)}, got {given!r}"
            )
        chosen = given or (name if name in along else None)
        if chosen is not None:
            out[name] = ("sample", along.pop(chosen).data, field[chosen].attrs)
    for name, coordinate in along.items():
        free = f"{name}_id" if name in ("sample", "feature") else name
        if free not in ("row", *out):
            out[free] = ("sample", coordinate.data, coordinate.attrs)
    return out


def _feature_coords(field: xr.DataArray, dim: str, others: list[str]) -> dict[str, Any]:
    shape = field.isel({dim: 0}, drop=True).reset_coords(drop=True).variable
    out = {}
    for name, coordinate in field.coords.items():
        if coordinate.ndim and set(coordinate.dims) <= set(others):
            full = coordinate.variable.set_dims(shape.sizes).transpose(*others)
            free = "name" if name in ("feature", "sample") else str(name)
            values = full.data if free not in ("period", "weight") else np.asarray(full.data, "f8")
            out[free] = ("feature", values.reshape(-1), coordinate.attrs)
    out.pop("column", None)
    return out


def _per_feature(
    given: PerFeature, what: v.Variable, coords: dict[str, Any], features: int
) -> dict[str, Any]:
    if given is None:
        if what.name not in coords:
            return {}
        values = np.asarray(coords[what.name][1], "f8")
    elif isinstance(given, str):
        if given not in coords or coords[given][0] != "feature":
            names = sorted(n for n, c in coords.items() if c[0] == "feature")
            raise ValueError(
                f"{what.name}: expected the name of a coordinate along the features, "
                f"one of {names}, got {given!r}"
            )
        values = np.asarray(coords[given][1], "f8")
    elif isinstance(given, Mapping):
        values = _by_name(given, what, coords, features)
    else:
        values = np.asarray(given, "f8")
        if values.ndim == 0 and not values > 0:
            raise ValueError(f"{what.name}: expected a positive number, got {given!r}")
        values = np.broadcast_to(values, (features,)) if values.ndim == 0 else values
    _check_values(values, what, features)
    return {what.name: ("feature", values, {"long_name": what.long_name})}


def _by_name(
    given: Mapping[str, float], what: v.Variable, coords: dict[str, Any], features: int
) -> Floats:
    names = [str(n) for n in np.asarray(coords["name"][1])] if "name" in coords else []
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise ValueError(
            f"{what.name}: expected names of features, of {names[:10]}, got {unknown}: "
            "give one number for each feature instead"
        )
    default = 0.0 if what is v.period else 1.0
    return np.array([given.get(n, default) for n in names] or [default] * features)


def _check_values(values: Floats, what: v.Variable, features: int) -> None:
    if values.shape != (features,):
        raise ValueError(
            f"{what.name}: expected {features} numbers, one a feature, got {values.shape}"
        )
    bad = ~np.isfinite(values) | (values < 0)
    if bad.any():
        f = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"{what.name}: expected finite numbers, 0 or more, got {values[f]:g} for feature {f}"
        )
    if what is v.weight and not (values > 0).any():
        raise ValueError("weight: expected a positive number for some feature, got 0 for all")


def _flattened(field: xr.DataArray, dim: str, dtype: str) -> da.Array:
    others = [d for d in field.dims if d != dim]
    data = field.transpose(dim, *others).data
    if not isinstance(data, da.Array):
        data = np.ascontiguousarray(data).reshape(data.shape[0], -1).astype(dtype, copy=False)
        rows = storage.block_rows(data.shape, data.dtype.itemsize, 1)
        return da.from_array(data, chunks=(rows, -1))
    whole = data.rechunk({axis: -1 for axis in range(1, data.ndim)})
    return whole.reshape(data.shape[0], -1).astype(dtype)


def _nonfinite(rows: da.Array, drop: bool) -> tuple[Ints, Ints | None]:
    """Return the rows to leave out, and the features to keep (None: all)."""
    if rows.dtype.kind != "f":
        return storage.NO_ROWS, None
    bad = da.map_blocks(_bad_in_rows, rows, dtype="i8", drop_axis=1)
    finite = da.reduction(
        rows, chunk=_finite_columns, aggregate=_any_columns, axis=0, dtype=bool, concatenate=True
    )
    if rows.numblocks[1] > 1:
        rows = rows.rechunk({1: -1})
        return _nonfinite(rows, drop)
    bad, finite = dask.compute(bad, finite)
    columns = None if finite.all() else np.flatnonzero(finite)
    if columns is not None and columns.size == 0:
        raise ValueError("rows: expected finite values, got NaN or infinity in every feature")
    wrong = np.flatnonzero(bad > np.count_nonzero(~finite))
    if wrong.size and not drop:
        first = ", ".join(map(str, wrong[:5])) + (", ..." if wrong.size > 5 else "")
        raise ValueError(
            f"rows: expected finite values, got NaN or infinity in {wrong.size} of {bad.size} "
            f"rows (first: {first}): mend them, or leave them out with drop_nonfinite=True"
        )
    if wrong.size == bad.size:
        raise ValueError("rows: expected finite values, got NaN or infinity in every row")
    return wrong, columns


def _bad_in_rows(block: Array) -> Array:
    return np.count_nonzero(~np.isfinite(block), axis=1)


def _finite_columns(block: Array, axis: Any, keepdims: bool) -> Array:
    return np.isfinite(block).any(axis=axis, keepdims=keepdims)


def _any_columns(block: Array, axis: Any, keepdims: bool) -> Array:
    return np.asarray(block).any(axis=axis, keepdims=keepdims)


def _without(
    rows: da.Array, reader: storage.RowReader | None, dropped: Ints, columns: Ints | None
) -> da.Array:
    if reader is not None:
        reader = reader.without(dropped, columns)
        return lazy_rows(reader, f"rows-{reader.identity()}")
    kept = np.delete(np.arange(rows.shape[0]), dropped)
    return rows[kept] if columns is None else rows[kept][:, columns]


def _dataset(
    field: xr.DataArray,
    rows: da.Array,
    coords: dict[str, Any],
    source: object,
    shape: tuple[int, int],
    dropped: Ints,
    columns: Ints | None,
) -> xr.Dataset:
    from daskid.io.provenance import stamp

    kept = np.delete(np.arange(shape[0]), dropped)
    keep = {"sample": kept, "feature": np.arange(shape[1]) if columns is None else columns}
    coords = {n: (d, values[keep[d]], attrs) for n, (d, values, attrs) in coords.items()}
    coords["row"] = ("sample", kept, {"long_name": v.row.long_name})
    coords["column"] = ("feature", keep["feature"], {"long_name": v.column.long_name})
    attrs = {a: field.attrs[a] for a in ("units", "long_name") if a in field.attrs}
    return xr.Dataset(
        {"rows": (v.rows.dims, rows, {"long_name": v.rows.long_name, **attrs})},
        coords,
        stamp(field, source, shape, dropped.size, shape[1] - keep["feature"].size),
    )
