"""The dimension of frames in time: what the frames next to each other do to it."""

import json
from collections.abc import Sequence
from typing import Any, Literal

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import search
from daskid.blockwise import windows as blockwise
from daskid.blockwise.search.source import source_of
from daskid.typing import Floats, Ints, MetricName

_WINDOW = {"long_name": "frames left out on either side", "units": "frames"}
LONGEST = 1 << 62
"""No frame numbers are further apart."""


def twonn_window(
    ds: xr.Dataset,
    *,
    windows: str | Sequence[int] | None = None,
    samples: int = 2048,
    seed: int = 0,
    metric: MetricName = "euclidean",
    duplicates: Literal["merge", "keep"] = "merge",
) -> xr.Dataset:
    r"""Estimate the dimension of frames in time for several windows; this step *computes*.

    A frame resembles the frames next to it in time, and a *passage* of the trajectory near a
    sample gives it several neighbors at once: neither says in how many directions the data
    extend. For a window of w frames the first neighbor of a sample is more than w frames
    away from it [1]_, and the second more than w frames away from the sample and from the
    first neighbor: from another passage. :func:`daskid.twonn` reads the dimension from the two
    distances. Without a window (w = 0) it reads what it reads of all frames.

    The neighbors are those of all rows; they are searched for ``samples`` random anchors only,
    the same ones for every window.

    Parameters
    ----------
    ds
        Holds ``rows (sample, feature)``, see :func:`daskid.open_rows`; the coordinates ``row``,
        ``trajectory``, ``period`` and ``weight`` are honored. Neighbors that it holds are not used.
    windows
        Frames of the same trajectory, e.g. ``"0, 10, 50"`` or ``(10, 50)``; 0 is always among
        them. The default is 0, w/4, w/2, w and 2 w, where w is the window of the neighbors in
        ``ds``, or what ``exclude="auto"`` of :func:`daskid.knn` finds where they have none.
    samples
        Number of anchors; all locations if there are fewer.
    seed
        Which anchors, by this and the number of samples alone.
    metric, duplicates
        As in :func:`daskid.knn`.

    Returns
    -------
    ``ds`` with a coordinate ``window``, in frames, and variables along it: ``id_window``;
    ``id_window_error``; ``id_window_samples``, the anchors that have a ratio;
    ``id_window_radius``, the mean of :math:`(r_1 + r_2)/2`, in units of ``rows``; and
    ``id_window_shared``, the share of anchors whose two nearest neighbors outside the window are
    of one passage. Where it is large, every estimate from lists of plain neighbors is wrong,
    also of those found with ``exclude``. The dimension is NaN of fewer than two anchors.

    Raises
    ------
    SchemaError
        If ``rows`` is missing or not a ``(sample, feature)`` array of real numbers.
    ValueError
        If a keyword is not one of the above; if a window leaves too few locations for two
        neighbors; if there is no window to be found; as :func:`daskid.knn` for the values.
    MemoryError
        If rows are not at rest, and do not fit into memory.

    Notes
    -----
    The error is a sandwich, as in :func:`daskid.twonn`, over *cells* of time instead of single
    samples: cells of the largest window's length, and anchors whose frames, or whose neighbors'
    frames, lie in one cell count as correlated. It is NaN of fewer than 10 cells. Over 60 records
    of Lorenz-96 (20 variables, 4,000 frames, steps of 0.01 and 0.05, windows of 0.4 and 0.8, 1,000
    or all frames as anchors) it is 0.88 to 0.91 of the scatter from record to record, 0.83 to
    0.91 without a window; the sandwich over single samples is 0.33 to 0.59 of it.

    Frames much closer to each other than to other passages make a passage a line: the distance
    to lines knows one dimension less. Lorenz-96 (20 variables, dimension 13.44, 20,000 frames)
    reads 10.6 at a step of 0.05, 10.0 at 0.01 and 11.8 at 0.5, too few samples for so many
    dimensions; :func:`daskid.twonn` of neighbors found with the same windows 29, 790 and 11.8.

    Of each anchor as many neighbors are held as one passage has, at most two windows' worth.

    References
    ----------
    .. [1] J. Theiler, "Spurious dimension from correlation algorithms applied to limited
       time-series data", Phys. Rev. A 34, 2427 (1986), section III.
       https://doi.org/10.1103/PhysRevA.34.2427

    Examples
    --------
    >>> import daskid
    >>> frames = daskid.datasets.lorenz96(4000)
    >>> out = daskid.twonn_window(frames, windows="0, 8", samples=1000)
    >>> for w in (0, 8):
    ...     at = out.sel(window=w)
    ...     print(f"{w}: {at.id_window:.1f} +- {at.id_window_error:.1f}")
    0: 21.2 +- 0.6
    8: 8.7 +- 0.5
    """
    (rows,) = v.read(ds, v.rows)
    _check(samples, seed, metric, duplicates, rows.shape)
    used = _windows(ds, rows, windows, metric)
    rule = search.Rule(2, metric, *v.compared(ds), used[-1], duplicates == "merge")
    frame, trajectory = v.frames(ds)
    job = _prepared(source_of(rows), rule, frame, trajectory)
    anchors = blockwise.choose_anchors(job, int(samples), int(seed))
    pairs = blockwise.neighbors_of_two_passages(job, anchors, used)
    pairs = pairs._replace(distance=search.lengths(pairs.distance, metric))
    length = max(used[-1], 1)
    found = blockwise.twonn(pairs, anchors, blockwise.cells(job, frame, trajectory, length))
    inputs = (v.rows, v.period, v.weight, v.row, v.trajectory)
    out = v.assign(
        ds.drop_vars("window", errors="ignore"),
        _summary(found),
        inputs=tuple(c for c in inputs if c.name in ds.variables),
        parameters={
            "windows": ",".join(map(str, used)), "samples": int(samples), "seed": int(seed),
            "metric": metric, "duplicates": duplicates,
        },
        attrs={v.id_window_error: {"covers": _covers(length)}},
    )  # fmt: skip
    return out.assign_coords(window=("window", list(used), _WINDOW))


