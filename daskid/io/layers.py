"""Layers of a network, of its checkpoints and members: a tree of datasets of the same samples."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
import zarr

from daskid import variables as v
from daskid.io.record.writing import INPUT_HASH, recorded
from daskid.io.rows import open_rows
from daskid.io.sources import Source
from daskid.io.store import open_run
from daskid.storage import ledger, run
from daskid.typing import Array

DEPTH, SAMPLE_ID = "depth", "sample_id"
LAYERS, TABLE = "layers.json", "profile.nc"
"""What says, in a folder of runs, which they are and in which order; and the table over them."""
Layers: TypeAlias = xr.DataTree | Mapping[str, Source] | str | Path


def open_layers(source: Layers, *, variable: str | None = None) -> xr.DataTree:
    """Open layers of a network as a tree of ``rows``. *Computes* what :func:`open_rows` does.

    Layers that share a parent are those of one network; ``epoch_3/conv1`` is a layer of the
    network, checkpoint, ensemble member or run ``epoch_3``. All must hold the same samples in
    the same order: that is checked by number, by the coordinate ``sample_id`` where layers have
    one, and by the rows that were left out.

    Parameters
    ----------
    source
        A DataTree; the path of a Zarr group with a group for each layer, such as
        :func:`daskid.record` writes; a folder of runs that :func:`daskid.layer_profile` wrote;
        or a mapping from names of layers to what :func:`daskid.open_rows` takes.
    variable
        Which array of each node; not needed if there is only one of two dimensions or more.

    Returns
    -------
    A tree with a dataset of ``rows`` for each layer, in order: that of the tree or mapping,
    that of recording, else by name (2 before 10). Arrays along ``sample`` that lie beside the
    layers, such as labels, are coordinates of each. ``attrs["depth"]`` of a layer is its
    relative depth; where the source has none, layers are evenly spaced from 0 to 1.

    Raises
    ------
    ValueError
        If there is no layer, if a recording is not finished, or if layers differ in the number
        of samples, or in their order; and as :func:`daskid.open_rows`.
    FileNotFoundError
        If there is nothing at the path.

    Examples
    --------
    >>> import numpy as np, xarray as xr, daskid
    >>> x = xr.DataArray(np.eye(4), dims=("sample", "feature"))
    >>> tree = daskid.io.layers.open_layers({"input": x, "hidden": 2 * x})
    >>> [(path, ds.rows.shape, ds.attrs["depth"]) for path, ds in layers_of(tree).items()]
    [('input', (4, 4), 0.0), ('hidden', (4, 4), 1.0)]
    """
    if isinstance(source, xr.DataTree):
        found = dict(_from_tree(source, variable))
    elif isinstance(source, Mapping):
        named: Mapping[str, Any] = source
        found = {name: _opened(one, variable) for name, one in named.items()}
    else:
        found = dict(_from_path(Path(source), variable))
    if not found:
        raise ValueError(
            "source: expected layers, each a node with an array of two dimensions or more, got "
            "none: give the group that holds them"
        )
    check_together(found)
    return xr.DataTree.from_dict({f"/{name}": ds for name, ds in with_depth(found).items()})


def layers_of(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """Return the datasets of the nodes that hold rows, by path without the first slash.

    Raises
    ------
    SchemaError
        If it is not a tree with layers.
    """
    if not isinstance(tree, xr.DataTree):
        raise v.SchemaError(
            f"tree: expected an xarray.DataTree, got {type(tree).__name__}: start with "
            "daskid.open_layers"
        )
    names = {
        node.path.removeprefix(tree.path).strip("/"): node.to_dataset(inherit=False)
        for node in tree.subtree
        if v.rows.name in node.data_vars
    }
    if not names:
        raise v.SchemaError("tree: expected nodes with rows, got none: start with open_layers")
    return names


def network_of(name: str) -> str:
    """Return the part of a layer's path that names its network; empty if there is one only."""
    return name.rpartition("/")[0]


