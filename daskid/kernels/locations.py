"""Coincident rows: one 64-bit hash a row, so that copies can be found in one pass."""

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Array, Floats, Ints


def canonical(rows: Array, lowest: Floats, period: Floats, weight: Floats) -> Floats:
    """Return rows in which equal places have equal bits.

    Parameters
    ----------
    rows
        (n, d) rows.
    lowest, period
        (d,) smallest values and periods (0 for none), or both empty: a value one
        period above the smallest one is the smallest one.
    weight
        (d,) weights, or empty: where it is 0, all values are one place.
    """
    out = rows.astype("f8") + 0.0  # no negative zeros
    if period.size:
        wrapped = (period > 0) & (out - lowest >= period)
        out = np.where(wrapped, lowest + 0.0, out)
    if weight.size:
        out[:, weight == 0] = 0.0
    return out


def hash_rows(rows: Array) -> Array:
    """Return the (n,) 64-bit hashes of the bits of (n, d) rows of 64-bit values."""
    bits = np.ascontiguousarray(rows).view(np.uint64)
    out = np.empty(rows.shape[0], np.uint64)
    mix_rows(bits, out)
    return out


@jit
def mix_rows(bits: Array, out: Array) -> None:
    """Write a 64-bit hash of each row of (n, d) ``bits`` to ``out`` (splitmix64 steps)."""
    for i in range(bits.shape[0]):
        state = np.uint64(0x9E3779B97F4A7C15)
        for f in range(bits.shape[1]):
            state = (state ^ bits[i, f]) + np.uint64(0x9E3779B97F4A7C15)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
        out[i] = state


def most_within(frame: Ints, trajectory: Ints, window: int) -> int:
    """Return the largest number of others within ``window`` frames of one.

    Parameters
    ----------
    frame, trajectory
        (n,) frame numbers, and codes from 0 on of the trajectories they are in.
    window
        In frames of the same trajectory.
    """
    frame = frame - frame.min()
    window = min(window, int(frame.max()))
    # one axis, on which trajectories are further apart than the window
    place = np.sort(frame + trajectory * (int(frame.max()) + window + 1))
    last = np.searchsorted(place, place + window, side="right")
    return int((last - np.searchsorted(place, place - window, side="left")).max()) - 1
