"""How many neighbors count where frames that follow each other pass a sample together."""

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Array, Floats, Ints


def places(location: Ints, frame: Ints, trajectory: Ints, window: int) -> Ints:
    """Put frames on one axis, on which trajectories are further apart than a window.

    Parameters
    ----------
    location
        (n,) first sample at the same place.
    frame, trajectory
        (n,) frame numbers, and codes from 0 on of the trajectories they are in.
    window
        In frames.

    Returns
    -------
    (n,) the place of the location of each sample.
    """
    frame = frame - frame.min(initial=0)
    place: Ints = (frame + trajectory * (frame.max(initial=0) + window + 1))[location]
    return place


def share(location: Ints, place: Ints, window: int) -> float:
    """Return the share of ordered pairs of locations, with themselves too, within a window."""
    there = np.sort(place[location == np.arange(location.size)])
    near = np.searchsorted(there, there + window, side="right")
    near -= np.searchsorted(there, there - window, side="left")
    return float(near.sum() / max(there.size, 1) ** 2)


@jit
def inflation(
    index: Array, kstar: Array, place: Ints, window: int, share: float, sloped: bool
) -> Floats:
    """Return the variance of log densities over that of independent neighbors, k / k_eff.

    The density is a sum over the frames near a sample: its variance is the sum of the
    covariances of all pairs of frames, here of those within a window. Pairs of neighbors that
    close in time are counted, each neighbor with itself, less those that chance brings
    together; without correlation that is one for each neighbor.

    Parameters
    ----------
    index, kstar
        (m, k) lists of a chunk, and (m,) how many count.
    place, share
        (n,) and a number, of :func:`places`.
    window
        In frames.
    sloped
        Whether neighbors count by their rank, 4 - 6 l / k as to first order in PAk, instead of
        alike.

    Returns
    -------
    (m,) factors, 1 or more.
    """
    out = np.ones(kstar.size)
    for r in range(kstar.size):
        k = kstar[r]
        time = np.empty(k, np.int64)
        for c in range(k):
            time[c] = place[index[r, c]]
        order = np.argsort(time)
        total, alone, together = 0.0, 0.0, 0.0
        for a in range(k):
            w = _weight(order[a], k, sloped)
            total += w
            alone += w * w
            b = a + 1
            while b < k and time[order[b]] - time[order[a]] <= window:
                together += 2.0 * w * _weight(order[b], k, sloped)
                b += 1
        out[r] = max(1.0, (alone + together - total * total * share) / alone)
    return out


@jit
def _weight(rank: int, k: int, sloped: bool) -> float:
    return 4.0 - 6.0 * (rank + 0.5) / k if sloped else 1.0
