"""Which features are meant by a few words."""

from typing import NamedTuple

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.typing import Floats

NAME = "name"


class Columns(NamedTuple):
    """(n, f) values in whole rows, names, (f,) periods (0 for none), units, what was read."""

    values: da.Array
    names: list[str]
    period: Floats
    units: str
    inputs: tuple[v.Variable, ...]


def columns(ds: xr.Dataset, features: object, most: int = 2) -> Columns:
    """Return the columns of the features that are named.

    Parameters
    ----------
    ds
        Holds ``rows``.
    features
        A name or a position, or several as text with commas or as a sequence; None for all.
    most
        How many may be chosen.

    Raises
    ------
    SchemaError
        If there are no ``rows``.
    ValueError
        If they are unknown, ambiguous, chosen twice, or too many.
    """
    (rows,) = v.read(ds, v.rows)
    d = rows.shape[1]
    names = _names(ds, d)
    place = list(range(d)) if features is None else [_place(x, names) for x in _split(features)]
    if not 1 <= len(place) <= most or len(set(place)) < len(place):
        got = f"all {d}" if features is None else repr(features)
        raise ValueError(
            f"features: expected 1 to {most} different ones of {_shown(names)}, got {got}: "
            f"e.g. features={names[0]!r}"
        )
    period = v.per_feature(ds, v.period)
    periods = period[place] if period.size else np.zeros(len(place))
    inputs = (v.period,) if period.size else ()
    units = str(ds[v.rows.name].attrs.get("units", ""))
    return Columns(
        rows[:, place].rechunk({1: -1}), [names[p] for p in place], periods, units, inputs
    )


def _names(ds: xr.Dataset, d: int) -> list[str]:
    """Return the names of the features, their positions where they have none."""
    if NAME in ds.variables and ds[NAME].dims == v.period.dims:
        return [str(x) for x in np.asarray(ds[NAME].values).tolist()]
    return [str(f) for f in range(d)]


def _split(features: object) -> list[object]:
    if isinstance(features, str):
        return [part.strip() for part in features.split(",")]
    return list(features) if isinstance(features, list | tuple) else [features]


def _place(feature: object, names: list[str]) -> int:
    """Return the position of a feature: by its name, else by its number."""
    text = str(feature)
    if isinstance(feature, str) and names.count(text) == 1:
        return names.index(text)
    if isinstance(feature, str) and names.count(text) > 1:
        first = [i for i, name in enumerate(names) if name == text][:2]
        raise ValueError(
            f"features: expected a name that one feature has, got {text!r}, which several have: "
            f"give positions, e.g. features={str(first[0])!r}"
        )
    if text.isdecimal() and not isinstance(feature, bool) and int(text) < len(names):
        return int(text)
    raise ValueError(
        f"features: expected names or positions of {_shown(names)}, got {feature!r}: "
        f"e.g. features={names[0]!r}"
    )


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"{names[:8]}{more}"
