"""A run at rest: a Zarr group, the record of what is committed in it, writes by row range.

A step's arrays count only once the step is in the group's record, which is one
atomic write: what a killed job left behind is not seen.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from daskid.typing import Array

RECORD = "daskid"
FORMAT = 1
CHUNK_BYTES = 8 << 20


def is_run(path: str) -> bool:
    """Return whether there is a run at ``path``."""
    try:
        return RECORD in zarr.open_group(path, mode="r").attrs
    except (FileNotFoundError, NotADirectoryError):
        return False


def check_writable(path: str) -> None:
    """Raise if a run can't be written at ``path``.

    Raises
    ------
    PermissionError, FileNotFoundError, FileExistsError
        With what was expected, what was found, and what to do.
    """
    target = Path(path)
    folder = target if target.exists() else target.parent
    if not folder.is_dir():
        raise FileNotFoundError(
            f"store: expected an existing folder for {path!r}, got none at {str(folder)!r}: create it"
        )
    if target.exists() and not is_run(path) and any(target.iterdir()):
        raise FileExistsError(
            f"store: expected a run or a new path, got {path!r}, which holds something else: "
            "choose another path"
        )
    probe = folder / f".daskid-{os.getpid()}"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise PermissionError(
            f"store: expected a writable folder, got {str(folder)!r} ({error.strerror}): "
            "choose another path or change its permissions"
        ) from error


def create(path: str, record: dict[str, Any], attrs: dict[str, Any]) -> None:
    """Make an empty run with a record and the attributes of its dataset."""
    group = zarr.open_group(path, mode="w", zarr_format=3)
    group.attrs.put({**attrs, RECORD: {"format": FORMAT, "committed": {}, **record}})


def attributes(path: str) -> dict[str, Any]:
    """Return all attributes of the run's group, the record among them."""
    return dict(zarr.open_group(path, mode="r").attrs.asdict())


def record(path: str) -> dict[str, Any]:
    """Return the record of the run at ``path``.

    Raises
    ------
    FileNotFoundError
        If there is no run.
    """
    if not is_run(path):
        raise FileNotFoundError(
            f"run: expected a run of daskid, got {path!r}: make one with daskid open or daskid.save"
        )
    return dict(attributes(path)[RECORD])


def update(path: str, **changes: Any) -> None:
    """Change entries of the record in one atomic write."""
    group = zarr.open_group(path, mode="r+")
    group.attrs.put({**group.attrs.asdict(), RECORD: {**record(path), **changes}})


def commit(path: str, fingerprints: dict[str, str]) -> None:
    """Enter variables in the record: from now on they count."""
    update(path, committed={**record(path)["committed"], **fingerprints})


def retract(path: str, names: set[str]) -> None:
    """Take variables out of the record."""
    committed = record(path)["committed"]
    update(path, committed={n: f for n, f in committed.items() if n not in names})


def delete(path: str, names: set[str]) -> None:
    """Delete arrays."""
    group = zarr.open_group(path, mode="r+")
    for name in names:
        if name in group:
            del group[name]


def create_array(
    path: str,
    name: str,
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    dtype: str,
    dims: tuple[str, ...],
    attrs: dict[str, Any],
) -> None:
    """Make an array that workers fill with :func:`write_rows`, a chunk each."""
    group = zarr.open_group(path, mode="r+")
    group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        dimension_names=dims,
        attributes=attrs,
        overwrite=True,
    )


def write_rows(path: str, name: str, start: int, values: Array) -> None:
    """Write ``values`` to the rows from ``start`` on; chunks must have one writer each."""
    array = zarr.open_array(path, path=name, mode="r+")
    array[start : start + values.shape[0]] = np.asarray(values)


def annotate(path: str, name: str, attrs: dict[str, Any]) -> None:
    """Add attributes to an array."""
    zarr.open_array(path, path=name, mode="r+").attrs.update(attrs)
