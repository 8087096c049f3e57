"""A run at rest: a Zarr group, the record of what is committed in it, writes by row range.

A step's arrays count only once the step is in the group's record, which is one
atomic write: what a killed job left behind is not seen.
"""

import os
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import zarr

from daskid.storage import claims, place, rows
from daskid.storage.place import At, at
from daskid.typing import Array

RECORD = "daskid"
FORMAT = 1
REPLACED = "replaced.zarr"
"""Beside a run: what was there before, while another one takes its place."""


def is_run(path: str) -> bool:
    """Return whether there is a run at ``path``.

    Raises
    ------
    ValueError
        If there is a Zarr group whose metadata can't be read.
    """
    return RECORD in attributes(path)


def attributes(path: str) -> dict[str, Any]:
    """Return the attributes of a Zarr group, the record of a run among them; {} if none."""
    file = at(path, "zarr.json")
    if not file.is_file():
        return {}
    metadata = _metadata(file)
    if metadata is None:
        raise ValueError(
            f"run: expected Zarr metadata in {str(file)!r}, got a damaged file: "
            "restore it, or delete the folder and make it again"
        )
    return dict(metadata["attributes"])


def _metadata(file: At) -> dict[str, Any] | None:
    """Return what a file of metadata says, None if it can't be read or is no such file."""
    found = claims.parsed(file)
    if found is None or not isinstance(found.setdefault("attributes", {}), dict):
        return None
    return found


def check_writable(path: str) -> None:
    """Raise if a run can't be written at ``path``.

    Raises
    ------
    PermissionError, FileNotFoundError, FileExistsError
        With what was expected, what was found, and what to do.
    """
    if place.in_bucket(path):
        _check_bucket(path)
        return
    target = Path(path).absolute()
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"store: expected an existing folder for {path!r}, got none at "
            f"{str(target.parent)!r}: create it"
        )
    if target.exists() and not _is_run_or_empty(target):
        raise FileExistsError(
            f"store: expected a run or a new path, got {path!r}, which holds something else: "
            "choose another path"
        )
    for folder in target.parents:
        nodes = [(folder / name).exists() for name in ("zarr.json", ".zgroup", ".zarray")]
        if any(nodes) and not is_run(str(folder)):
            raise FileExistsError(
                f"store: expected a path of its own, got {path!r} inside the Zarr store "
                f"{str(folder)!r}: choose another path"
            )
    for folder in (target.parent, target):
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(
                f"store: expected a writable folder, got {str(folder)!r}, which is read-only: "
                "choose another path or change its permissions"
            )


def _check_bucket(path: str) -> None:
    """Raise if a run can't be written in a bucket."""
    try:
        taken = not is_run(path) and at(path).exists()
        probe = at(f"{path}.work", "probe")
        probe.put(b"")
        probe.unlink()
    except Exception as error:
        raise PermissionError(
            f"store: expected a bucket that can be written at {path!r}, got "
            f"{type(error).__name__}: {error}: set AWS_ENDPOINT_URL, AWS_REGION, "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, here and for workers"
        ) from error
    if taken:
        raise FileExistsError(
            f"store: expected a run or a new path, got {path!r}, which holds something else: "
            "choose another path"
        )


def _is_run_or_empty(target: Path) -> bool:
    return target.is_dir() and (is_run(str(target)) or not any(target.iterdir()))


def create(path: str, record: dict[str, Any], attrs: dict[str, Any]) -> None:
    """Make an empty run with a record and the attributes of its dataset, in one write."""
    given = {"format": FORMAT, "opened": False, "committed": {}, **record}
    attributes = {**attrs, RECORD: given}
    zarr.create_group(place.store_of(path), overwrite=True, zarr_format=3, attributes=attributes)


def record(path: str) -> dict[str, Any]:
    """Return the record of the run at ``path``; committed are only arrays that are there.

    Raises
    ------
    FileNotFoundError
        If there is no run.
    ValueError
        If it has another format.
    """
    if not is_run(path) and (_work(path) / REPLACED).exists():
        raise FileNotFoundError(
            f"run: expected a run of daskid, got an append to {path!r} that was interrupted while "
            "the new run took the place of the old one: run it again"
        )
    if not is_run(path):
        raise FileNotFoundError(
            f"run: expected a run of daskid, got {path!r}: make one with daskid open or daskid.save"
        )
    given = attributes(path)[RECORD]
    found = dict(given) if isinstance(given, dict) else {}
    if found.get("format") != FORMAT:
        raise ValueError(
            f"run: expected format {FORMAT}, got {found.get('format')} in {path!r}: "
            "use the version of daskid that made it"
        )
    _check_record(path, found)
    there, committed = arrays(path), found["committed"]
    found["committed"] = {n: f for n, f in committed.items() if n in there}
    found["lost"] = {n: f for n, f in committed.items() if n not in there}
    return found


def _check_record(path: str, found: dict[str, Any]) -> None:
    """Raise where a record is not what daskid writes."""
    shape, committed = found.get("rows_shape"), found.get("committed")
    good = (
        isinstance(shape, list) and len(shape) == 2 and all(type(x) is int and x > 0 for x in shape)
        and isinstance(committed, dict)
        and all(isinstance(x, str) for x in (*committed, *committed.values()))
        and isinstance(found.get("opened"), bool)
        and isinstance(found.get("source"), dict | None)
        and isinstance(found.get("rows_attrs"), dict)
    )  # fmt: skip
    if not good:
        raise ValueError(
            f"run: expected a record as daskid writes it, got another one in {path!r}: it is "
            "damaged or made up, make a new run"
        )
    for name in committed or ():
        claims.check_name(name, path, "run")


