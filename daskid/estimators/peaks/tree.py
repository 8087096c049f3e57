"""The tree of the surviving peaks for other tools: a scipy linkage, Newick text."""

from typing import Literal

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.kernels import peaks as kernels
from daskid.typing import Floats

Method = Literal["elder", "wpgma", "chain"]
METHODS = ("elder", "wpgma", "chain")


def linkage(ds: xr.Dataset, *, method: Method = "elder") -> Floats:
    """Return the tree of the peaks as scipy's linkage matrix; *computes*, of small tables.

    The distance of two branches is the drop of log density from the densest peak (or
    saddle, where that is denser) to where they join, so ``scipy.cluster.hierarchy`` cuts the
    tree at a level and draws it. Parts that no saddle connects are joined last, at an
    infinite distance: ``fcluster`` keeps them apart at any level.

    Parameters
    ----------
    ds
        Holds ``peak_log_density`` and the ``saddle_*`` of :func:`daskid.peaks`.
    method
        ``"elder"``: at the highest saddle between two branches, the merge tree. ``"wpgma"``:
        at the plain mean of both branches' saddles to each third one [1]_, of the
        saddles of best paths, so that no pair within a part is without. ``"chain"``: from
        the densest peak on, the one behind the highest saddle of all that have been reached,
        at that saddle; distances may then fall.

    Returns
    -------
    (peaks - 1, 4): two nodes, their distance, the number of peaks below.

    Raises
    ------
    SchemaError
        If there are no peaks.
    ValueError
        If ``method`` is another.

    References
    ----------
    .. [1] D. Doimo, A. Glielmo, A. Ansuini, A. Laio, "Hierarchical nucleation in deep neural
       networks", NeurIPS 33 (2020), Sect. 2.3. https://arxiv.org/abs/2007.03506

    Examples
    --------
    >>> import xarray as xr
    >>> from daskid.estimators.peaks import linkage
    >>> ds = xr.Dataset(
    ...     {
    ...         "peak_log_density": ("peak", [5.0, 4.0, 3.0]),
    ...         "saddle_peak": (("saddle", "side"), [[0, 1], [1, 2]]),
    ...         "saddle_log_density": ("saddle", [1.0, 2.0]),
    ...     }
    ... )
    >>> linkage(ds)
    array([[1., 2., 3., 2.],
           [0., 3., 4., 3.]])
    """
    if method not in METHODS:
        raise ValueError(
            f"method: expected one of {METHODS}, got {method!r}: 'elder' is the merge tree"
        )
    peak, pair, level = (x.compute() for x in v.read(ds, *_NEEDED))
    joined, at = _JOIN[method](pair, level, peak.size)
    top = max(peak.max(initial=-np.inf), level.max(initial=-np.inf))
    return kernels.linkage(joined, top - at, peak.size)


_NEEDED = (v.peak_log_density, v.saddle_peak, v.saddle_log_density)
_JOIN = {"elder": kernels.elders, "wpgma": kernels.averages, "chain": kernels.chain}


def newick(ds: xr.Dataset) -> str:
    """Return the merge tree of the peaks as Newick text; *computes*, of small tables.

    Branches are as long as the drop of log density along them. Where
    :func:`daskid.significance` has been run, its support stands at the merges. Parts that no
    saddle connects are trees of their own, one a line.

    Parameters
    ----------
    ds
        Holds what :func:`daskid.peaks` adds.

    Returns
    -------
    One line a tree, with the leaves peak_0, peak_1, ...

    Raises
    ------
    SchemaError
        If there are no peaks.

    Examples
    --------
    >>> import xarray as xr
    >>> from daskid.estimators.peaks import newick
    >>> ds = xr.Dataset(
    ...     {
    ...         "peak_log_density": ("peak", [5.0, 4.0, 3.0]),
    ...         "merge_peak": (("merge", "side"), [[1, 2], [0, 1]]),
    ...         "merge_log_density": ("merge", [2.0, 1.0]),
    ...     }
    ... )
    >>> newick(ds)
    '(peak_0:4,(peak_1:2,peak_2:1):1);'
    """
    wanted = (v.peak_log_density, v.merge_peak, v.merge_log_density)
    peak, joined, level = (x.compute() for x in v.read(ds, *wanted))
    support = None
    if v.merge_support.name in ds.variables:
        support = v.read(ds, v.merge_support)[0].compute()
    names = [f"peak_{p}" for p in range(peak.size)]
    return kernels.newick(joined, level, peak, names, support)
