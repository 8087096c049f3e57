"""Where a dataset came from: attributes that travel with it to the page."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from zarr.abc.store import Store

from daskid.storage.rows import remote
from daskid.typing import Array

LONGEST = 10_000
"""Numbers of a keyword that are recorded one by one."""


def stamp(
    fields: Sequence[xr.DataArray], source: object, rows_gone: int, features_gone: int
) -> dict[str, Any]:
    """Return the attributes of a dataset made from ``fields``."""
    kept: dict[str, Any] = {}
    for field in reversed(fields):
        kept |= {a: field.attrs[a] for a in ("truth", "title", "references") if a in field.attrs}
    shapes = [" x ".join(f"{size} {dim}" for dim, size in f.sizes.items()) for f in fields]
    return {
        "source": where(source),
        "source_shape": ", ".join(dict.fromkeys(shapes)),
        "rows_dropped": rows_gone,
        "features_dropped": features_gone,
        "daskid_version": version("daskid"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **kept,
    }


def where(source: object) -> str:
    """Return the path or URL of a source, without what may be secret in it."""
    if isinstance(source, Store):
        return remote.name_of(source)
    path = (
        source if isinstance(source, str | Path) else getattr(source, "encoding", {}).get("source")
    )
    if path is None:
        return "in memory"
    if not remote.is_remote(str(path)):
        return str(Path(path).absolute())
    scheme, _, rest = str(path).split("?")[0].partition("://")
    host, slash, key = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2] if ':' in host else host}{slash}{key}"


def keywords(**given: Any) -> str:
    """Return the keywords that were given, as JSON."""
    used = {
        name: value for name, value in given.items() if value is not None and value is not False
    }
    return json.dumps({name: _json(value) for name, value in used.items()}, sort_keys=True)


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _json(one) for key, one in value.items()}
    if isinstance(value, str | int | float):
        return value
    numbers = np.asarray(value)
    return numbers.tolist() if numbers.size <= LONGEST else f"{numbers.size} numbers"


def parameters(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the parameters that a variable's attributes record; {} for none."""
    try:
        found = json.loads(attrs.get("parameters", "{}"))
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def plain(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the attributes that JSON can hold; numpy values as Python ones."""
    out = {}
    for name, value in attrs.items():
        simple = value.tolist() if isinstance(value, np.generic | np.ndarray) else value
        try:
            json.dumps(simple)
        except (TypeError, ValueError):
            simple = str(simple)
        out[str(name)] = simple
    return out


def as_text(values: Array) -> Array:
    """Return labels of any kind as variable-length strings, which Zarr keeps as they are."""
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind == "O":
        values = np.vectorize(str, otypes=[object])(values) if values.size else values
    return values.astype(np.dtypes.StringDType())
