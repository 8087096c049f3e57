"""How well density peaks agree with labels."""

from typing import Any

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise.search import pool
from daskid.estimators.comparison.labels import codes_of
from daskid.estimators.comparison.samples import groups_of
from daskid.kernels.comparison import partitions as kernels

_COVERS = (
    "Jackknife: the scatter over {words} drawn anew and independently, for the peaks as they are; "
    "that other samples have other peaks is left out"
)


def adjusted_rand(ds: xr.Dataset, *, labels: str, halo: bool = True) -> xr.Dataset:
    r"""Compare density peaks with labels by the adjusted Rand index. Computes.

    Of the pairs of samples that two partitions put together or apart alike, the index is the share
    beyond chance: 1 for equal partitions, 0 on average for random ones of the same sizes [1]_.

    Parameters
    ----------
    ds
        Holds ``peak_label``, see :func:`daskid.peaks`, and labels along ``sample``.
    labels
        Name of the variable or coordinate that holds the labels: integers, text or booleans.
    halo
        Whether samples of a halo count, with the peak that they belong to; otherwise they are left
        out of both partitions.

    Returns
    -------
    ``ds`` with ``adjusted_rand`` and ``adjusted_rand_error``, its standard error for the peaks
    as they are.

    Raises
    ------
    SchemaError
        If there are no peaks, or no such labels.
    ValueError
        If labels are not along ``sample``, missing for some, or all the same, or if no
        samples are left.

    References
    ----------
    .. [1] L. Hubert, P. Arabie, "Comparing partitions", J. Classification 2, 193 (1985), eq. 5.
       https://doi.org/10.1007/BF01908075

    Examples
    --------
    >>> import xarray as xr, daskid
    >>> ds = xr.Dataset({
    ...     "peak_label": ("sample", [0, 0, 0, 1, 1, 1]),
    ...     "kind": ("sample", list("aaabbb")),
    ... })
    >>> float(daskid.adjusted_rand(ds, labels="kind").adjusted_rand)
    1.0
    """
    outputs = v.adjusted_rand, v.adjusted_rand_error
    return _compared(ds, labels, halo, kernels.adjusted_rand, outputs)


def normalized_mutual_info(ds: xr.Dataset, *, labels: str, halo: bool = True) -> xr.Dataset:
    r"""Compare density peaks with labels by their mutual information. Computes.

    The mutual information over the mean of both entropies: 1 for equal partitions, 0 for
    independent ones. It is not corrected for chance: many small peaks raise it [1]_.

    Parameters
    ----------
    ds, labels, halo
        As in :func:`daskid.adjusted_rand`.

    Returns
    -------
    ``ds`` with ``normalized_mutual_info`` and ``normalized_mutual_info_error``, its standard
    error for the peaks as they are.

    Raises
    ------
    SchemaError, ValueError
        As :func:`daskid.adjusted_rand` does.

    References
    ----------
    .. [1] N. X. Vinh, J. Epps, J. Bailey, "Information theoretic measures for clusterings
       comparison", J. Mach. Learn. Res. 11, 2837 (2010), table 2, NMI_sum.

    Examples
    --------
    >>> import xarray as xr, daskid
    >>> ds = xr.Dataset({
    ...     "peak_label": ("sample", [0, 1, 0, 1]),
    ...     "kind": ("sample", list("aabb")),
    ... })
    >>> float(daskid.normalized_mutual_info(ds, labels="kind").normalized_mutual_info)
    0.0
    """
    outputs = v.normalized_mutual_info, v.normalized_mutual_info_error
    return _compared(ds, labels, halo, kernels.normalized_mutual_info, outputs)


def _compared(
    ds: xr.Dataset,
    labels: str,
    halo: bool,
    measure: kernels.Measure,
    outputs: tuple[v.Variable, v.Variable],
) -> xr.Dataset:
    code, _ = codes_of(ds, labels)
    inputs: tuple[v.Variable, ...] = (v.peak_label,)
    if not halo:
        inputs = (*inputs, v.peak_halo)
    peak, *border = pool.compute(*v.read(ds, *inputs))
    kept = ~np.asarray(border[0]) if border else np.ones(peak.size, bool)
    if not kept.any():
        raise ValueError(
            "halo: expected samples outside halos, got none: use halo=True, or other peaks"
        )
    group, words = groups_of(ds, np.flatnonzero(kept))
    _, one = np.unique(np.asarray(peak)[kept], return_inverse=True)
    values: dict[v.Variable, Any] = {
        outputs[0]: measure(kernels.table_of(one, code[kept])),
        outputs[1]: kernels.jackknife(measure, one, code[kept], group),
    }
    parameters = {"labels": labels, "halo": bool(halo), "values": v.fingerprint(ds[labels])}
    covers = {outputs[1]: {"covers": _COVERS.format(words=words)}}
    return v.assign(ds, values, inputs=inputs, parameters=parameters, attrs=covers)
