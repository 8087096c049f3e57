"""What is drawn as one where errors come from resampling: samples, or blocks of frames."""

import logging
from typing import NamedTuple

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise.dimension import block_numbers
from daskid.blockwise.search import row_step
from daskid.typing import Array, Ints

log = logging.getLogger("daskid")

DEFAULT, FEWEST = 64, 8
"""Blocks where none are asked for; fewer of them say nothing of a scatter."""


class Units(NamedTuple):
    """(n,) numbers of what is drawn as one, what was read for them, their parameter, words."""

    number: Ints
    total: int
    inputs: tuple[v.Variable, ...]
    parameter: dict[str, str | int]
    words: str


def units(ds: xr.Dataset, block: str | int | None, n: int) -> Units:
    """Return what is drawn as one: a block of frames if there is time, samples if not. Computes.

    Parameters
    ----------
    ds
        Holds ``time``, ``trajectory`` and ``row``, or some of them, or none.
    block
        "trajectory", a number of frames (rows of the source, as those of
        :func:`daskid.knn`'s ``exclude``), or None: 64 blocks where ``time`` or ``trajectory``
        say that samples are frames, otherwise single samples.
    n
        Number of samples.

    Raises
    ------
    SchemaError
        If there are no trajectories where they are asked for.
    ValueError
        If ``block`` is another, or there are fewer than 8 blocks.
    """
    ordered = v.time.name in ds.variables or v.trajectory.name in ds.variables
    if block is None and not ordered:
        return Units(np.arange(n), n, (), {}, "samples")
    step = row_step(*v.frames(ds))
    length = max(n // DEFAULT, 1) * step if block is None else _length(block)
    if step > 1 and block is not None and length is not None:
        log.warning(
            "block: %d rows of the source are %d samples, of which there is one every %d rows",
            length, -(-length // step), step,
        )  # fmt: skip
    used = tuple(c for c in (v.trajectory, v.row) if c.name in ds.variables)
    if length is None and v.trajectory not in used:
        raise v.SchemaError(
            "no 'trajectory' in the dataset: open it with open_rows(..., trajectory=NAME), or "
            "give block a number of frames"
        )
    found = dict(zip(used, v.read(ds, *used), strict=True))
    frame = found.get(v.row, da.arange(n, chunks=-1))
    number = np.asarray(block_numbers(found.get(v.trajectory), frame, length).compute())
    count = int(number.max(initial=-1)) + 1
    words = "trajectories" if length is None else f"blocks of {length} frames"
    if count < FEWEST:
        raise ValueError(
            f"block: expected {FEWEST} blocks or more, got {count} {words}: give block a smaller "
            f"number of frames, e.g. block={max(n // DEFAULT, 1) * step}"
        )
    return Units(number, count, used, {"block": "trajectory" if length is None else length}, words)


def halves(unit: Units, seed: int, replicate: int) -> Array:
    """Return which samples are in the first half of the units, dealt at random: (n,)."""
    order = np.random.default_rng([seed, replicate]).permutation(unit.total)
    half = np.zeros(unit.total, bool)
    half[order[: unit.total // 2]] = True
    taken: Array = half[unit.number]
    return taken


def check_count(name: str, value: object, least: int, words: str = "a whole number, ") -> None:
    """Refuse what is not a whole number from ``least`` on."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:  # type: ignore[operator]
        raise ValueError(
            f"{name}: expected {words}{least} or more, got {value!r}: e.g. {name}={50 + least}"
        )


def _length(block: str | int) -> int | None:
    if block == "trajectory":
        return None
    number = int(block) if isinstance(block, str) and block.isdecimal() else block
    check_count("block", number, 1, "'trajectory' or a number of frames, ")
    return int(number)
