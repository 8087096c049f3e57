"""Where basins touch and how each sample climbs, from chunks of neighbor lists.

The lists are read three times: for the first higher neighbor, for the first neighbor in
another basin, and for the mean over neighbors. A task holds the lists of a chunk and at most 12
bytes of each sample.

Frames are counted one chunk after another, in order of time, and nothing of a chunk is kept but
the tally: memory does not grow with their number.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
from dask.base import compute

from daskid.blockwise import gather
from daskid.kernels import peaks
from daskid.kernels.landscape import barriers as heights
from daskid.kernels.landscape import counting
from daskid.kernels.landscape import microstates as cells
from daskid.typing import Array, Floats, Ints

FRAMES = 1 << 20
"""Frames counted at a time."""
GAP = 1.5
"""Usual steps from which on a step is a gap."""


@dataclass
class Counted:
    """The tally, (p,) frames in each core, the usual step, and the numbers of what was met."""

    tally: counting.Tally
    frames: Ints
    step: float = np.nan
    segments: int = 0
    gaps: int = 0


class Record(NamedTuple):
    """(n,) state of each frame, (s,) first frames of segments, (states, peaks) frames in both.

    And the frames of the shortest trajectory, and the usual step.
    """

    state: Array
    begin: Ints
    shared: Ints
    shortest: int
    step: float


def parents(index: da.Array, kstar: da.Array, location: da.Array, g: da.Array) -> da.Array:
    """Return the first higher neighbor of each sample: (n,), one chunk.

    Parameters
    ----------
    index, kstar, location
        (n, k) lists, how many of each count, first samples at the same places; same chunks.
    g
        (n,) heights, one chunk.
    """
    found = _by_rows(_first_higher, index, kstar, location, g)
    return gather.whole(found)


def touching(index: da.Array, kstar: da.Array, location: da.Array, center: da.Array) -> da.Array:
    """Return the first neighbor of each sample in another basin, -1 for none: (n,), one chunk.

    Parameters
    ----------
    index, kstar, location
        As in :func:`parents`.
    center
        (n,) the peak of each sample, one chunk.
    """
    return gather.whole(_by_rows(_borders, index, kstar, location, center))


def averages(index: da.Array, kstar: da.Array, location: da.Array, values: da.Array) -> da.Array:
    """Return the mean of values over each sample and its neighbors: (n,), one chunk.

    Parameters
    ----------
    index, kstar, location
        As in :func:`parents`.
    values
        (n,) values, one chunk.
    """
    return gather.whole(_by_rows(_averages, index, kstar, location, values, values.dtype))


def rows(arrays: tuple[da.Array, ...], row: Ints) -> tuple[Array, ...]:
    """Return some rows of each of the arrays, in memory; only their chunks are read. Computes."""
    unique, place = np.unique(row, return_inverse=True)
    found = compute(*(x[unique] for x in arrays))
    return tuple(np.ascontiguousarray(np.asarray(x)[place]) for x in found)


def cores(label: da.Array, log_density: da.Array, floor: Floats) -> da.Array:
    """Return the core that each sample is in, -1 for none: (n,), lazy.

    Parameters
    ----------
    label, log_density
        (n,) basins and log densities.
    floor
        (p,) log density from which on a sample is in the core of its basin.
    """
    core: da.Array = da.map_blocks(
        _core, label, log_density.rechunk(label.chunks), floor=floor, dtype=np.int32
    )
    return core


def without(core: da.Array, states: Ints) -> da.Array:
    """Return the cores without those of some states: (n,), lazy."""
    left: da.Array = da.map_blocks(_without, core, states=states, dtype=core.dtype)
    return left


def count(
    core: da.Array, time: da.Array, trajectory: da.Array | None, peaks: int, dwell: float
) -> Counted:
    """Count the changes between cores, frame by frame. Computes.

    Parameters
    ----------
    core
        Of :func:`cores`.
    time, trajectory
        (n,) times, and the trajectories they are in, if there are several.
    peaks, dwell
        See :func:`daskid.kernels.landscape.counting.advance`.

    Raises
    ------
    ValueError
        If time does not increase within a trajectory, or a trajectory is in several parts.
    """
    found = Counted(counting.nothing(peaks), np.zeros(peaks, np.int64))
    for inside, when, begins, gap in segments(core, time, trajectory, found):
        found.frames += np.bincount(inside[inside >= 0], minlength=peaks)
        counting.advance(found.tally, inside, when, begins | gap, dwell)
    counting.finish(found.tally)
    return found


def segments(
    core: da.Array, time: da.Array, trajectory: da.Array | None, found: Counted
) -> Iterator[tuple[Array, Floats, Array, Array]]:
    """Yield core, time, where trajectories begin and where gaps are, some frames at a time."""
    columns = [
        x.rechunk(FRAMES) for x in (core, time, *([] if trajectory is None else [trajectory]))
    ]
    seen: set[Any] = set()
    last, zero, at, before = None, None, np.nan, 0
    for i in range(columns[0].numblocks[0]):
        inside, when, *label = (np.asarray(x) for x in compute(*(x.blocks[i] for x in columns)))
        begins = np.zeros(when.size, bool)
        begins[:1] = i == 0
        if label:
            begins[1:] = label[0][1:] != label[0][:-1]
            begins[:1] |= last != label[0][:1]
            last = label[0][-1]
            _new_only(label[0][begins], seen)
        zero = when[0] if zero is None else zero
        seconds = _elapsed(when, zero)
        step = np.diff(seconds, prepend=at)
        _increasing(step, begins, when, before)
        if i == 0:
            found.step = float(np.median(step[~begins])) if (~begins).any() else np.nan
        gap = ~begins & (step > GAP * found.step)
        found.segments += int(np.count_nonzero(begins | gap))
        found.gaps += int(np.count_nonzero(gap))
        yield inside, seconds, begins, gap
        at, before = seconds[-1], before + when.size


def record(
    state: da.Array, label: da.Array, time: da.Array, trajectory: da.Array | None,
    states: int, peaks: int,
) -> Record:  # fmt: skip
    """Return what a Markov model is made from: 2 bytes a frame. Computes.

    Parameters
    ----------
    state, label
        (n,) microstate and basin of each frame.
    time, trajectory
        As in :func:`count`, which says what is raised.
    states, peaks
        How many.
    """
    found = Counted(counting.nothing(0), np.zeros(0, np.int64))
    n, at = state.shape[0], 0
    small = np.empty(n, np.int16 if states < 2**15 else np.int32)
    shared, begin, gaps = np.zeros(states * peaks, np.int64), [], []
    both = state.astype(np.int64) * peaks + label.rechunk(state.chunks)
    for inside, _, begins, gap in segments(both, time, trajectory, found):
        small[at : at + inside.size] = inside // peaks
        shared += np.bincount(inside, minlength=shared.size)
        begin.append(at + np.flatnonzero(begins))
        gaps.append(at + np.flatnonzero(gap))
        at += inside.size
    first = np.concatenate(begin)
    shortest = int(np.diff(first, append=n).min())
    every = np.sort(np.concatenate([first, *gaps]))
    return Record(small, every, shared.reshape(states, peaks), shortest, found.step)


def microstates(rows: da.Array, center: Floats, period: Floats, weight: Floats) -> da.Array:
    """Return the nearest center of each row: (n,), lazy."""
    found: da.Array = da.map_blocks(
        _nearest, rows.rechunk({1: -1}), center=center, period=period, weight=weight,
        drop_axis=1, dtype=np.int32, meta=np.empty(0, np.int32),
    )  # fmt: skip
    return found


def _nearest(rows: Array, *, center: Floats, period: Floats, weight: Floats) -> Array:
    return cells.nearest(cells.embedded(rows, period, weight), center).astype(np.int32)


def _core(label: Array, log_density: Floats, *, floor: Floats) -> Array:
    return np.where(log_density > floor[label], label, -1).astype(np.int32)


def _without(core: Array, *, states: Ints) -> Array:
    return np.where(np.isin(core, states), -1, core).astype(core.dtype)


def _elapsed(time: Array, zero: Any) -> Floats:
    """Return times since ``zero``, in seconds where they are dates."""
    since = time - zero
    if since.dtype.kind == "m":
        since = since / np.timedelta64(1, "s")
    return np.asarray(since, np.float64)


def _new_only(labels: Array, seen: set[Any]) -> None:
    for label in labels.tolist():
        if label in seen:
            raise ValueError(
                f"trajectory: expected the frames of each one after another, got {label!r} in "
                "several parts: sort the samples by trajectory and time before knn"
            )
        seen.add(label)


def _increasing(step: Floats, begins: Array, time: Array, before: int) -> None:
    wrong = np.flatnonzero(~begins & ~(step > 0))
    if wrong.size:
        i = int(wrong[0])
        raise ValueError(
            f"time: expected it to increase along each trajectory, got {time[i]} at sample "
            f"{before + i}, after a step of {step[i]:g}: sort the samples by time before knn"
        )


def _by_rows(
    function: Callable[..., Array],
    index: da.Array,
    kstar: da.Array,
    location: da.Array,
    vector: da.Array,
    dtype: Any = None,
) -> da.Array:
    chunks, n = index.chunks[0], index.shape[0]
    dtype = dtype or np.dtype(np.int32 if n < 2**31 else np.int64)
    # i: rows, k: neighbors, n: all samples
    values: da.Array = da.blockwise(
        partial(_in_place, function=function), "i", index, "ik", kstar, "i",
        da.arange(n, chunks=(chunks,)), "i", location, "i", vector, "n",
        dtype=dtype, meta=np.empty(0, dtype),
    )  # fmt: skip
    return values


def _in_place(*blocks: Array | list[Array], function: Callable[..., Array]) -> Array:
    """Call with the single blocks of what is contracted, none of which can be written to."""
    one = (x[0] if isinstance(x, list) else x for x in blocks)
    fixed = [np.ascontiguousarray(x).view() for x in one]
    for x in fixed:
        x.setflags(write=False)
    return function(*fixed)


def _narrow(values: Ints, n: int) -> Array:
    return values.astype(np.int32 if n < 2**31 else np.int64)


def _first_higher(index: Array, kstar: Array, row: Ints, location: Array, g: Floats) -> Array:
    return _narrow(peaks.first_higher(index, kstar, row, location, g), g.size)


def _borders(index: Array, kstar: Array, row: Ints, location: Array, center: Array) -> Array:
    return _narrow(peaks.borders(index, kstar, row, location, center), center.size)


def _averages(index: Array, kstar: Array, row: Ints, location: Array, values: Floats) -> Floats:
    return heights.averages(index, kstar, row, values)
