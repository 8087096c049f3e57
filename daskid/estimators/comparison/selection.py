"""Which few features say most of a target."""

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import search
from daskid.blockwise.comparison import ranks as blockwise
from daskid.blockwise.comparison.features import nearest
from daskid.blockwise.comparison.ranks import Rows
from daskid.blockwise.search.source import source_of
from daskid.estimators.comparison.imbalance import information_imbalance
from daskid.estimators.comparison.samples import (
    Layer,
    approximate,
    check_number,
    check_whole,
    layer_of,
    match,
    result,
    rows_of,
)
from daskid.typing import Ints

TOGETHER = 64
"""Candidates whose ranks are counted in one pass: 40 bytes each and sample."""
AROUND = 20
METRICS = ("euclidean", "cityblock", "chebyshev")


def select_features(ds: xr.Dataset, target: xr.Dataset, *, most: int) -> xr.Dataset:
    r"""Choose features one after another that say most of a target. Computes.

    Each step adds the feature with which the information imbalance to the target is lowest
    [1]_, [2]_; all candidates share a pass over the rows for their nearest neighbors, and one over
    those of the target for their ranks (64 at a time). Then the imbalance of what is chosen is
    computed both ways, with its error.

    A choice among many is in favor of luck: imbalances of chosen features are too low by about
    as much as the error times what the best of as many numbers stands out. Where another step
    lowers the imbalance by less than its error, nothing was found.

    Parameters
    ----------
    ds
        Holds ``rows``, the features to choose from; the metric is that of its neighbors, if it
        has some, else Euclidean; ``period`` and ``weight`` are honored. Bring features to one
        scale, or give weights: distances depend on them.
    target
        The same samples in the same order: ``rows``, and two neighbors or more of
        :func:`daskid.knn`.
    most
        How many features to choose.

    Returns
    -------
    A dataset along ``selected`` (1 for the first one): ``selected_feature``, its position along
    ``feature``, ``selected_imbalance`` and ``selected_imbalance_back`` to and from the target
    with all features up to there, and their standard errors.

    Raises
    ------
    SchemaError
        If there are no rows, or no neighbors of the target.
    ValueError
        If the samples are not the same, there are fewer features than ``most``, or the metric
        of ``ds`` is another than euclidean, cityblock and chebyshev.
    MemoryError
        If rows are not at rest, and do not fit into memory.

    Notes
    -----
    A step compares all pairs of samples in all candidates: N^2 D terms. Of samples that
    are as near, one is drawn, always the same. Chosen features are held in memory.

    References
    ----------
    .. [1] A. Glielmo, C. Zeni, B. Cheng, G. Csanyi, A. Laio, "Ranking the information content of
       distance measures", PNAS Nexus 1, pgac039 (2022), section "feature selection".
       https://doi.org/10.1093/pnasnexus/pgac039
    .. [2] A. Glielmo et al., "DADApy: distance-based analysis of data-manifolds in Python",
       Patterns 3, 100589 (2022). https://doi.org/10.1016/j.patter.2022.100589

    Examples
    --------
    >>> import numpy as np, xarray as xr, daskid
    >>> x = np.random.default_rng(0).normal(size=(1000, 5))
    >>> def rows(x): return xr.Dataset({"rows": (("sample", "feature"), x)})
    >>> target = daskid.knn(rows(x[:, [3, 1]] * [2, 1]), k=20)
    >>> out = daskid.select_features(rows(x), target, most=2)
    >>> out.selected_feature.values
    array([3, 1])
    """
    (rows,) = v.read(ds, v.rows)
    n, features = rows.shape
    check_whole("most", most, 1)
    weights = v.per_feature(ds, v.weight)
    usable = np.flatnonzero(weights > 0) if weights.size else np.arange(features)
    if most > usable.size:
        raise ValueError(
            f"most: expected {usable.size} or less, the features that have a weight, got {most}: "
            "choose fewer"
        )
    metric = _metric(ds)
    aim = layer_of(target, 1, "target")
    own = Layer(ds, rows, rows, np.arange(n), metric, aim.exclude)  # of its lists, their number
    samples = match({"ds": own, "target": aim})
    check_number(samples.group.size, 1)
    space = rows_of(own, samples, 0), rows_of(aim, samples, 1)
    chosen: list[int] = []
    found = []
    for _ in range(most):
        left = np.setdiff1d(usable, chosen)
        imbalance = _imbalances(*space, np.array(chosen, np.int64), left)
        chosen.append(int(left[np.argmin(imbalance)]))
        found.append(_checked(ds, target, chosen, metric, aim.exclude))
    values: dict[v.Variable, Any] = {v.selected_feature: chosen}
    values |= dict(zip(_OUTPUTS, np.array(found).T, strict=True))
    attrs = {"samples": samples.group.size, "metric": metric, **approximate({"target": aim})}
    return result(values, attrs, samples.covers).assign_coords(selected=np.arange(1, most + 1))


_OUTPUTS = (
    v.selected_imbalance, v.selected_imbalance_error,
    v.selected_imbalance_back, v.selected_imbalance_back_error,
)  # fmt: skip


def _metric(ds: xr.Dataset) -> str:
    metric = "euclidean"
    if v.neighbor_distance.name in ds.variables:
        metric = str(v.parameters(ds, v.neighbor_distance).get("metric", metric))
    if metric not in METRICS:
        raise ValueError(
            f"metric: expected one of {[*METRICS]} to choose features by, got {metric!r}: "
            "run knn with one of them, or drop the neighbors of ds"
        )
    return metric


def _imbalances(rows: Rows, target: Rows, chosen: Ints, left: Ints) -> Ints:
    """Return the sums of twice the ranks of the nearest neighbors with each candidate."""
    sums = []
    for start in range(0, left.size, TOGETHER):
        part = left[start : start + TOGETHER]
        near = nearest(rows, chosen, part)
        limit = blockwise.limits(target, near)
        rank, _ = blockwise.ranks(target, limit, part.size, "select_features")
        sums.append(rank.sum(axis=1))
    return np.concatenate(sums)


def _checked(
    ds: xr.Dataset, target: xr.Dataset, chosen: list[int], metric: str, exclude: int
) -> tuple[float, ...]:
    """Return the imbalances of some features to and from the target, and their errors."""
    part = ds[[v.rows.name]].isel(feature=chosen)
    source = source_of(v.read(part, v.rows)[0])
    k = min(AROUND, source.shape[0] - 1)
    rule = search.Rule(k, metric, *v.compared(part), exclude, merge=False)
    frames = v.frames(ds) if exclude else (None, None)
    lists = search.search(search.prepare(source, rule, *frames))
    values = {
        v.neighbor_distance: da.from_array(lists.distance),
        v.neighbor_index: da.from_array(lists.index),
    }
    recorded = {"metric": metric, "exclude": exclude}
    searched = v.assign(part, values, inputs=(v.rows,), parameters=recorded)
    out = information_imbalance(searched, target)
    return tuple(
        float(out[o.name])
        for o in (
            v.imbalance_ab, v.imbalance_ab_error, v.imbalance_ba, v.imbalance_ba_error,
        )
    )  # fmt: skip
