"""Passages from core to core, the tubes they make, and whether two tubes differ.

A passage is the part of a trajectory from its last frame in one core to its first frame in the
other. What a passage adds to a tube are sums over its frames, by the nearest point of a path.
"""

from typing import NamedTuple

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Array, Floats, Ints


class Passages(NamedTuple):
    """(j,) direction (0 from the source, 1 back), first and last frame, and duration."""

    direction: Ints
    first: Ints
    last: Ints
    duration: Floats


class End(NamedTuple):
    """Of the last frame in either core: its number, core (0 or 1), segment and time."""

    frame: int
    core: int
    segment: int
    time: float


class Sums(NamedTuple):
    """Of each group of passages and point: (g, m) frames, (g, m, d) deviations, their squares."""

    frames: Floats
    first: Floats
    second: Floats


NOWHERE = End(-1, -1, -1, np.nan)
FINE = 8
"""Places to the distance of two points where a path is smoothed."""
MIN_GROUPS = 5
"""Groups with frames at a point below which it says nothing of a difference."""


def passages(
    core: Array, time: Floats, segment: Ints, start: int, ends: tuple[int, int], before: End
) -> tuple[Passages, End]:
    """Return the passages that end in a chunk of frames, and where it leaves off.

    Parameters
    ----------
    core, time, segment
        (m,) core of each frame, its time, and the segment it is in.
    start
        Number of the first frame of the chunk.
    ends
        The two cores.
    before
        Of the frames before.
    """
    at = np.flatnonzero((core == ends[0]) | (core == ends[1]))
    frame = np.append(before.frame, start + at)
    side = np.append(before.core, (core[at] == ends[1]).astype(np.int64))
    part = np.append(before.segment, segment[at])
    when = np.append(before.time, time[at])
    crossed = np.flatnonzero((side[1:] != side[:-1]) & (part[1:] == part[:-1]))
    found = Passages(
        side[crossed].astype(np.int64), frame[crossed].astype(np.int64),
        frame[crossed + 1].astype(np.int64), when[crossed + 1] - when[crossed],
    )  # fmt: skip
    return found, End(int(frame[-1]), int(side[-1]), int(part[-1]), float(when[-1]))


def joined(parts: list[Passages]) -> Passages:
    """Return passages of chunk after chunk as one."""
    if not parts:
        none = np.empty(0, np.int64)
        return Passages(none, none, none, np.empty(0))
    return Passages(*(np.concatenate(x) for x in zip(*parts, strict=True)))


