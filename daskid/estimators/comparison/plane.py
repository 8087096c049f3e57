"""The information imbalance between all pairs of layers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.estimators.comparison.imbalance import Near, imbalances
from daskid.estimators.comparison.samples import (
    approximate,
    check_number,
    check_whole,
    layer_of,
    match,
    neighbors,
    result,
    rows_of,
)


def imbalance_plane(tree: xr.DataTree | Mapping[str, xr.Dataset], *, k: int = 1) -> xr.Dataset:
    r"""Compute the information imbalance between all pairs of layers. Computes.

    Of each pair of layers, the imbalances both ways are a point of a plane: near the origin for
    layers that say the same, on the diagonal for ones that say as little of each other, off it
    where one holds the other [1]_. All layers are ranked in one pass over the rows of each: L
    passes for L layers.

    Parameters
    ----------
    tree
        Layers by name, two or more, of the same samples in the same order: a mapping, or a tree of
        which the nodes with ``rows`` are taken. Each as in
        :func:`daskid.information_imbalance`.
    k
        Neighbors over which ranks are averaged.

    Returns
    -------
    A dataset with ``imbalance``, from ``layer`` to ``other_layer``, and ``imbalance_error``; on
    the diagonal what equal neighbors give, (k + 1) / N. Samples that coincide in all layers
    are one.

    Raises
    ------
    SchemaError
        If a layer has no neighbors, or no rows.
    ValueError
        If there are fewer than two layers, the samples are not the same, or lists have
        ``k`` neighbors or fewer.
    MemoryError
        If rows are not at rest, and do not fit into memory.

    Notes
    -----
    About ``60 k L`` bytes a sample are held here, of L layers; tasks are those of
    :func:`daskid.information_imbalance`.

    References
    ----------
    .. [1] A. Glielmo, C. Zeni, B. Cheng, G. Csanyi, A. Laio, "Ranking the information content of
       distance measures", PNAS Nexus 1, pgac039 (2022), figure 2.
       https://doi.org/10.1093/pnasnexus/pgac039

    Examples
    --------
    >>> import numpy as np, xarray as xr, daskid
    >>> x = np.random.default_rng(0).normal(size=(1000, 3)) * [1, 1, 0.1]
    >>> def layer(x): return daskid.knn(xr.Dataset({"rows": (("sample", "feature"), x)}), k=20)
    >>> out = daskid.imbalance_plane({"all": layer(x), "first": layer(x[:, :1])})
    >>> out.imbalance.round(2).values
    array([[0.  , 0.06],
           [0.55, 0.  ]])
    """
    check_whole("k", k, 1)
    given = _layers(tree)
    layers = {name: layer_of(ds, k, name) for name, ds in given.items()}
    for layer in layers.values():
        v.read(layer.ds, v.rows)
    samples = match(layers)
    n, names = samples.group.size, [*layers]
    check_number(n, k)
    near = [
        Near(*neighbors(layer, position, k))
        for layer, position in zip(layers.values(), samples.positions, strict=True)
    ]
    rows = [rows_of(layer, samples, i) for i, layer in enumerate(layers.values())]
    shape = len(names), len(names)
    values, errors = np.full(shape, (k + 1) / n), np.zeros(shape)
    for target in range(len(names)):
        others = [i for i in range(len(names)) if i != target]
        found = imbalances(
            [near[i] for i in others], [rows[i] for i in others], rows[target], samples, k
        )
        for i, (value, error) in zip(others, found, strict=True):
            values[i, target], errors[i, target] = value, error
    out = result(
        {v.imbalance: values, v.imbalance_error: errors},
        {"k": k, "samples": n, **approximate(layers)},
        samples.covers,
    )
    return out.assign_coords(layer=names, other_layer=names)


def _layers(tree: xr.DataTree | Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    found: dict[str, Any]
    if isinstance(tree, xr.DataTree):
        found = {
            str(node.path).strip("/"): xr.Dataset(node.to_dataset())
            for node in tree.subtree
            if v.rows.name in node.variables
        }
    elif isinstance(tree, Mapping):
        found = {str(name): ds for name, ds in tree.items()}
    else:
        raise ValueError(
            f"tree: expected a DataTree or a mapping from names to datasets, got "
            f"{type(tree).__name__}: give {{'first': ds, 'second': other}}"
        )
    if len(found) < 2:
        raise ValueError(
            f"tree: expected two layers with rows or more, got {len(found)}: open them with "
            "daskid.open_layers, or give a mapping from names to datasets"
        )
    return found
