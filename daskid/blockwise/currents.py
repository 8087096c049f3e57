"""Sums of currents between frames, block by block, in one pass in the order of time.

Frames come some at a time, with as many before them as a lag is long; pairs never lead over a
gap or from one trajectory to the next. Kept are sums for at most 256 groups of blocks.
"""

from typing import NamedTuple

import dask.array as da
import numpy as np

from daskid.blockwise.landscape import FRAMES, Counted, segments
from daskid.kernels.landscape import counting
from daskid.kernels.landscape import irreversibility as kernels
from daskid.kernels.landscape import microstates as cells
from daskid.typing import Array, Floats, Ints

GROUPS = 256
"""Groups of blocks that follow each other; one block each where there are fewer."""
ROWS = 1 << 16
"""Pairs whose currents are in memory at a time."""


class Axes(NamedTuple):
    """(e,) center and (m, e) axes in embedded rows, and (m,) what components are divided by."""

    center: Floats
    axis: Floats
    scale: Floats


class Rule(NamedTuple):
    """What is added: pairs ``lag`` frames apart, blocks of ``length`` frames, 0 for trajectories.

    ``most`` blocks are expected, no more; ``number`` (p, p) as for
    :func:`daskid.kernels.landscape.irreversibility.wind`, of ``cycles`` cycles.
    """

    lag: int
    length: int
    most: int
    basis: kernels.Basis
    number: Ints
    cycles: int


class _Frames(NamedTuple):
    """Components, times, segments and groups of some frames."""

    x: Floats
    time: Floats
    segment: Ints
    group: Ints


class _End(NamedTuple):
    """Segment and block of the last frame, and how many frames of its trajectory there were."""

    segment: int
    block: int
    place: int


def components(rows: da.Array, period: Floats, weight: Floats, axes: Axes) -> da.Array:
    """Return the components of (n, d) rows: (n, m), lazy."""
    found: da.Array = da.map_blocks(
        _components, rows.rechunk({1: -1}), period=period, weight=weight, axes=axes,
        chunks=(rows.chunks[0], (axes.scale.size,)), dtype=np.float64, meta=np.empty((0, 0)),
    )  # fmt: skip
    return found


def _components(rows: Array, *, period: Floats, weight: Floats, axes: Axes) -> Floats:
    x = cells.embedded(rows, period, weight)
    return kernels.project(x, axes.center, axes.axis) / axes.scale


def sums(
    x: da.Array, core: da.Array, time: da.Array, trajectory: da.Array | None, rule: Rule
) -> kernels.Sums:
    """Return the sums over all pairs of frames. Computes.

    Parameters
    ----------
    x, core
        (n, m) components and (n,) cores of the frames.
    time, trajectory
        (n,) times, and the trajectories they are in, if there are several.
    rule
        What is added.

    Raises
    ------
    ValueError
        If time does not increase within a trajectory, or a trajectory is in several parts.
    """
    met = Counted(counting.nothing(0), np.zeros(0, np.int64))
    found = kernels.nothing(min(rule.most, GROUPS), rule.basis.target.size, rule.cycles)
    x = x.rechunk((FRAMES, -1))
    state, end = -1, _End(-1, -1, 0)
    before: _Frames | None = None
    for i, (inside, when, begins, gap) in enumerate(segments(core, time, trajectory, met)):
        breaks = begins | gap
        segment, group, end = _numbered(begins, breaks, end, rule)
        state = kernels.wind(state, inside, breaks, group, rule.number, found.winding)
        frames = _Frames(np.asarray(x.blocks[i].compute()), when, segment, group)
        frames = frames if before is None else _joined(before, frames)
        _add(found, frames, rule)
        before = _last(frames, rule.lag)
    return found


def _last(frames: _Frames, lag: int) -> _Frames:
    x, time, segment, group = frames
    return _Frames(x[-lag:], time[-lag:], segment[-lag:], group[-lag:])


def _joined(before: _Frames, frames: _Frames) -> _Frames:
    parts = [np.concatenate(pair) for pair in zip(before, frames, strict=True)]
    return _Frames(parts[0], parts[1], parts[2], parts[3])


def _numbered(begins: Array, breaks: Array, last: _End, rule: Rule) -> tuple[Ints, Ints, _End]:
    """Return the segment and the group of each of the frames that follow, and where they end."""
    segment = last.segment + np.cumsum(breaks)
    number = np.arange(begins.size)
    place = number - np.maximum.accumulate(np.where(begins, number, -last.place))
    block = last.block + np.cumsum(place % rule.length == 0 if rule.length else begins)
    group = block if rule.most <= GROUPS else block * GROUPS // rule.most
    return segment, group, _End(int(segment[-1]), int(block[-1]), int(place[-1]) + 1)


def _add(found: kernels.Sums, frames: _Frames, rule: Rule) -> None:
    for start in range(0, frames.group.size - rule.lag, ROWS):
        a = slice(start, min(start + ROWS, frames.group.size - rule.lag))
        b = slice(a.start + rule.lag, a.stop + rule.lag)
        same = frames.segment[a] == frames.segment[b]
        kernels.add(
            found, frames.x[a][same], frames.x[b][same], (frames.time[b] - frames.time[a])[same],
            frames.group[a][same], rule.basis,
        )  # fmt: skip
