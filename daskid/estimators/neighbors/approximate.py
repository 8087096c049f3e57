"""Most of the nearest neighbors of every sample, and how many of them that are."""

import json
from typing import Any, Literal

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import search
from daskid.blockwise.search.approximate import Approximate, search_approximate
from daskid.blockwise.search.job import Means
from daskid.blockwise.search.source import source_of
from daskid.estimators.neighbors.checks import check, labels, rule_of, window
from daskid.estimators.neighbors.lists import _lazy
from daskid.estimators.neighbors.stored import OUTPUTS, _make_arrays, plan_of
from daskid.io import store as runs
from daskid.storage import ledger, run

WAY = "pruned"
"""What a task holds is what one of this method holds."""
VERSION = 2
"""Raised when the same parameters give other bits: unfinished work is not mixed with new."""
SEEN = 500
"""Bytes of a row beside it: who it is, and its coordinates twice."""
MEASURED = (
    v.neighbor_recall, v.neighbor_recall_low, v.neighbor_recall_high, v.neighbor_certified,
)  # fmt: skip


def knn_approximate(
    ds: xr.Dataset,
    *,
    k: int = 100,
    recall: float = 0.99,
    metric: Literal["euclidean", "cosine"] = "euclidean",
    exclude: int | str = 0,
    duplicates: Literal["merge", "keep"] = "merge",
    seed: int = 0,
    store: str | None = None,
    overwrite: bool = False,
) -> xr.Dataset:
    r"""Find most of the ``k`` nearest neighbours of every sample; this step *computes*.

    Samples are put into cells by k-means; each is compared with those of the cells whose
    centers are nearest to it. How many cells follows from the exact lists of random samples, so
    that the share of neighbours found reaches ``recall``; on other random samples it is measured.
    Distances of what is found are exact, and the result is the same for any chunks, threads or
    processes. Into a run it is a job as :func:`daskid.knn` is: rows are shuffled once, into files
    of cells beside the run, of which a task holds two, and what is killed goes on. Without one,
    rows and lists are held in memory, by every process. Nothing else in daskid takes this step in
    place of :func:`daskid.knn`.

    What is missed is not random: it is far neighbours, and those of samples between cells.
    Dimensions come out too low, and distances too large. Changes against exact neighbours
    (20,000 samples of a Gaussian in 5 and in 10 dimensions, k = 31; of the mean log density at
    the true dimension; ``tests/benchmarks/approximate.py``)::

        recall        TwoNN             MLE, k = 30       log density, PAk
        0.83   0.83   -1.1 %   -1.8 %   -8.9 %   -7.6 %   -0.02   -0.05
        0.93   0.91   -0.3 %   -0.6 %   -3.8 %   -4.1 %    0.00   -0.01
        0.96   0.96   -0.1 %   -0.2 %   -2.1 %   -2.0 %   +0.01    0.00
        0.994  0.992   0.0 %    0.0 %   -0.4 %   -0.4 %    0.00    0.00
        0.999  0.999   0.0 %    0.0 %   -0.1 %   -0.1 %    0.00    0.00

    100,000 samples of 128 features about a plane of 10 dimensions took 5.8 s of CPU time, the exact
    search 18 s (k = 30, recall 0.99, 6 % of the pairs): it pays for many samples only.

    Parameters
    ----------
    ds
        Holds ``rows (sample, feature)``, see :func:`daskid.open_rows`.
    k
        Number of neighbours, less than the number of locations.
    recall
        Share of the neighbours to be found, below 1: what the lower end of the 95 % interval of
        the measured share reaches.
    metric
        Which distance: one of those that are squared lengths, as cells have centers.
    exclude, duplicates
        As in :func:`daskid.knn`.
    seed
        Of all that is random.
    store
        A run to write to, made if there is none; an unfinished search of it is gone on with.
    overwrite
        Replace neighbours that the run holds for other parameters, and drop all that
        was computed from them.

    Returns
    -------
    ``ds``, or the run, with the variables of :func:`daskid.knn`, and ``neighbor_recall``,
    ``neighbor_recall_low`` and ``neighbor_recall_high``, the share of neighbours found for random
    samples and its interval (any neighbour at the distance of the last one counts), and
    ``neighbor_certified``, the share of samples of which it is known that nothing was missed,
    as all other cells are further than their last neighbour. The attribute ``approximate`` goes
    along to all that is computed from them, and :func:`daskid.summary` warns of it.

    Raises
    ------
    SchemaError, TypeError
        As :func:`daskid.knn` does.
    ValueError
        As :func:`daskid.knn` does; and if a feature is periodic, or ``recall`` is not
        between 0 and 1.
    MemoryError
        If rows and lists do not fit into memory, or, with a store, cells into that of a worker.

    References
    ----------
    .. [1] H. Jegou, M. Douze, C. Schmid, "Product quantization for nearest neighbor search", IEEE
       Trans. Pattern Anal. Mach. Intell. 33, 117 (2011), section IV: the inverted file.
       https://doi.org/10.1109/TPAMI.2010.57
    .. [2] E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
       J. Am. Stat. Assoc. 22, 209 (1927): the interval, with as many trials as the variance over
       samples stands for. https://doi.org/10.1080/01621459.1927.10502953

    Examples
    --------
    >>> import numpy as np, xarray as xr, daskid
    >>> x = np.random.default_rng(0).random((5000, 3))
    >>> ds = daskid.knn_approximate(xr.Dataset({"rows": (("sample", "feature"), x)}), k=10)
    >>> bool(ds.neighbor_recall_low >= 0.99), ds.neighbor_index.shape
    (True, (5000, 10))
    """
    (rows,) = v.read(ds, v.rows)
    check(k, metric, duplicates, rows.shape)
    _check(ds, metric, recall, seed)
    exclude = window(ds, rows, exclude, metric)
    rule = rule_of(ds, k, metric, exclude, duplicates)
    used = (v.rows, v.weight, *((v.row, v.trajectory) if exclude else ()))
    inputs = tuple(c for c in used if c.name in ds.variables)
    parameters = {
        "k": int(k), "metric": metric, "exclude": int(exclude), "duplicates": duplicates,
        "recall": float(recall), "seed": int(seed),
    }  # fmt: skip
    described = v.describe(ds, OUTPUTS, inputs=inputs, parameters=parameters)
    if store is not None:
        return _into_run(ds, rule, described, str(store), overwrite)
    (n, d), k = rows.shape, int(k)
    size = 8 if search.METRICS[metric].prepare else np.dtype(rows.dtype).itemsize
    job = search.prepare(
        source_of(rows, lists=n * (2 * d * size + 3 * 16 * k + SEEN)), rule, *labels(ds, exclude)
    )
    found = search_approximate(job, recall, seed)
    values = (found.distance, found.location, job.location, job.multiplicity)
    out = v.assign(
        ds,
        {o: _lazy(x, d, k) for o, x in zip(OUTPUTS, values, strict=True)},
        inputs=inputs,
        parameters=parameters,
        attrs={o: _words(found) for o in OUTPUTS} | {OUTPUTS[0]: _words(found) | found.cost},
    )
    return _with_measured(out, found, parameters)


