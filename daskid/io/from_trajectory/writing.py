"""A store of features: written block by block beside its place, moved there once it is whole.

A block counts once its marker is there and fits what is on disk; blocks are written in
order, so that a second call goes on after the last one that counts.
"""

import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from daskid import variables as v
from daskid.blockwise.search.progress import progress
from daskid.io.from_trajectory.features import Features
from daskid.io.from_trajectory.frames import Source
from daskid.storage import ledger, run
from daskid.typing import Array

log = logging.getLogger("daskid")

RECORD = "daskid_trajectory"
STAGE = "trajectory"


@dataclass(frozen=True)
class Job:
    """What to write where: ``plan`` is all that the values depend on, as JSON."""

    path: str
    plan: dict[str, Any]
    source: Source
    features: Features

    @property
    def folder(self) -> str:
        """Folder of plan and markers."""
        return ledger.folder_of(self.path, STAGE)

    @property
    def partial(self) -> str:
        """The store to be."""
        return f"{self.folder}.zarr"


def check(path: str) -> None:
    """Raise if a store can't be written at ``path``.

    Raises
    ------
    PermissionError, FileNotFoundError, FileExistsError
        With what was expected, what was found, and what to do.
    """
    if run.is_run(path):
        raise FileExistsError(
            f"store: expected a new path, got the run {path!r}: choose another path, then "
            "save to the run"
        )
    if _record(path) is None:
        run.check_writable(path)


def _record(path: str) -> dict[str, Any] | None:
    """Return what the store at ``path`` was made of, None if there is no finished one."""
    return run.attributes(path).get(RECORD)


def finished(path: str, plan: dict[str, Any]) -> bool:
    """Return whether the store of a plan is there.

    Raises
    ------
    ValueError
        If it is the store of another plan; it names what changed.
    """
    record = _record(path)
    if record is None:
        return False
    old = record["plan"]
    changed = sorted(key for key in {*old, *plan} if old.get(key) != plan.get(key))
    if changed:
        before, now = (", ".join(f"{key}={p.get(key)}" for key in changed) for p in (old, plan))
        raise ValueError(
            f"store: expected what {path!r} was made of ({before}), got {now}: "
            "choose another path, or overwrite it"
        )
    return True


def write(job: Job, *, overwrite: bool) -> None:
    """Write the store, or what is missing of it.

    Raises
    ------
    ValueError
        If there is an unfinished store of another plan and ``overwrite`` is not set, or a
        file changed meanwhile.
    BlockingIOError
        If another process is writing it.
    """
    with ledger.writing(job.folder):
        ledger.begin(job.folder, job.plan, overwrite=overwrite)
        if overwrite or not ledger.marks(job.folder):
            _create(job)
        group = zarr.open_group(job.partial, mode="r+")
        total, size = job.source.n_frames, job.plan["block"]
        done = min(total, size * _blocks_done(job, group))
        log.info("%s: %d of %d frames are done", job.path, done, total)
        times = job.source.times(done)
        with progress("open_trajectory", total, "frames") as advance:
            advance(done)
            for start in range(done, total, size):
                _write_block(job, group, start // size, times)
                advance(min(total - start, size))
        job.source.rewind()
        job.source.check_unchanged()
        _adopt(job)
    ledger.clear(job.folder)


def _create(job: Job) -> None:
    """Make a store without values, in the place of any other."""
    n, d, size = job.source.n_frames, len(job.features.names), job.plan["block"]
    made = {
        "plan": job.plan,
        "daskid_version": version("daskid"),
        "mdanalysis_version": version("MDAnalysis"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    Path(job.partial).parent.mkdir(parents=True, exist_ok=True)
    group = zarr.create_group(job.partial, overwrite=True, zarr_format=3, attributes={RECORD: made})
    coordinates = _coordinates(job)
    group.create_array(
        v.rows.name,
        shape=(n, d),
        chunks=(size, d),
        dtype=job.features.dtype,
        dimension_names=v.rows.dims,
        compressors=None,
        fill_value=np.nan,
        attributes={
            "long_name": v.rows.long_name,
            "units": job.features.units,
            "title": f"{job.features.title} of {n} frames",
            "coordinates": " ".join(coordinates),
        },
    )
    for name, (dim, values, attrs) in coordinates.items():
        chunk = size if dim == "sample" else d
        array = group.create_array(
            name, shape=values.shape, chunks=(chunk,), dtype=values.dtype,
            dimension_names=(dim,), attributes=attrs,
        )  # fmt: skip
        if name != v.time.name:
            array[:] = values


def _coordinates(job: Job) -> dict[str, tuple[str, Array, dict[str, Any]]]:
    lengths = job.source.lengths
    numbers = np.repeat(np.arange(len(lengths)), lengths)
    inside = np.concatenate([np.arange(length) for length in lengths])
    names = np.array(job.features.names, np.dtypes.StringDType())
    out: dict[str, tuple[str, Array, dict[str, Any]]] = {
        v.time.name: ("sample", np.zeros(job.source.n_frames), {"units": "ps"}),
        v.trajectory.name: ("sample", numbers, {"long_name": v.trajectory.long_name}),
        "frame": ("sample", inside, {"long_name": "frame number in its trajectory"}),
        "name": ("feature", names, {"long_name": "feature"}),
    }
    if job.features.period:
        periods = np.full(names.size, job.features.period)
        units = {"long_name": v.period.long_name, "units": job.features.units}
        out[v.period.name] = ("feature", periods, units)
    return out


def _blocks_done(job: Job, group: Any) -> int:
    """Return how many blocks are there from the first on, as their markers say."""
    marks = ledger.marks(job.folder)
    done = 0
    while done in marks and marks[done] == _checksum(job, *_stored(job, group, done)):
        done += 1
    return done


def _stored(job: Job, group: Any, block: int) -> tuple[Array, Array]:
    size = job.plan["block"]
    part = slice(block * size, (block + 1) * size)
    return np.asarray(group[v.rows.name][part]), np.asarray(group[v.time.name][part])


def _checksum(job: Job, rows: Array, times: Array) -> str:
    return ledger.checksum(json.dumps(job.plan, sort_keys=True), rows, times)


def _write_block(job: Job, group: Any, block: int, times: Iterator[float]) -> None:
    """Compute the features of the next frames, write them, and mark them as done."""
    size = job.plan["block"]
    start = block * size
    n = min(size, job.source.n_frames - start)
    rows = np.empty((n, len(job.features.names)), job.features.dtype)
    moments = np.empty(n)
    for i, time in enumerate(islice(times, n)):
        rows[i], moments[i] = job.features.row(), time
    group[v.rows.name][start : start + n] = rows
    group[v.time.name][start : start + n] = moments
    ledger.mark(job.folder, block, _checksum(job, rows, moments))


def _adopt(job: Job) -> None:
    """Move the store to its place: from now on it counts."""
    if Path(job.path).exists():  # an older one, or an empty folder
        shutil.rmtree(job.path)
    Path(job.partial).rename(job.path)
