"""Markov models of microstates: lag counts, reversible transition matrices, what follows."""

import numpy as np
from scipy.sparse import csr_array
from scipy.special import stdtrit

from daskid.kernels._jit import jit
from daskid.typing import Array, Floats, Ints

ROUNDS, HALVINGS, FARTHEST = 200, 30, 2.0
"""Newton steps at most, how often one is halved, and how far it goes in ln q."""
FLAT = 1e-13
"""Over the largest second derivative: what no direction is flatter than."""
CHANCE = 0.05
"""How often a right model may fail its test."""


@jit
def lag_counts(state: Array, begin: Array, lag: int, states: int, blocks: int) -> Ints:
    """Return the pairs of states ``lag`` frames apart in a segment, by block of the first one.

    Parameters
    ----------
    state
        (n,) of each frame.
    begin
        (s,) first frames of the segments, the very first among them.
    lag, states, blocks
        How many frames, states, and blocks of frames, as equal as can be.

    Returns
    -------
    (blocks, states, states) numbers.
    """
    n = state.size
    out = np.zeros((blocks, states, states), np.int64)
    block = 0
    for s in range(begin.size):
        end = begin[s + 1] if s + 1 < begin.size else n
        for i in range(begin[s], end - lag):
            while i * blocks >= (block + 1) * n:
                block += 1
            out[block, state[i], state[i + lag]] += 1
    return out


def connected(count: Array) -> Ints:
    """Return the largest set of states that all lead to each other; ties by the smaller state."""
    from scipy.sparse.csgraph import connected_components  # slow to import

    _, part = connected_components(csr_array(count), directed=True, connection="strong")
    return np.flatnonzero(part == np.bincount(part).argmax())


def reversible(count: Floats, start: Floats, tolerance: float) -> tuple[Floats, Floats]:
    """Return the most likely reversible transition matrix, and its stationary distribution.

    The flows are x_ij = (c_ij + c_ji) / (q_i + q_j) with q_i = c_i / x_i, sums over rows c_i and
    x_i (Prinz et al., J. Chem. Phys. 134, 174105 (2011), Sect. III.C). In y = ln q that is where
    sum_{i < j} (c_ij + c_ji) ln(e^{y_i} + e^{y_j}) - sum_{i, j != i} c_ij y_i is least: it is
    convex, and Newton's method with steps halved until it falls finds it.

    Parameters
    ----------
    count
        (m, m) of a connected set.
    start
        (m,) shares of the states to begin with, above 0: those of a similar matrix, or of the
        counts themselves.
    tolerance
        Relative change of a state's share that is small enough.
    """
    own = np.diag(count)
    between = count - np.diag(own)
    both, out = between + between.T, between.sum(axis=1)
    y = np.log(count.sum(axis=1) / start)
    here = _unlikely(both, out, y)
    for _ in range(ROUNDS):
        _, slope, bend = here
        scale = bend.sum(axis=1)
        fixed = max(scale.mean(), 1e-300) / len(y)  # to add a constant changes nothing
        laplacian = np.diag(scale + FLAT * scale.max()) - bend + fixed
        step = np.linalg.solve(laplacian, -slope)
        step *= min(1.0, FARTHEST / max(np.abs(step).max(), 1e-300))
        for _ in range(HALVINGS):
            there = _unlikely(both, out, y + step)
            if there[0] <= here[0] + 1e-12 * abs(here[0]):
                break
            step = 0.5 * step
        y, here = y + step, there
        if np.abs(step).max() < tolerance:
            break
    q = np.exp(y - y.mean())
    flow = both / (q[:, np.newaxis] + q) + np.diag(own / q)
    total = flow.sum(axis=1)
    return flow / total[:, np.newaxis], total / total.sum()


