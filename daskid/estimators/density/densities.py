"""The log density at every sample, and its error."""

from typing import Any, Literal

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import density as blockwise
from daskid.blockwise import visits
from daskid.estimators.density.lists import Lists, log_number, read

LONGEST = 2**31
COVERS = (
    "The scatter of {what} over samples drawn anew, {how}, at a given dimension; {frames}, the "
    "error of the dimension, and the bias of a density that varies within the neighborhood are "
    "left out."
)
WHAT = {
    "pak": "PAk (Rodriguez 2018), sqrt((4 k + 2) / (k (k - 1))) with k = kstar",
    "kstar": "kstar neighbors, 1 / sqrt(kstar)",
    "knn": "k neighbors, 1 / sqrt(k)",
}


def density(
    ds: xr.Dataset,
    *,
    method: Literal["pak", "kstar", "knn"] = "pak",
    k: int | None = None,
    block: int | None = None,
) -> xr.Dataset:
    r"""Estimate the log density at every sample, and its error.

    With the :math:`k` neighbors of a sample in a ball of radius :math:`r_k` the density is

    .. math:: \ln \rho = \ln k - \ln N - \ln \omega_d - d \ln r_k, \quad \pm 1 / \sqrt k

    for a ``k`` of your choice (``"knn"``) or ``kstar`` (``"kstar"``). PAk [1]_ lets the log
    density vary linearly with the rank :math:`l` of the neighbor: with shells
    :math:`v_l = \omega_d (r_l^d - r_{l-1}^d)` it is the :math:`F` at which

    .. math:: F k + a k (k + 1) / 2 - \textstyle\sum_l v_l e^{F + a l}

    is greatest over :math:`F` and :math:`a`, less :math:`\ln N`, with the error
    :math:`\sqrt{(4 k + 2) / (k (k - 1))}`, at :math:`k = k^*`. The greatest value is
    found to rounding, in ratios of radii: another unit of length adds
    :math:`-d \ln(\text{unit})` and changes nothing else. (DADApy stops a damped iteration before
    that, and clamps volumes.) Where all neighbors on one side of the middle rank are at equal
    distances there is no greatest value, and the ball of ``kstar`` stands in.

    Frames of a trajectory that follow each other pass a sample together, so :math:`k` neighbors
    from a few visits count as :math:`k_\mathrm{eff}` of them, and errors are
    :math:`\sqrt{k / k_\mathrm{eff}}` times as large:

    .. math:: k / k_\mathrm{eff} = \Big(\sum_{|t_l - t_m| \le w} c_l c_m
        - s \big(\sum_l c_l\big)^2\Big) \Big/ \sum_l c_l^2 \ge 1

    with the frames :math:`t` of the neighbors, the window :math:`w` over which frames forget each
    other, the share :math:`s` of all pairs of frames within it, and :math:`c = 1` (PAk:
    :math:`4 - 6 l / k`): the covariances of a sum over frames, up to lag :math:`w`. It is
    1 for independent samples, and :math:`k` over the number of visits for visits that are
    equally long and rare.

    Parameters
    ----------
    ds
        Holds ``neighbor_distance`` and ``neighbor_index``, and ``kstar`` and
        ``kstar_dimension``, see :func:`daskid.kstar`.
    method
        Which estimate.
    k
        Number of neighbors of ``"knn"``; all that are stored by default.
    block
        Number of frames over which frames of a trajectory forget each other, :math:`w`; 0 takes
        all as independent. By default the Theiler window of :func:`daskid.knn`.

    Returns
    -------
    ``ds`` with lazy ``log_density`` (natural logarithm, of one over the units of distance to
    the power of ``kstar_dimension``) and ``log_density_error`` (sample). The density is that of
    locations: its integral is 1 over them, :math:`N` their number, and copies share theirs
    (``multiplicity`` counts where samples are counted, as in the size of a peak). With a
    Theiler window :math:`N` is, for each sample, the number of locations outside of it, and
    the sample's own. For other metrics than the Euclidean one it is right up to a constant (of
    cosine distances, if the dimension is that of these distances, as by default). It is
    infinite where :math:`r_k = 0` (copies that :func:`daskid.knn` was told to keep), and
    never NaN.

    Raises
    ------
    SchemaError
        If the neighbor lists or ``kstar`` are missing.
    ValueError
        If ``k`` is out of range, or given for another method; if ``block`` is no number of
        frames; if distances are Hamming's; when computed, if ``kstar`` exceeds the lists.

    References
    ----------
    .. [1] A. Rodriguez, M. d'Errico, E. Facco, A. Laio, "Computing the free energy without
       collective variables", J. Chem. Theory Comput. 14, 1206 (2018).
       https://doi.org/10.1021/acs.jctc.7b00916

    Examples
    --------
    >>> import daskid
    >>> ds = daskid.knn(daskid.datasets.gaussian_mixture(2000, widths=0.5), k=300)
    >>> out = daskid.density(daskid.kstar(ds, dimension=2))
    >>> z = (out.log_density - out.true_log_density) / out.log_density_error
    >>> f"{float(z.mean()):.1f} +- {float(z.std()):.1f}"
    '0.1 +- 0.9'
    """
    lists = read(ds, "density")
    (d,) = v.read(ds, v.kstar_dimension)
    inputs = (*lists.inputs, v.kstar_dimension)
    parameters: dict[str, Any] = {"method": checked(method)}
    if method == "knn":
        parameters["k"] = chosen(k, lists.distance.shape[1])
        ranks = da.full(lists.distance.shape[0], parameters["k"], dtype=np.int32)
    else:
        refuse_k(method, k)
        (ranks,) = v.read(ds, v.kstar)
        inputs = (*inputs, v.kstar)
    log_n, used = log_number(ds, lists)
    values = estimate(method, lists.distance, ranks, d, log_n)
    window = _window(block, lists)
    if window:
        factor, frames = _inflation(ds, lists, ranks, window, method)
        values[v.log_density_error] *= da.sqrt(factor)
        used = (*used, *(x for x in frames if x not in used))
        parameters["block"] = window
    return v.assign(
        ds,
        values,
        inputs=(*inputs, *used),
        parameters=parameters,
        attrs={v.log_density_error: {"covers": _covers(method, window)}},
    )