def run_of(store: str | Path, name: str) -> str:
    """Return the path of the run of a layer in a folder of runs, and enter it there.

    Scratch of a run lies beside it, in the folder, which is no Zarr group.

    Raises
    ------
    FileExistsError
        If the folder holds something else.
    FileNotFoundError
        If there is no folder to make it in.
    """
    folder = Path(store).absolute()
    names = _entered(folder)
    if names is None:
        if folder.exists() and any(folder.iterdir()):
            raise FileExistsError(
                f"store: expected a folder of runs of layers or a new path, got {str(folder)!r}, "
                "which holds something else: choose another path"
            )
        if not folder.parent.is_dir():
            raise FileNotFoundError(
                f"store: expected an existing folder for {str(store)!r}, got none at "
                f"{str(folder.parent)!r}: create it"
            )
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if name not in (names or ()):
        ledger.write(folder / LAYERS, json.dumps([*(names or ()), name], indent=1).encode())
    return str(target)


def save_table(table: xr.Dataset, store: str | Path) -> None:
    """Write what layers say side by side into their folder of runs: a file that xarray opens."""
    coords = {name: _portable(x) for name, x in table.coords.items()}
    empty = [name for name, size in table.sizes.items() if not size]  # unlimited, in that format
    content: Any = table.assign_coords(coords).drop_dims(empty).to_netcdf(engine="scipy")
    ledger.write(Path(store).absolute() / TABLE, bytes(content))


def _portable(x: xr.DataArray) -> xr.DataArray:
    """Return a coordinate in a type that any netCDF has: as text where numbers would not do."""
    if x.dtype.kind in "iu":
        beyond = x.size and (int(x.values.max()) >= 2**31 or int(x.values.min()) < -(2**31))
        return x.astype("T").astype(object) if beyond else x.astype("i4")
    if x.dtype.kind in "mM":
        return x.copy(data=np.array([str(one) for one in x.values], object))
    return x.astype(object) if x.dtype.kind == "T" else x


def drop_table(store: str | Path) -> None:
    """Take the table out of a folder of runs that are about to change; of any other nothing."""
    if is_folder(store):
        (Path(store) / TABLE).unlink(missing_ok=True)


def open_table(store: str | Path) -> xr.Dataset:
    """Open the table of a folder of runs that :func:`daskid.layer_profile` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or the profile was not finished.
    """
    path = Path(store) / TABLE
    if not path.is_file():
        raise FileNotFoundError(
            f"store: expected a folder of layers with a finished profile, got {str(store)!r}, "
            f"which has no {TABLE}: run daskid layers again, it goes on where it was"
        )
    with xr.open_dataset(path, engine="scipy") as table:
        return table.load()


def is_folder(store: str | Path) -> bool:
    """Return whether a path is a folder of runs of layers."""
    return (Path(store) / LAYERS).is_file()


def check_together(layers: Mapping[str, xr.Dataset]) -> None:
    """Refuse layers that do not hold the same samples in the same order.

    Raises
    ------
    ValueError
        If they do not; it names the first difference.
    """
    first, *others = layers
    sizes = {name: ds.sizes["sample"] for name, ds in layers.items()}
    for name in others:
        if sizes[name] != sizes[first]:
            raise ValueError(
                f"layers: expected {sizes[first]} samples in {name!r}, as in {first!r}, got "
                f"{sizes[name]}: record all layers of the same samples"
            )
    for key in (SAMPLE_ID, v.row.name):
        if not all(key in ds.coords for ds in layers.values()):
            continue
        known = layers[first][key].values
        for name in others:
            _check_same(key, first, known, name, layers[name][key].values)


def _check_same(key: str, first: str, known: Array, name: str, own: Array) -> None:
    if (differs := known != own).any():
        i = int(np.flatnonzero(differs)[0])
        raise ValueError(
            f"layers: expected the {key} {known[i]!s} at sample {i} of {name!r}, as in {first!r}, "
            f"got {own[i]!s}: bring layers into the same order of samples"
        )


