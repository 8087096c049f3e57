"""Coordinates of samples and features; periods and weights."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.io.layout import Layout
from daskid.io.provenance import as_text
from daskid.io.sources import Part
from daskid.typing import Array, Floats, Ints

RESERVED = set(v.VARIABLES) | {dim for variable in v.VARIABLES.values() for dim in variable.dims}
"""Names that steps give a meaning: coordinates of the source that have one are renamed."""
Coords: TypeAlias = dict[str, tuple[str, Any, dict[Any, Any]]]
PerFeature: TypeAlias = float | Sequence[float] | Mapping[str, float] | str | None
VARIABLE = "variable"
LATITUDES = ("lat", "latitude")


def of_samples(
    field: xr.DataArray, layout: Layout, time: str | None, trajectory: str | None
) -> Coords:
    """Return the coordinates along the samples; trajectory by trajectory where there are some."""
    front = [layout.dim] if layout.outer is None else [layout.outer, layout.dim]
    along = {
        str(n): c for n, c in field.coords.items()
        if c.ndim and set(c.dims) <= set(front) and not _tuples(c)
    }  # fmt: skip
    if layout.outer is not None and layout.outer not in along:
        numbers = np.arange(field.sizes[layout.outer])
        along[layout.outer] = xr.DataArray(numbers, dims=layout.outer)
    sizes = {dim: field.sizes[dim] for dim in front}
    out: Coords = {}
    for given, name in ((time, "time"), (trajectory, "trajectory")):
        if given is not None and given not in along:
            raise ValueError(
                f"{name}: expected a coordinate along {layout.dim!r}, one of {sorted(along)}, "
                f"got {given!r}"
            )
        chosen = given or (name if name in along else None)
        if chosen is not None:
            values = _along(along[chosen], sizes)
            out[name] = (
                "sample",
                _labels(values) if chosen == layout.outer else values,
                along[chosen].attrs,
            )
    for name in set(along) - {time or "time", trajectory or "trajectory"}:
        out[_free(name)] = ("sample", _along(along[name], sizes), along[name].attrs)
    return out


def of_features(parts: Sequence[Part], layouts: Sequence[Layout]) -> Coords:
    """Return the coordinates along the features of all arrays, one after another."""
    each = [_of_features(p.field, layout) for p, layout in zip(parts, layouts, strict=True)]
    if len(parts) == 1:
        return each[0]
    widths = [layout.shape[1] for layout in layouts]
    for coords in each:
        if VARIABLE in coords:
            coords[f"source_{VARIABLE}"] = coords.pop(VARIABLE)
    out: Coords = {}
    for name in dict.fromkeys(name for coords in each for name in coords):
        given = [c[name][1] if name in c else None for c in each]
        attrs = next(c[name][2] for c in each if name in c)
        values = _concatenated(given, widths)
        if values is not None:
            out[name] = ("feature", values, attrs)
    names = np.array([str(part.name) for part in parts], np.dtypes.StringDType())
    out[VARIABLE] = ("feature", np.repeat(names, widths), {"long_name": "variable of the source"})
    return out


def _concatenated(given: Sequence[Any], widths: Sequence[int]) -> Array | None:
    """Return values one after another, missing ones as NaN, NaT or no text; None if mixed."""
    values = [None if x is None else np.asarray(x) for x in given]
    kinds = {"n" if x.dtype.kind in "fiub" else x.dtype.kind for x in values if x is not None}
    if len(kinds) > 1:
        return None
    (kind,) = kinds
    if kind == "n":
        blank: Any = np.float64(np.nan)
    elif kind in "mM":
        blank = next(x.dtype for x in values if x is not None).type("NaT")
    else:
        blank = np.array("", np.dtypes.StringDType())
    filled = [
        np.full(width, blank, np.asarray(blank).dtype) if x is None else x
        for x, width in zip(values, widths, strict=True)
    ]
    return np.concatenate(filled)


def _free(name: str) -> str:
    return f"source_{name}" if name in RESERVED else name


def _tuples(coordinate: xr.DataArray) -> bool:
    """Return whether it is the index of several levels, which are coordinates themselves."""
    return coordinate.dims == (coordinate.name,) and coordinate.to_index().nlevels > 1


def _values(coordinate: xr.DataArray) -> Any:
    return as_text(coordinate.values) if coordinate.dtype.kind in "OS" else coordinate.data


def _along(coordinate: xr.DataArray, sizes: Mapping[str, int]) -> Any:
    """Return the values of a coordinate along all of some dimensions, flat."""
    if coordinate.dims == tuple(sizes):
        return _values(coordinate).reshape(-1)
    full = xr.Variable(coordinate.dims, _values(coordinate)).set_dims(sizes).transpose(*sizes)
    return full.data.reshape(-1)


def _labels(values: Any) -> Any:
    """Return labels of trajectories: whole numbers, or text."""
    if values.dtype.kind in "iuUTOb":
        return values
    if values.dtype.kind == "f" and (np.asarray(values) % 1 == 0).all():
        return np.asarray(values).astype("i8")
    return as_text(np.asarray(values).astype(str))


def _of_features(field: xr.DataArray, layout: Layout) -> Coords:
    front = {layout.dim, layout.outer}
    sizes = {str(d): size for d, size in field.sizes.items() if d not in front}
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
        out[free] = ("feature", _along(coordinate, sizes), coordinate.attrs)
    return out


def per_feature(given: PerFeature, what: v.Variable, coords: Coords, scales: Floats) -> Coords:
    """Return the period or weight of each feature times its scale; nothing if there are none.

    Raises
    ------
    ValueError
        If they are not one number each, finite and not negative.
    """
    argument, features = "weights" if what is v.weight else what.name, scales.size
    if given is None and what.name not in coords:
        return {}
    if isinstance(given, str) and given == "cos_lat" and what is v.weight and given not in coords:
        values = _cos_lat(coords)
    elif given is None or isinstance(given, str):
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
    _check(values, argument, features)
    if what is v.weight and not values.any():
        raise ValueError(f"{argument}: expected a number above 0 for some feature, got 0 for all")
    return {what.name: ("feature", values * scales, {"long_name": what.long_name})}


def _check(values: Floats, argument: str, features: int) -> None:
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


def _cos_lat(coords: Coords) -> Floats:
    """Return the cosine of the latitude of each feature, the share of area of its cell."""
    along = [n for n, (dim, values, _) in coords.items() if dim == "feature"]
    name = next((n for n in LATITUDES if n in along), None)
    if name is None:
        raise ValueError(
            f"weights: expected a coordinate lat or latitude along the features for 'cos_lat', "
            f"got {sorted(along)}: rename one, or give the weights as numbers"
        )
    _, values, attrs = coords[name]
    latitude = _floats(values, "weights")
    radians = str(attrs.get("units", "")).startswith("rad")
    most = np.pi / 2 if radians else 90.0
    wrong = ~(np.abs(latitude) <= most * (1 + 1e-6))
    if wrong.any():
        raise ValueError(
            f"weights: expected values of {name!r} between {-most:g} and {most:g} "
            f"({'radians' if radians else 'degrees'}), got {latitude[wrong][0]:g}: "
            "correct the coordinate or its units, or give the weights as numbers"
        )
    angle = latitude if radians else np.radians(latitude)
    return np.maximum(np.cos(angle), 0.0)


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
        [str(n) for n in np.asarray(values)]
        for _, (dim, values, _) in sorted(coords.items(), key=lambda item: item[0] != "name")
        if dim == "feature" and values.dtype.kind in "UT"
    ]  # fmt: skip
    fitting = [names for names in labels if set(given) <= set(names)]
    names = (fitting or labels or [[]])[0]
    unknown = sorted(map(str, set(given) - set(names)))
    if unknown:
        raise ValueError(
            f"{argument}: expected names of features, of {names[:10]}, got {unknown}: "
            "give one number for each feature instead"
        )
    return _floats([given.get(n, default) for n in names] or [default] * features, argument)


def kept(coords: Coords, left: dict[str, Ints], shape: tuple[int, int]) -> Coords:
    """Return the coordinates of what was kept, with the numbers that it has in the source."""
    full = dict(zip(("sample", "feature"), shape, strict=True))
    out = {
        name: (dim, values if left[dim].size == full[dim] else values[left[dim]], attrs)
        for name, (dim, values, attrs) in coords.items()
    }
    for variable in (v.row, v.column):
        (dim,) = variable.dims
        out[variable.name] = (dim, left[dim], {"long_name": variable.long_name})
    return out
