"""The neighbour search as a job: strips of rows, each against all rows, read where they run.

A task holds a strip, one block of the other rows and the strip's lists; the
(N, N) distance matrix never exists. Bits do not depend on strips, blocks,
workers or the order of tasks.
"""

import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from daskid.blockwise.search import pool
from daskid.blockwise.search.progress import progress
from daskid.blockwise.search.scan import NONE, Scan, Source, locate, scan
from daskid.kernels.locations import canonical, most_within
from daskid.kernels.metrics import METRICS
from daskid.kernels.neighbors import Block, Space, empty_lists, update
from daskid.storage import run
from daskid.storage.rows import MemoryRows, block_rows
from daskid.typing import Array, Floats, Ints

__all__ = ["METRICS", "Job", "Neighbors", "Rule", "Source", "prepare", "search", "strip_rows"]

STRIP_ROWS = 8192
STRIPS = 16
"""Strips of a small search: enough for all threads of a laptop to have work."""
BLOCK_BYTES = 32 << 20


class Rule(NamedTuple):
    """What is searched: the parameters that change the result."""

    k: int
    metric: str
    period: Floats
    weight: Floats
    exclude: int
    merge: bool


class Labels(NamedTuple):
    """Who the rows are: location, and its frame and trajectory (None: not needed)."""

    location: Source | None
    frame: Source | None = None
    trajectory: Source | None = None


class Job(NamedTuple):
    """A search that can run: checked, its coincident rows found."""

    source: Source
    space: Space
    k: int
    labels: Labels
    location: Ints
    multiplicity: Ints
    pairs: int
    seconds: float


@dataclass(frozen=True)
class Neighbors:
    """The result; the lists are None where they were written to a run."""

    distance: Floats | None
    index: Ints | None
    location: Ints
    multiplicity: Ints
    cost: dict[str, Any]


def prepare(source: Source, rule: Rule, frame: Ints | None, trajectory: Ints | None) -> Job:
    """Stream over the rows once: find coincident ones, check all that can be checked.

    Parameters
    ----------
    source
        (N, d) rows.
    rule
        The parameters.
    frame, trajectory
        (N,) frame numbers (None: 0 to N - 1), and codes from 0 on of trajectories
        (None: all the same), for ``rule.exclude`` > 0.

    Raises
    ------
    ValueError
        If there are too few locations for ``rule.k``, or values that can't be compared.
    """
    start = time.monotonic()
    n = source.shape[0]
    found = scan(source, rule.period, rule.weight)
    location = locate(source, found) if rule.merge else np.arange(n)
    copies = np.bincount(location, minlength=n)
    first = np.flatnonzero(copies)
    within = 0
    if rule.exclude:
        frame = (np.arange(n) if frame is None else frame)[location]
        trajectory = (np.zeros(n, np.int64) if trajectory is None else trajectory)[location]
        within = most_within(frame[first], trajectory[first], rule.exclude)
    _check_k(rule, first.size, n, within)
    used = (location if first.size < n else None, *((frame, trajectory) if rule.exclude else ()))
    labels = Labels(*(None if x is None else MemoryRows(x) for x in used))
    seconds = time.monotonic() - start
    space = _space(rule, found)
    return Job(source, space, rule.k, labels, location, copies[location], n * first.size, seconds)


def search(job: Job, store: str | None) -> Neighbors:
    """Return the nearest locations of every row.

    Parameters
    ----------
    job
        What is searched.
    store
        The run whose arrays ``neighbor_distance`` and ``neighbor_index`` are
        filled; None for results in memory.
    """
    start = time.monotonic()
    distance, index = _strips(job, store)
    seconds = round(job.seconds + time.monotonic() - start, 3)
    cost = {"method": "strips", "pairs": job.pairs, "seconds": seconds}
    return Neighbors(distance, index, job.location, job.multiplicity, cost)


