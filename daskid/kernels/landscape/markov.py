"""Markov models of microstates: lag counts, reversible transition matrices, what follows."""

import numpy as np
from scipy.sparse import csr_array

from daskid.kernels._jit import jit
from daskid.typing import Array, Floats, Ints

ITERATIONS = 100_000


@jit
def lag_counts(
    state: Array, segment: Array, block: Array, lag: int, states: int, blocks: int
) -> Ints:
    """Return the pairs of states ``lag`` frames apart in a segment, by block of the first one.

    Parameters
    ----------
    state, segment, block
        (n,) of each frame.
    lag, states, blocks
        How many frames, states, blocks.

    Returns
    -------
    (blocks, states, states) numbers.
    """
    out = np.zeros((blocks, states, states), np.int64)
    for i in range(state.size - lag):
        j = i + lag
        if segment[i] == segment[j]:
            out[block[i], state[i], state[j]] += 1
    return out


def connected(count: Array) -> Ints:
    """Return the largest set of states that all lead to each other; ties by the smaller state."""
    from scipy.sparse.csgraph import connected_components  # slow to import

    _, part = connected_components(csr_array(count), directed=True, connection="strong")
    return np.flatnonzero(part == np.bincount(part).argmax())


@jit
def reversible(count: Floats, tolerance: float) -> tuple[Floats, Floats]:
    """Return the most likely reversible transition matrix, and its stationary distribution.

    The fixed point of x_ij = (c_ij + c_ji) / (c_i / x_i + c_j / x_j), with sums over rows c_i and
    x_i (Prinz et al., J. Chem. Phys. 134, 174105 (2011), Sect. III.C).

    Parameters
    ----------
    count
        (m, m) of a connected set.
    tolerance
        Relative change of a state's share that is small enough.
    """
    both, out = count + count.T, count.sum(axis=1)
    x = both.sum(axis=1) / both.sum()
    for _ in range(ITERATIONS):
        ratio = out / x
        new = np.zeros(x.size)
        for i in range(x.size):
            for j in range(x.size):
                if both[i, j] > 0.0:
                    new[i] += both[i, j] / (ratio[i] + ratio[j])
        new /= new.sum()
        change = np.abs(new / x - 1.0).max()
        x = new
        if change < tolerance:
            break
    ratio = out / x
    flow = np.zeros(count.shape)
    for i in range(x.size):
        for j in range(x.size):
            if both[i, j] > 0.0:
                flow[i, j] = both[i, j] / (ratio[i] + ratio[j])
    total = flow.sum(axis=1)
    return flow / total.reshape(-1, 1), total / total.sum()


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