@jit
def _unlikely(both: Floats, out: Floats, y: Floats) -> tuple[float, Floats, Floats]:
    """Return what is to be least, its slope (m,), and minus its second derivatives (m, m)."""
    m = y.size
    value, slope, bend = 0.0, np.zeros(m), np.zeros((m, m))
    for i in range(m):
        value -= out[i] * y[i]
        slope[i] -= out[i]
        for j in range(i):
            weight = both[i, j]
            if weight > 0.0:
                less = np.exp(-abs(y[i] - y[j]))
                value += weight * (max(y[i], y[j]) + np.log1p(less))
                part = 1.0 / (1.0 + less) if y[i] > y[j] else less / (1.0 + less)
                slope[i] += weight * part
                slope[j] += weight * (1.0 - part)
                bend[i, j] = bend[j, i] = weight * part * (1.0 - part)
    return value, slope, bend


def timescales(transition: Floats, stationary: Floats, number: int) -> Floats:
    """Return the longest relaxation times of a reversible matrix, in lags: (number,).

    -1 / ln of the eigenvalues below 1 in descending order; NaN where they are not positive, or
    no more.
    """
    root = np.sqrt(stationary)
    symmetric = transition * root[:, np.newaxis] / root
    values = np.linalg.eigvalsh(0.5 * (symmetric + symmetric.T))[::-1][1 : number + 1]
    out = np.full(number, np.nan)
    fine = (values > 0) & (values < 1)
    out[: values.size][fine] = -1.0 / np.log(values[fine])
    return out


def stay_probabilities(
    transition: Floats, stationary: Floats, lump: Ints, lumps: int, steps: int
) -> Floats:
    """Return how probable it is to be in a lump again, so many steps after: (steps, lumps).

    Parameters
    ----------
    transition, stationary
        Of a reversible model.
    lump, lumps
        (m,) the lump of each state, and how many there are. NaN where one has no states.
    steps
        1 to this.
    """
    member = (lump[:, np.newaxis] == np.arange(lumps)).astype(float)
    weight = member * stationary[:, np.newaxis]
    total = weight.sum(axis=0)
    out, after = np.empty((steps, lumps)), member
    for k in range(steps):
        after = transition @ after
        out[k] = np.where(total > 0, (weight * after).sum(axis=0), np.nan)
        out[k] /= np.where(total > 0, total, 1.0)
    return out


def farthest_by_chance(comparisons: int, freedom: Floats) -> Floats:
    """Return how many errors apart one of some comparisons may be, so that 5 % of models fail.

    By the law of Student, each at the level of Sidak, J. Am. Stat. Assoc. 62, 626 (1967), for
    independent comparisons; where they are related, fewer fail.

    Parameters
    ----------
    comparisons
        How many.
    freedom
        Degrees of freedom of errors, of any shape.
    """
    own = 1.0 - (1.0 - CHANCE) ** (1.0 / max(comparisons, 1))
    farthest: Floats = -stdtrit(freedom, 0.5 * own)
    return farthest


def freedom(number: Ints, deals: int) -> Floats:
    """Return the degrees of freedom of errors from halves of blocks: (p,).

    A sum of squares of so many deals, each of the blocks that a state is in: relative variances,
    2 over the degrees of freedom, add up (Satterthwaite, Biometrics Bull. 2, 110 (1946)).

    Parameters
    ----------
    number
        (blocks, p) frames in each state.
    deals
        Of blocks into halves.
    """
    shared = np.maximum((number.astype(np.float64) ** 2).sum(axis=0), 1.0)
    blocks = np.maximum(number.sum(axis=0).astype(np.float64) ** 2 / shared, 1.0)
    own: Floats = 1.0 / (1.0 / deals + 1.0 / blocks)
    return own


def committor(transition: Floats, source: Array, target: Array) -> Floats:
    """Return the probability to reach the target before the source: (m,).

    Parameters
    ----------
    transition
        (m, m) of a connected set.
    source, target
        (m,) which states are in either set.
    """
    out = target.astype(float)
    free = np.flatnonzero(~source & ~target)
    if free.size:
        inside = np.eye(free.size) - transition[np.ix_(free, free)]
        out[free] = np.linalg.solve(inside, transition[np.ix_(free, np.flatnonzero(target))].sum(1))
    return out
