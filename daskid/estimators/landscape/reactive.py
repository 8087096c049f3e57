"""The tubes that passages from state to state go through, in both directions."""

import warnings
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import landscape, passages
from daskid.estimators.landscape.blocks import check_count
from daskid.estimators.landscape.cores import TABLES, Clock, clock, cores
from daskid.kernels.landscape import reactive as kernels
from daskid.typing import Floats, Ints

FEW, FEWEST = 20, 5
"""Passages of a direction below which a warning is due; below which there is no test."""
GROUPS, GROUP_BYTES = 500, 256 << 20
"""Groups of passages of a direction, and what all their sums may take."""
DRAWS = 1999
PATHS = v.saddle_peak, v.saddle_log_density, v.path_sample, v.path_saddle
COVERS = (
    "The scatter over {words}, taken for independent; which peaks, cores and path there are is "
    "taken as given."
)


class Way(NamedTuple):
    """What is found along the path: passages, their groups, (g,) directions of these, sums."""

    passages: kernels.Passages
    direction: Ints
    sums: kernels.Sums
    size: int


def reactive_paths(
    ds: xr.Dataset, *, source: int = 0, target: int = 1, points: int = 20, seed: int = 0
) -> xr.Dataset:
    r"""Find the tube of passages between two states, there and back; this step *computes*.

    A passage runs from the last frame in the core of one peak to the first frame in that of
    the other [1]_, through other cores if need be; cores are those of :func:`daskid.transitions`.
    Its frames belong to the nearest of so many points on the minimax path of
    :func:`daskid.barriers`, equally far from each other; mean and spread of the frames at a
    point make the tube. In equilibrium passages back are passages there, reversed in time: both
    tubes are one, which the minimax path runs through. Out of equilibrium they differ,
    and the path of the density says little of how the system gets across.

    Parameters
    ----------
    ds
        Holds ``rows``, and what :func:`daskid.peaks` and :func:`daskid.barriers` add, its samples
        in the order of time, trajectory by trajectory; ``time``, and ``trajectory`` if there are
        several.
    source, target
        Two peaks.
    points
        On the path.
    seed
        Of the permutations.

    Returns
    -------
    ``ds`` with ``reactive_path`` (reactive_point, feature), the points, from the source to the
    target; ``reactive_position``, its standard error, and ``reactive_spread`` (direction,
    reactive_point, feature), direction 0 from source to target and 1 back, NaN where no
    passage comes by; ``reactive_count`` and ``reactive_duration`` with its error (direction);
    ``reactive_difference_p``, the p-value of both tubes being one: NaN where a direction has
    fewer than 5 passages. It warns where one has fewer than 20. Both tubes are given along the
    path from source to target.

    Raises
    ------
    SchemaError
        If there are no peaks or paths.
    ValueError
        If source and target are not two different peaks, no path leads from one to the other,
        ``points`` or ``seed`` is no number of these, time does not increase along a trajectory,
        or a trajectory is in several parts.

    Notes
    -----
    The test permutes the directions of passages (of groups of them that follow each other, 500
    a direction at the most), and compares, over all points and features, means and mean squares
    around the common mean. Passages are taken for independent: in between, the system
    forgets in a core how it came there. Those that follow each other go in opposite directions, so
    what it remembers makes the tubes alike, and false alarms rarer. When a core was left and
    entered is known to a frame, and what lies between two frames is not seen: durations depend
    on the time between frames. A gap ends a segment, as in :func:`daskid.transitions`. Where a
    feature is periodic, deviations are those of the nearest image.

    References
    ----------
    .. [1] W. E, E. Vanden-Eijnden, "Towards a theory of transition paths", J. Stat. Phys. 123,
       503 (2006), Sect. 2. https://doi.org/10.1007/s10955-005-9003-9
    .. [2] E. Vanden-Eijnden, M. Venturoli, "Revisiting the finite temperature string method",
       J. Chem. Phys. 130, 194103 (2009), Sect. II. https://doi.org/10.1063/1.3130083

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskid.estimators.landscape.reactive import reactive_paths
    >>> x = np.tile([[-1.0, 0.0], [0.0, 0.5], [1.0, 0.0], [0.0, -0.5]], (30, 1))
    >>> table = {
    ...     "rows": (("sample", "feature"), x),
    ...     "peak_label": ("sample", (x[:, 0] > 0).astype(int)),
    ...     "log_density": ("sample", 9 * np.abs(x[:, 0])),
    ...     "peak_log_density": ("peak", [9.0, 9.0]),
    ...     "merge_peak": (("merge", "side"), [[0, 1]]),
    ...     "merge_log_density": ("merge", [0.0]),
    ...     "saddle_peak": (("saddle", "side"), [[0, 1]]),
    ...     "saddle_log_density": ("saddle", [0.0]),
    ...     "path_sample": ("path_point", [0, 2]),
    ...     "path_saddle": ("path_point", [0, 0]),
    ... }
    >>> out = reactive_paths(xr.Dataset(table), points=3)
    >>> out.reactive_count.values, out.reactive_position.values[:, 1]
    (array([30, 29]), array([[ 0. ,  0.5],
           [ 0. , -0.5]]))
    >>> float(out.reactive_difference_p)
    0.0005
    """
    _check(points, seed)
    found, of_time = cores(ds), clock(ds)
    _check_peaks(source, target, found.depth.size)
    (rows,) = v.read(ds, v.rows)
    path = _path(ds, rows, source, target, points)
    of, met = passages.passages(
        found.core, of_time.time, of_time.trajectory, (int(source), int(target))
    )
    way = _way(rows, of, path)
    count = np.bincount(of.direction, minlength=2)
    _warn_of_few(count, source, target)
    enough = count.min() >= FEWEST
    p = kernels.difference(way.sums, way.direction, seed, DRAWS) if enough else float("nan")
    position, error, spread = _tubes(way, path)
    mean, mean_error = _durations(of)
    values: dict[v.Variable, Any] = {
        v.reactive_path: path.point,
        v.reactive_position: position,
        v.reactive_position_error: error,
        v.reactive_spread: spread,
        v.reactive_count: count,
        v.reactive_duration: mean,
        v.reactive_duration_error: mean_error,
        v.reactive_difference_p: p,
    }
    compared = tuple(c for c in (v.period, v.weight) if c.name in ds.variables)
    out = v.assign(
        ds, values, inputs=(v.rows, *TABLES, *PATHS, *of_time.inputs, *compared),
        parameters={
            "source": int(source), "target": int(target), "points": int(points), "seed": int(seed),
        },
        attrs=_attrs(ds, of_time, way.size, met, (int(source), int(target))),
    )  # fmt: skip
    at = np.linspace(0.0, 1.0, points)
    words = {"long_name": "share of the length of the path", "units": "1"}
    return out.assign_coords(reactive_point=("reactive_point", at, words))


