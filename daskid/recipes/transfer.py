"""Two networks and many: where representations part, and what the last layer tells of the error."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.estimators.comparison import overlap
from daskid.io.layers import check_together, layers_of
from daskid.kernels.layers import falls, pearson
from daskid.typing import Floats

DRAWS, LEAST = 1000, 0.01
"""Overlaps drawn anew; a smaller fall may be one of ties, which are counted by expectation."""


def cut_advice(tree_a: xr.DataTree, tree_b: xr.DataTree, *, k: int = 30) -> xr.Dataset:
    r"""Say at which depth the representations of two networks part. *Computes*.

    Layers of the same name are compared by the overlap :math:`\chi` of neighbors, see
    :func:`daskid.overlap`. Networks part where it falls for the first time below the middle of
    its largest and its smallest value, linearly between layers: up to there the one is
    as good as the other, and a network may be cut for transfer [1]_.

    Samples at the saddles between density peaks (``saddle_sample`` of :func:`daskid.peaks`), which
    lie between the classes of a layer, are anchors for triplet losses: see the second example.

    Parameters
    ----------
    tree_a, tree_b
        The same layers of two networks, for the same samples in the same order, each with
        ``k + 1`` neighbors or more, such as :func:`daskid.layer_profile` returns.
    k
        Number of neighbors that are compared.

    Returns
    -------
    A dataset over ``layer``: ``cut_overlap`` with its error; and ``cut_depth``, relative depth,
    with ``cut_depth_error``: of overlaps drawn anew within their errors, and of the place
    between two layers (their distance over the square root of 12). NaN where the overlap
    falls by less than 3 of its errors, or by less than 0.01: the networks do not part.

    Raises
    ------
    SchemaError
        If these are no trees with layers, or a layer has no neighbors.
    ValueError
        If they have fewer than two layers in common, or hold other samples.

    References
    ----------
    .. [1] F. Gerace, D. Doimo, S. Sarao Mannelli, L. Saglietti, A. Laio, "Optimal transfer
       protocol by incremental layer defrosting" (2023). https://arxiv.org/abs/2303.01429

    Examples
    --------
    >>> import daskid
    >>> from daskid.datasets.layers import hunchback
    >>> one, two = (hunchback(300, dimensions=(2, 2), features=8, seed=s) for s in (0, 0))
    >>> trees = [xr.DataTree.from_dict({n: daskid.knn(node.to_dataset(), k=11)
    ...          for n, node in tree.children.items()}) for tree in (one, two)]
    >>> out = cut_advice(*trees, k=10)
    >>> out.cut_overlap.values, float(out.cut_depth)
    (array([1., 1.]), nan)

    Triplets of one layer: the anchor, and the nearest samples of its own and of another class.

    >>> ds = daskid.datasets.gaussian_mixture(600, means=[[-1.5, 0], [1.5, 0]], seed=1)
    >>> ds = daskid.peaks(daskid.density(daskid.kstar(daskid.knn(ds, k=240), dimension=2)))
    >>> label = ds.rows.values[:, 0] > 0
    >>> anchor = np.unique(ds.saddle_sample)
    >>> near = ds.neighbor_index.values[anchor]
    >>> same = label[near] == label[anchor, np.newaxis]
    >>> positive, negative = (near[np.arange(anchor.size), s.argmax(1)] for s in (same, ~same))
    >>> bool((label[positive] == label[anchor]).all() and (label[negative] != label[anchor]).all())
    True
    """
    a, b = layers_of(tree_a), layers_of(tree_b)
    names = [name for name in a if name in b]
    if len(names) < 2:
        raise ValueError(
            f"tree_b: expected two layers or more with names of tree_a, {sorted(a)}, got "
            f"{sorted(b)}: rename layers that correspond"
        )
    check_together({f"{w}/{n}": tree[n] for n in names for w, tree in (("a", a), ("b", b))})
    pairs = [overlap(a[name], b[name], k=k) for name in names]
    value, error = (np.array([float(p[x.name]) for p in pairs]) for x in (
        v.overlap, v.overlap_error
    ))  # fmt: skip
    given = [a[name].attrs.get("depth", i / (len(names) - 1)) for i, name in enumerate(names)]
    depth = np.array(given, np.float64)
    order = np.argsort(depth, kind="stable")
    where, spread = _parting(depth[order], value[order], error[order])
    covers = "errors of the overlaps, and the distance of layers; not another training"
    out = v.assign(
        xr.Dataset(),
        {
            v.cut_overlap: value, v.cut_overlap_error: error,
            v.cut_depth: where, v.cut_depth_error: spread,
        },
        inputs=[], parameters={"k": k}, attrs={v.cut_depth_error: {"covers": covers}},
    )  # fmt: skip
    return out.assign_coords(layer=("layer", np.array(names, np.dtypes.StringDType())))


def _parting(depth: Floats, value: Floats, error: Floats) -> tuple[float, float]:
    """Return where overlaps fall to their middle, and the error of that."""
    top, bottom = int(value.argmax()), int(value.argmin())
    seen = max(3 * np.hypot(error[top], error[bottom]), LEAST)
    where = falls(depth, value)
    if not value[top] - value[bottom] > seen or np.isnan(where):
        return np.nan, np.nan
    rng = np.random.default_rng(0)
    drawn = [falls(depth, value + error * rng.standard_normal(value.size)) for _ in range(DRAWS)]
    after = min(max(int(np.searchsorted(depth, where)), 1), depth.size - 1)
    between = (depth[after] - depth[after - 1]) ** 2 / 12
    return where, float(np.sqrt(np.nanvar(drawn) + between))


def last_layer(profiles: Mapping[str, xr.Dataset], test_error: Mapping[str, float]) -> xr.Dataset:
    """Correlate the dimension of the last layer with the test error over networks. *Computes*.

    Over networks of one task the lower the dimension of the last layer, the lower the error [1]_.

    Parameters
    ----------
    profiles
        By name of the network: the table of :func:`daskid.layer_profile`, or any dataset with
        ``profile_id`` along ``layer``.
    test_error
        By the same names: the share of test samples that are wrong.

    Returns
    -------
    A dataset over ``network``: ``last_id``, ``last_id_error`` and ``test_error``; and ``last_r``,
    the coefficient of Pearson, with the ends of its 95 % interval, ``last_r_low`` and
    ``last_r_high`` (Fisher's transform: networks drawn at random). Errors of the dimensions
    make r smaller; that is not corrected.

    Raises
    ------
    ValueError
        If there are fewer than 4 networks, names differ, or all have the same error.

    References
    ----------
    .. [1] A. Ansuini, A. Laio, J. H. Macke, D. Zoccolan, "Intrinsic dimension of data
       representations in deep neural networks", NeurIPS 32 (2019), section 3.3.
       https://arxiv.org/abs/1905.12784

    Examples
    --------
    >>> profiles = {str(i): xr.Dataset({"profile_id": ("layer", [9.0, 3.0 + i]),
    ...     "profile_id_error": ("layer", [0.1, 0.1])}) for i in range(5)}
    >>> float(last_layer(profiles, {str(i): 0.1 * i for i in range(5)}).last_r)
    1.0
    """
    names: Sequence[str] = sorted(profiles)
    if sorted(test_error) != names or len(names) < 4:
        raise ValueError(
            f"test_error: expected one for each of 4 networks or more, {names}, got those of "
            f"{sorted(test_error)}: name them alike"
        )
    tables = [profiles[name] for name in names]
    value, error = (
        np.array([float(v.read(ds, x)[0][-1].compute()) for ds in tables])
        for x in (v.profile_id, v.profile_id_error)
    )
    wrong = np.array([float(test_error[name]) for name in names])
    if not (np.ptp(wrong) > 0 and np.ptp(value) > 0):
        raise ValueError(
            "test_error: expected networks that differ in error and dimension, got the same for "
            "all: there is nothing to correlate"
        )
    r, low, high = pearson(value, wrong)
    out = v.assign(
        xr.Dataset(),
        {
            v.last_id: value, v.last_id_error: error, v.test_error: wrong,
            v.last_r: float(r), v.last_r_low: float(low), v.last_r_high: float(high),
        },
        inputs=[],
    )  # fmt: skip
    return out.assign_coords(network=("network", np.array(names, np.dtypes.StringDType())))
