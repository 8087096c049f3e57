"""Barriers between the peaks, with errors; basins; the samples at the saddles and the paths."""

from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import gather
from daskid.blockwise import landscape as blockwise
from daskid.blockwise.search import lengths
from daskid.estimators.landscape.basins import basins
from daskid.estimators.landscape.blocks import Units, check_count, units
from daskid.estimators.landscape.heights import (
    Lists,
    Table,
    Whole,
    border,
    deals,
    heights,
    located,
    peak_bias,
    saddle_bias,
)  # fmt: skip
from daskid.estimators.landscape.uncertainty import Dimension, dimension_error, warned
from daskid.kernels.landscape import barriers as kernels
from daskid.typing import Array, Floats, Ints

CONVENTION = "entry [a, b] is the climb from peak a towards peak b, ln p_a - ln p_saddle, in kT"
COVERS = (
    "The scatter over samples drawn anew, from halves of the {words}, with the peaks and k* of the "
    "data, and dimension_error times the slope of the barrier with the dimension. Peaks that are "
    "there or not, what a density adds that is not quadratic within its neighborhoods{more} are "
    "left out."
)
STEP = 1e-6
"""Of a numerical derivative: along straight lines, but where two saddles are equal."""
TABLES = v.peak_sample, v.saddle_peak, v.saddle_sample, v.saddle_log_density
VECTORS = v.peak_label, v.peak_halo, v.log_density, v.log_density_error
LISTS = v.neighbor_index, v.neighbor_distance, v.kstar


class Matrices(NamedTuple):
    """(p, p) direct and minimax barriers."""

    direct: Floats
    minimax: Floats


