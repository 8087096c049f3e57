"""Nearest neighbours of every sample: the one step whose cost grows with N squared."""

import json
import logging
from dataclasses import replace
from typing import Any, Literal

import dask
import dask.array as da
import numpy as np
import xarray as xr
from dask.utils import format_bytes, parse_bytes

from daskid import variables as v
from daskid.blockwise import search
from daskid.blockwise.search import pool
from daskid.io import store as runs
from daskid.storage import ledger, run
from daskid.storage import rows as storage
from daskid.typing import Floats, Ints

log = logging.getLogger("daskid")

OUTPUTS = (v.neighbor_distance, v.neighbor_index, v.location, v.multiplicity)
ALGORITHM = 1
"""Raised when the same parameters give other bits: unfinished work is not mixed with new."""
LIST_BYTES = 16
"""Bytes of one entry of a list: a float64 distance and an int64 index."""
LONGEST = 1 << 62
"""No frame numbers are further apart."""


def knn(
    ds: xr.Dataset,
    *,
    k: int = 100,
    metric: Literal["euclidean", "cityblock", "chebyshev"] = "euclidean",
    exclude: int | str = 0,
    duplicates: Literal["merge", "keep"] = "merge",
    store: str | None = None,
    overwrite: bool = False,
) -> xr.Dataset:
    r"""Find the ``k`` nearest neighbours of every sample, exactly; this step *computes*.

    Distances are Euclidean, :math:`\sqrt{\sum_f w_f \Delta_f^2}`, city-block,
    :math:`\sum_f w_f |\Delta_f|`, or Chebyshev, :math:`\max_f w_f |\Delta_f|`, with the
    weights :math:`w_f` of the coordinate ``weight`` and :math:`\Delta_f` the shorter way
    round the coordinate ``period``. They are taken by differences in float64, and lists are
    sorted by distance, then by sample number: the same bits for any chunks, threads or
    processes. Rows are read block by block; runs on the current
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
    _check(k, metric, duplicates, rows.shape)
    exclude = _window(ds, rows, exclude, metric)
    rule = _rule(ds, k, metric, exclude, duplicates)
    used = (v.rows, v.period, v.weight, *((v.row, v.trajectory) if exclude else ()))
    inputs = tuple(c for c in used if c.name in ds.variables)
    parameters = {"k": int(k), "metric": metric, "exclude": int(exclude), "duplicates": duplicates}
    described = v.describe(ds, OUTPUTS, inputs=inputs, parameters=parameters)
    if store is not None:
        return _into_store(ds, rule, described, str(store), overwrite)
    job = search.prepare(_source_in_memory(rows, k), rule, *_frames(ds, exclude))
    found = search.search(job)
    values = (found.distance, found.index, found.location, found.multiplicity)
    return v.assign(
        ds,
        {o: _lazy(x, rows.shape[1], k) for o, x in zip(OUTPUTS, values, strict=True)},
        inputs=inputs,
        parameters=parameters,
        attrs={v.neighbor_distance: found.cost},
    )


def plan(
    ds: xr.Dataset,
    *,
    k: int = 100,
    metric: Literal["euclidean", "cityblock", "chebyshev"] = "euclidean",
    exclude: int | str = 0,
    probe: bool = True,
) -> search.Plan:
    """Say what :func:`daskid.knn` would do and take on the current client, or on this machine.

    Nothing is read but, for the time, a block of rows on which the kernels run for two
    seconds. On N rows of D features strips cost N^2 pairs: at the 60-90 GFLOP/s of a core,
    1e6 x 128 are half an hour on two cores.

    Parameters
    ----------
    ds
        Holds ``rows``, see :func:`daskid.open_rows`.
    k, metric, exclude
        As in :func:`daskid.knn`.
    probe
        Whether to measure the time.

    Returns
    -------
    The plan; printed, it is a table.

    Raises
    ------
    SchemaError, ValueError
        As :func:`daskid.knn` does.
    MemoryError
        If the search does not fit into the workers' memory: it names the smallest
        limit that would do.

    Examples
    --------
    >>> import daskid
    >>> plan = daskid.plan(daskid.datasets.torus(100_000, 3, seed=0), k=10, probe=False)
    >>> plan.method, plan.tasks, plan.pairs
    ('strips', 16, 10000000000)
    """
    (rows,) = v.read(ds, v.rows)
    _check(k, metric, "merge", rows.shape)
    exclude = _window(ds, rows, exclude, metric)
    rule = _rule(ds, k, metric, exclude, "merge")
    reader = storage.recall(rows.name)
    source = reader or storage.MemoryRows(np.empty((0, 0)))
    dtype = np.dtype(storage.native(rows.dtype))
    planned = _planned(source, rule, rows.shape, dtype, copied=reader is None)
    if not probe:
        return planned
    n = min(rows.shape[0], storage.block_rows(rows.shape, 8, 1, planned.block_bytes))
    first = np.ascontiguousarray(rows[:n].compute(), dtype=dtype)
    with dask.config.set({"daskid.progress": "none"}):
        rate = search.probe(first, rule)
    return replace(planned, seconds=planned.pairs / (rate * planned.workers * planned.threads))


def _check(k: int, metric: str, duplicates: str, shape: tuple[int, ...]) -> None:
    _check_whole("k", k, 1, "give the number of neighbors, e.g. k=100")
    for name, given, known in (
        ("metric", metric, [*search.METRICS]),
        ("duplicates", duplicates, ["merge", "keep"]),
    ):
        if given not in known:
            raise ValueError(f"{name}: expected one of {known}, got {given!r}: choose one of them")
    n, d = shape
    if n != n:  # dask's NaN
        raise ValueError(
            "rows: expected a known number of samples, got unknown chunk sizes: "
            "call ds.rows.data.compute_chunk_sizes() first"
        )
    if n < 2 or d < 1:
        raise ValueError(
            f"rows: expected 2 samples and 1 feature or more, got {n} and {d}: "
            "there are no neighbors to find"
        )
    if k >= n:
        raise ValueError(f"k={k} needs more than {k} samples, got {n}: use k={n - 1} or less")


def _check_whole(name: str, value: object, least: int, remedy: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name}: expected an integer, {least} or more, got {value!r}: {remedy}")


def _window(ds: xr.Dataset, rows: da.Array, exclude: int | str, metric: str) -> int:
    """Return the Theiler window in frames."""
    if not isinstance(exclude, str):
        _check_whole("exclude", exclude, 0, "give a number of frames, 0 for none")
        return min(int(exclude), LONGEST)
    frame, trajectory = _frames(ds, 1)
    if exclude == "auto":
        compared = metric, _per_feature(ds, v.period), _per_feature(ds, v.weight)
        found = search.separation_window(
            lambda a, b: np.asarray(rows[a:b].compute()), rows.shape, compared, frame, trajectory
        )
        limit = " (the cap: 1 % of the shortest trajectory)" if found.capped else ""
        log.info("exclude='auto': %d frames%s", found.frames, limit)
        return found.frames
    if v.time.name not in ds.variables:
        raise ValueError(
            f"exclude: expected frames or 'auto' where there is no time, got {exclude!r}: "
            "give a number of frames, or open the rows with their time"
        )
    times = ds[v.time.name]
    return search.frames_of(exclude, times.values, str(times.attrs.get("units", "")), trajectory)


def _rule(ds: xr.Dataset, k: int, metric: str, exclude: int, duplicates: str) -> search.Rule:
    period, weight = _per_feature(ds, v.period), _per_feature(ds, v.weight)
    return search.Rule(
        int(k),
        metric,
        period if (period > 0).any() else np.zeros(0),
        weight if (weight != 1).any() else np.zeros(0),
        exclude,
        duplicates == "merge",
    )


def _per_feature(ds: xr.Dataset, variable: v.Variable) -> Floats:
    if variable.name not in ds.variables:
        return np.zeros(0)
    values = np.asarray(v.read(ds, variable)[0].compute(), dtype="f8")
    if (bad := ~np.isfinite(values) | (values < 0)).any():
        f = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"{variable.name}: expected finite numbers, 0 or more, got {values[f]:g} for feature "
            f"{f}: correct the coordinate, 0 stands for none"
        )
    return values


def _frames(ds: xr.Dataset, exclude: int) -> tuple[Ints | None, Ints | None]:
    """Return frame numbers and codes of trajectories, where they are needed and there."""
    frame = trajectory = None
    if exclude and v.row.name in ds.variables:
        frame = np.asarray(v.read(ds, v.row)[0].compute(), np.int64)
    if exclude and v.trajectory.name in ds.variables:
        names = v.read(ds, v.trajectory)[0].compute()
        trajectory = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return frame, trajectory


def _source_in_memory(rows: da.Array, k: int) -> search.Source:
    reader = storage.recall(rows.name)
    n, d = rows.shape
    dtype = np.dtype(storage.native(rows.dtype))
    need = n * (k * LIST_BYTES + 40) + (0 if reader else n * d * dtype.itemsize * 2)
    limit = _memory_limit()
    if need > limit:
        raise MemoryError(
            f"store: expected a run to write to, got none: rows and lists of {k} neighbors take "
            f"{format_bytes(need)} in memory, the limit is {format_bytes(int(limit))}: "
            "give knn(..., store='RUN.zarr'), or raise daskid.memory in dask's configuration"
        )
    if reader is not None:
        return reader
    return storage.MemoryRows(np.ascontiguousarray(rows.compute(), dtype=dtype))


def _memory_limit() -> float:
    limit = dask.config.get("daskid.memory", None)
    if limit is not None:
        return float(parse_bytes(limit))
    import psutil

    return 0.5 * float(psutil.virtual_memory().available)


def _lazy(values: Any, features: int, k: int) -> da.Array:
    chunk = search.strip_rows(values.shape[0], features, k)
    array: da.Array = da.from_array(values, chunks=(chunk, *values.shape[1:]))
    return array


def _into_store(
    ds: xr.Dataset,
    rule: search.Rule,
    described: dict[str, dict[str, Any]],
    store: str,
    overwrite: bool,
) -> xr.Dataset:
    """Search into a run: strips and their marks first, the record of the step last."""
    ds = v.drop_dependents(ds, {variable.name for variable in OUTPUTS})
    runs.save(ds, store, overwrite=overwrite)
    new = {name: attrs["fingerprint"] for name, attrs in described.items()}
    folder = ledger.folder_of(store, v.neighbor_distance.step)
    if all(run.record(store)["committed"].get(n) == f for n, f in new.items()):
        if not ledger.held(folder):  # killed between the record and here
            ledger.clear(folder)
        return runs.open_run(store)
    wanted = ds.assign({name: ((), 0, attrs) for name, attrs in described.items()})
    if not overwrite:  # refuse before the work
        runs.clear(store, new, wanted, overwrite=False)
    with ledger.writing(folder):
        source = runs.reader_of(store)
        planned = _planned(source, rule, source.shape, np.dtype(source.dtype), copied=False)
        job = search.prepare(source, rule, *_frames(ds, rule.exclude))
        # nothing is dropped for a search that can't run
        runs.clear(store, new, wanted, overwrite=overwrite)
        resumed = ledger.begin(folder, _terms(ds, described, planned), overwrite=overwrite)
        if not resumed or not set(new) <= set(run.arrays(store)):
            _make_arrays(store, ds.sizes["sample"], planned, described)
        found = search.search(
            job,
            search.Target(store, folder, new[v.neighbor_distance.name]),
            block_bytes=planned.block_bytes,
            needs=planned.task_bytes,
        )
        run.write_rows(store, v.location.name, 0, found.location)
        run.write_rows(store, v.multiplicity.name, 0, found.multiplicity)
        run.annotate(store, v.neighbor_distance.name, found.cost)
        run.commit(store, new)
        ledger.clear(folder)
    return runs.open_run(store)


def _terms(
    ds: xr.Dataset, described: dict[str, dict[str, Any]], planned: search.Plan
) -> dict[str, Any]:
    """Return what an unfinished search must agree in to be gone on with."""
    attrs = described[v.neighbor_distance.name]
    return {
        **json.loads(attrs["parameters"]),
        **{name: v.fingerprint(ds[name]) for name in attrs["inputs"].split()},
        "strip_rows": planned.strip_rows,
        "tiles": planned.tasks,
        "version": ALGORITHM,
    }


def _make_arrays(
    store: str, n: int, planned: search.Plan, described: dict[str, dict[str, Any]]
) -> None:
    for variable in OUTPUTS:
        shape = (n, planned.neighbors)[: len(variable.dims)]
        chunks = (planned.strip_rows, planned.neighbors)[: len(variable.dims)]
        dtype = "f8" if variable.kind == "f" else "i8"
        attrs = described[variable.name]
        run.create_array(store, variable.name, shape, chunks, dtype, variable.dims, attrs)


def _planned(
    source: search.Source,
    rule: search.Rule,
    shape: tuple[int, ...],
    dtype: "np.dtype[Any]",
    *,
    copied: bool,
) -> search.Plan:
    n, d = shape
    workers, threads, limit = pool.resources()
    return search.make_plan(
        n, d, dtype.itemsize, rule.k,
        chunk_bytes=min(n, source.chunk_rows()) * d * dtype.itemsize,
        workers=workers, threads=threads, worker_limit=limit, copied=copied,
        labels=1 + 2 * (rule.exclude > 0),
    )  # fmt: skip