def _warn_of_few(count: Ints, source: int, target: int) -> None:
    if count.min() < FEW:
        warnings.warn(
            f"reactive_paths: {count[0]} passages from {source} to {target} and {count[1]} back "
            "are few: take a longer trajectory",
            stacklevel=3,
        )


def _path(ds: xr.Dataset, rows: da.Array, source: int, target: int, points: int) -> passages.Path:
    """Return points on the minimax path from peak to peak."""
    pair, level, sample, saddle = (np.asarray(x.compute()) for x in v.read(ds, *PATHS))
    period, weight = v.compared(ds)
    way = kernels.route(pair, level, ds.sizes["peak"], source, target)
    if not way.size:
        raise ValueError(
            f"target: expected a peak to which a path leads from peak {source}, got {target!r}, "
            "which no saddle connects with it: choose others, or run knn with more neighbors"
        )
    here, parts = source, []
    for s in way:
        part = sample[saddle == s]
        there = int(pair[s, 0] if pair[s, 1] == here else pair[s, 1])
        parts.append(part if pair[s, 0] == here else part[::-1])
        here = there
    (x,) = landscape.rows((rows,), np.concatenate(parts))
    line = kernels.resampled(x.astype(np.float64), period, weight, points)
    return passages.Path(_wrapped(line, period, x.min(axis=0)), period, weight)


