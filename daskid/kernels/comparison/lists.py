"""Neighbor lists of samples, what they share, and how that hangs on single samples."""

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Array, Floats, Ints


@jit
def compress(
    index: Array, distance: Floats, location: Ints, member: Ints, members: Ints, k: int, out: Array
) -> None:
    """Write the neighbors of some rows as numbers of samples, where lists alone say who they are.

    Parameters
    ----------
    index, distance
        (n, stored) lists of locations.
    location
        (n,) that of each row.
    member, members
        (N,) a sample at each location, and how many there are.
    k
        How many neighbors must be known.
    out
        (n, h + 1) numbers, -1 behind the last; in the last column 1 if the first ``k`` are the
        nearest samples: none is one of several at its place, and none that is as far was left out.
    """
    stored, h = index.shape[1], out.shape[1] - 1
    for i in range(index.shape[0]):
        held, plain, last = 0, members[location[i]] == 1, np.nan
        out[i, :] = -1
        for c in range(stored):
            place = index[i, c]
            if members[place] == 0:
                continue
            plain = plain and (held >= k or members[place] == 1)
            if held == k - 1:
                last = distance[i, c]
            if held == k:
                plain = plain and distance[i, c] > last
            if held < h:
                out[i, held] = member[place]
            held += 1
            if held > k and held >= h:
                break
        out[i, h] = plain and held > k


@jit
def shared(a: Array, b: Array, used: Array, k: int, lists: Array, both: Array) -> None:
    """Write who is in either of two lists of a sample, and in which.

    Parameters
    ----------
    a, b
        (n, k or more) neighbors.
    used
        (n,) which samples are looked at.
    k
        How many neighbors.
    lists, both
        (n, 2 k) numbers, -1 behind the last, and in how many of the lists they are.
    """
    for i in range(a.shape[0]):
        lists[i, :] = -1
        if not used[i]:
            continue
        for c in range(k):
            lists[i, c], both[i, c] = a[i, c], 1
        held = k
        for c in range(k):
            known = False
            for other in range(k):
                if a[i, other] == b[i, c]:
                    both[i, other], known = 2, True
                    break
            if not known:
                lists[i, held], both[i, held] = b[i, c], 1
                held += 1


@jit
def local_mean(values: Floats, lists: Array, used: Array, h: int, out: Floats) -> None:
    """Write the mean of (n,) ``values`` over up to ``h`` neighbors of each sample in ``used``."""
    for i in range(out.size):
        total, held = 0.0, 0
        for c in range(min(h, lists.shape[1])):
            j = lists[i, c]
            if j >= 0:
                total += values[j]
                held += 1
        out[i] = total / held if used[i] and held else values[i]


@jit
def spread(lists: Array, excess: Floats, group: Ints, influence: Floats) -> float:
    """Add to each sample what it does to the values of others; return the sum over pairs.

    Parameters
    ----------
    lists, excess
        (n, w) neighbors, -1 for none, and what each adds to the value of the sample beyond
        what any other one would.
    group
        (n,) samples of one group are drawn as one, and leave together.
    influence
        (n,) raised.

    Returns
    -------
    The sum over pairs of samples, of different groups, of the square of what they add to each
    other: it is in the sums of both, and is to be counted once.
    """
    pairs = 0.0
    for i in range(lists.shape[0]):
        for c in range(lists.shape[1]):
            p = lists[i, c]
            if p < 0 or group[p] == group[i]:
                continue
            own = excess[i, c]
            influence[p] += own
            back = 0.0
            for d in range(lists.shape[1]):
                if lists[p, d] == i:
                    back = excess[p, d]
                    break
            pairs += own * own + own * back
    return pairs


def standard_error(
    values: Floats, influence: Floats, pairs: float, group: Ints, scale: float = 1.0
) -> float:
    """Return the standard error of the mean of values that share samples.

    Parameters
    ----------
    values, influence
        (n,) the value of each sample, and what it does to the sum of those of others.
    pairs
        Of :func:`spread`.
    group
        (n,) numbers from 0 on of what is drawn as one.
    scale
        What the mean is multiplied by.
    """
    n, groups = values.size, int(group.max(initial=-1)) + 1
    if groups < 2:
        return float("nan")
    own, others = values - values.mean(), influence - influence.mean()
    alone, whole = (np.bincount(group, weights=z, minlength=groups) for z in (own, own + others))
    factor = groups / (groups - 1)
    # never less than independent values would have
    variance = max(factor * (whole @ whole) - pairs, factor * (alone @ alone))
    return float(abs(scale) * np.sqrt(variance) / n)
