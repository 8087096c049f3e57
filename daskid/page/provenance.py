"""Where a run comes from: source, versions, steps and their parameters, commands, cost."""

import json
import platform
import shlex
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.page.facts import parameters
from daskid.page.markup import code, table
from daskid.page.numbers import number, size
from daskid.page.text import foreign

PACKAGES = ("daskid", "dask", "numpy", "scipy", "xarray", "zarr", "numba", "matplotlib")
COST = {
    "method": "method", "pairs": "pairs", "seconds": "seconds",
    "peak_memory": "most memory of a process",
}  # fmt: skip
SAID = {"source", "source_shape", "rows_dropped", "features_dropped"}  # in the section on data
MAX_ATTRIBUTES = 40
MAX_VALUES = 8  # of a coordinate, in a command
COORDINATES = {"period": v.period, "weights": v.weight}


def body(ds: xr.Dataset) -> str:
    """Return the tables of provenance as HTML."""
    lines = commands(ds)
    again = f"<h3>The same again</h3>{code(lines)}" if lines else ""
    return _steps(ds) + again + _cost(ds) + _attributes(ds) + _versions()


def steps(ds: xr.Dataset) -> list[tuple[str, dict[str, Any], str]]:
    """Return step, parameters and fingerprint of each step, after those that it reads."""
    found: dict[tuple[str, str], str] = {}
    made: dict[str, tuple[str, str]] = {}
    for name in v.VARIABLES:
        if name in ds.variables and "step" in ds[name].attrs:
            attrs = ds[name].attrs
            made[name] = str(attrs["step"]), str(attrs.get("fingerprint", ""))
            found.setdefault(made[name], name)
    ordered: dict[tuple[str, str], None] = {}
    while len(ordered) < len(found):
        left = [key for key in found if key not in ordered]
        ready = (key for key in left if not _needs(ds, found[key], made) - {key, *ordered})
        ordered[next(ready, left[0])] = None
    return [(step, parameters(ds, found[step, mark]), mark) for step, mark in ordered]


def _needs(ds: xr.Dataset, name: str, made: dict[str, tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the steps whose variables a variable was computed from."""
    return {made[n] for n in str(ds[name].attrs.get("inputs", "")).split() if n in made}


def _steps(ds: xr.Dataset) -> str:
    rows = [
        (
            foreign(step),
            foreign(", ".join(f"{k} = {x}" for k, x in given.items()) or "none"),
            f"<code>{foreign(fingerprint, 9)}</code>" if fingerprint else "",
        )
        for step, given, fingerprint in steps(ds)
    ]
    return table("Steps", ("step", "parameters", "fingerprint"), rows) if rows else ""


def commands(ds: xr.Dataset) -> list[str]:
    """Return the command lines that make this run again, as far as it records them."""
    if v.profile_id.name in ds.variables:
        return [
            _command("layers", [str(ds.attrs.get("source", "SOURCE"))], {"out": "STORE", **given})
            for step, given, _ in steps(ds)
            if step == v.profile_id.step
        ]
    run = str(ds.encoding.get("source", "RUN.zarr"))
    known = {variable.step for variable in v.VARIABLES.values()} - {"open_rows"}
    lines = [_command(step, [run], given) for step, given, _ in steps(ds) if step in known]
    return [_opening(ds, run), *lines] if lines or "source" in ds.attrs else []


def _opening(ds: xr.Dataset, run: str) -> str:
    path, _, variable = str(ds.attrs.get("source", "")).partition(", variable ")
    if not path.startswith("/") and "://" not in path:
        return f"# the rows were not read from a file: store them as Zarr, open them as {run}"
    given = {
        "variable": variable or None,
        "period": _each(ds, v.period, 0.0),
        "weights": _each(ds, v.weight, 1.0),
        "drop_nonfinite": bool(ds.attrs.get("rows_dropped", 0)),
    }
    long = {
        name: x for name, x in given.items() if isinstance(x, str) and x.count(",") >= MAX_VALUES
    }
    # many numbers: from the run itself
    return " ".join(
        [_command("open", [path, run], {n: x for n, x in given.items() if n not in long})]
        + [f'--{name} "$({_reading(run, COORDINATES[name])})"' for name in long]
    )


def _reading(run: str, coordinate: v.Variable) -> str:
    """Return the command that prints a coordinate of the run as numbers with commas."""
    code = f"import daskid; print(*daskid.open_run({run!r}).{coordinate.name}.values, sep=',')"
    return f"python -c {shlex.quote(code)}"


def _each(ds: xr.Dataset, variable: v.Variable, default: float) -> str | None:
    """Return one number for all features, or one each; None where it is the default."""
    if variable.name not in ds.variables:
        return None
    values = ds[variable.name].values
    if (values == default).all():
        return None
    same = (values == values[0]).all()
    return ",".join(repr(float(value)) for value in (values[:1] if same else values))


def _command(step: str, arguments: list[str], given: dict[str, Any]) -> str:
    return " ".join(
        ["daskid", step, *map(shlex.quote, arguments)]
        + [word for name, value in given.items() for word in _option(name, value)]
    )


def _option(name: str, value: Any) -> list[str]:
    flag = shlex.quote("--" + name.replace("_", "-"))
    if value is None or value is False:
        return []
    if value is True:
        return [flag]
    return [flag, shlex.quote(value if isinstance(value, str) else json.dumps(value))]


def _cost(ds: xr.Dataset) -> str:
    if v.neighbor_distance.name not in ds.variables:
        return ""
    attrs = ds[v.neighbor_distance.name].attrs
    rows = [
        (words, _bytes(attrs[name]) if name == "peak_memory" else _amount(attrs[name]))
        for name, words in COST.items()
        if name in attrs
    ]
    return table("Cost of the neighbor search", (), rows) if rows else ""


def _bytes(value: Any) -> str:
    known = isinstance(value, int | np.integer) and value > 0
    return size(int(value)) if known else "not known"


def _amount(value: Any) -> str:
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    try:
        return number(float(value))
    except (TypeError, ValueError):
        return foreign(value)


def _attributes(ds: xr.Dataset) -> str:
    rows = [(foreign(name, 60), foreign(x)) for name, x in ds.attrs.items() if name not in SAID]
    return table("Recorded with the run", (), rows[:MAX_ATTRIBUTES]) if rows else ""


def _versions() -> str:
    rows = [(name, _version(name)) for name in PACKAGES]
    known = [(name, number_) for name, number_ in rows if number_]
    return table(
        "Installed where this page was made", (), [*known, ("Python", platform.python_version())]
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
