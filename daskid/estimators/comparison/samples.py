"""What comparisons share: the same samples in several datasets, and what is drawn as one."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import search
from daskid.blockwise.comparison import lists as blockwise
from daskid.blockwise.comparison.ranks import Rows
from daskid.blockwise.dimension import block_numbers
from daskid.blockwise.search import pool
from daskid.blockwise.search.source import source_of
from daskid.typing import Array, Ints

BLOCKS = 64
_SHARED = "ranks and lists that share samples counted"
_NOT = "how labels, metric and features were chosen is left out"


class Layer(NamedTuple):
    """Rows of the samples: the dataset, its lists, locations, and how it was searched."""

    ds: xr.Dataset
    distance: da.Array
    neighbor: da.Array
    location: Ints
    metric: str
    exclude: int


class Samples(NamedTuple):
    """The samples that are compared.

    ``positions``, (n,) of each in either dataset; ``who`` (3, n) number, frame, trajectory;
    ``group`` (n,) what is drawn as one, and ``words`` for it.
    """

    positions: tuple[Ints, ...]
    who: Ints
    group: Ints
    words: str

    @property
    def covers(self) -> str:
        """What errors cover."""
        return f"the scatter over {self.words} drawn anew and independently, {_SHARED}; {_NOT}"


def layer_of(ds: xr.Dataset, k: int, name: str) -> Layer:
    """Return the lists of a dataset.

    Raises
    ------
    SchemaError
        If there are none.
    ValueError
        If they have no more than ``k`` neighbors.
    """
    distance, index = v.read(ds, v.neighbor_distance, v.neighbor_index)
    n, stored = index.shape
    if stored <= k:
        fewer = f", or use k={stored - 1} or less" if stored > 1 else ""
        raise ValueError(
            f"{name}: expected lists of {k + 1} neighbors or more for k={k}, got {stored}: "
            f"run knn with k={k + 1}{fewer}; the next one shows ties"
        )
    location = np.arange(n)
    if v.location.name in ds.variables:
        (location,) = pool.compute(v.read(ds, v.location)[0])
    recorded = v.parameters(ds, v.neighbor_distance)
    metric, exclude = recorded.get("metric", "euclidean"), recorded.get("exclude", 0)
    return Layer(ds, distance, index, np.asarray(location, np.int64), str(metric), int(exclude))


def match(layers: Mapping[str, Layer], lag: int = 0, label: Ints | None = None) -> Samples:
    """Return the samples that are in all datasets, those that coincide in all of them once.

    Parameters
    ----------
    layers
        The datasets.
    lag
        Frames by which samples of the second one, and further ones, are later.
    label
        (N,) labels that coincident samples must share too.

    Raises
    ------
    ValueError
        If they are not the same samples in the same order, were searched with other Theiler
        windows, or are too few.
    """
    named = list(layers.items())
    first, one = named[0]
    for name, other in named[1:]:
        _check_same(first, one, name, other)
    frame, trajectory = v.frames(one.ds)
    n = one.neighbor.shape[0]
    frame = np.arange(n) if frame is None else frame
    trajectory = np.zeros(n, np.int64) if trajectory is None else trajectory
    start, later = _later(frame, trajectory, lag)
    positions = (start, *(later for _ in named[1:]))
    keys = [layer.location[p] for (_, layer), p in zip(named, positions, strict=True)]
    keys += [] if label is None else [label[start]]
    _, kept = np.unique(np.stack(keys), axis=1, return_index=True)
    kept = np.sort(kept)
    start = start[kept]
    group, words = groups_of(one.ds, start)
    who = np.stack([np.arange(kept.size), frame[start], trajectory[start]])
    return Samples(tuple(p[kept] for p in positions), who, group, words)


def check_number(n: int, k: int) -> None:
    """Refuse fewer samples than ``k`` neighbors and two more.

    Raises
    ------
    ValueError
        If there are fewer.
    """
    if n < k + 2:
        raise ValueError(
            f"k={k} needs {k + 2} samples or more that are in both and distinct, got {n}: "
            "use a smaller k"
        )


def neighbors(layer: Layer, position: Ints, k: int) -> tuple[Array, Array]:
    """Return the neighbors of samples by number, and which lists tell the ``k`` nearest."""
    there = np.bincount(layer.location[position], minlength=layer.location.size) > 0
    whole = bool(there[layer.location].all()) and np.unique(layer.location[position]).size == (
        position.size
    )
    return blockwise.gathered(
        layer.neighbor, layer.distance, layer.location, position, k, all_there=whole
    )


def rows_of(layer: Layer, samples: Samples, number: int) -> Rows:
    """Return where the rows of a dataset are read, and how they are compared. Computes.

    Raises
    ------
    SchemaError
        If there are none.
    MemoryError
        If they are not at rest and do not fit into memory.
    """
    (rows,) = v.read(layer.ds, v.rows)
    source = source_of(rows)
    rule = search.Rule(1, layer.metric, *v.compared(layer.ds), 0, merge=False)
    space = search.prepare(source, rule, None, None).space
    return Rows(
        source, space._replace(exclude=layer.exclude), samples.positions[number], samples.who
    )


def approximate(layers: Mapping[str, Layer]) -> dict[str, str]:
    """Return the attribute of what comes of approximate neighbors; none if all are exact."""
    attrs = {name: layer.ds[v.neighbor_index.name].attrs for name, layer in layers.items()}
    said = [f"{name}: {a[v.APPROXIMATE]}" for name, a in attrs.items() if v.APPROXIMATE in a]
    return {v.APPROXIMATE: "; ".join(said)} if said else {}


def result(values: Mapping[v.Variable, Any], attrs: Mapping[str, Any], covers: str) -> xr.Dataset:
    """Return a new dataset of variables, with what is known of them."""
    described, known = {}, {k: x for k, x in attrs.items() if k == v.APPROXIMATE}
    for variable, value in values.items():
        own = {"long_name": variable.long_name, "units": variable.units, **known}
        own |= {"covers": covers} if variable.name.endswith("_error") else {}
        described[variable.name] = (variable.dims, np.asarray(value), own)
    return xr.Dataset(described, attrs=dict(attrs))


def check_whole(name: str, value: object, least: int) -> None:
    """Refuse what is not a whole number from ``least`` on."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(
            f"{name}: expected an integer, {least} or more, got {value!r}: e.g. {name}={least}"
        )


