"""Changes between cores along trajectories, with all that is pending carried along.

The state of a frame is the last core that was entered (milestoning). A chunk of frames is
counted from where the one before it ended, so any chunks give the same numbers to the last bit.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import gammaincinv

from daskid.kernels._jit import inlined, jit
from daskid.typing import Array, Floats, Ints

LEVEL = 0.95
ENTRIES, FEWEST = 1 << 25, 200
"""Rates that are drawn at most, and of how many draws intervals are at least."""
EXPONENTIAL = 10.0
"""Stays of exponential scatter that are added to those seen when their scatter is told."""


class Tally(NamedTuple):
    """What is known after some frames; kernels change it in place.

    ``at`` (2,) the state and the core that may follow it, -1 for none; ``when`` (4,) times of the
    last frame, of entering the state (NaN if not seen) and the candidate, and time since
    that; ``changes`` (p, p), ``time`` (p,) in each state, ``stay`` (p, 3) number, sum and sum
    of squares of the stays seen from their beginning to their end.
    """

    at: Ints
    when: Floats
    changes: Ints
    time: Floats
    stay: Floats


def nothing(peaks: int) -> Tally:
    """Return the tally of no frames."""
    return Tally(
        np.full(2, -1), np.array([np.nan, np.nan, np.nan, 0.0]),
        np.zeros((peaks, peaks), np.int64), np.zeros(peaks), np.zeros((peaks, 3)),
    )  # fmt: skip


@inlined
def _give(time: Floats, state: int, span: float) -> None:
    if state >= 0:
        time[state] += span


@jit
def _change(tally: Tally, state: int, following: int, stay: float) -> None:
    tally.changes[state, following] += 1
    if not math.isnan(stay):
        tally.stay[state, 0] += 1.0
        tally.stay[state, 1] += stay
        tally.stay[state, 2] += stay * stay


@jit
def advance(tally: Tally, core: Array, time: Floats, breaks: Array, dwell: float) -> None:
    """Count a chunk of frames.

    Parameters
    ----------
    tally
        Of the frames before.
    core, time
        (m,) the core that a frame is in, -1 for none, and its time.
    breaks
        (m,) where a segment begins: nothing is counted from the frame before.
    dwell
        Time for which a core is seen, before any other one, for its visit to count; it
        then counts from the first frame in it.
    """
    state, candidate = tally.at
    last, entered, first, pending = tally.when
    for i in range(core.size):
        if breaks[i]:
            _give(tally.time, state, pending)
            state, candidate, entered, pending = -1, -1, np.nan, 0.0
        elif candidate >= 0:
            pending += time[i] - last
        else:
            _give(tally.time, state, time[i] - last)
        last, c = time[i], int(core[i])
        if c < 0:
            continue
        if state < 0:
            state = c
        elif c == state or c != candidate:
            _give(tally.time, state, pending)
            candidate, first, pending = (c if c != state else -1), last, 0.0
        if candidate >= 0 and last - first >= dwell:
            _give(tally.time, c, pending)
            _change(tally, state, c, first - entered)
            state, candidate, entered, pending = c, -1, first, 0.0
    tally.at[0], tally.at[1] = state, candidate
    tally.when[:] = last, entered, first, pending


def finish(tally: Tally) -> None:
    """Put the time since an undecided visit to the state before it."""
    if tally.at[0] >= 0:
        tally.time[tally.at[0]] += tally.when[3]
    tally.when[3] = 0.0


def rates(count: Ints, time: Floats) -> tuple[Floats, Floats, Floats]:
    """Return changes per time, and the ends of their 95 % Gamma intervals: (p, p) each.

    Without a change the upper end is -ln(0.025) = 3.69 over the time; without time nothing is
    known.
    """
    tail = (1 - LEVEL) / 2
    spent = np.where(time > 0, time, np.nan)[:, np.newaxis]
    low = np.where(count > 0, gammaincinv(np.maximum(count, 1), tail), 0.0)
    out = [x / spent for x in (count, low, gammaincinv(count + 1, 1 - tail))]
    for x in out:
        np.fill_diagonal(x, np.nan)
    return out[0], out[1], out[2]


def passage_times(rate: Floats) -> Floats:
    """Return the mean time from entering a state to entering another: (..., p, p).

    Parameters
    ----------
    rate
        (..., p, p) changes per time, whose diagonal does not count. The next state is taken to
        depend on the present one alone.

    Returns
    -------
    Infinite where the other state may never be entered; NaN on the diagonal.
    """
    p = rate.shape[-1]
    rate = np.where(np.eye(p, dtype=bool), 0.0, rate)
    every = (rate > 0).reshape(-1, p, p)
    if p > 1 and _strong(np.asarray(every.all(axis=0))):
        return _connected_times(rate)
    out, linked = np.full(rate.shape, np.nan), np.asarray(every.any(axis=0))
    for b in range(p):
        sure = _sure(linked, b)
        out[..., b] = np.inf
        out[..., b, b] = np.nan
        if sure.size:
            inside = rate[..., sure[:, np.newaxis], sure]
            leaving = rate[..., sure, :].sum(axis=-1)
            matrix = leaving[..., np.newaxis] * np.eye(sure.size) - inside
            solved = np.linalg.solve(matrix, np.ones((*matrix.shape[:-1], 1)))
            out[..., sure, b] = solved[..., 0]
    return out


def _strong(linked: Array) -> bool:
    """Return whether every state leads to every other one."""
    from scipy.sparse.csgraph import connected_components  # slow to import

    return int(connected_components(linked, directed=True, connection="strong")[0]) == 1


def _connected_times(rate: Floats) -> Floats:
    """Return the mean times between states that all lead to each other: (..., p, p).

    One inverse for all of them: with the times N_ab spent in b from a until the last state is
    entered, their sums t_a over b, and the stationary shares q, they are
    t_a - t_b + (N_bb - N_ab) / q_b (Kemeny, Snell, "Finite Markov chains" (1960), Sect. 4.4).
    """
    leaving = rate.sum(axis=-1)[..., np.newaxis] * np.eye(rate.shape[-1])
    spent = np.zeros_like(rate)
    spent[..., :-1, :-1] = np.linalg.inv((leaving - rate)[..., :-1, :-1])
    share = (rate[..., -1:, :] @ spent)[..., 0, :]
    share[..., -1] = 1.0
    share /= share.sum(axis=-1, keepdims=True)
    until = spent.sum(axis=-1)
    own = np.diagonal(spent, axis1=-2, axis2=-1)[..., np.newaxis, :]
    out = (own - spent) / share[..., np.newaxis, :]
    out += until[..., np.newaxis] - until[..., np.newaxis, :]
    out[..., np.eye(rate.shape[-1], dtype=bool)] = np.nan
    found: Floats = out
    return found


def _sure(linked: Array, target: int) -> Ints:
    """Return the states other than ``target`` from which it is entered sooner or later."""
    here = np.arange(len(linked)) == target
    reaches = here.copy()
    for _ in here:
        reaches |= (linked & reaches).any(axis=1)
    for _ in here:
        reaches &= here | ~(linked & ~reaches).any(axis=1)
    return np.flatnonzero(reaches & ~here)


def passages(tally: Tally, seed: int, draws: int) -> tuple[Floats, Floats, Floats]:
    """Return mean first passage times and their 95 % intervals: (p, p) each.

    Times in a state are Gamma around their mean, with the scatter of the stays seen, and of ten
    exponential ones; where the next state is, is drawn from the changes
    seen. Where a state was never entered from another, the time is infinite, and at least what
    one change in 3.69 times all the time from which it might have been would make it.

    Parameters
    ----------
    tally
        The changes.
    seed, draws
        Of the intervals, and how many; fewer where they would not fit into memory.
    """
    draws = min(draws, max(ENTRIES // tally.changes.size, FEWEST))
    count, time = tally.changes, tally.time
    spent = np.where(time > 0, time, np.inf)[:, np.newaxis]
    rng = np.random.default_rng(seed)
    number = count.sum(axis=1)
    dispersion = _dispersion(tally.stay)
    total = dispersion * rng.gamma((number + 0.5) / dispersion, size=(draws, number.size))
    split = rng.gamma(np.maximum(count, 1e-9), size=(draws, *count.shape)) * (count > 0)
    split /= np.maximum(split.sum(axis=-1, keepdims=True), 1e-300)
    mean = passage_times(count / spent)
    drawn = passage_times(total[..., np.newaxis] * split / spent)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0, method="inverted_cdf")
    never = np.isinf(mean)
    unseen = np.where(never, time.sum() / -math.log(tail), low)
    return mean, unseen, np.where(never, np.inf, high)


def _dispersion(stay: Floats) -> Floats:
    """Return the squared scatter of stays over their squared mean, drawn towards 1.

    For n exponential stays that of the sample is n / (n + 1) on average, which is made up for.
    """
    n, total, square = stay.T
    mean = total / np.maximum(n, 1.0)
    scatter = (square - n * mean**2) * (n + 1.0) / np.maximum(n, 1.0)
    freedom = np.maximum(n - 1.0, 0.0)
    seen = np.where(mean > 0, scatter / np.where(mean > 0, mean**2, 1.0), freedom)
    found: Floats = (np.maximum(seen, 0.0) + EXPONENTIAL) / (freedom + EXPONENTIAL)
    return found