def barriers(
    ds: xr.Dataset, *, block: str | int | None = None, replicates: int = 100, seed: int = 0
) -> xr.Dataset:
    r"""Measure the barriers between all peaks, with errors; this step *computes*.

    Entry :math:`[a, b]` is the climb from peak :math:`a` towards :math:`b`, in kT: *direct*,
    to the saddle at which both basins touch (NaN where they do not), and *minimax*, to the
    lowest point of the best path, which may lead through other basins.

    Both are differences of heights, log densities at a peak and at a saddle. Densities of single
    samples, chosen as the highest of many noisy ones, are too high at peaks, by two errors and
    more. So peaks and saddles are located by densities averaged over the :math:`k^*` neighbors;
    their height is the intercept of a regression of the neighbors' log densities on the squared
    distance, free of what a quadratic surface adds. What choosing still adds is measured by
    cross-fitting: samples (or blocks of frames) are dealt into halves, peaks and saddles located
    anew in one half and evaluated in both. The difference holds what the choice adds to the height
    and, once more, how far the choice is from the true place (for a quadratic surface as
    much), in halves with twice the variance: a quarter of it is taken off.

    Errors are how far heights move between halves, over ``replicates`` deals. The saddle of the
    best path is the lowest of several, and of several paths the best is chosen: where two are
    equally good, the barrier is off by up to half an error. Nothing takes that off without bias
    [3]_: to choose in one half and to read in the other is right for equals, but off by a third
    of an error the other way where they are 1 to 2 errors apart. So it is left in, and the error of
    ``barrier_minimax`` is the root of the mean square by which it moves, choices made anew, with
    its mean in it. It moves from saddles that are made equal where they are less than an error
    apart: around the one that happens to be lower, the choice would move too little [4]_.
    A wrong dimension multiplies barriers: Gride, where it reaches the number of features, is
    replaced by that number; otherwise :math:`(\Delta \ln r)^2 s_d^2` is added to the squared
    errors, :math:`s_d` the largest change of Gride's dimension from neighborhoods of 32 times
    fewer samples to those of twice as many, or the error of the variable that the dimension is of.
    Where that is the larger part of the error of a barrier, the log and the attribute
    ``dimension_warning`` of ``barrier_minimax_error`` say so.

    Parameters
    ----------
    ds
        Holds what :func:`daskid.peaks` reads and adds.
    block
        What is dealt as one: "trajectory", or a number of frames over which they forget each
        other. By default 64 blocks of frames where the dataset has ``time`` or
        ``trajectory``, otherwise single samples.
    replicates
        How often halves are dealt.
    seed
        Of the deals.

    Returns
    -------
    ``ds`` with ``barrier_direct`` and ``barrier_minimax`` (peak, other_peak), their ``*_error``,
    the biases ``barrier_direct_bias`` and ``barrier_minimax_bias`` that were taken off, and
    ``barrier_dimension_slope``, the change of ``barrier_minimax`` by a dimension larger by 1.
    For each basin its probability, entropy :math:`-\langle \ln (p / P) \rangle` and the share of
    halo, with errors. For each saddle the two samples on either side, in the order of
    ``saddle_peak``, candidates for edge states from which a simulation can be started again (-1
    where no neighbor is on the other side), and their free energy. ``path_sample``: samples by
    steepest ascent from both sides of each saddle to the peaks, the first of
    ``saddle_peak`` first; ``path_saddle`` says of which saddle. A single peak has no barrier: NaN.

    Raises
    ------
    SchemaError
        If a variable is missing.
    ValueError
        If ``block``, ``replicates`` or ``seed`` is no number of these, or there are fewer than 8
        blocks.

    Notes
    -----
    A standard error is near :math:`1.7 / \sqrt{k^*}`, :math:`k^*` at the saddle, so a barrier of
    :math:`b` kT within 3 % (one standard error) takes :math:`k^* = 3200 / b^2` there: 150 for 4.7
    kT, 2,900 for 1.05 kT. Lists must be as long: where ``kstar`` is capped at peaks, noise is
    larger than it has to be. In the triple well :math:`k^*` grows as :math:`N^{2/3}`, and errors
    fall as :math:`N^{-1/3}`: 0.2 kT at 20,000 samples, 0.12 kT at 100,000; 3 % of 4.7 kT take
    50,000, of 1.05 kT some millions.

    Found by ``tests/benchmarks/landscape_coverage.py`` (20,000 samples, k as ``analyze`` chooses
    it; 195 fresh seeds of the triple, 157 of the double well, so that shares are known to 2 %; 62
    of the surface of Mueller and Brown):

    ======================= ===== ==== ====== ==== =====
    barrier                 truth mean covers sd   se/sd
    ======================= ===== ==== ====== ==== =====
    triple well, 0 to 1     5.22  5.20 93 %   0.30 0.92
    triple well, 0, 1 to 2  4.70  4.74 93 %   0.21 0.87
    triple well, 2 to 0, 1  1.05  1.02 94 %   0.24 0.98
    triple well, best path  4.70  4.82 94 %   0.18 1.11
    double well             2.00  2.03 93 %   0.08 1.02
    Mueller-Brown, 1 to 0   3.75  3.79 92 %   0.29 0.90
    Mueller-Brown, 2 to 1   0.47  0.45 95 %   0.16 1.08
    ======================= ===== ==== ====== ==== =====

    The best path of the triple well leads over two saddles that are equally high, of which the
    lower one is taken: most of the 0.12 kT that it reads too much. One seed more of the triple well
    is not in the table: four samples within 1e-4 of each other, where the next is usually 0.004
    away, have a density 8 kT too high, which is taken for that of a peak. In one dimension z = 1.65
    shows five peaks and more, 4 the two of the double well; "calibrated" (3.2 at 10,000 samples,
    k = 100) is simulated up to there.

    Reads the lists three times; halves need those near peaks, saddles and borders alone.

    References
    ----------
    .. [1] B. Efron, R. J. Tibshirani, "An introduction to the bootstrap" (1993), Sect. 10, 11.5.
    .. [2] V. Lucarini, T. Bodai, "Edge states in the climate system: exploring global
       instabilities and critical transitions", Nonlinearity 30, R32 (2017).
       https://doi.org/10.1088/1361-6544/aa6b11
    .. [3] K. Hirano, J. R. Porter, "Impossibility results for nondifferentiable functionals",
       Econometrica 80, 1769 (2012). https://doi.org/10.3982/ECTA8681
    .. [4] Z. Fang, A. Santos, "Inference on directionally differentiable functions", Review of
       Economic Studies 86, 377 (2019), Sect. 3. https://doi.org/10.1093/restud/rdy049

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskid.estimators.landscape.barriers import barriers
    >>> from daskid.estimators.peaks import peaks
    >>> line = np.array([[1, 2], [0, 2], [1, 0], [4, 2], [3, 5], [4, 3]])
    >>> ds = xr.Dataset(
    ...     {
    ...         "neighbor_index": (("sample", "neighbor"), line),
    ...         "neighbor_distance": (("sample", "neighbor"), np.ones((6, 2))),
    ...         "kstar": ("sample", [2, 2, 2, 2, 2, 2]),
    ...         "log_density": ("sample", [1.0, 3.0, 0.5, 0.7, 2.0, 1.0]),
    ...         "log_density_error": ("sample", [0.1, 0.1, 0.1, 0.1, 0.1, 0.1]),
    ...     }
    ... )
    >>> out = barriers(peaks(ds), replicates=10)
    >>> out.barrier_direct.values.round(6)
    array([[nan, 2.3],
           [1.3, nan]])
    >>> out.edge_sample.values, out.path_sample.values
    (array([[2, 3]]), array([1, 2, 3, 4]))
    """
    check_count("replicates", replicates, 2)
    check_count("seed", seed, 0)
    table = Table(*(np.asarray(x.compute()) for x in v.read(ds, *TABLES)))
    lists, inputs = _lists(ds)
    vectors = tuple(gather.whole(x) for x in v.read(ds, *VECTORS))
    label, halo, log_density, error = (np.asarray(x) for x in da.compute(*vectors))
    unit, whole = units(ds, block, label.size), Whole(label, log_density, error)
    near, dealt = border(lists, table, whole), deals(unit, label.size, replicates, seed)
    point = np.concatenate(located(lists, table, whole, near))
    found = heights(lists, point, whole, dealt)
    dimension, log_r = dimension_error(ds), _log_radii(lists, point)
    peak = peak_bias(lists, table, whole, dealt)
    excess = np.concatenate([peak, saddle_bias(lists, table, whole, near, dealt)])
    value = found.value - dimension.change * log_r - excess
    climbs = _climbs(value, found.moved, log_r * dimension.error, table.pair, excess)
    g = da.from_array(log_density - error, chunks=-1)
    parent = np.asarray(blockwise.parents(lists.neighbor, lists.kstar, lists.location, g).compute())
    side = _sides(lists, table, point[peak.size :], label)
    path, of_saddle = _paths(parent, label, table, side)
    tilt = _change(value, -log_r, table.pair).minimax
    told = warned(dimension, tilt, climbs[v.barrier_minimax_error])
    values: dict[v.Variable, Any] = {
        **climbs,
        v.barrier_dimension_slope: tilt,
        **basins(label, halo, log_density, table.peak.size, unit),
        v.edge_sample: side,
        v.path_sample: path,
        v.path_saddle: of_saddle,
    }
    return v.assign(
        ds, values, inputs=(*TABLES, *VECTORS, *inputs, *unit.inputs),
        parameters={"replicates": int(replicates), "seed": int(seed)} | unit.parameter,
        attrs=_attrs(unit, dimension, told),
    )  # fmt: skip