def _check_same(name: str, one: Layer, other_name: str, other: Layer) -> None:
    n, m = one.neighbor.shape[0], other.neighbor.shape[0]
    if n != m:
        raise ValueError(
            f"{other_name}: expected the {n} samples of {name}, got {m}: select the same samples "
            "of both, then run knn on the selections"
        )
    rows = [ds[v.row.name].values for ds in (one.ds, other.ds) if v.row.name in ds.variables]
    if len(rows) == 2 and (wrong := rows[0] != rows[1]).any():
        i = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{other_name}: expected the samples of {name} in the same order, got row "
            f"{rows[1][i]} for row {rows[0][i]} as sample {i}: sort both by 'row', then run knn"
        )
    if one.exclude != other.exclude:
        raise ValueError(
            f"{other_name}: expected neighbors that leave out as many frames as those of {name}, "
            f"got exclude={other.exclude} and {one.exclude}: run knn with the same on both"
        )


def _later(frame: Ints, trajectory: Ints, lag: int) -> tuple[Ints, Ints]:
    """Return the positions of samples that have one ``lag`` frames later, and of these."""
    n = frame.size
    if lag == 0:
        return np.arange(n), np.arange(n)
    order = np.lexsort((frame, trajectory))
    base = frame.min(initial=0)
    span = int(frame.max(initial=0)) - int(base) + lag + 1
    place = (frame - base) + trajectory * span
    found = np.searchsorted(place[order], place + lag)
    there = found < n
    there[there] = place[order][found[there]] == place[there] + lag
    if not there.any():
        raise ValueError(
            f"lag: expected frames that are {lag} frames apart, got none: use a smaller lag"
        )
    return np.flatnonzero(there), order[found[there]]


def groups_of(ds: xr.Dataset, position: Ints) -> tuple[Ints, str]:
    """Return what is drawn as one: blocks of frames if there is time, samples if not."""
    names = (v.time.name, v.trajectory.name)
    n = position.size
    if not any(name in ds.variables for name in names):
        return np.arange(n), "samples"
    used = [c for c in (v.trajectory, v.row) if c.name in ds.variables]
    found: dict[v.Variable, Any] = dict(zip(used, v.read(ds, *used), strict=True))
    frame = found.get(v.row, da.arange(ds.sizes["sample"], chunks=-1))
    length = max(frame.shape[0] // BLOCKS, 1)
    (number,) = pool.compute(block_numbers(found.get(v.trajectory), frame, length))
    _, group = np.unique(np.asarray(number)[position], return_inverse=True)
    return group.astype(np.int64), f"blocks of {length} frames"