def arrays(path: str) -> dict[str, dict[str, Any]]:
    """Return the attributes of all arrays whose metadata can be read, finished or not.

    Raises
    ------
    ValueError
        If an array is a link: it would be written elsewhere.
    """
    files = [*at(path).glob("*/zarr.json")]
    for file in files:
        claims.check_no_links(file.parent, "run")
    found = {file.parent.name: _metadata(file) for file in files}
    return {n: dict(m.get("attributes", {})) for n, m in sorted(found.items()) if m is not None}


def commit(
    path: str, fingerprints: dict[str, str], coordinates: frozenset[str] | None = None
) -> None:
    """Enter variables in the record and their steps in the history: from now on they count."""
    attrs, found = attributes(path), record(path)
    found["committed"] = {**found["committed"], **fingerprints}
    names = {*str(attrs.get("coordinates", "")).split(), *(coordinates or ())}
    attrs["coordinates"] = " ".join(sorted(names & set(found["committed"])))
    at_rest = arrays(path)
    steps = {line(at_rest[n]) for n in fingerprints if "step" in at_rest.get(n, {})}
    lines = [*str(attrs.get("history", "")).splitlines(), *sorted(steps)]
    _put(path, {**attrs, "history": "\n".join(lines)}, {**found, "opened": True})


def line(attrs: dict[str, Any]) -> str:
    """Return the line of the history for the step that an array's attributes name."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return f"{now} {attrs['step']} {attrs.get('parameters', '')}".rstrip()


def retract(path: str, names: set[str]) -> None:
    """Take variables out of the record."""
    found = record(path)
    found["committed"] = {n: f for n, f in found["committed"].items() if n not in names}
    _put(path, attributes(path), found)


def note(path: str, facts: dict[str, Any]) -> None:
    """Add facts to the record."""
    _put(path, attributes(path), {**record(path), **facts})


def exchange(path: str, staged: str, replaced: str) -> None:
    """Put a staged run into the place of a run; go on where an earlier attempt was killed.

    At any moment there is one of them, or both are beside their place and this is called again.
    """
    if place.in_bucket(path):
        raise ValueError(
            f"run: expected one in a folder, got {path!r}: what appends swaps folders, which a "
            "bucket has not; append to a copy on disk"
        )
    if Path(path).exists() and Path(staged).exists():
        shutil.rmtree(replaced, ignore_errors=True)
        Path(path).rename(replaced)
    if Path(staged).exists():
        Path(staged).rename(path)
    shutil.rmtree(replaced, ignore_errors=True)


def _put(path: str, attrs: dict[str, Any], found: dict[str, Any]) -> None:
    kept = {key: value for key, value in found.items() if key != "lost"}
    zarr.open_group(place.store_of(path), mode="r+").attrs.put({**attrs, RECORD: kept})


def delete(path: str, names: set[str]) -> None:
    """Delete arrays, whole or damaged."""
    for name in names:
        place.remove(at(path, name))


def scratch(path: str) -> str:
    """Return a new path for work on the run, beside it."""
    return str(_work(path) / f"save-{uuid4().hex}")


def clean(path: str, scratch: str) -> None:
    """Delete a scratch path, and the folder of scratch paths once it is empty."""
    place.remove(scratch)
    with suppress(OSError):
        _work(path).rmdir()


def _work(path: str) -> Any:
    target = at(path).absolute()
    return target.with_name(f"{target.name}.work")


def adopt(path: str, scratch: str, names: set[str]) -> None:
    """Move arrays from a scratch path into the run."""
    delete(path, names)
    for name in names:
        at(scratch, name).rename(at(path, name))


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
    group = zarr.open_group(place.store_of(path), mode="r+")
    group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        dimension_names=dims,
        attributes=attrs,
        overwrite=True,
        fill_value=np.nan if np.dtype(dtype).kind == "f" else -1,
    )


def write_rows(path: str, name: str, start: int, values: Array) -> None:
    """Write ``values`` to the rows from ``start`` on; chunks must have one writer each."""
    store = place.store_of(path)
    array = zarr.open_array(store, path=name, mode="r+", config={"write_empty_chunks": True})
    array[start : start + values.shape[0]] = np.asarray(values)


def read_rows(path: str, name: str, start: int, stop: int) -> Array:
    """Return the rows from ``start`` up to ``stop`` of an array."""
    return np.asarray(zarr.open_array(place.store_of(path), path=name, mode="r")[start:stop])


def opened(path: str, name: str) -> Any:
    """Return an array of the run, to be read.

    Raises
    ------
    FileNotFoundError
        If it is gone.
    """
    if not place.in_bucket(path):
        return rows.opened(path, name)
    return zarr.open_array(place.store_of(path, read_only=True), path=name, mode="r")


def annotate(path: str, name: str, attrs: dict[str, Any]) -> None:
    """Add attributes to an array."""
    zarr.open_array(place.store_of(path), path=name, mode="r+").attrs.update(attrs)