def _covers(length: int) -> str:
    cell = "single samples" if length == 1 else f"cells of {length} frames"
    return (
        f"Sandwich error over {cell}: the scatter over another record, and over other anchors of "
        "it, where cells are independent; frames correlated for longer, how the record ends, and "
        "the bias of boundaries, curvature and uneven density are left out."
    )


def _summary(found: list[blockwise.Estimate]) -> dict[v.Variable, Floats | Ints]:
    columns = (np.array(values) for values in zip(*found, strict=True))
    names = (
        v.id_window, v.id_window_error, v.id_window_samples, v.id_window_radius,
        v.id_window_shared,
    )  # fmt: skip
    return dict(zip(names, columns, strict=True))


def _windows(ds: xr.Dataset, rows: da.Array, windows: Any, metric: str) -> tuple[int, ...]:
    """Return the windows in frames, ascending, 0 first."""
    if windows is None:
        w = _window_of(ds, rows, metric)
        given: list[Any] = [w // 4, w // 2, w, *([2 * w] if 8 * w < rows.shape[0] else [])]
    elif isinstance(windows, str):
        given = [int(part) if part.strip().isdecimal() else part for part in windows.split(",")]
    else:
        given = [*windows] if isinstance(windows, Sequence | np.ndarray) else [windows]
    for w in given:
        if isinstance(w, bool) or not isinstance(w, int | np.integer) or w < 0:
            raise ValueError(
                f"windows: expected numbers of frames, 0 or more, got {windows!r}: "
                "give some, e.g. '0, 10, 50', or leave it out"
            )
    return tuple(sorted({0, *(min(int(w), LONGEST) for w in given)}))


def _window_of(ds: xr.Dataset, rows: da.Array, metric: str) -> int:
    """Return the window of the neighbors in the dataset, or the one that the data suggest."""
    if v.neighbor_distance.name in ds.variables:
        record = json.loads(ds[v.neighbor_distance.name].attrs.get("parameters", "{}"))
        if record.get("exclude", 0):
            return int(record["exclude"])
    compared = metric, v.per_feature(ds, v.period), v.per_feature(ds, v.weight)
    try:
        found = search.separation_window(
            lambda a, b: np.asarray(rows[a:b].compute()), rows.shape, compared, *v.frames(ds)
        )
    except ValueError as error:
        what = str(error).removeprefix("exclude: ").rpartition(":")[0].replace(" for 'auto'", "")
        raise ValueError(f"windows: {what}: give windows, e.g. windows='0, 10'") from None
    return found.frames


def _prepared(
    source: search.Source, rule: search.Rule, frame: Ints | None, trajectory: Ints | None
) -> search.Job:
    try:
        return search.prepare(source, rule, frame, trajectory)
    except ValueError as error:
        what, _, _ = str(error).rpartition(":")
        if not what.startswith("k=2 "):
            raise
        raise ValueError(
            f"windows: expected 2 neighbors of every sample at {rule.exclude} frames, got fewer "
            f"({what}): give smaller windows, or more samples"
        ) from None


def _check(samples: Any, seed: Any, metric: str, duplicates: str, shape: tuple[int, ...]) -> None:
    for name, value, least, remedy in (
        ("samples", samples, 2, "leave it out for 2048"),
        ("seed", seed, 0, "give a number"),
    ):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise ValueError(
                f"{name}: expected an integer, {least} or more, got {value!r}: {remedy}"
            )
    for name, value, known in (
        ("metric", metric, [*search.METRICS]),
        ("duplicates", duplicates, ["merge", "keep"]),
    ):
        if value not in known:
            raise ValueError(f"{name}: expected one of {known}, got {value!r}: choose one of them")
    n, d = shape
    if n < 3 or d < 1:
        raise ValueError(
            f"rows: expected 3 samples and 1 feature or more, got {n} and {d}: "
            "there are no second neighbors to find"
        )
