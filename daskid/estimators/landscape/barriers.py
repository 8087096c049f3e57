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
from daskid.estimators.landscape.blocks import Units, check_count, halves, units
from daskid.estimators.landscape.uncertainty import dimension_error
from daskid.kernels.landscape import barriers as kernels
from daskid.typing import Array, Floats, Ints

MOST, ENTRIES = 2048, 1 << 24
"""Samples that compete for a peak or a saddle, and entries of lists of all of them."""
DEPTH = 6.0
"""Errors of a peak by which samples that compete for it may be lower."""
CONVENTION = "entry [a, b] is the climb from peak a towards peak b, ln p_a - ln p_saddle, in kT"
COVERS = (
    "The scatter over samples drawn anew, from halves of the {words}, with the peaks, k* and the "
    "dimension of the data; in quadrature the bias that noise makes, and dimension_error times "
    "the slope of the barrier with the dimension. Peaks that are there or not, the bias of a "
    "density that varies within its neighborhoods{more} are left out."
)
TABLES = (
    v.peak_label, v.peak_halo, v.peak_sample, v.peak_log_density, v.peak_log_density_error,
    v.saddle_peak, v.saddle_sample, v.saddle_log_density, v.saddle_log_density_error,
)  # fmt: skip
VECTORS = v.peak_label, v.peak_halo, v.log_density, v.log_density_error
LISTS = v.neighbor_index, v.neighbor_distance, v.kstar


class Table(NamedTuple):
    """Peaks and saddles in memory: (p,) and (s,) as :func:`daskid.peaks` gives them."""

    peak: Ints
    height: Floats
    pair: Ints
    saddle: Ints
    level: Floats
    level_error: Floats


class Lists(NamedTuple):
    """(n, k) lists, (n,) how many count and first samples at the same places; same chunks."""

    neighbor: da.Array
    distance: da.Array
    kstar: da.Array
    location: da.Array


class Zones(NamedTuple):
    """Lists of who competes, (m, k) and (m,), and (z + 1,) where those of each zone start."""

    neighbor: Array
    kstar: Array
    log_density: Floats
    error: Floats
    start: Ints


class Border(NamedTuple):
    """Lists of who competes for saddles, (m, k) and (m,), and the (n,) place of each sample."""

    neighbor: Array
    kstar: Array
    row: Ints
    log_density: Floats
    error: Floats
    place: Array


