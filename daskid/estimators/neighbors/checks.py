"""What a search is asked for, checked before the work starts."""

import logging

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import search
from daskid.typing import Ints

log = logging.getLogger("daskid")

LONGEST = 1 << 62
"""No frame numbers are further apart."""


def check(
    k: int, metric: str, duplicates: str, shape: tuple[int, ...], method: str = "auto"
) -> None:
    """Raise ``ValueError`` for keywords and shapes that can't be searched."""
    _whole("k", k, 1, "give the number of neighbors, e.g. k=100")
    for name, given, known in (
        ("metric", metric, [*search.METRICS]),
        ("duplicates", duplicates, ["merge", "keep"]),
        ("method", method, ["auto", *search.METHODS]),
    ):
        if given not in known:
            raise ValueError(f"{name}: expected one of {known}, got {given!r}: choose one of them")
    n, d = shape
    if n != n:  # dask's NaN
        raise ValueError(
            "rows: expected a known number of samples, got unknown chunk sizes: "
            "call ds.rows.data.compute_chunk_sizes() first"
        )
    if n < 2 or d < 1:
        raise ValueError(
            f"rows: expected 2 samples and 1 feature or more, got {n} and {d}: "
            "there are no neighbors to find"
        )
    if k >= n:
        raise ValueError(f"k={k} needs more than {k} samples, got {n}: use k={n - 1} or less")


def _whole(name: str, value: object, least: int, remedy: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name}: expected an integer, {least} or more, got {value!r}: {remedy}")


def window(ds: xr.Dataset, rows: da.Array, exclude: int | str, metric: str) -> int:
    """Return the Theiler window in rows of the source; warn of one that leaves out nothing."""
    if isinstance(exclude, str) and exclude.strip().isdigit():
        exclude = int(exclude)
    if not isinstance(exclude, str):
        _whole("exclude", exclude, 0, "give a number of frames, 0 for none")
        step = search.row_step(*v.frames(ds)) if exclude else 1
        if 0 < exclude < step:
            log.warning(
                "exclude: %d rows of the source leave out no sample: there is one every %d rows; "
                "give %d for %d samples, or a duration", exclude, step, exclude * step, exclude,
            )  # fmt: skip
        return min(int(exclude), LONGEST)
    frame, trajectory = v.frames(ds)
    if exclude == "auto":
        compared = metric, v.per_feature(ds, v.period), v.per_feature(ds, v.weight)
        found = search.separation_window(
            lambda a, b: np.asarray(rows[a:b].compute()), rows.shape, compared, frame, trajectory
        )
        limit = " (the cap: 1 % of the shortest trajectory)" if found.capped else ""
        log.info("exclude='auto': %d frames%s", found.frames, limit)
        return found.frames
    if v.time.name not in ds.variables:
        raise ValueError(
            f"exclude: expected frames or 'auto' where there is no time, got {exclude!r}: "
            "give a number of frames, or open the rows with their time"
        )
    times = ds[v.time.name]
    unit = str(times.attrs.get("units", ""))
    samples = search.frames_of(exclude, times.values, unit, trajectory)
    return samples * search.row_step(frame, trajectory)


def rule_of(ds: xr.Dataset, k: int, metric: str, exclude: int, duplicates: str) -> search.Rule:
    """Return the parameters of a search, with those that the dataset holds."""
    return search.Rule(int(k), metric, *v.compared(ds), exclude, duplicates == "merge")


def labels(ds: xr.Dataset, exclude: int) -> tuple[Ints | None, Ints | None]:
    """Return frame numbers and codes of trajectories, where a search needs them."""
    return v.frames(ds) if exclude else (None, None)
