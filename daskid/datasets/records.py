"""Ensembles of trajectories, made member by member and chunk by chunk.

A chunk goes on from the last frame of the one before it: frames are made once where all are
wanted, members side by side, and no bit depends on the chunks. The noise of a member comes in
blocks of a fixed number of frames from streams of its own, keyed by seed, member and block.
"""

from collections.abc import Callable
from math import ceil
from typing import Any, NamedTuple, TypeAlias

import dask.array as da
import numpy as np

from daskid import variables as v
from daskid.datasets.blocks import stream
from daskid.typing import Floats

NOISE_VALUES = 2**16
"""Random numbers of a block of noise; more where a frame alone takes more."""

Start: TypeAlias = Callable[[np.random.Generator], Floats]
"""Draws the first frame of a member, (d,)."""
Advance: TypeAlias = Callable[[Floats, Floats], Floats]
"""Takes a (d,) state and (frames * steps, width) noise; returns the (frames, d) that follow."""


class Flow(NamedTuple):
    """How an ensemble goes on: ``steps`` between two frames of ``width`` random numbers each."""

    start: Start
    advance: Advance
    steps: int
    width: int


def ensemble(flow: Flow, frames: int, d: int, *, members: int, seed: int, chunks: int) -> da.Array:
    """Return the (members * frames, d) frames of some trajectories, one after another.

    Parameters
    ----------
    flow
        How to start and go on.
    frames, d, members
        Frames of a member, numbers of a frame, members.
    seed
        Key of the streams.
    chunks
        Frames a chunk; a chunk holds one member only.
    """
    parts = []
    for member in range(members):
        last = da.zeros((1, d), chunks=-1)
        for first in range(0, frames, chunks):
            part = da.map_blocks(
                _frames, last, flow=flow, key=(seed, member), first=first,
                count=min(chunks, frames - first), dtype="f8", meta=np.empty((0, 0)),
                chunks=((min(chunks, frames - first),), (d,)),
            )  # fmt: skip
            parts.append(part)
            last = part[-1:]
    out: da.Array = da.concatenate(parts)
    return out


def labels(frames: int, step: float, rows: da.Array) -> dict[v.Variable, Any]:
    """Return the coordinates time and trajectory of an ensemble's rows."""
    number = da.arange(rows.shape[0], chunks=rows.chunks[:1], dtype="i8")
    return {v.time: step * (number % frames), v.trajectory: number // frames}


def steps_between(step: float, longest: float) -> int:
    """Return the least number of equal parts of ``step`` none of which is above ``longest``."""
    return ceil(step / longest - 1e-9)


def _frames(last: Floats, *, flow: Flow, key: tuple[int, int], first: int, count: int) -> Floats:
    out = np.empty((count, last.shape[1]))
    state, begin = last[0], 0
    if first == 0:
        out[0] = state = flow.start(stream(*key, 0))
        begin = 1
    while begin < count:
        noise = _noise(flow, key, first + begin, first + count)
        following = flow.advance(state, noise)
        out[begin : begin + len(following)] = following
        state = following[-1]
        begin += len(following)
    return out


def _noise(flow: Flow, key: tuple[int, int], first: int, stop: int) -> Floats:
    """Return the noise that leads to frame ``first`` and those after it in its block."""
    length = max(1, NOISE_VALUES // (flow.steps * max(flow.width, 1)))
    block = first // length
    noise = stream(*key, 1 + block).standard_normal((length * flow.steps, flow.width))
    low, high = first - block * length, min(stop - block * length, length)
    return noise[low * flow.steps : high * flow.steps]
