"""Where a dataset came from: attributes that travel with it to the page."""

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr


def stamp(
    field: xr.DataArray, source: object, shape: tuple[int, int], rows_gone: int, features_gone: int
) -> dict[str, Any]:
    """Return the attributes of a dataset made from ``field``."""
    named = str(Path(source).resolve()) if isinstance(source, str | Path) else "in memory"
    what = f"{named}, variable {field.name}" if field.name is not None else named
    return {
        "source": what,
        "source_shape": " x ".join(f"{size} {dim}" for dim, size in field.sizes.items()),
        "rows_dropped": rows_gone,
        "features_dropped": features_gone,
        "daskid_version": version("daskid"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **{a: field.attrs[a] for a in ("truth", "title", "references") if a in field.attrs},
    }
