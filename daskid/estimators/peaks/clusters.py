"""Density peaks: one label a sample, the saddles between them, and the tree they make."""

from typing import Any

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.estimators.peaks import calibration
from daskid.estimators.peaks.parts import connected
from daskid.estimators.peaks.reading import Found, find, labels, read
from daskid.kernels import peaks as kernels
from daskid.typing import Array, Ints

COVERS = (
    "The error of the density at this one sample, as the step density gives it; that the "
    "sample was chosen as the highest of many, or the highest on a border, is left out."
)


def peaks(ds: xr.Dataset, *, z: float | str = 1.65) -> xr.Dataset:
    r"""Find the peaks of the density that stand out of its noise; this step *computes*.

    Advanced density peaks [1]_: a sample of location :math:`i` has the height
    :math:`g_i = \ln\rho_i - \epsilon_i`. It is a *center* where none of its :math:`k^*`
    neighbors is higher, and where it is no neighbor of that kind of a higher sample. All
    others follow their first higher neighbor. Two basins touch at samples whose
    first neighbor in the other basin has, in its own list, none of theirs before them; the
    highest of these is the *saddle*. Then, while some pair has

    .. math:: \ln\rho_c - \ln\rho_s < z\,(\epsilon_c + \epsilon_s)

    on either side, the one of the highest saddle is joined, and the side with the smaller
    margin gives up its peak. Ties go to the smaller sample number everywhere, so the result
    has one answer: the same bits for any chunks, order of tasks and number of workers.

    Given the same densities, labels, halos and saddles are those of DADApy 0.3.4 on its
    references, but where it is known to be wrong: a center that a higher sample
    removed, and whose whole list is lower, follows that sample (DADApy reads a row that was
    never written, its issue 165, so that labels at small k are random integers); coincident
    samples are one location and share a label (DADApy has NaN there); equal heights are
    ordered, and pairs without a common border have no saddle, instead of one of density 0.

    Parameters
    ----------
    ds
        Holds ``neighbor_index``, ``kstar``, ``log_density`` and ``log_density_error``, see
        :func:`daskid.knn`, ``kstar`` and ``density``; any density under these
        names will do.
    z
        By how many errors a peak stands out of its saddles: a number, or "calibrated", the
        one at which 5 % of single Gaussians of as many locations, of the same dimension and
        with lists of this length show a second peak. It was simulated for 300 to 10,000
        locations, 1 to 20 dimensions and 25 to 200 neighbors with densities of PAk and of k*
        neighbors (``tests/benchmarks/peaks_calibration.py``). It also connects parts without a
        border, see below.

    Returns
    -------
    ``ds`` with ``peak_label`` and ``peak_halo`` (below the highest saddle of the peak;
    labels stay valid there) of each sample; ``peak_sample``, ``peak_log_density``, its
    error and ``peak_size`` in samples, by decreasing density; ``saddle_peak``,
    ``saddle_sample``, ``saddle_log_density`` and its error for each pair of peaks that
    touch, by pair; ``merge_peak``, ``merge_log_density``, its error and ``merge_size``, the
    merge tree by decreasing density (elder rule: the branch of the higher peak goes on);
    ``peak_z``, the number used, if calibrated with the attribute ``error``, its standard
    error. Parts that nothing connects stay apart.

    Raises
    ------
    SchemaError
        If a variable is missing.
    ValueError
        If ``z`` is no number from 0 on; if densities or errors are not finite (it names how
        many, and the first); if lists point to samples that are not there.

    Notes
    -----
    The rule adds up the errors of peak and saddle, which is right for errors that are fully
    correlated, and compares with the highest of many noisy samples: ``z`` is no quantile of
    a normal distribution. Of single Gaussians (100 neighbors, the true dimension) z = 1.65
    shows a second peak in so many percent, with the density of PAk / of k* neighbors:

    ======= ========= ====== ===== ===== ======= ========
    samples     d = 1      2     3     5      10       20
    ======= ========= ====== ===== ===== ======= ========
    1,000      42 / 1  0 / 0 0 / 0 0 / 2 17 / 10  64 / 51
    3,000     99 / 52  2 / 0 1 / 1 0 / 2 41 / 16  94 / 76
    10,000  100 / 100 15 / 1 0 / 0 7 / 9 76 / 36 100 / 95
    ======= ========= ====== ===== ===== ======= ========

    Where k* ends with the lists, longer ones leave fewer: of 1e5 samples of a triple well, one of
    ten seeds shows a fourth peak with 740 neighbors, none with 1,600 or 2,000.

    See :func:`daskid.significance` for what resampling says, and :func:`daskid.persistence` for
    what every ``z`` gives.

    In many dimensions some peaks are two or three samples of the tails that touch no other
    peak: those with neighbors outside come after their own center in the lists of these, so
    that no list confirms a border, and no ``z`` joins them (``peak_size`` shows them). They
    are no evidence of a peak. A number keeps the rule as it is published; "calibrated" gives
    each part without a border a saddle: of all steps from a sample to one of its ``kstar``
    neighbors in another part, the lower ends of the highest that connect all parts (the
    minimax path along neighbors). The rule then decides about them as about all others. Blobs
    so far apart that no step leads from one to the other stay peaks.

    Lists are read by chunks, twice (four times where basins touch in too many places to keep,
    and once more where "calibrated" connects parts); one process holds 28 bytes a sample at
    most, and the client, at the end, labels and densities. A million samples with 50
    neighbors take about 5 CPU-seconds, and 3 to compile.

    References
    ----------
    .. [1] M. d'Errico, E. Facco, A. Laio, A. Rodriguez, "Automatic topography of
       high-dimensional data sets by non-parametric density peak clustering", Inf. Sci. 560,
       476 (2021), Sect. 2.3-2.5. https://doi.org/10.1016/j.ins.2021.01.010

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskid.estimators.peaks import peaks
    >>> line = np.array([[1, 2], [0, 2], [1, 0], [4, 2], [3, 5], [4, 3]])
    >>> ds = xr.Dataset(
    ...     {
    ...         "neighbor_index": (("sample", "neighbor"), line),
    ...         "kstar": ("sample", [2, 2, 2, 2, 2, 2]),
    ...         "log_density": ("sample", [1.0, 3.0, 0.5, 0.7, 2.0, 1.0]),
    ...         "log_density_error": ("sample", [0.1, 0.1, 0.1, 0.1, 0.1, 0.1]),
    ...     }
    ... )
    >>> out = peaks(ds)
    >>> out.peak_label.values, out.peak_sample.values, out.saddle_sample.values
    (array([0, 0, 0, 1, 1, 1], dtype=int32), array([1, 4]), array([3]))
    """
    given = read(ds)
    threshold = calibration.threshold(ds, z)
    found = find(given)
    if threshold.connected:
        found = connected(given, found)
    final = kernels.finish(found.raw, threshold.z)
    label = labels(found, final)
    size = np.bincount(label, minlength=final.center.size)
    values = _samples(label, found, final)
    return v.assign(
        ds,
        values | {v.peak_z: threshold.z, v.peak_size: size} | _tables(size, found, final),
        inputs=(*given.names, *calibration.inputs(ds, z)),
        parameters={"z": z if isinstance(z, str) else float(z)},
        attrs={error: {"covers": COVERS} for error in _ERRORS} | calibration.described(threshold),
    )


