"""What a search would do and take, before it starts."""

from contextlib import suppress
from dataclasses import replace

import dask
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import search
from daskid.estimators.neighbors.checks import check, rule_of, window
from daskid.estimators.neighbors.stored import plan_of
from daskid.storage.copies import cost_of
from daskid.storage.rows import block_rows, native, recall
from daskid.typing import MethodName, MetricName


def plan(
    ds: xr.Dataset,
    *,
    k: int = 100,
    metric: MetricName = "euclidean",
    exclude: int | str = 0,
    method: MethodName = "auto",
    probe: bool = True,
) -> search.Plan:
    """Say what :func:`daskid.knn` would do and take on the current client, or on this machine.

    Nothing is read but, to choose and for the time, some thousand rows of up to 64 blocks, and a
    block on which the kernels run for two seconds; of rows that must be copied first not even that:
    random ones stand for them. On N rows of D features strips cost N^2 pairs, tiles N (N + 1) / 2
    and scratch beside the run. What few coordinates tell, and what leaves can skip, is not known
    before rows are seen: without a probe, or of rows to copy, the search may take another method
    than planned.

    A model, not a measurement, of the largest search that is worth while: of 1e8 x 128 rows for
    k=50 on 1,000 workers of one thread, the kernels, at what a pair takes on the machine
    that the constants of the plan were measured on, take 212 core-days: 5 hours and some more for
    rounds to end. 23,653 tasks of ten minutes or less read 18 TiB; the scratch is 370 GiB at most,
    the memory of a worker 1.8 GiB, of the client 5.8 GiB; the scheduler and the client have a
    minute of work with the tasks, at the 2.7 ms each (heartbeats left out) that
    ``tests/benchmarks/scheduler.py`` measured over 20,000 tasks that do nothing, on a machine
    that was busy with other things.

    Parameters
    ----------
    ds
        Holds ``rows``, see :func:`daskid.open_rows`.
    k, metric, exclude, method
        As in :func:`daskid.knn`.
    probe
        Whether to look at rows, and measure the time.

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
    >>> ds = daskid.datasets.torus(100_000, 3, seed=0)
    >>> plan = daskid.plan(ds, k=10, method="strips", probe=False)
    >>> plan.tasks, plan.pairs
    (16, 10000000000)
    """
    (rows,) = v.read(ds, v.rows)
    check(k, metric, "merge", rows.shape, method)
    exclude = window(ds, rows, exclude, metric)
    rule = rule_of(ds, k, metric, exclude, "merge")
    reader = recall(rows.name) if probe else None
    seen = None
    if reader is not None and not cost_of(reader):
        # what is wrong with rows is for the search to say: their numbers here are a sample's
        with suppress(ValueError), dask.config.set({"daskid.progress": "none"}):
            seen = search.seen_of(reader, rule)
    planned, copy = plan_of(rows, rule, method, seen=seen)
    if not probe or planned.method == "pruned":  # how much that skips is seen from all rows
        return planned
    shape = min(rows.shape[0], block_rows(rows.shape, 8, 1, planned.block_bytes)), rows.shape[1]
    random = np.random.default_rng(0).random
    first = rows[: shape[0]].compute() if copy is None else random(shape)
    first = np.ascontiguousarray(first, dtype=native(rows.dtype))
    with dask.config.set({"daskid.progress": "none"}):
        seconds = search.probe(first, rule, planned.method, planned.samples)
    return replace(planned, seconds=seconds / (planned.workers * planned.threads))
