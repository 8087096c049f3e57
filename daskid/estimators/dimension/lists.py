"""What the estimates share: lists, who counts, blocks of frames, what errors cover.

Up to ``blockwise.SANDWICH`` neighbors the errors are sandwiches: sums of products of scores
over the pairs of locations whose neighborhoods share a sample. Further out the
neighborhoods are a lot of memory, and the pairs so many that their sum is noise:
there the error of independent ratios stands in, marked as too small. Frames in time
have errors from halves of their blocks.
"""

from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import dimension as blockwise
from daskid.blockwise import search

_NOT_COVERED = "the bias of boundaries, curvature and uneven density"
_ALONE = f"correlated frames and {_NOT_COVERED} are left out."
_DRAWN_AGAIN = (
    "Sandwich error: the scatter over samples drawn anew and independently, with neighborhoods "
    "that share samples"
)
_INDEPENDENT = "error of independent ratios, too small because neighborhoods share samples"
COVERS_SANDWICH = f"{_DRAWN_AGAIN}; {_ALONE}"
COVERS_INDEPENDENT = f"The {_INDEPENDENT}; {_ALONE}"
COVERS_GRIDE = (
    f"{_DRAWN_AGAIN}, where id_gride_error_kind is 0, and the Fisher {_INDEPENDENT}, "
    f"where it is 1; {_ALONE}"
)


@dataclass(frozen=True)
class Lists:
    """What the estimators read: lists, who counts, and the names of both."""

    distance: da.Array
    index: da.Array
    kept: da.Array
    location: da.Array | None
    inputs: tuple[v.Variable, ...]


@dataclass(frozen=True)
class Blocks:
    """Blocks of frames: who is in which half, how many there are, and what they are called."""

    member: da.Array
    count: da.Array
    inputs: tuple[v.Variable, ...]
    parameter: str | int
    words: str

    def covers(self, name: str) -> str:
        """Return what the error ``name`` covers."""
        return (
            f"Block jackknife: the scatter over {self.words} drawn anew and independently, from "
            f"the differences between halves of them ({name}_blocks says how many there are); "
            f"frames correlated beyond {self.words} and {_NOT_COVERED} are left out."
        )


def read(ds: xr.Dataset, step: str) -> Lists:
    """Return the lists of a dataset.

    Raises
    ------
    SchemaError
        If there are none.
    ValueError
        If they hold a single neighbor.
    """
    inputs: tuple[v.Variable, ...] = (v.neighbor_distance, v.neighbor_index)
    distance, index = v.read(ds, *inputs)
    if distance.shape[1] < 2:
        raise ValueError(
            f"neighbor_distance: {step} needs 2 neighbors or more, got {distance.shape[1]}: "
            "run knn with k=2 or more"
        )
    metric = str(v.parameters(ds, v.neighbor_distance).get("metric"))
    distance, location = search.lengths(distance, metric), None
    if v.location.name in ds.variables:
        (location,) = v.read(ds, v.location)
        inputs = (*inputs, v.location)
    kept = blockwise.locations(location, distance)
    return Lists(distance, index, kept, location, inputs)


def read_blocks(ds: xr.Dataset, block: str | int | None, lists: Lists) -> Blocks | None:
    """Return the blocks of frames that ``block`` asks for, None for none.

    Raises
    ------
    SchemaError
        If trajectories are asked for, and there are none.
    ValueError
        If ``block`` is neither "trajectory" nor a number of frames, as an integer or digits.
    """
    if block is None:
        return None
    length = _length(block)
    inputs = tuple(c for c in (v.trajectory, v.row) if c.name in ds.variables)
    if length is None and v.trajectory not in inputs:
        raise v.SchemaError(
            "no 'trajectory' in the dataset: open it with open_rows(..., trajectory=NAME), or "
            "give block a number of frames"
        )
    found = dict(zip(inputs, v.read(ds, *inputs), strict=True))
    frame = found.get(v.row, da.arange(lists.distance.shape[0], chunks=-1))
    numbers = blockwise.block_numbers(found.get(v.trajectory), frame, length)
    return Blocks(
        blockwise.members(numbers, lists.location),
        blockwise.count_blocks(numbers),
        inputs,
        "trajectory" if length is None else length,
        "trajectories" if length is None else f"blocks of {length} frames",
    )


def inputs_of(lists: Lists, blocks: Blocks | None) -> tuple[v.Variable, ...]:
    """Return all that was read."""
    return lists.inputs if blocks is None else (*lists.inputs, *blocks.inputs)


def parameter_of(blocks: Blocks | None) -> dict[str, str | int]:
    """Return the parameter ``block`` as it is recorded: not at all where it is none."""
    return {} if blocks is None else {"block": blocks.parameter}


def covers(alone: str, blocks: Blocks | None, name: str) -> str:
    """Return what the error ``name`` covers: ``alone`` without blocks."""
    return alone if blocks is None else blocks.covers(name)


def _length(block: Any) -> int | None:
    if block == "trajectory":
        return None
    number = int(block) if isinstance(block, str) and block.isdecimal() else block
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
        raise ValueError(
            f"block: expected 'trajectory' or a number of frames, 1 or more, got {block!r}: "
            "give one over which frames forget each other, e.g. block=1000"
        )
    return int(number)


def needed(rank: int) -> int:
    """Return how long a list is half of which holds ``rank`` neighbors, but for 1 % by chance."""
    return 3 * rank + 4


def check_enough(step: str, rank: int, stored: int) -> None:
    """Refuse lists half of which are too short.

    Raises
    ------
    ValueError
        If they are.
    """
    if stored < needed(rank):
        raise ValueError(
            f"block: {step} of {rank} neighbors needs {needed(rank)} in the lists or more, since "
            f"the jackknife deletes half of them, got {stored}: run knn with k={needed(rank)}, "
            "or leave block out"
        )


def rank(name: str, value: Any, stored: int) -> int:
    """Return a rank that is stored, all by default.

    Raises
    ------
    ValueError
        If ``value`` is no integer from 2 to ``stored``.
    """
    remedy = f"choose one of these, or run knn with a larger k than {stored}"
    if value is None:
        return stored
    if not isinstance(value, int | np.integer) or not 2 <= value <= stored:
        raise ValueError(
            f"{name}: expected an integer from 2 to {stored}, the neighbors stored, "
            f"got {value!r}: {remedy}"
        )
    return int(value)
