"""From any array to ``rows (sample, feature)``: which dimension is which, what is left out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute

from daskid import variables as v
from daskid.io import sources
from daskid.io.at_rest import lazy_rows
from daskid.io.provenance import as_text, keywords, stamp
from daskid.storage import rows as storage
from daskid.typing import Array, Floats, Ints

SAMPLE_NAMES = ("sample", "time", "frame")
RESERVED = set(v.VARIABLES) | {dim for variable in v.VARIABLES.values() for dim in variable.dims}
"""Names that steps give a meaning: coordinates of the source that have one are renamed."""
BLOCK_BYTES = 64 << 20
Coords: TypeAlias = dict[str, tuple[str, Any, dict[Any, Any]]]
Source: TypeAlias = str | Path | xr.DataArray | xr.Dataset
PerFeature: TypeAlias = float | Sequence[float] | Mapping[str, float] | str | None


def open_rows(
    source: Source,
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
    plain coordinates of ``feature`` (the labels of a dimension ``feature`` as ``name``, any
    other whose name has a meaning here as ``source_...``). The source is only ever read.

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
    given = {
        "variable": variable, "sample": sample, "time": time, "trajectory": trajectory,
        "period": period, "weights": weights, "drop_nonfinite": drop_nonfinite,
    }  # fmt: skip
    return opened(source, given, check=True)


def opened(source: Source, given: dict[str, Any], *, check: bool) -> xr.Dataset:
    """Open samples as :func:`open_rows` does; without ``check`` nothing but metadata is read."""
    field, reader = sources.resolve(source, given.get("variable"))
    field = field.rename({d: str(d) for d in field.dims if not isinstance(d, str)})
    dim = _sample_dim(field, given.get("sample"))
    dtype = storage.native(field.dtype)
    shape = _shape(field, dim)
    coords = _sample_coords(field, dim, given.get("time"), given.get("trajectory"))
    coords |= _feature_coords(field, dim)
    for numbers, what in ((given.get("period"), v.period), (given.get("weights"), v.weight)):
        coords |= _per_feature(numbers, what, coords, shape[1])
    if reader is not None:
        reader = reader.along(field.get_axis_num(dim), shape, dtype)
        rows = lazy_rows(reader)
    else:
        rows = _flattened(field, dim, shape, dtype)
    dropped, columns = storage.NO_ROWS, None
    if field.dtype.kind == "f" and check:
        drop = bool(given.get("drop_nonfinite"))
        dropped, columns = _nonfinite(rows, drop, field.encoding.get("_FillValue"))
    if dropped.size or columns is not None:
        rows = _without(rows, reader, dropped, columns)
    kept = np.delete(np.arange(shape[0]), dropped)
    features = np.arange(shape[1]) if columns is None else columns
    return xr.Dataset(
        {"rows": (v.rows.dims, rows, _rows_attrs(field, keywords(**given)))},
        _kept(coords, {"sample": kept, "feature": features}, shape),
        stamp(field, source, shape, dropped.size, shape[1] - features.size),
    )


def _sample_dim(field: xr.DataArray, sample: str | None) -> str:
    dims = [str(d) for d in field.dims]
    if sample is not None:
        if sample not in dims:
            raise ValueError(f"sample: expected one of the dimensions {dims}, got {sample!r}")
        return sample
    found = [d for d in dims if d in SAMPLE_NAMES]
    if len(found) != 1:
        raise ValueError(
            f"sample: expected one dimension named {', '.join(SAMPLE_NAMES)}, "
            f"got the dimensions {found or dims}: "
            + (f"choose one, e.g. sample={dims[0]!r}" if dims else "give an array of samples")
        )
    return found[0]


def _shape(field: xr.DataArray, dim: str) -> tuple[int, int]:
    sizes = dict(field.sizes)
    if any(size != size for size in sizes.values()):
        raise ValueError(
            f"source: expected known sizes, got {sizes}: compute the chunk sizes of its dask array"
        )
    n = sizes.pop(dim)
    d = int(np.prod(list(sizes.values()), dtype=int))
    if n < 1 or d < 1:
        raise ValueError(
            f"source: expected 1 sample and 1 feature or more, got {dict(field.sizes)}: "
            "there is nothing to analyze"
        )
    return n, d


def _sample_coords(
    field: xr.DataArray, dim: str, time: str | None, trajectory: str | None
) -> Coords:
    along = {str(n): c for n, c in field.coords.items() if c.dims == (dim,) and not _tuples(c)}
    out: Coords = {}
    for given, name in ((time, "time"), (trajectory, "trajectory")):
        if given is not None and given not in along:
            raise ValueError(
                f"{name}: expected a coordinate along {dim!r}, one of {sorted(along)}, "
                f"got {given!r}"
            )
        chosen = given or (name if name in along else None)
        if chosen is not None:
            out[name] = ("sample", _values(along[chosen]), along[chosen].attrs)
    for name in set(along) - {time or "time", trajectory or "trajectory"}:
        out[_free(name)] = ("sample", _values(along[name]), along[name].attrs)
    return out


def _free(name: str) -> str:
    return f"source_{name}" if name in RESERVED else name


def _tuples(coordinate: xr.DataArray) -> bool:
    """Return whether it is the index of several levels, which are coordinates themselves."""
    return coordinate.dims == (coordinate.name,) and coordinate.to_index().nlevels > 1


def _values(coordinate: xr.DataArray) -> Any:
    return as_text(coordinate.values) if coordinate.dtype.kind in "OS" else coordinate.data


def _feature_coords(field: xr.DataArray, dim: str) -> Coords:
    sizes = {str(d): size for d, size in field.sizes.items() if d != dim}
    out: Coords = {}
    for label, coordinate in field.coords.items():
        if not coordinate.ndim or not set(coordinate.dims) <= set(sizes) or _tuples(coordinate):
            continue
        name = str(label)
        if name == "feature" and "name" not in field.coords:
            free = "name"
        elif name in ("period", "weight") and coordinate.dtype.kind in "fiub":
            free = name
        else:
            free = _free(name)
        full = xr.Variable(coordinate.dims, _values(coordinate)).set_dims(sizes).transpose(*sizes)
        out[free] = ("feature", full.data.reshape(-1), coordinate.attrs)
    return out


def _per_feature(given: PerFeature, what: v.Variable, coords: Coords, features: int) -> Coords:
    argument = "weights" if what is v.weight else what.name
    if given is None and what.name not in coords:
        return {}
    if given is None or isinstance(given, str):
        values = _floats(_coordinate(given or what.name, argument, coords), argument)
    elif isinstance(given, Mapping):
        values = _by_name(given, 1.0 if what is v.weight else 0.0, argument, coords, features)
    else:
        values = _floats(given, argument)
        if values.ndim == 0:
            if not values > 0:
                raise ValueError(
                    f"{argument}: expected a number above 0, got {given!r}: leave it out for none"
                )
            values = np.full(features, values)
    if values.shape != (features,):
        raise ValueError(
            f"{argument}: expected {features} numbers, one a feature, got shape {values.shape}"
        )
    bad = ~np.isfinite(values) | (values < 0)
    if bad.any():
        f = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"{argument}: expected finite numbers, 0 or more, got {values[f]:g} for feature {f}"
        )
    if what is v.weight and not values.any():
        raise ValueError(f"{argument}: expected a number above 0 for some feature, got 0 for all")
    return {what.name: ("feature", values, {"long_name": what.long_name})}


def _floats(values: Any, argument: str) -> Floats:
    try:
        return np.asarray(values, "f8")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{argument}: expected numbers, got {values!r}") from error


def _coordinate(name: str, argument: str, coords: Coords) -> Any:
    if name not in coords or coords[name][0] != "feature":
        names = sorted(n for n, (dim, *_) in coords.items() if dim == "feature")
        raise ValueError(
            f"{argument}: expected the name of a coordinate along the features, "
            f"one of {names}, got {name!r}"
        )
    return coords[name][1]


def _by_name(
    given: Mapping[str, float], default: float, argument: str, coords: Coords, features: int
) -> Floats:
    labels = [
        values for _, (dim, values, _) in sorted(coords.items(), key=lambda item: item[0] != "name")
        if dim == "feature" and values.dtype.kind in "UT"
    ]  # fmt: skip
    names = [str(n) for n in np.asarray(labels[0])] if labels else []
    unknown = sorted(map(str, set(given) - set(names)))
    if unknown:
        raise ValueError(
            f"{argument}: expected names of features, of {names[:10]}, got {unknown}: "
            "give one number for each feature instead"
        )
    return _floats([given.get(n, default) for n in names] or [default] * features, argument)


def _flattened(field: xr.DataArray, dim: str, shape: tuple[int, int], dtype: str) -> da.Array:
    """Return lazy rows, every block with all features."""
    variable = field.variable
    if field.chunks is None and not variable._in_memory:  # a file that xarray opened
        variable = variable.chunk("auto")
    data = variable.transpose(dim, ...).data
    size = np.dtype(dtype).itemsize
    if not isinstance(data, da.Array):
        data = np.ascontiguousarray(data).reshape(shape).astype(dtype, copy=False)
        rows: da.Array = da.from_array(data, chunks=(storage.block_rows(shape, size, 1), -1))
        return rows
    most = min(max(data.chunks[0]), storage.block_rows(shape, size, 1, BLOCK_BYTES))
    whole = data.rechunk({0: most, **dict.fromkeys(range(1, data.ndim), -1)})
    flat: da.Array = whole.reshape(shape).astype(dtype)
    return flat


def _nonfinite(rows: da.Array, drop: bool, fill: Any) -> tuple[Ints, Ints | None]:
    """Return the rows to leave out, and the features to keep (None: all)."""
    found = "NaN or infinity"
    if fill is not None and fill == fill:
        found += f" (the source's fill value {fill} counts as NaN)"
    bad, finite = compute(
        da.map_blocks(_bad_in_rows, rows, dtype="i8", drop_axis=1),
        da.reduction(rows, _finite, _any, axis=0, dtype=bool, meta=np.zeros(0, bool)),
    )
    columns = None if finite.all() else np.flatnonzero(finite)
    wrong = np.flatnonzero(bad > np.count_nonzero(~finite))
    if columns is not None and columns.size == 0:
        raise ValueError(
            f"rows: expected finite values, got {found} in every feature of every row: "
            "mend the source, or choose another variable"
        )
    if wrong.size and not drop:
        first = ", ".join(map(str, wrong[:5])) + (", ..." if wrong.size > 5 else "")
        raise ValueError(
            f"rows: expected finite values, got {found} in {wrong.size} of {bad.size} "
            f"rows (first: {first}): mend them, or leave them out with drop_nonfinite=True"
        )
    if wrong.size == bad.size:
        raise ValueError(
            f"rows: expected finite values, got {found} in every row: "
            "leave out the features that have them"
        )
    return wrong, columns


def _bad_in_rows(block: Array) -> Array:
    return np.asarray(np.count_nonzero(~np.isfinite(block), axis=1))


def _finite(block: Array, axis: Any, keepdims: bool) -> Array:
    return np.asarray(np.isfinite(block).any(axis=axis, keepdims=keepdims))


def _any(found: Array, axis: Any, keepdims: bool) -> Array:
    return np.asarray(np.any(found, axis=axis, keepdims=keepdims))


def _without(
    rows: da.Array, reader: storage.RowReader | None, dropped: Ints, columns: Ints | None
) -> da.Array:
    if reader is not None:
        return lazy_rows(reader.without(dropped, columns))
    if dropped.size:
        rows = rows[np.delete(np.arange(rows.shape[0]), dropped)]
    return rows if columns is None else rows[:, columns]


def _rows_attrs(field: xr.DataArray, given: str) -> dict[str, Any]:
    kept = {a: field.attrs[a] for a in ("units", "long_name") if a in field.attrs}
    record = {"step": v.rows.step, "parameters": given}
    return {"long_name": v.rows.long_name, **kept, **record}


def _kept(coords: Coords, kept: dict[str, Ints], shape: tuple[int, int]) -> Coords:
    """Return the coordinates of what was kept, with the numbers that it has in the source."""
    full = dict(zip(("sample", "feature"), shape, strict=True))
    out = {
        name: (dim, values if kept[dim].size == full[dim] else values[kept[dim]], attrs)
        for name, (dim, values, attrs) in coords.items()
    }
    for variable in (v.row, v.column):
        (dim,) = variable.dims
        out[variable.name] = (dim, kept[dim], {"long_name": variable.long_name})
    return out