def _lists(ds: xr.Dataset) -> tuple[Lists, tuple[v.Variable, ...]]:
    """Return the lists in whole rows, and what was read."""
    index, distance, kstar = v.read(ds, *LISTS)
    names: tuple[v.Variable, ...] = LISTS
    index = index.rechunk({1: -1})
    rows = (index.chunks[0],)
    location = da.arange(index.shape[0], chunks=rows)
    if v.location.name in ds.variables:
        (location,) = v.read(ds, v.location)
        names = (*names, v.location)
    recorded = v.parameters(ds, v.log_density)
    if recorded.get("method") == "knn":
        kstar = da.full(index.shape[0], int(recorded["k"]), dtype=np.int32)
    metric = v.parameters(ds, v.neighbor_distance).get("metric", "euclidean")
    distance = lengths(distance, str(metric)).rechunk({0: rows[0], 1: -1})
    return Lists(index, distance, kstar.rechunk(rows), location.rechunk(rows)), names


def _log_radii(lists: Lists, point: Ints) -> Floats:
    """Return the logarithms of the radii of the neighborhoods of points."""
    distance, kstar = blockwise.rows((lists.distance, lists.kstar), point)
    log_r: Floats = np.log(np.take_along_axis(distance, kstar[:, np.newaxis] - 1, axis=1)[:, 0])
    return log_r


def _climbs(
    value: Floats, moved: Floats, by_dimension: Floats, pair: Ints, excess: Floats
) -> dict[v.Variable, Any]:
    """Return the barriers and the free energies of the saddles, with errors.

    Of heights (p + s,), what halves of the data add to them (replicates, p + s), what an error of
    the dimension adds (p + s,), and the bias that was taken off (p + s,).
    """
    whole, slope = _matrices(value, pair), _change(value, by_dimension, pair)
    spread = _scatter(value, moved, pair)
    total = [np.hypot(one, other) for one, other in zip(spread, slope, strict=True)]
    off = _change(value, excess, pair)
    peaks = value.size - len(pair)
    top = int(value[:peaks].argmax())
    climb = moved[:, [top]] - moved[:, peaks:]
    tilt = by_dimension[top] - by_dimension[peaks:]
    return {
        v.barrier_direct: whole.direct,
        v.barrier_direct_error: total[0],
        v.barrier_direct_bias: off.direct,
        v.barrier_minimax: whole.minimax,
        v.barrier_minimax_error: total[1],
        v.barrier_minimax_bias: off.minimax,
        v.edge_free_energy: value[top] - value[peaks:],
        v.edge_free_energy_error: np.sqrt((climb**2).mean(axis=0) + tilt**2),
    }


