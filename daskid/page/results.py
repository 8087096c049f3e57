"""The results of a run as rows of a table: value, error, what the error covers."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.page.facts import Facts, gather
from daskid.page.numbers import aligned, number
from daskid.typing import Ints

AT = {
    "scale": "n1 = {}",
    "block_size": "blocks of {:,}",
}  # what the coordinate of a dimension counts
SAME = 3.0  # standard errors: what differs by less is called stable
MEANINGS = {
    "sandwich": "",
    "fisher_too_small": "Fisher information alone, as if samples were independent: too small",
}
MAX_PEAKS = 30  # shown one by one
_SADDLES = (v.saddle_peak, v.saddle_log_density, v.saddle_log_density_error)
DROP = (
    "The error of the peak plus that of the saddle, the most that their difference can have; "
    "that both were chosen as the highest of many, and what the error of a density leaves out, "
    "is left out."
)


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


def method(r: Result) -> str:
    """Return what the long name has in parentheses, ``TwoNN``, or all of it."""
    return r.quantity.partition("(")[2].rstrip(")") or r.quantity


def kept_at(r: Result) -> int:
    """Return the number that a result is at: a window, the samples in a block."""
    return int(r.at.rpartition(" ")[2].replace(",", ""))


def same(one: Result, other: Result) -> bool:
    """Return whether two results agree within their errors."""
    reach = SAME * np.hypot(*np.nan_to_num([one.error, other.error]))
    return bool(abs(one.value - other.value) <= reach)


def joined(names: list[str]) -> str:
    """Return names as a list in words."""
    *most, last = names or [""]
    return f"{', '.join(most)} and {last}" if most else last


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
        for facts in [gather(ds)]
        for r in (
            *results(facts),
            *densities(facts),
            *heights(facts),
            *barriers(facts).values(),
            *states(facts),
            *relaxations(facts),
        )
    ]


def results(facts: Facts) -> list[Result]:
    """Return every dimension, in the order of the steps."""
    return [
        result
        for name in facts.values.data_vars
        if str(name).startswith("id_") and f"{name}_error" in v.VARIABLES
        for result in of(facts, str(name))
    ]


def densities(facts: Facts) -> list[Result]:
    """Return the dimension that densities use, if there are any."""
    d = v.kstar_dimension
    if d.name not in facts.values:
        return []
    source = str(facts.values[d.name].attrs.get("source", ""))
    error, words = math.nan, "no error is known"
    if v.kstar_dimension_error.name in facts.values:
        held = facts.values[v.kstar_dimension_error.name]
        error, words = float(held), str(held.attrs.get("covers", ""))
    if not math.isfinite(error):
        words = f"no error of its own: {source}" if source else "no error is known"
    return [Result(d.name, "intrinsic dimension of the densities", float(facts.values[d.name]),
                   error, words)]  # fmt: skip


def largest(facts: Facts) -> Ints:
    """Return the numbers of at most 30 peaks, those of the most samples; in order of density."""
    size = facts.values[v.peak_size.name].values
    return np.sort(np.argsort(-size, kind="stable")[:MAX_PEAKS])


def heights(facts: Facts) -> list[Result]:
    """Return the log densities of the largest peaks."""
    if not has(facts, v.peak_log_density, v.peak_log_density_error, v.peak_size):
        return []
    name = v.peak_log_density.name
    return [
        Result(name, f"log density of peak {c}", *_pair(facts, name, c),
               covers(facts.values, name, (c,)))
        for c in largest(facts).tolist()
    ]  # fmt: skip


def barriers(facts: Facts) -> dict[int, Result]:
    """Return, by peak, the least drop of log density out of it; ``at`` says to which peak.

    Of the largest peaks, as far as they touch others. Those of the step barriers, if it was run.
    """
    if heights(facts) and has(facts, v.barrier_direct, v.barrier_minimax, v.barrier_minimax_error):
        return _measured(facts)
    if not heights(facts) or not has(facts, *_SADDLES):
        return {}
    pair, level, _ = (facts.values[x.name].values for x in _SADDLES)
    found = {}
    for c in largest(facts).tolist():
        own = np.flatnonzero((pair == c).any(axis=1))
        if own.size:
            found[c] = _barrier(facts, c, int(own[level[own].argmax()]))
    return found


def _measured(facts: Facts) -> dict[int, Result]:
    """Return what the step barriers says of the lowest climbs out of the largest peaks."""
    name = v.barrier_minimax.name
    direct, climb, error = (
        facts.values[n].values for n in (v.barrier_direct.name, name, f"{name}_error")
    )
    words = covers(facts.values, name, ())
    ways = {c: int(np.nanargmin(direct[c])) for c in largest(facts).tolist()
            if np.isfinite(direct[c]).any()}  # fmt: skip
    return {
        c: Result("barrier", f"barrier out of peak {c}", float(climb[c, to]), float(error[c, to]),
                  words, at=f"to peak {to}")
        for c, to in ways.items()
    }  # fmt: skip


def states(facts: Facts) -> list[Result]:
    """Return the probabilities of the largest basins."""
    name = v.basin_probability.name
    if not has(facts, v.basin_probability, v.basin_probability_error, v.peak_size):
        return []
    words = covers(facts.values, name, ())
    return [
        Result(name, f"probability of state {c}", *_pair(facts, name, c), words)
        for c in largest(facts).tolist()
    ]


def relaxations(facts: Facts) -> list[Result]:
    """Return the relaxation times at the lag of the Markov model that are longer than it."""
    name, lag = v.implied_timescale.name, model_lag(facts)
    if lag is None or not has(facts, v.implied_timescale_error):
        return []
    held = facts.values[name]
    row = int(np.abs(held["lag"].values - lag).argmin())
    units, words = str(held.attrs.get("units", "")), covers(facts.values, name, ())
    error = facts.values[v.implied_timescale_error.name].values[row]
    return [
        Result(name, f"relaxation time {i + 1}", float(time), float(error[i]), words, units=units,
               at=f"lag {number(lag)}")
        for i, time in enumerate(held.values[row])
        if time > lag
    ]  # fmt: skip


def model_lag(facts: Facts) -> float | None:
    """Return the lag of the Markov model in units of time; None where there is none."""
    if not has(facts, v.implied_timescale, v.stay_predicted):
        return None
    after = facts.values[v.stay_predicted.name].coords.get("after")
    return None if after is None or not after.size else float(after[0])


def lowest(facts: Facts) -> tuple[int, Result] | None:
    """Return the peak, of all, with the lowest barrier, and that."""
    if not heights(facts) or not has(facts, *_SADDLES) or not facts.values.sizes["saddle"]:
        return None
    pair, level, _ = (facts.values[x.name].values for x in _SADDLES)
    drop = facts.values[v.peak_log_density.name].values[pair] - level[:, None]
    s, side = np.unravel_index(int(drop.argmin()), drop.shape)
    c = int(pair[s, side])
    return c, _barrier(facts, c, int(s))


def _barrier(facts: Facts, c: int, s: int) -> Result:
    """Return the drop from a peak to one of its saddles."""
    pair = facts.values[v.saddle_peak.name].values[s]
    top, spread = _pair(facts, v.peak_log_density.name, c)
    level, error = _pair(facts, v.saddle_log_density.name, s)
    to = int(pair[pair != c][0])
    return Result("barrier", f"barrier out of peak {c}", top - level, spread + error, DROP,
                  at=f"to peak {to}")  # fmt: skip


def has(facts: Facts, *variables: v.Variable) -> bool:
    """Return whether all of these variables, small ones, are there."""
    return all(variable.name in facts.values for variable in variables)


def _pair(facts: Facts, name: str, i: int) -> tuple[float, float]:
    return float(facts.values[name][i]), float(facts.values[f"{name}_error"][i])


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
        AT.get(str(dim), f"{dim} = {{}}").format(array[dim].values[j])
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
