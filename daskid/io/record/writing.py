"""A recording at rest: a Zarr group with a group for each layer, filled by whole chunks of rows.

Arrays grow by as many rows as a chunk holds; the number of rows that are done lies in the ledger
beside the store and is written last, so that what a kill leaves behind is written again.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr

from daskid import variables as v
from daskid.storage import ledger
from daskid.typing import Array

RECORDED = "daskid_record"
"""Attribute of the group of a recording: its layers in order, its rows, whether it is complete."""
BUFFER_BYTES, MOST_ROWS = 32 << 20, 65_536
INPUT_HASH = "input_hash"
DONE = "rows.json"


class Recorded(NamedTuple):
    """What one batch gives: (b, features) values by layer, and (b,) values by name."""

    layers: dict[str, Array]
    beside: dict[str, Array]


def recorded(group: zarr.Group) -> dict[str, Any]:
    """Return what a group says of the recording that it is; {} if it is none."""
    attrs: dict[str, Any] = dict(group.attrs)
    return dict(attrs.get(RECORDED, {}))


def state_of(store: str) -> dict[str, Any] | None:
    """Return what a store says of its recording; None if there is none.

    Raises
    ------
    FileExistsError
        If the path holds something else.
    """
    path = Path(store)
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return None
    try:
        found = recorded(zarr.open_group(store, mode="r"))
    except (OSError, ValueError, KeyError):
        found = {}
    if not found:
        raise FileExistsError(
            f"store: expected a recording or a new path, got {store!r}, which holds something "
            "else: choose another path"
        )
    return found


def recorded_hashes(store: str, rows: int) -> Array:
    """Return the hashes of the first inputs of a recording."""
    array: Any = zarr.open_group(store, mode="r")[INPUT_HASH]
    return np.asarray(array[:rows])


def chunk_rows(first: Recorded) -> int:
    """Return the rows of a chunk: a power of two, such that those of all layers fit a buffer."""
    width = sum(x.shape[1] * x.dtype.itemsize for x in first.layers.values())
    rows: int = max(1, min(MOST_ROWS, BUFFER_BYTES // max(width, 1)))
    return int(1 << (rows.bit_length() - 1))


class Writing:
    """A recording that grows; at most a chunk of rows and a batch are in memory."""

    def __init__(
        self,
        store: str,
        folder: str,
        first: Recorded,
        depth: Mapping[str, float],
        plan: dict[str, Any],
    ):
        """Make the arrays, or find those of an interrupted recording and cut what is not done."""
        self.folder, self.rows = folder, chunk_rows(first)
        self.group = zarr.open_group(store, mode="a", zarr_format=3)
        self.done = _done(folder)
        if not self.done:
            self._create(first, depth, plan)
        names = [f"{name}/{v.rows.name}" for name in first.layers]
        self.arrays: dict[str, Any] = {n: self.group[n] for n in (*names, *first.beside)}
        for array in self.arrays.values():
            array.resize((self.done, *array.shape[1:]))
        self.waiting: dict[str, list[Array]] = {name: [] for name in self.arrays}
        self.held = 0

    def _create(self, first: Recorded, depth: Mapping[str, float], plan: dict[str, Any]) -> None:
        state: Any = {"layers": list(first.layers), "rows": 0, "complete": False, "plan": plan}
        self.group = zarr.open_group(self.group.store, mode="w", zarr_format=3)
        self.group.attrs.put({RECORDED: state})
        for name, x in first.layers.items():
            node = self.group.create_group(name, attributes={"depth": depth[name]})
            _array(node, v.rows.name, x, self.rows, v.rows.dims)
        for name, x in first.beside.items():
            _array(self.group, name, x, MOST_ROWS, v.rows.dims[:1])

    def known(self, start: int, stop: int) -> Array:
        """Return the hashes of the inputs that are done, of the samples from start to stop."""
        return np.asarray(self.arrays[INPUT_HASH][start : min(stop, self.done)])

    def add(self, batch: Recorded) -> None:
        """Take the rows of a batch; write all chunks that they fill.

        Raises
        ------
        ValueError
            If a layer has other features than in the first batch.
        """
        for name, x in batch.layers.items():
            self._check_features(name, x.shape[1])
            self.waiting[f"{name}/{v.rows.name}"].append(x)
        for name, x in batch.beside.items():
            self.waiting[name].append(x)
        self.held += len(batch.beside[INPUT_HASH])
        while self.held >= self.rows:
            self._write(self.rows)

    def _check_features(self, name: str, features: int) -> None:
        expected = self.arrays[f"{name}/{v.rows.name}"].shape[1]
        if features != expected:
            raise ValueError(
                f"layers: expected {expected} features of {name!r} in every batch, got {features}: "
                "give a reduce, such as 'mean' over tokens, or pad all batches to one length"
            )

    def finish(self) -> None:
        """Write what is left, and enter the recording as complete."""
        if self.held:
            self._write(self.held)
        state = {**recorded(self.group), "rows": self.done, "complete": True}
        self.group.attrs.put({RECORDED: state})

    def _write(self, rows: int) -> None:
        stop = self.done + rows
        for name, array in self.arrays.items():
            whole = np.concatenate(self.waiting[name])
            array.resize((stop, *array.shape[1:]))
            array[self.done : stop] = whole[:rows]
            self.waiting[name] = [whole[rows:].copy()]
        self.done, self.held = stop, self.held - rows
        ledger.write(Path(self.folder) / DONE, json.dumps(stop).encode())
        self.group.attrs.put({RECORDED: {**recorded(self.group), "rows": stop}})


def _done(folder: str) -> int:
    path = Path(folder) / DONE
    return int(json.loads(path.read_text())) if path.exists() else 0


def _array(node: zarr.Group, name: str, x: Array, rows: int, dims: tuple[str, ...]) -> None:
    shape = (0, *x.shape[1:])
    chunks = (rows, *(max(1, size) for size in x.shape[1:]))
    node.create_array(name, shape=shape, chunks=chunks, dtype=x.dtype, dimension_names=dims)