def _matrices(value: Floats, pair: Ints) -> Matrices:
    """Return the barriers of peaks and saddles of these heights, (p + s,)."""
    height, level = np.split(value, [value.size - len(pair)])
    direct = np.full((height.size, height.size), np.nan)
    for a, b in (pair.T, pair.T[::-1]):
        direct[a, b] = height[a] - level
    best = kernels.bottlenecks(pair, level, height.size)
    minimax = np.where(best > -np.inf, height[:, np.newaxis] - best, np.nan)
    return Matrices(direct, minimax)


def _scatter(value: Floats, moved: Floats, pair: Ints) -> Matrices:
    """Return the root mean square by which ``moved`` changes barriers, both ways.

    From saddles that are equal where no error tells them apart: of two that are, the data show one
    as the lower, and around that one the choice between them hardly moves.
    """
    peaks = value.size - len(pair)
    level = kernels.tied(value[peaks:], moved[:, peaks:])
    start = np.append(value[:peaks], level)
    whole = _matrices(start, pair)
    square = [np.zeros_like(x) for x in whole]
    for step in (*moved, *-moved):
        for m, one in enumerate(_matrices(start + step, pair)):
            square[m] += (one - whole[m]) ** 2 / (2 * len(moved))
    return Matrices(*(np.sqrt(x) for x in square))


def _change(value: Floats, direction: Floats, pair: Ints) -> Matrices:
    """Return by how much barriers grow as heights go on in a direction, at the paths of now."""
    one, other = (_matrices(value + step * direction, pair) for step in (STEP, -STEP))
    return Matrices(*((high - low) / (2 * STEP) for high, low in zip(one, other, strict=True)))


def _sides(lists: Lists, table: Table, saddle: Ints, label: Array) -> Ints:
    """Return the samples on either side of each saddle, in the order of its peaks.

    The saddle and its first neighbor in the other basin, or those of the saddle that the peaks
    were found with.
    """
    side = np.full((saddle.size, 2), -1, np.int64)
    for at in (table.saddle, saddle):
        (index,) = blockwise.rows((lists.neighbor,), at)
        for s, (i, pair) in enumerate(zip(at, table.pair, strict=True)):
            own = int(label[i] == pair[1])
            across = index[s][label[index[s]] == pair[1 - own]]
            if label[i] == pair[own] and (across.size or at is table.saddle):
                side[s, own], side[s, 1 - own] = i, across[0] if across.size else -1
    return side


def _paths(parent: Array, label: Array, table: Table, side: Ints) -> tuple[Ints, Ints]:
    """Return the samples from peak to peak over each saddle, and of which saddle they are."""
    point, saddle = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for s, (pair, start) in enumerate(zip(table.pair, side, strict=True)):
        up = [
            kernels.ascend(parent, label, i, table.peak[a]) if i >= 0 else table.peak[[a]]
            for i, a in zip(start, pair, strict=True)
        ]
        path = np.concatenate([up[0][::-1], up[1]])
        point.append(path)
        saddle.append(np.full(path.size, s))
    return np.concatenate(point), np.concatenate(saddle)


def _attrs(unit: Units, dimension: Dimension, told: str) -> dict[v.Variable, dict[str, Any]]:
    more = "" if unit.parameter else ", correlations of frames"
    error: dict[str, Any] = {
        "covers": COVERS.format(words=unit.words, more=more),
        "dimension_error": dimension.error,
        "dimension_error_of": dimension.words,
        "dimension_change": dimension.change,
    } | ({"dimension_warning": told} if told else {})
    sign = {"convention": CONVENTION}
    return {
        v.barrier_direct: sign,
        v.barrier_minimax: sign,
        v.barrier_direct_error: error,
        v.barrier_minimax_error: error,
        v.edge_free_energy_error: error,
        v.basin_probability_error: {"covers": f"The scatter over {unit.words}, at fixed basins."},
    }
