"""Passages from core to core along the frames, and sums over their frames.

Frames are looked at in order of time, a million at a time, and only rows of passages are read,
as many at a time as 64 MB hold. Memory grows by 16 bytes with each frame of a passage alone.
"""

from collections.abc import Iterator
from typing import NamedTuple

import dask.array as da
import numpy as np

from daskid.blockwise.landscape import Counted, rows, segments
from daskid.kernels.landscape import counting
from daskid.kernels.landscape import microstates as cells
from daskid.kernels.landscape import reactive as kernels
from daskid.typing import Array, Floats, Ints

BYTES = 64 << 20


class Path(NamedTuple):
    """(m, d) points, and (d,) periods and weights of the features, each empty for none."""

    point: Floats
    period: Floats
    weight: Floats


def passages(
    core: da.Array, time: da.Array, trajectory: da.Array | None, ends: tuple[int, int]
) -> tuple[kernels.Passages, Counted]:
    """Return the passages between two cores, in both directions, and what was met. Computes.

    Parameters
    ----------
    core, time, trajectory
        As for :func:`daskid.blockwise.landscape.count`.
    ends
        The two cores.

    Raises
    ------
    ValueError
        If time does not increase within a trajectory, or a trajectory is in several parts.
    """
    found = Counted(counting.nothing(0), np.zeros(0, np.int64))
    parts, before, start, number = [], kernels.NOWHERE, 0, -1
    for inside, when, begins, gap in segments(core, time, trajectory, found):
        segment = number + np.cumsum(begins | gap)
        some, before = kernels.passages(inside, when, segment, start, ends, before)
        parts.append(some)
        start, number = start + inside.size, int(segment[-1])
    return kernels.joined(parts), found


def sums(values: da.Array, of: kernels.Passages, group: Ints, path: Path) -> kernels.Sums:
    """Return sums over the frames of groups of passages, by the nearest point. Computes.

    Parameters
    ----------
    values
        (n, d) rows.
    of, group
        The passages, and the group that each is in.
    path
        The points.
    """
    m, d = path.point.shape
    total = int(group.max(initial=-1)) + 1
    out = kernels.Sums(np.zeros((total, m)), np.zeros((total, m, d)), np.zeros((total, m, d)))
    center = cells.embedded(path.point, path.period, path.weight)
    for some, number in _parts(of, max(BYTES // (8 * d), 1)):
        (x,) = rows((values,), some)
        near = cells.nearest(cells.embedded(x, path.period, path.weight), center)
        away = kernels.deviations(x, path.point[near], path.period)
        kernels.add(out, group[number], near.astype(np.int64), away)
    return out


def _parts(of: kernels.Passages, most: int) -> Iterator[tuple[Array, Ints]]:
    """Yield the frames of passages, in order, and the passage of each, so many at a time."""
    frame, number = kernels.frames(of)
    for a in range(0, frame.size, most):
        yield frame[a : a + most], number[a : a + most]