class Whole(NamedTuple):
    """(n,) basin, log density and its error of all samples."""

    label: Array
    log_density: Floats
    error: Floats


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

    Both are differences of log densities, :math:`\ln p_a - \ln p_s`, of samples chosen as
    the highest among many, so noise adds to a peak, and to the saddle, differently. What it
    adds is measured: samples (or blocks of frames) are dealt into halves, ``replicates`` times;
    in either half, with twice the variance, peaks and saddles are chosen anew. The mean of both
    less the whole is the bias, their difference gives the scatter. The bias of one data
    set is too uncertain to be taken off (the scatter would grow by half), and is smallest where
    noise was largest, so it is part of the error, but no less than the root mean square of that of
    all barriers. A wrong dimension multiplies barriers: :math:`(\Delta \ln r)^2 s_d^2` is added to
    the squared errors, :math:`s_d` the largest change of Gride's dimension from neighborhoods of 32
    times fewer samples to those of twice as many, or the error of the variable that the
    dimension is of.

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
    and the biases ``barrier_direct_bias`` and ``barrier_minimax_bias`` that are in it, and
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
    Peaks compete among the samples of their basin that are within 6 errors, 2048 at most; for
    saddles all samples that see another basin climb anew in either half. On 20,000 samples
    of a triple well (4.70 and 1.05 kT) these estimates are 0.1 to 0.2 kT too high: by noise, and
    as Gride reads 2.05 for the dimension (see ``tests/benchmarks/landscape_coverage.py``).
    Cross-fitting (choose in one half, evaluate in the other) is off to the other side, because
    what is chosen in one half is not the highest point. Where many ``kstar`` are capped the bias
    is underestimated. Reads the lists twice; replicates need the lists of those who compete alone,
    whatever the number of samples.

    References
    ----------
    .. [1] B. Efron, R. J. Tibshirani, "An introduction to the bootstrap" (1993), Sect. 10, 11.5.
    .. [2] V. Lucarini, T. Bodai, "Edge states in the climate system: exploring global
       instabilities and critical transitions", Nonlinearity 30, R32 (2017).
       https://doi.org/10.1088/1361-6544/aa6b11

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
    tables = [np.asarray(x.compute()) for x in v.read(ds, *TABLES[2:])]
    table = Table(tables[0], tables[1], *tables[3:])
    lists, inputs = _lists(ds)
    vectors = tuple(gather.whole(x) for x in v.read(ds, *VECTORS))
    label, halo, log_density, error = (np.asarray(x) for x in da.compute(*vectors))
    unit = units(ds, block, label.size)
    g = da.from_array(log_density - error, chunks=-1)
    center = da.from_array(table.peak[label], chunks=-1)
    across = blockwise.touching(lists.neighbor, lists.kstar, lists.location, center)
    zones = _peak_zones(lists, table, label, log_density, error)
    border = _border_zone(lists, table, across.compute(), label, log_density, error)
    whole = Whole(label, log_density, error)
    barrier = _matrices(table.height, table.level, table.pair)
    bias, spread = _resampled(zones, border, whole, table, unit, (replicates, seed))
    slope, s_d, words = _of_dimension(ds, lists, table)
    parent = np.asarray(blockwise.parents(lists.neighbor, lists.kstar, lists.location, g).compute())
    side = _sides(lists, table, label)
    point, of_saddle = _paths(parent, label, table, side)
    values: dict[v.Variable, Any] = {
        v.barrier_direct: barrier.direct,
        v.barrier_direct_error: _norm(spread.direct, _typical(bias.direct), s_d * slope.direct),
        v.barrier_direct_bias: bias.direct,
        v.barrier_minimax: barrier.minimax,
        v.barrier_minimax_error: _norm(spread.minimax, _typical(bias.minimax), s_d * slope.minimax),
        v.barrier_minimax_bias: bias.minimax,
        v.barrier_dimension_slope: slope.minimax,
        **basins(label, halo, log_density, table.peak.size, unit),
        v.edge_sample: side,
        v.edge_free_energy: log_density.max() - table.level,
        v.edge_free_energy_error: table.level_error,
        v.path_sample: point,
        v.path_saddle: of_saddle,
    }
    return v.assign(
        ds, values, inputs=(*TABLES, *VECTORS[2:], *inputs, *unit.inputs),
        parameters={"replicates": int(replicates), "seed": int(seed)} | unit.parameter,
        attrs=_attrs(unit, s_d, words),
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


def _norm(*parts: Floats) -> Floats:
    total: Floats = np.sqrt(sum(part**2 for part in parts))
    return total


def _typical(bias: Floats) -> Floats:
    """Return how large biases may be: as found, and no less than their root mean square."""
    known = bias[~np.isnan(bias)]
    floor = np.sqrt((known**2).mean()) if known.size else 0.0
    return np.maximum(np.abs(bias), floor)


def _peak_zones(
    lists: Lists, table: Table, label: Array, log_density: Floats, error: Floats
) -> Zones:
    """Return who competes for each peak."""
    most = max(ENTRIES // lists.neighbor.shape[1] // max(table.peak.size, 1), 16)
    row, start = kernels.near_peaks(label, log_density, error, table.peak, DEPTH, min(MOST, most))
    neighbor, kstar = blockwise.rows((lists.neighbor, lists.kstar), row)
    return Zones(neighbor, kstar, log_density[row], error[row], start.astype(np.int64))


def _border_zone(
    lists: Lists, table: Table, across: Array, label: Array, log_density: Floats, error: Floats
) -> Border:
    """Return who competes for the saddles: near a border, and not far below its saddle."""
    row = np.flatnonzero(across >= 0)
    level = np.full((table.peak.size, table.peak.size), np.inf)
    level[tuple(table.pair.T)] = level[tuple(table.pair.T[::-1])] = table.level
    above = log_density[row] - level[label[row], label[across[row]]]
    near = above > -DEPTH * error[row]
    row, above = row[near], np.abs(above[near])
    most = ENTRIES // lists.neighbor.shape[1]
    row = np.sort(row[np.argsort(above, kind="stable")[:most]])
    neighbor, kstar = blockwise.rows((lists.neighbor, lists.kstar), row)
    place = np.full(label.size, -1, np.int32)
    place[row] = np.arange(row.size)
    return Border(neighbor, kstar, row, log_density[row], error[row], place)


def _resampled(
    zones: Zones, border: Border, whole: Whole, table: Table, unit: Units, deals: tuple[int, int]
) -> tuple[Matrices, Matrices]:
    """Return the bias and the standard errors of the barriers."""
    replicates, seed = deals
    base = _found(zones, border, whole, table, zones.log_density, border.log_density, 1.0)
    moved, square = np.zeros((2, 2, table.peak.size, table.peak.size))
    for replicate in range(replicates):
        half = halves(unit, seed, replicate)
        high = kernels.half_densities(*zones[:4], half)
        low = kernels.half_densities(
            border.neighbor, border.kstar, border.log_density, border.error, half
        )
        one, other = (
            _found(zones, border, whole, table, *each, 2.0**0.5)
            for each in zip(high, low, strict=True)
        )
        for m in range(2):
            moved[m] += 0.5 * (one[m] + other[m]) - base[m]
            square[m] += 0.25 * (one[m] - other[m]) ** 2
    return Matrices(*(moved / replicates)), Matrices(*np.sqrt(square / replicates))


def _found(
    zones: Zones, border: Border, whole: Whole, table: Table, high: Floats, low: Floats, wide: float
) -> Matrices:
    """Return the barriers by new densities, whose errors are ``wide`` times those of the data."""
    peak = kernels.highest(high - wide * zones.error, high, zones.start)
    level = kernels.saddles(
        border.neighbor, border.kstar, border.row, low, low - wide * border.error, border.place,
        whole.label, whole.log_density - wide * whole.error, table.peak, table.pair,
    )  # fmt: skip
    return _matrices(peak, np.where(np.isnan(level), table.level, level), table.pair)


def _matrices(height: Floats, level: Floats, pair: Ints) -> Matrices:
    """Return the barriers of peaks of these heights, with saddles of these levels."""
    direct = np.full((height.size, height.size), np.nan)
    for (a, b), at in zip(pair, level, strict=True):
        direct[a, b], direct[b, a] = height[a] - at, height[b] - at
    best = kernels.bottlenecks(pair, level, height.size)
    minimax = np.where(best > -np.inf, height[:, np.newaxis] - best, np.nan)
    return Matrices(direct, minimax)


def _of_dimension(ds: xr.Dataset, lists: Lists, table: Table) -> tuple[Matrices, float, str]:
    """Return the slope of the barriers with the dimension, its error, and where that is from."""
    row = np.concatenate([table.peak, table.saddle])
    distance, kstar = blockwise.rows((lists.distance, lists.kstar), row)
    log_r = np.log(np.take_along_axis(distance, kstar[:, np.newaxis] - 1, axis=1)[:, 0])
    peak, saddle = np.split(-log_r, [table.peak.size])
    direct = _matrices(peak, saddle, table.pair).direct
    minimax = np.full_like(direct, np.nan)
    best = kernels.bottlenecks(table.pair, table.level, table.peak.size)
    order = np.argsort(table.level, kind="stable")
    there = best > -np.inf
    at = order[np.searchsorted(table.level[order], best[there])]
    minimax[there] = (peak[:, np.newaxis] - np.zeros_like(best))[there] - saddle[at]
    return Matrices(direct, minimax), *dimension_error(ds)


def _sides(lists: Lists, table: Table, label: Array) -> Ints:
    """Return the samples on either side of each saddle, in the order of its peaks."""
    side = np.full((table.saddle.size, 2), -1, np.int64)
    (index,) = blockwise.rows((lists.neighbor,), table.saddle)
    for s, (saddle, pair) in enumerate(zip(table.saddle, table.pair, strict=True)):
        own = int(label[saddle] == pair[1])
        across = index[s][label[index[s]] == pair[1 - own]]
        side[s, own] = saddle
        side[s, 1 - own] = across[0] if across.size else -1
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


def _attrs(unit: Units, s_d: float, words: str) -> dict[v.Variable, dict[str, Any]]:
    more = "" if unit.parameter else ", correlations of frames"
    error = {
        "covers": COVERS.format(words=unit.words, more=more),
        "dimension_error": s_d,
        "dimension_error_of": words,
    }
    told = {"convention": CONVENTION}
    return {
        v.barrier_direct: told,
        v.barrier_minimax: told,
        v.barrier_direct_error: error,
        v.barrier_minimax_error: error,
        v.basin_probability_error: {"covers": f"The scatter over {unit.words}, at fixed basins."},
    }