def _check(ds: xr.Dataset, metric: str, recall: float, seed: int) -> None:
    if metric not in ("euclidean", "cosine"):
        raise ValueError(
            f"metric: expected euclidean or cosine, whose cells have centers, got {metric!r}: "
            "use one of them, or daskid.knn"
        )
    if not isinstance(recall, float | np.floating) or not 0 < recall < 1:
        raise ValueError(
            f"recall: expected a number above 0 and below 1, got {recall!r}: give e.g. "
            "recall=0.99, or use daskid.knn, which finds all"
        )
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed: expected an integer, 0 or more, got {seed!r}: give e.g. seed=0")
    period = v.per_feature(ds, v.period)
    if (period > 0).any():
        f = int(np.flatnonzero(period)[0])
        raise ValueError(
            f"period: expected none, as cells on a circle have no centers, got {period[f]:g} for "
            f"feature {f}: use daskid.knn, or sines and cosines as features"
        )


def _into_run(
    ds: xr.Dataset,
    rule: search.Rule,
    described: dict[str, dict[str, Any]],
    store: str,
    overwrite: bool,
) -> xr.Dataset:
    """Search into a run: cells and their marks first, the record of the step last."""
    parameters = json.loads(described[v.neighbor_distance.name]["parameters"])
    ds = v.drop_dependents(ds, {variable.name for variable in OUTPUTS})
    plan_of(v.read(ds, v.rows)[0], rule, WAY)  # refuses what does not fit before rows are copied
    opened = runs.save(ds, store, overwrite=overwrite)
    new = {name: str(attrs["fingerprint"]) for name, attrs in described.items()}
    folder = ledger.folder_of(store, v.neighbor_distance.step)
    if _is_there(store, new):
        if not ledger.held(folder):  # killed between the record and here
            ledger.clear(folder)
        return runs.open_run(store)
    wanted = ds.assign({name: ((), 0, attrs) for name, attrs in described.items()})
    if not overwrite:  # refuse before the work
        runs.clear(store, new, wanted, overwrite=False)
    with ledger.writing(folder):
        job = search.prepare(runs.reader_of(store), rule, *labels(ds, rule.exclude))
        planned, _ = plan_of(v.read(opened, v.rows)[0], rule, WAY, store=store)
        runs.clear(store, new, wanted, overwrite=overwrite)
        prints = {n: v.fingerprint(ds[n]) for n in described[OUTPUTS[0].name]["inputs"].split()}
        terms = {**parameters, **prints, "cells": planned.strip_rows, "version": VERSION}
        resumed = ledger.begin(folder, terms, overwrite=overwrite)
        if not resumed or not set(new) <= set(run.arrays(store)):
            _make_arrays(store, ds.sizes["sample"], planned, described)
        target = search.Target(store, folder, new[v.neighbor_distance.name])
        means = Means(target, planned.tile_rows, planned.block_bytes, planned.task_bytes)
        found = search_approximate(job, parameters["recall"], parameters["seed"], means)
        run.write_rows(store, v.location.name, 0, job.location)
        run.write_rows(store, v.multiplicity.name, 0, job.multiplicity)
        for variable in OUTPUTS:
            run.annotate(store, variable.name, _words(found))
        run.annotate(store, v.neighbor_distance.name, found.cost)
        run.commit(store, new)
        runs.save(_with_measured(runs.open_run(store), found, parameters), store)
        ledger.clear(folder)
    return runs.open_run(store)


def _is_there(store: str, new: dict[str, str]) -> bool:
    committed = run.record(store)["committed"]
    lists = all(committed.get(name) == fingerprint for name, fingerprint in new.items())
    return lists and all(variable.name in committed for variable in MEASURED)


def _words(found: Approximate) -> dict[str, Any]:
    mean, low, high = found.recall
    return {v.APPROXIMATE: f"recall {mean:.4f} [{low:.4f}, {high:.4f}]"}


def _with_measured(ds: xr.Dataset, found: Approximate, parameters: dict[str, Any]) -> xr.Dataset:
    n = ds.sizes["sample"]
    covers = {"covers": f"{found.samples:,} random samples of {n:,}, compared with exact lists."}
    return v.assign(
        ds,
        dict(zip(MEASURED, (*found.recall, found.certified), strict=True)),
        inputs=(v.neighbor_distance, v.neighbor_index),
        parameters={"recall": parameters["recall"], "seed": parameters["seed"]},
        attrs={v.neighbor_recall: covers},
    )