def _wrapped(position: Floats, period: Floats, low: Floats) -> Floats:
    """Return (..., d) positions within one period: around 0 where there are values below it."""
    if not period.size:
        return position
    turn = np.where(period > 0, period, np.inf)
    first = np.where(low < 0, -0.5 * period, 0.0)
    around = np.where(period > 0, np.mod(position - first, turn) + first, position)
    return np.asarray(around, np.float64)


def _way(rows: da.Array, of: kernels.Passages, path: passages.Path) -> Way:
    """Return sums over groups of passages."""
    row_bytes = 16 * path.point.size + 8 * len(path.point)
    most = int(np.clip(GROUP_BYTES // (2 * row_bytes), FEWEST, GROUPS))
    group = kernels.groups(of.direction, most)
    direction = np.zeros(int(group.max(initial=-1)) + 1, np.int64)
    direction[group] = of.direction
    size = int(np.bincount(group).max(initial=0))
    return Way(of, direction, passages.sums(rows, of, group, path), size)


def _tubes(way: Way, path: passages.Path) -> tuple[Floats, Floats, Floats]:
    """Return position, its error and spread of both tubes: (2, m, d) each."""
    low = np.where((path.point < 0).any(axis=0), -1.0, 0.0)
    each = []
    for side in (0, 1):
        own = kernels.Sums(*(x[way.direction == side] for x in way.sums))
        mean, error, spread = kernels.tube(own)
        each.append((_wrapped(path.point + mean, path.period, low), error, spread))
    position, error, spread = (np.stack(x) for x in zip(*each, strict=True))
    return position, error, spread


def _durations(of: kernels.Passages) -> tuple[Floats, Floats]:
    """Return the mean duration of passages of either direction, and its standard error."""
    mean, error = np.full(2, np.nan), np.full(2, np.nan)
    for side in (0, 1):
        own = of.duration[of.direction == side]
        if own.size:
            mean[side] = own.mean()
        if own.size > 1:
            error[side] = own.std(ddof=1) / np.sqrt(own.size)
    return mean, error


def _attrs(
    ds: xr.Dataset, of_time: Clock, size: int, met: landscape.Counted, ends: tuple[int, int]
) -> dict[v.Variable, dict[str, Any]]:
    a, b = ends
    words = "passages" if size < 2 else f"groups of {size} passages that follow each other"
    covers = {"covers": COVERS.format(words=words)}
    lengths = {k: x for k, x in ds[v.rows.name].attrs.items() if k == "units"}
    time = {"units": of_time.unit} if of_time.unit else {}
    ways = {"directions": [f"{a} to {b}", f"{b} to {a}"]}
    return {
        v.reactive_path: lengths,
        v.reactive_position: lengths | ways,
        v.reactive_position_error: lengths | covers,
        v.reactive_spread: lengths,
        v.reactive_count: ways | {"segments": met.segments, "gaps": met.gaps},
        v.reactive_duration: time | ways,
        v.reactive_duration_error: time | {"covers": COVERS.format(words="passages")},
        v.reactive_difference_p: {
            "covers": f"By {DRAWS} permutations of the directions of {words}.",
        },
    }


def _check(points: object, seed: object) -> None:
    check_count("points", points, 2)
    check_count("seed", seed, 0)


def _check_peaks(source: object, target: object, peaks: int) -> None:
    for name, peak in (("source", source), ("target", target)):
        whole = isinstance(peak, int | np.integer) and not isinstance(peak, bool)
        if not whole or not 0 <= peak < peaks or source == target:  # type: ignore[operator]
            raise ValueError(
                f"{name}: expected two different peaks from 0 to {peaks - 1}, got "
                f"source={source!r}, target={target!r}: e.g. source=0, target=1"
            )