def groups(direction: Ints, most: int) -> Ints:
    """Return groups of passages of one direction that follow each other, all of one size: (j,).

    Groups of direction 0 come first; ``most`` is how many a direction may have.
    """
    number = np.bincount(direction, minlength=2)
    size = max(-(-int(number.max(initial=1)) // most), 1)
    out = np.empty(direction.size, np.int64)
    for side in (0, 1):
        own = direction == side
        out[own] = np.arange(number[side]) // size + (-(-number[0] // size) if side else 0)
    return out


def frames(of: Passages) -> tuple[Ints, Ints]:
    """Return the frames of all passages, one after another, and the passage of each."""
    length = of.last - of.first + 1
    number = np.repeat(np.arange(length.size), length)
    begin = np.cumsum(length) - length
    return of.first[number] + np.arange(number.size) - begin[number], number


def deviations(rows: Array, point: Floats, period: Floats) -> Floats:
    """Return (n, d) rows less (n, d) points, the nearest image where there is a period."""
    away = rows.astype(np.float64) - point
    if period.size:
        around = period > 0
        turn = period[around]
        away[:, around] -= turn * np.round(away[:, around] / turn)
    return away


@jit
def add(sums: Sums, group: Ints, point: Ints, away: Floats) -> None:
    """Add frames to the sums, in place, one after another.

    Parameters
    ----------
    sums
        Of the frames before.
    group, point
        (n,) the group and nearest point of each frame.
    away
        (n, d) deviations from that point.
    """
    for i in range(group.size):
        g, m = group[i], point[i]
        sums.frames[g, m] += 1.0
        for f in range(away.shape[1]):
            sums.first[g, m, f] += away[i, f]
            sums.second[g, m, f] += away[i, f] * away[i, f]


def tube(sums: Sums) -> tuple[Floats, Floats, Floats]:
    """Return mean deviation, its standard error over groups, and spread: (m, d) each.

    NaN where there are no frames, or for the error a single group.
    """
    number = sums.frames.sum(axis=0)[:, np.newaxis]
    held = np.where(number > 0, number, np.nan)
    mean = sums.first.sum(axis=0) / held
    spread = np.sqrt(np.maximum(sums.second.sum(axis=0) / held - mean**2, 0.0))
    left = sums.first - mean * sums.frames[:, :, np.newaxis]
    with_any = np.count_nonzero(sums.frames, axis=0)[:, np.newaxis].astype(np.float64)
    freedom = np.where(with_any > 1, with_any - 1, np.nan)
    error = np.sqrt((left**2).sum(axis=0) * with_any / freedom) / held
    return mean, error, spread


def difference(sums: Sums, direction: Ints, seed: int, draws: int) -> float:
    """Return the p-value of groups of both directions making the same tube, by permutation.

    The mean of each point and feature, and the mean square around it, are compared: what a group
    adds beyond its share, summed over the groups of a direction, squared over its variance
    under permutations, and summed over points and features.

    Parameters
    ----------
    sums
        Of groups of passages.
    direction
        (g,) of each group.
    seed, draws
        Of the permutations, and how many.

    Returns
    -------
    NaN where no point has frames of enough groups.
    """
    kept = np.count_nonzero(sums.frames, axis=0) >= MIN_GROUPS
    if not kept.any():
        return float("nan")
    n = sums.frames[:, kept, np.newaxis]
    first, second = sums.first[:, kept], sums.second[:, kept]
    total = n.sum(axis=0)
    mean = first.sum(axis=0) / total
    square = second - 2 * mean * first + mean**2 * n
    kernel = _products(first - mean * n) + _products(square - square.sum(axis=0) / total * n)
    rng = np.random.default_rng(seed)
    own = (direction == 0).astype(np.float64)
    drawn = np.array([own, *(rng.permutation(own) for _ in range(draws))])
    score = np.einsum("rg,rg->r", drawn @ kernel, drawn)
    return float(np.count_nonzero(score >= score[0] * (1 - 1e-9)) / score.size)


def _products(left: Floats) -> Floats:
    """Return the (g, g) products of what groups add, every column of variance 1."""
    column = left.reshape(len(left), -1)
    scale = np.sqrt((column**2).sum(axis=0))
    alike: Floats = column[:, scale > 0] / scale[scale > 0]
    product: Floats = alike @ alike.T
    return product


def route(pair: Ints, level: Floats, peaks: int, source: int, target: int) -> Ints:
    """Return the saddles, in their order, of the best path from peak to peak; empty for none.

    Parameters
    ----------
    pair, level
        (s, 2) peaks beside each saddle and (s,) its height.
    peaks, source, target
        How many there are, and the two ends.
    """
    links: list[list[tuple[int, int]]] = [[] for _ in range(peaks)]
    part = np.arange(peaks)
    for s in np.argsort(-level, kind="stable").tolist():
        a, b = (int(p) for p in pair[s])
        if part[a] != part[b]:
            part[part == part[a]] = part[b]
            links[a].append((b, s))
            links[b].append((a, s))
    way: dict[int, list[int]] = {source: []}
    ahead = [source]
    while ahead:
        here = ahead.pop()
        for there, s in links[here]:
            if there not in way:
                way[there] = [*way[here], s]
                ahead.append(there)
    return np.array(way.get(target, []), np.int64)


def resampled(rows: Floats, period: Floats, weight: Floats, number: int) -> Floats:
    """Return so many points, equally far from each other, along the line through (n, d) rows.

    The line is smoothed over the distance of two points, its ends stay where they are. Points
    may lie beyond a period: they go on from one to the next.
    """
    step = deviations(rows[1:], rows[:-1].astype(np.float64), period)
    line = np.concatenate([rows[:1], rows[0] + np.cumsum(step, axis=0)])
    fine = _spaced(line, weight, FINE * (number - 1) + 1)
    reach = min(2 * FINE, len(fine) - 1)
    before = 2 * fine[0] - fine[reach:0:-1]
    after = 2 * fine[-1] - fine[-2 : -reach - 2 : -1]
    padded = np.concatenate([before, fine, after])
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / FINE) ** 2)
    smooth = np.stack([np.convolve(x, bell / bell.sum(), "valid") for x in padded.T], axis=1)
    return _spaced(smooth, weight, number)


def _spaced(line: Floats, weight: Floats, number: int) -> Floats:
    """Return so many points at equal distances along a line."""
    step = np.diff(line, axis=0)
    scaled = step * np.sqrt(weight) if weight.size else step
    along = np.concatenate([[0.0], np.cumsum(np.sqrt((scaled**2).sum(axis=1)))])
    at = np.linspace(0.0, along[-1], number)
    return np.stack([np.interp(at, along, x) for x in line.T], axis=1)
