"""The neighbour search as a job: strips of rows, each against all rows, read where they run.

A task holds a strip, one block of the other rows and the strip's lists; the
(N, N) distance matrix never exists. Bits do not depend on strips, blocks,
workers, the order of tasks, or on how often the job was killed.
"""

import time
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from daskid.blockwise.search.plan import BLOCK_BYTES, Plan, make_plan, strip_rows
from daskid.blockwise.search.probe import pairs_per_second
from daskid.blockwise.search.scan import NONE, Scan, Source, locate, scan
from daskid.blockwise.search.strips import LISTS, Labels, Target, search_strips
from daskid.blockwise.search.window import frames_of, separation_window
from daskid.kernels.forms import word_weights
from daskid.kernels.locations import most_within
from daskid.kernels.metrics import DIFFERENT, METRICS, lengths
from daskid.kernels.neighbors import Space
from daskid.storage.rows import MemoryRows
from daskid.typing import Array, Floats, Ints

__all__ = [
    "LISTS",
    "METRICS",
    "Job",
    "Neighbors",
    "Plan",
    "Rule",
    "Source",
    "Target",
    "frames_of",
    "lengths",
    "make_plan",
    "prepare",
    "probe",
    "search",
    "separation_window",
    "strip_rows",
]


class Rule(NamedTuple):
    """What is searched: the parameters that change the result."""

    k: int
    metric: str
    period: Floats
    weight: Floats
    exclude: int
    merge: bool


class Job(NamedTuple):
    """A search that can run: checked, its coincident rows found."""

    source: Source
    space: Space
    k: int
    labels: Labels
    location: Ints
    multiplicity: Ints
    locations: int
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
    _check_period(rule)
    start = time.monotonic()
    n = source.shape[0]
    found = scan(source, rule.metric, rule.period, rule.weight)
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
    return Job(source, space, rule.k, labels, location, copies[location], first.size, seconds)


def search(
    job: Job, target: Target | None = None, *, block_bytes: int = BLOCK_BYTES, needs: int = 0
) -> Neighbors:
    """Return the nearest locations of every row.

    Parameters
    ----------
    job
        What is searched.
    target
        The run whose arrays ``neighbor_distance`` and ``neighbor_index`` are
        filled; None for results in memory.
    block_bytes, needs
        What a task holds of the other rows, and in all, see :class:`Plan`.
    """
    start = time.monotonic()
    distance, index = search_strips(
        job.source, job.labels, job.space, job.k,
        locations=job.locations, target=target, block_bytes=block_bytes, needs=needs,
    )  # fmt: skip
    cost = {
        "method": "strips",
        "pairs": job.source.shape[0] * job.locations,
        "seconds": round(job.seconds + time.monotonic() - start, 3),
    }
    return Neighbors(distance, index, job.location, job.multiplicity, cost)


def probe(rows: Array, rule: Rule) -> float:
    """Return the pairs a second of one thread, measured on the first rows of a source."""
    _check_period(rule)
    found = scan(MemoryRows(rows), rule.metric, rule.period, rule.weight)
    return pairs_per_second(rows, _space(rule, found), min(rule.k, len(rows) - 1))


def _check_period(rule: Rule) -> None:
    if rule.period.size and METRICS[rule.metric].prepare is not None:
        periodic = ", ".join(name for name, metric in METRICS.items() if metric.prepare is None)
        f = int(np.flatnonzero(rule.period)[0])
        raise ValueError(
            f"period: expected none for metric={rule.metric!r}, got {rule.period[f]:g} for feature "
            f"{f}: use one of {periodic}, or drop the coordinate"
        )


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
    combine, prepare = METRICS[rule.metric]
    form = None if prepare is None else partial(prepare, weight=rule.weight)
    weight = rule.weight if prepare is None else NONE
    if combine == DIFFERENT:
        weight = word_weights(rule.weight, found.features)
        scale = float(rule.weight.sum()) if rule.weight.size else float(found.features)
    else:
        span = found.highest - found.lowest
        norm = float(np.sqrt((span**2 * weight if weight.size else span**2).sum()))
        scale = float(2.0 ** -np.ceil(np.log2(norm))) if norm > 0 else 1.0
    lowest, center = found.lowest, found.center
    return Space(combine, rule.period, weight, lowest, center, scale, rule.exclude, form)