def with_depth(layers: dict[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """Return the layers with relative depths, evenly spaced where one of a network has none."""
    networks: dict[str, list[str]] = {}
    for name in layers:
        networks.setdefault(network_of(name), []).append(name)
    out = dict(layers)
    for names in networks.values():
        if not all(DEPTH in layers[name].attrs for name in names):
            for i, name in enumerate(names):
                out[name] = layers[name].assign_attrs({DEPTH: i / max(len(names) - 1, 1)})
    return out


def _opened(source: Source, variable: str | None) -> xr.Dataset:
    if isinstance(source, str | Path) and run.is_run(str(source)):
        return open_run(source)
    if isinstance(source, xr.Dataset) and v.rows.name in source.data_vars:
        return source
    return open_rows(source, variable=variable)


def _from_tree(tree: xr.DataTree, variable: str | None) -> Iterator[tuple[str, xr.Dataset]]:
    for node in tree.subtree:
        own = node.to_dataset(inherit=False)
        wide = [n for n, x in own.data_vars.items() if x.ndim >= 2]
        if v.rows.name in own or (wide and not node.children):
            ds = own if v.rows.name in own else _opened(own, variable or str(wide[0]))
            if v.rows.name not in own and len(wide) > 1 and variable is None:
                raise ValueError(
                    f"variable: expected a choice at {node.path!r}, got {sorted(map(str, wide))}: "
                    "name one"
                )
            attrs = {DEPTH: own.attrs[DEPTH]} if DEPTH in own.attrs else {}
            name = node.path.removeprefix(tree.path).strip("/") or "rows"
            yield name, _beside(ds.assign_attrs(attrs), _above(node), name)


def _above(node: xr.DataTree) -> dict[str, xr.Variable]:
    """Return the arrays along the samples of the nodes above."""
    found: dict[str, xr.Variable] = {}
    for parent in node.parents:
        own = parent.to_dataset(inherit=False)
        near = {str(n): x for n, x in own.variables.items() if x.dims == ("sample",)}
        found = near | found
    return found


def _from_path(path: Path, variable: str | None) -> Iterator[tuple[str, xr.Dataset]]:
    if not path.exists():
        raise FileNotFoundError(
            f"source: expected a Zarr group with a group for each layer, got {str(path)!r}: "
            "nothing there"
        )
    names = _entered(path)
    if names is not None:
        yield from ((name, open_run(path / name)) for name in names if run.is_run(f"{path / name}"))
        return
    try:
        group = zarr.open_group(path, mode="r")
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"source: expected a Zarr group with a group for each layer, got {str(path)!r}, which "
            "is none: give a mapping from names to arrays"
        ) from error
    yield from _from_group(path, group, "", {}, variable)


def _from_group(
    path: Path, group: zarr.Group, name: str, beside: dict[str, xr.Variable], variable: str | None
) -> Iterator[tuple[str, xr.Dataset]]:
    recording = recorded(group)
    if recording and not recording["complete"]:
        raise ValueError(
            f"source: expected a finished recording, got {str(path / name)!r}, of which "
            f"{recording['rows']} samples are there: run daskid.record again, it goes "
            "on where it was"
        )
    arrays = dict(group.arrays())
    if run.is_run(str(path / name)) or any(a.ndim >= 2 for a in arrays.values()):
        ds = _opened(path / name, variable)
        attrs = {DEPTH: group.attrs[DEPTH]} if DEPTH in group.attrs else {}
        yield name or "rows", _beside(ds.assign_attrs(attrs), beside, name)
        return
    near = {
        n: xr.Variable(("sample",), a[...])
        for n, a in arrays.items()
        if n != INPUT_HASH
        and a.ndim == 1
        and getattr(a.metadata, "dimension_names", None) == ("sample",)
    }
    order: list[str] = recording.get("layers", [])
    groups = dict(group.groups())
    for child in sorted(groups, key=lambda n: (order.index(n) if n in order else -1, _natural(n))):
        inside = f"{name}/{child}".strip("/")
        yield from _from_group(path, groups[child], inside, beside | near, variable)


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key by which 2 comes before 10."""
    parts = re.split(r"(\d+)", name)
    return [(int(p), "") if p.isdigit() else (-1, p) for p in parts]


def _beside(ds: xr.Dataset, beside: Mapping[str, xr.Variable], name: str) -> xr.Dataset:
    """Return a layer with the arrays along the samples that lie beside all layers."""
    n = ds.sizes["sample"]
    for key, values in beside.items():
        if values.size != n:
            raise ValueError(
                f"{key}: expected {n} values, one a sample of the layer {name!r}, got "
                f"{values.size}: bring both to the same samples"
            )
    return ds.assign_coords({key: x for key, x in beside.items() if key not in ds.variables})


def _entered(folder: Path) -> list[Any] | None:
    """Return the names of the runs in a folder of them, None if it is none."""
    path = folder / LAYERS
    return list(json.loads(path.read_text())) if path.is_file() else None
