"""The neighbour search as a job: blocks of rows against blocks of rows, read where tasks run.

A task holds some rows and their lists, and one block of the other rows; the
(N, N) distance matrix never exists. Bits do not depend on the method, on strips, blocks,
workers, the order of tasks, or on how often the job was killed.
"""

import time
from collections.abc import Callable
from functools import cache, partial

import numpy as np

from daskid.blockwise.search import pool
from daskid.blockwise.search.blocks import Labels
from daskid.blockwise.search.job import Job, Means, Neighbors, Rule
from daskid.blockwise.search.methods import METHODS, MORE, Facts, choose, is_direct
from daskid.blockwise.search.plan import BLOCK_BYTES, Plan, memory_rows, strip_rows
from daskid.blockwise.search.planner import make_plan
from daskid.blockwise.search.probe import entries, seconds_of
from daskid.blockwise.search.results import LISTS, Target
from daskid.blockwise.search.scan import NONE, Scan, Source, locate, scan
from daskid.blockwise.search.sizes import Data, Machine
from daskid.blockwise.search.window import frames_of, row_step, separation_window
from daskid.kernels.forms import word_weights
from daskid.kernels.locations import most_within
from daskid.kernels.metrics import DIFFERENT, HALF_SQUARE, METRICS, lengths
from daskid.kernels.neighbors import Space, compared, with_axes
from daskid.storage.rows import MemoryRows, block_rows
from daskid.typing import Array, Ints

COLD = 2
"""Times that an entry of both rows of a pair takes in the probe, whose lists are cold."""
SAMPLE_ROWS, SAMPLE_BYTES, SAMPLE_PLACES = 4096, 64 << 20, 64
"""Rows that the choice of a method may look at, and from how many blocks of a source."""

Seen = tuple[Callable[[], Array], Space]
"""What returns some rows as read, and how they are compared."""

__all__ = [
    "LISTS",
    "METHODS",
    "METRICS",
    "Data",
    "Facts",
    "Job",
    "Machine",
    "Neighbors",
    "Plan",
    "Rule",
    "Seen",
    "Source",
    "Target",
    "frames_of",
    "is_direct",
    "lengths",
    "make_plan",
    "prepare",
    "probe",
    "row_step",
    "search",
    "seen_of",
    "separation_window",
    "some_rows",
    "strip_rows",
]


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
    job: Job, target: Target | None = None, *, plan: Plan | None = None, method: str = "auto"
) -> Neighbors:
    """Return the nearest locations of every row.

    Parameters
    ----------
    job
        What is searched.
    target
        The run whose arrays ``neighbor_distance`` and ``neighbor_index`` are
        filled; None for results in memory.
    plan
        How it is done, for a target.
    method
        How it is done where there is no plan: one of ``METHODS``, or ``"auto"``.

    Raises
    ------
    ValueError
        If the method can't be used here.
    """
    start = time.monotonic()
    facts = _facts(job)
    if plan is None or target is None:
        facts = facts if method == "pruned" else facts.seen()
        name, _ = choose(facts, method)
        means = _in_memory(name, facts)
    else:
        target = target._replace(chunk=plan.strip_rows)
        sizes = plan.tile_rows, plan.block_bytes, plan.task_bytes, plan.waiting_bytes
        name, means = plan.method, Means(target, *sizes)
    if name != "pruned":
        job = job._replace(space=facts.seen().space or job.space)
    found = METHODS[name].search(job, means)
    cost = {
        "method": name,
        "pairs": found.pairs,
        "seconds": round(job.seconds + time.monotonic() - start, 3),
        "peak_memory": pool.peak_memory(),
    }
    return Neighbors(found.distance, found.location, job.location, job.multiplicity, cost)


def _facts(job: Job) -> Facts:
    n, features = job.source.shape[:2]
    direct = is_direct(job.space.combine, job.space.period.size > 0)
    bits, cluster = job.space.combine == DIFFERENT, pool.current_client() is not None
    sample = cache(partial(some_rows, job.source))
    return Facts(n, features, job.k, direct, bits, False, cluster, sample, job.space)


def some_rows(source: Source) -> Array:
    """Return a few thousand random rows, in random order: any part of them is random as well.

    Those of a source at rest are of some blocks from all over it.
    """
    n, features = source.shape
    size = min(n, SAMPLE_ROWS, 1 + SAMPLE_BYTES // (8 * features))
    random = np.random.default_rng(0)
    if isinstance(source, MemoryRows):
        return np.asarray(source.values[random.choice(n, size, replace=False)])
    step = block_rows(source.shape, 8, source.chunk_rows())
    places = np.arange(0, n, step)
    starts = random.choice(places, min(places.size, SAMPLE_PLACES), replace=False)
    parts = []
    for start in np.sort(starts).tolist():
        rows = source.read(start, min(start + step, n))
        few = min(len(rows), -(-size // starts.size))
        parts.append(rows[np.sort(random.choice(len(rows), few, replace=False))])
    return np.asarray(random.permutation(np.concatenate(parts)))


def seen_of(source: Source, rule: Rule) -> Seen:
    """Return some rows of a source, and how they are compared as far as they tell."""
    _check_period(rule)
    rows = some_rows(source)
    return partial(np.asarray, rows), _space(
        rule, scan(MemoryRows(rows), rule.metric, rule.period, rule.weight)
    )


def _in_memory(method: str, facts: Facts) -> Means:
    shape = facts[:3]
    rows = memory_rows(*shape, pool.threads()) if method == "tiles" else strip_rows(*shape)
    return Means(None, rows, BLOCK_BYTES)


def probe(rows: Array, rule: Rule, method: str, n: int) -> float:
    """Return the seconds of one thread for ``n`` rows, measured on the first ones of a source."""
    _check_period(rule)
    found = scan(MemoryRows(rows), rule.metric, rule.period, rule.weight)
    k, space = min(rule.k, len(rows) - 1), _space(rule, found)
    direct = is_direct(space.combine, space.period.size > 0)
    if Facts(n, rows.shape[1], k, direct, False, True, False).has_axes:  # as the search will
        seen = np.random.default_rng(0).permutation(compared(rows, space))
        space = with_axes(seen, space)
    once = method == "tiles"
    pair, entry = seconds_of(rows, space, k, once=once)
    pairs = n * (n + 1) // 2 if once else n**2
    return pair * pairs + entry * entries(n, n, rule.k) * (MORE / COLD if once else 1)


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
        if combine <= HALF_SQUARE:
            norm = float(np.sqrt((span**2 * weight if weight.size else span**2).sum()))
        else:
            norm = float((span * weight if weight.size else span).max(initial=0.0))
        scale = float(2.0 ** -np.ceil(np.log2(norm))) if norm > 0 else 1.0
    lowest, center = found.lowest, found.center
    return Space(combine, rule.period, weight, lowest, center, scale, rule.exclude, form)