_ERRORS = (v.peak_log_density_error, v.saddle_log_density_error, v.merge_log_density_error)


def _samples(label: Array, found: Found, final: kernels.Final) -> dict[v.Variable, Any]:
    """Return what each sample has: here, as graphs of it would travel to the scheduler."""
    level = np.full(final.center.size, -np.inf)
    for side in final.pair.T:
        np.maximum.at(level, side, found.raw.saddle_log_density[final.saddle])
    halo = found.log_density < level[label]
    return {v.peak_label: label, v.peak_halo: halo}


def _tables(size: Ints, found: Found, final: kernels.Final) -> dict[v.Variable, Any]:
    """Return what belongs to peaks, saddles and merges."""
    raw, center = found.raw, final.center
    level, error = raw.saddle_log_density[final.saddle], raw.saddle_error[final.saddle]
    joined, at = kernels.merge_tree(final.pair, level, center.size)
    return {
        v.peak_sample: raw.sample[center],
        v.peak_log_density: raw.log_density[center],
        v.peak_log_density_error: raw.error[center],
        v.saddle_peak: final.pair,
        v.saddle_sample: raw.saddle_sample[final.saddle],
        v.saddle_log_density: level,
        v.saddle_log_density_error: error,
        v.merge_peak: joined,
        v.merge_log_density: level[at],
        v.merge_log_density_error: error[at],
        v.merge_size: kernels.merge_sizes(joined, size),
    }
