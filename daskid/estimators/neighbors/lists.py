"""Nearest neighbors of every sample: the one step whose cost grows with N squared."""

from typing import Any, Literal

import dask.array as da
import xarray as xr

from daskid import variables as v
from daskid.blockwise import search
from daskid.blockwise.search.source import source_of
from daskid.estimators.neighbors.checks import check, labels, rule_of, window
from daskid.estimators.neighbors.stored import OUTPUTS, into_run
from daskid.typing import MethodName, MetricName

LIST_BYTES = 16
"""Bytes of one entry of a list: a float64 distance and an int64 index."""


def knn(
    ds: xr.Dataset,
    *,
    k: int = 100,
    metric: MetricName = "euclidean",
    exclude: int | str = 0,
    duplicates: Literal["merge", "keep"] = "merge",
    method: MethodName = "auto",
    store: str | None = None,
    overwrite: bool = False,
) -> xr.Dataset:
    r"""Find the ``k`` nearest neighbours of every sample, exactly; this step *computes*.

    Distances are Euclidean, :math:`\sqrt{\sum_f w_f \Delta_f^2}`, city-block,
    :math:`\sum_f w_f |\Delta_f|`, or Chebyshev, :math:`\max_f w_f |\Delta_f|`, with the
    weights :math:`w_f` of the coordinate ``weight`` and :math:`\Delta_f` the shorter way
    round the coordinate ``period``; or cosine, :math:`1 - x \cdot y / (|x| |y|)`, or Hamming, the
    share of two-valued features that differ, both weighted as scipy does and without
    periods. (Cosine distances are half the squares of chords between directions: estimates
    of dimension and density take the chords.) They are taken by differences in float64, and
    lists are sorted by distance, then by sample number: the same bits for any chunks, threads
    or processes. Rows are read block by block; runs on the current
    ``distributed.Client`` if there is one, otherwise on local threads.

    Coincident samples are copies of one *location*. By default a list holds the nearest
    other locations, each by its first sample, and copies share their list; ties between
    distinct locations stay.

    Parameters
    ----------
    ds
        Holds ``rows (sample, feature)``, see :func:`daskid.open_rows`.
    k
        Number of neighbours, less than the number of locations.
    metric
        Which distance.
    exclude
        Theiler window: samples of the same trajectory within so many frames are no
        neighbours (0: only the sample itself is left out). Frames are counted in
        rows of the source; a location's frame is that of its first sample. ``"12 ps"`` is a
        duration in the units of ``time``; ``"auto"`` takes the first lag at which the lower
        quartile of the distances between frames that far apart is flat, at most 1 % of
        the shortest trajectory [1]_.
    duplicates
        ``"merge"`` searches locations; ``"keep"`` makes every sample its own location:
        plain lists, in which copies are neighbours at distance 0.
    method
        How it is done, which changes no bit: ``"strips"`` compares each strip of rows with all
        rows, ``"tiles"`` each pair of rows once, which takes scratch beside a run, and
        ``"pruned"`` orders rows by a tree and skips leaves of it that are too far, which pays
        where the intrinsic dimension is low. ``"auto"`` takes what is cheapest (whether
        leaves are is tried on a few thousand rows, where the others take more than 10 seconds of a
        core, or 0.3 seconds where ``DASKID_NUMBA_CACHE=1`` keeps compiled kernels); an unfinished
        search is gone on with as it was begun.
    store
        A run to write to, made if there is none. Without it the result is in memory.
    overwrite
        Replace neighbours that the run holds for other parameters, and drop all that
        was computed from them.

    Returns
    -------
    ``ds``, or the run, with ``neighbor_distance`` (in the units of ``rows``) and
    ``neighbor_index`` (positions along ``sample``), both (sample, neighbor), and
    ``location`` and ``multiplicity`` (sample). What was computed from older neighbours
    is dropped.

    Raises
    ------
    SchemaError
        If ``rows`` is missing or not a ``(sample, feature)`` array of real numbers.
    TypeError
        If numbers have more than 64 bits.
    ValueError
        If ``k`` is not between 1 and the number of locations less one (and less the
        excluded ones); if values are not finite, span more than their period, or are
        so large or small that their squares leave the range of float64; if periods
        or weights are negative; if the run holds other neighbours or another source.
    MemoryError
        If there is no store, and the rows and lists do not fit into memory.

    References
    ----------
    .. [1] J. Theiler, "Spurious dimension from correlation algorithms applied to limited
       time-series data", Phys. Rev. A 34, 2427 (1986), section III.
       https://doi.org/10.1103/PhysRevA.34.2427

    Examples
    --------
    >>> import numpy as np, xarray as xr, daskid
    >>> x = np.array([[0.0], [1.0], [3.0], [7.0]])
    >>> ds = daskid.knn(xr.Dataset({"rows": (("sample", "feature"), x)}), k=2)
    >>> ds.neighbor_distance.values
    array([[1., 3.], [1., 2.], [2., 3.], [4., 6.]])
    >>> ds.neighbor_index.values
    array([[1, 2], [0, 2], [1, 0], [2, 1]])
    """
    (rows,) = v.read(ds, v.rows)
    check(k, metric, duplicates, rows.shape, method)
    exclude = window(ds, rows, exclude, metric)
    rule = rule_of(ds, k, metric, exclude, duplicates)
    used = (v.rows, v.period, v.weight, *((v.row, v.trajectory) if exclude else ()))
    inputs = tuple(c for c in used if c.name in ds.variables)
    parameters = {"k": int(k), "metric": metric, "exclude": int(exclude), "duplicates": duplicates}
    described = v.describe(ds, OUTPUTS, inputs=inputs, parameters=parameters)
    if store is not None:
        return into_run(ds, rule, described, str(store), overwrite, method)
    source = source_of(rows, lists=rows.shape[0] * (k * LIST_BYTES + 40))
    job = search.prepare(source, rule, *labels(ds, exclude))
    found = search.search(job, method=method)
    values = (found.distance, found.index, found.location, found.multiplicity)
    return v.assign(
        ds,
        {o: _lazy(x, rows.shape[1], k) for o, x in zip(OUTPUTS, values, strict=True)},
        inputs=inputs,
        parameters=parameters,
        attrs={v.neighbor_distance: found.cost},
    )


def _lazy(values: Any, features: int, k: int) -> da.Array:
    chunk = search.strip_rows(values.shape[0], features, k)
    array: da.Array = da.from_array(values, chunks=(chunk, *values.shape[1:]))
    return array
