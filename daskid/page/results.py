"""The results of a run as rows of a table: value, error, what the error covers."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.page.facts import Facts, gather
from daskid.page.numbers import aligned

RANK = {"scale": "n1"}  # what the coordinate of a dimension counts
MEANINGS = {
    "sandwich": "",
    "fisher_too_small": "Fisher information alone, as if samples were independent: too small",
}


@dataclass(frozen=True)
class Result:
    """One number with its error."""

    name: str
    quantity: str
    value: float
    error: float
    covers: str
    radius: float | None = None
    units: str = ""
    samples: int | None = None
    at: str = ""


def table(ds: xr.Dataset) -> list[tuple[str, str, str, str]]:
    """Return quantity, value, error, and what the error covers, as text.

    *Computes* the small variables.

    Parameters
    ----------
    ds
        A run with any of the results; none gives an empty list.

    Returns
    -------
    One row for each number that can have an error, in the order of the steps.

    Raises
    ------
    SchemaError
        If ``ds`` is not a Dataset, or not a run.

    Examples
    --------
    >>> import xarray as xr
    >>> ds = xr.Dataset(
    ...     {"id_twonn": 2.0213, "id_twonn_error": ((), 0.0185, {"covers": "shared neighbors"})}
    ... )
    >>> table(ds)
    [('intrinsic dimension (TwoNN)', '2.021', '0.018', 'shared neighbors')]
    """
    return [
        (r.quantity + (f", {r.at}" if r.at else ""), *aligned(r.value, r.error), r.covers)
        for r in results(gather(ds))
    ]


def results(facts: Facts) -> list[Result]:
    """Return every number that can have an error, in the order of the steps."""
    return [
        result
        for name in facts.values.data_vars
        if f"{name}_error" in v.VARIABLES
        for result in of(facts, str(name))
    ]


def of(facts: Facts, name: str) -> list[Result]:
    """Return the results of one variable: one, or one for each entry; none if it is missing."""
    values = facts.values
    if name not in values:
        return []
    array = values[name]
    error = _partner(values, name, "error", math.nan)
    radius, used = _partner(values, name, "radius", None), _partner(values, name, "samples", None)
    units = str(values[f"{name}_radius"].attrs.get("units", "")) if radius.any() else ""
    return [
        Result(
            name, v.VARIABLES[name].long_name, float(value), float(error[i]),
            covers(values, name, i), _float(radius[i]), units, _int(used[i]), _at(array, i),
        )
        for i, value in np.ndenumerate(array.values)
    ]  # fmt: skip


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def _int(value: Any) -> int | None:
    return None if value is None else int(value)


def _partner(values: xr.Dataset, name: str, suffix: str, default: Any) -> Any:
    """Return ``<name>_<suffix>`` as an array of objects, or ``default`` everywhere."""
    shape = values[name].shape
    if f"{name}_{suffix}" not in values:
        return np.full(shape, default, dtype=object)
    return np.broadcast_to(values[f"{name}_{suffix}"].values, shape).astype(object)


def _at(array: xr.DataArray, i: tuple[int, ...]) -> str:
    return ", ".join(
        f"{RANK.get(str(dim), str(dim))} = {array[dim].values[j]}"
        for dim, j in zip(array.dims, i, strict=True)
    )


def covers(values: xr.Dataset, name: str, i: tuple[int, ...]) -> str:
    """Return what an error covers, in words; where errors differ in kind, of this kind."""
    if f"{name}_error" not in values:
        return "no error is known"
    words = str(values[f"{name}_error"].attrs.get("covers", "")) or "not recorded"
    kind = kinds(values, name)
    own = kinds(values, name, "flag_covers")
    if kind is None:
        return words
    return str(own[i] or MEANINGS.get(kind[i], kind[i]) or words)


def kinds(values: xr.Dataset, name: str, texts: str = "flag_meanings") -> Any:
    """Return the text of each error's CF flag, or None where all errors are of one kind.

    ``texts`` names the attribute with one text for each of ``flag_values``: the
    meanings, or what an error of that kind covers.
    """
    flags = values.get(f"{name}_error_kind")
    if flags is None:
        return None
    known = flags.attrs.get(texts, ())
    known = known.split() if isinstance(known, str) else [str(text) for text in known]
    numbers = np.atleast_1d(flags.attrs.get("flag_values", np.arange(len(known))))
    words = dict(zip(numbers.tolist(), known, strict=False))
    found = [words.get(int(flag), "") for flag in flags.values.ravel()]
    return np.array(found, dtype=object).reshape(flags.shape)
