"""Neighbors in common: of two datasets of the same samples, and of neighbors and labels."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise.comparison import lists as blockwise
from daskid.blockwise.comparison import ties
from daskid.estimators.comparison.labels import codes_of
from daskid.estimators.comparison.samples import (
    Layer,
    Samples,
    approximate,
    check_number,
    check_whole,
    layer_of,
    match,
    neighbors,
    result,
    rows_of,
)
from daskid.kernels.comparison import lists as kernels
from daskid.typing import Array, Floats, Ints


class Spread(NamedTuple):
    """(n,) values of samples, what they do to those of others, and the sum over pairs of both."""

    values: Floats
    influence: Floats
    pairs: float


def overlap(a: xr.Dataset, b: xr.Dataset, *, k: int = 30) -> xr.Dataset:
    r"""Compare the neighborhoods of the same samples in two datasets. Computes.

    The overlap is the share of neighbors in common,

    .. math:: \chi = \frac{1}{N k} \sum_i |N_k^A(i) \cap N_k^B(i)|,

    1 for the same neighborhoods, :math:`k / (N - 1)` by chance [1]_. Where samples are as far as
    the k-th neighbor, any of them may be: the expectation over all choices is taken, so
    that a dataset that does not tell samples apart overlaps by chance. Such samples are compared
    with all others once more, which needs ``rows``.

    Samples that coincide in both datasets are one; those that coincide in one of them
    alone are each other's nearest there.

    Parameters
    ----------
    a, b
        The same samples in the same order, with ``k + 1`` neighbors or more of
        :func:`daskid.knn`; metric, periods and weights are those of each.
    k
        Number of neighbors.

    Returns
    -------
    A dataset with ``overlap``, ``overlap_error``, its standard error, and ``overlap_chance``.
    The error counts that lists share samples: the sums of what each sample adds to its own value
    and to those of others, less what pairs add to both (Aronow et al. 2015 [2]_; samples that
    leave one by one, a jackknife, would count it twice: 1.2 to 1.8 times the scatter of
    replicas, against 0.8 to 1.25). Of frames in time, 64 blocks take the place of samples.

    Raises
    ------
    SchemaError
        If there are no neighbors.
    ValueError
        If the samples are not the same, or lists have ``k`` neighbors or fewer.

    Notes
    -----
    Lists are gathered: about ``32 k`` bytes a sample.

    References
    ----------
    .. [1] D. Doimo, A. Glielmo, A. Ansuini, A. Laio, "Hierarchical nucleation in deep neural
       networks", NeurIPS 33 (2020), section 2. https://arxiv.org/abs/2007.03506
    .. [2] P. M. Aronow, C. Samii, V. A. Assenova, "Cluster-robust variance estimation for dyadic
       data", Political Analysis 23, 564 (2015). https://doi.org/10.1093/pan/mpv018

    Examples
    --------
    >>> import numpy as np, xarray as xr, daskid
    >>> x = np.random.default_rng(0).normal(size=(1000, 3))
    >>> def layer(x): return daskid.knn(xr.Dataset({"rows": (("sample", "feature"), x)}), k=31)
    >>> out = daskid.overlap(layer(x), layer(x[:, :2]), k=30)
    >>> f"{out.overlap:.2f} +- {out.overlap_error:.2f}, by chance {out.overlap_chance:.2f}"
    '0.36 +- 0.01, by chance 0.03'
    """
    check_whole("k", k, 1)
    layers = {"a": layer_of(a, k, "a"), "b": layer_of(b, k, "b")}
    samples = match(layers)
    n = samples.group.size
    check_number(n, k)
    (one, known), (other, also) = (
        neighbors(layer, p, k) for layer, p in zip(layers.values(), samples.positions, strict=True)
    )
    found = _overlap(layers, samples, (one, other), known & also, k)
    values = {
        v.overlap: found.values.mean(),
        v.overlap_error: kernels.standard_error(*found, samples.group),
        v.overlap_chance: k / (n - 1),
    }
    return result(values, {"k": k, "samples": n, **approximate(layers)}, samples.covers)


def _overlap(
    layers: dict[str, Layer], samples: Samples, found: tuple[Array, Array], known: Array, k: int
) -> Spread:
    one, other = found
    n = known.size
    lists, both = np.empty((n, 2 * k), np.int32), np.empty((n, 2 * k), np.int8)
    kernels.shared(one, other, known, k, lists, both)
    values = ((both == 2) & (lists >= 0)).sum(axis=1) / k
    influence, pairs = np.zeros(n), 0.0
    if not known.all():
        left = np.flatnonzero(~known)
        rows = [rows_of(x, samples, i) for i, x in enumerate(layers.values())]
        tied = ties.compare(rows[0], rows[1], left, k, "overlap")
        values[left], influence, pairs = tied
    usual = np.mean([local_mean(values, x, known) for x in found], axis=0)
    excess = np.where(lists >= 0, (both == 2) - 0.5 * usual[:, np.newaxis] * both, 0.0) / k
    pairs += kernels.spread(lists, excess, samples.group, influence)
    return Spread(values, influence, pairs)


def label_overlap(
    ds: xr.Dataset, *, labels: str, k: int = 30, weighted: bool = False
) -> xr.Dataset:
    r"""Compare neighborhoods with labels: the share of neighbors of the same label. Computes.

    By chance it is :math:`\sum_c n_c (n_c - 1) / (N (N - 1))`; no more than the mean of
    :math:`\min(1, (n_c - 1) / k)` can be reached, as a class has no more members.
    Ties at the k-th neighbor count by expectation, see :func:`daskid.overlap`; samples that
    coincide and have the same label are one [1]_.

    Parameters
    ----------
    ds
        Holds ``k + 1`` neighbors or more, see :func:`daskid.knn`, and labels along ``sample``.
    labels
        Name of the variable or coordinate that holds them: integers, text or booleans.
    k
        Number of neighbors.
    weighted
        Whether every class counts the same, not every sample.

    Returns
    -------
    ``ds`` with ``label_overlap``, ``label_overlap_error``, ``label_overlap_chance`` and
    ``label_overlap_ceiling``. What the error counts is said in :func:`daskid.overlap`.

    Raises
    ------
    SchemaError
        If there are no neighbors, or no such labels.
    ValueError
        If labels are not along ``sample``, missing for some, or all the same; or if lists have
        ``k`` neighbors or fewer.

    References
    ----------
    .. [1] D. Doimo, A. Glielmo, A. Ansuini, A. Laio, "Hierarchical nucleation in deep neural
       networks", NeurIPS 33 (2020), section 2. https://arxiv.org/abs/2007.03506

    Examples
    --------
    >>> import numpy as np, xarray as xr, daskid
    >>> random = np.random.default_rng(0)
    >>> label = random.integers(0, 2, 1000)
    >>> x = random.normal(size=(1000, 2)) + 2.0 * label[:, np.newaxis]
    >>> ds = xr.Dataset({"rows": (("sample", "feature"), x), "label": ("sample", label)})
    >>> out = daskid.label_overlap(daskid.knn(ds, k=31), labels="label")
    >>> f"{out.label_overlap:.2f} +- {out.label_overlap_error:.2f}"
    '0.89 +- 0.01'
    """
    check_whole("k", k, 1)
    code, _ = codes_of(ds, labels)
    layer = layer_of(ds, k, "ds")
    samples = match({"ds": layer}, label=code)
    check_number(samples.group.size, k)
    own = code[samples.positions[0]]
    n, sizes = own.size, np.bincount(own)
    size = sizes[own]
    weight = n / (np.count_nonzero(sizes) * size) if weighted else np.ones(n)
    found = _same_label(layer, samples, own, k, weight)
    center = (np.bincount(own, weights=found.values) / np.maximum(sizes, 1))[own]
    center = center if weighted else found.values.mean()
    apart = found._replace(values=weight * (found.values - center))
    values = {
        v.label_overlap: (weight * found.values).mean(),
        v.label_overlap_error: kernels.standard_error(*apart, samples.group),
        v.label_overlap_chance: (weight * (size - 1)).mean() / (n - 1),
        v.label_overlap_ceiling: (weight * np.minimum(1.0, (size - 1) / k)).mean(),
    }
    parameters = {"labels": labels, "k": int(k), "weighted": bool(weighted)}
    given = (v.neighbor_distance, v.neighbor_index)
    inputs = (*given, *((v.location,) if v.location.name in ds.variables else ()))
    parameters["values"] = v.fingerprint(ds[labels])
    covers = {v.label_overlap_error: {"covers": samples.covers}}
    return v.assign(ds, values, inputs=inputs, parameters=parameters, attrs=covers)


def _same_label(layer: Layer, samples: Samples, own: Ints, k: int, weight: Floats) -> Spread:
    """Return the shares of neighbors with the same label."""
    lists, known = neighbors(layer, samples.positions[0], k)
    lists = np.where(known[:, np.newaxis], lists, np.int32(-1))
    alike = own[lists[:, :k]] == own[:, np.newaxis]
    values, influence, pairs = alike.mean(axis=1), np.zeros(own.size), 0.0
    if not known.all():
        left = np.flatnonzero(~known)
        tied = ties.compare(rows_of(layer, samples, 0), own, left, k, "same", weight[left])
        values[left], influence, pairs = tied
    usual = local_mean(values, lists, known)
    excess = weight[:, np.newaxis] * (alike - usual[:, np.newaxis]) / k
    near = np.ascontiguousarray(lists[:, :k])
    pairs += kernels.spread(near, excess, samples.group, influence)
    return Spread(values, influence, pairs)


def local_mean(values: Floats, lists: Array, known: Array) -> Floats:
    """Return the mean value around each sample."""
    out = np.empty(values.size)
    kernels.local_mean(values, lists, known, blockwise.AROUND, out)
    return out