def strip_rows(n: int) -> int:
    """Return the number of rows of a strip: that of a chunk of the result."""
    return int(np.clip(-(-n // STRIPS), 256, STRIP_ROWS))


def _check_k(rule: Rule, locations: int, n: int, within: int) -> None:
    most = locations - 1 - within
    if rule.k <= most:
        return
    distinct = f"{locations} distinct locations" if locations < n else f"{n} samples"
    window = f", up to {within} of them within {rule.exclude} frames" if within else ""
    smaller = " or a smaller exclude" if within else ""
    raise ValueError(
        f"k={rule.k} needs more than {rule.k + within} locations, got {distinct}{window}: "
        + (f"use k={most} or less{smaller}" if most > 0 else f"there is nothing to search{smaller}")
    )


def _space(rule: Rule, found: Scan) -> Space:
    span = found.highest - found.places.lowest
    norm = float(np.sqrt((span**2 * rule.weight if rule.weight.size else span**2).sum()))
    return Space(
        METRICS[rule.metric].combine,
        rule.period,
        rule.weight,
        found.places.lowest,
        found.center,
        float(2.0 ** -np.ceil(np.log2(norm))) if norm > 0 else 1.0,
        rule.exclude,
    )


def _strips(job: Job, store: str | None) -> tuple[Floats | None, Ints | None]:
    n, step = job.source.shape[0], strip_rows(job.source.shape[0])
    large = (job.source, *job.labels)
    shared = [pool.share(x) if isinstance(x, MemoryRows) else x for x in large]
    starts = range(0, n, step)
    tasks = [(*shared, job.space, job.k, a, min(a + step, n), store) for a in starts]
    distance = None if store else np.empty((n, job.k))
    index = None if store else np.empty((n, job.k), np.int64)
    with progress("knn", job.pairs, "pairs") as advance:
        for i, result in pool.run(_strip, tasks):
            a, b = starts[i], min(starts[i] + step, n)
            if distance is not None and index is not None:
                distance[a:b], index[a:b] = result
            advance((b - a) * job.pairs // n)
    return distance, index


def _strip(
    source: Source,
    location: Source | None,
    frame: Source | None,
    trajectory: Source | None,
    space: Space,
    k: int,
    start: int,
    stop: int,
    store: str | None,
) -> tuple[Floats, Ints] | None:
    """Search the rows ``start`` to ``stop`` among all; return their lists, or write them."""
    labels = Labels(location, frame, trajectory)
    n = source.shape[0]
    strip = _block(source, labels, space, start, stop)
    _, first, copy = np.unique(strip.who[0], return_index=True, return_inverse=True)
    x = _part(strip, first)
    lists = empty_lists(first.size, k)
    step = block_rows(source.shape, 8, source.chunk_rows(), BLOCK_BYTES)
    for a in range(0, n, step):
        y = _block(source, labels, space, a, min(a + step, n))
        # of copies, the first one is searched
        update(lists, x, _part(y, y.who[0] == np.arange(a, a + y.who.shape[1])), space)
    distance, index = lists.distance[copy], lists.location[copy]
    if store is None:
        return distance, index
    run.write_rows(store, "neighbor_distance", start, distance)
    run.write_rows(store, "neighbor_index", start, index)
    return None


def _block(source: Source, labels: Labels, space: Space, start: int, stop: int) -> Block:
    rows = source.read(start, stop)
    if space.period.size:
        rows = canonical(rows, space.lowest, space.period, NONE)
    own = np.arange(start, stop)
    location, frame, trajectory = (None if x is None else x.read(start, stop) for x in labels)
    location = own if location is None else location
    frame = own if frame is None else frame
    trajectory = np.zeros_like(own) if trajectory is None else trajectory
    return Block(rows, np.stack([location, frame, trajectory]))


def _part(block: Block, rows: Array) -> Block:
    if rows.dtype == bool and rows.all():
        return block
    return Block(block.rows[rows], np.ascontiguousarray(block.who[:, rows]))