def _window(block: int | None, lists: Lists) -> int:
    """Return over how many frames frames remember each other, 0 for not at all."""
    block = lists.exclude if block is None else block
    if isinstance(block, bool) or not isinstance(block, int | np.integer) or block < 0:
        raise ValueError(
            f"block: expected a number of frames, 0 for none, got {block!r}: give one over which "
            "frames forget each other, e.g. block=1000, or leave it out"
        )
    return min(int(block), LONGEST)


def _inflation(
    ds: xr.Dataset, lists: Lists, ranks: da.Array, window: int, method: str
) -> tuple[da.Array, tuple[v.Variable, ...]]:
    """Return k / k_eff of each sample, and what it comes from beside the lists."""
    used = tuple(c for c in (v.row, v.trajectory) if c.name in ds.variables)
    found = dict(zip(used, v.read(ds, *used), strict=True))
    every = da.arange(lists.distance.shape[0], chunks=-1)
    factor = visits.inflation(
        lists.index,
        ranks,
        every if lists.location is None else lists.location,
        found.get(v.row, every),
        found.get(v.trajectory),
        window=window,
        sloped=method == "pak",
    )
    return factor.rechunk((lists.distance.chunks[0],)), used


def _covers(method: str, window: int) -> str:
    if not window:
        return COVERS.format(what=WHAT[method], how="and independently", frames="correlated frames")
    return COVERS.format(
        what=WHAT[method],
        how=f"times sqrt(k / k_eff) for frames that remember each other over {window} frames",
        frames="what they remember beyond",
    )


def estimate(
    method: str, distance: da.Array, ranks: da.Array, d: da.Array, log_n: da.Array
) -> dict[v.Variable, da.Array]:
    """Return the log density and its error; parameters as in :mod:`daskid.blockwise.density`."""
    ranks = ranks.rechunk((distance.chunks[0],))
    if method == "pak":
        found = blockwise.pak_log_density(distance, ranks, d, log_n), blockwise.pak_error(ranks)
    else:
        found = blockwise.knn_log_density(distance, ranks, d, log_n), blockwise.knn_error(ranks)
    return dict(zip((v.log_density, v.log_density_error), found, strict=True))


def checked(method: str) -> str:
    """Return ``method`` if it is one."""
    if method not in WHAT:
        raise ValueError(f"method: expected one of {[*WHAT]}, got {method!r}: choose one of them")
    return method


def refuse_k(method: str, k: int | None) -> None:
    """Refuse a ``k`` that would not be used."""
    if k is not None:
        raise ValueError(
            f"k: expected none with method={method!r}, which takes kstar, got {k!r}: "
            "leave it out, or give method='knn'"
        )


def chosen(k: int | None, stored: int) -> int:
    """Return ``k`` if so many are stored, all of them by default."""
    if k is None:
        return stored
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= stored:
        raise ValueError(
            f"k: expected an integer from 1 to {stored}, the neighbors stored, got {k!r}: "
            f"choose one of these, or run knn with a larger k than {stored}"
        )
    return int(k)
