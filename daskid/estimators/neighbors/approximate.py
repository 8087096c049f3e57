"""Most of the nearest neighbors of every sample, and how many of them that are."""

from typing import Any, Literal

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import search
from daskid.blockwise.search.approximate import Approximate, search_approximate
from daskid.blockwise.search.source import source_of
from daskid.estimators.neighbors.checks import check, labels, rule_of, window
from daskid.estimators.neighbors.lists import _lazy
from daskid.estimators.neighbors.stored import OUTPUTS
from daskid.io import store as runs
from daskid.storage import run

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
    processes. Rows and lists are held in memory, by every process: a search that is killed
    starts anew. Nothing else in daskid takes this step in place of :func:`daskid.knn`.

    What is missed is not random: it is far neighbours, and those of samples between cells.
    Dimensions come out too low, and distances too large. Changes against exact neighbours
    (20,000 samples of a Gaussian in 5 and in 10 dimensions, k = 31; of the mean log density at
    the true dimension; ``tests/benchmarks/approximate.py``)::

        recall        TwoNN             MLE, k = 30       log density, PAk
        0.83   0.81   -1.3 %   -1.8 %   -8.8 %   -8.1 %   -0.02   -0.04
        0.91   0.91   -0.4 %   -0.6 %   -4.6 %   -4.2 %    0.00   -0.01
        0.96   0.95   -0.1 %   -0.2 %   -2.1 %   -2.2 %   +0.01    0.00
        0.993  0.993   0.0 %    0.0 %   -0.4 %   -0.4 %    0.00    0.00
        0.999  0.999   0.0 %    0.0 %   -0.1 %   -0.1 %    0.00    0.00

    200,000 samples took 7.9 and 18 s of CPU time, the exact search 13 and 25 s (k = 30, recall
    0.99): it pays for more samples only.

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
        A run to write to at the end, made if there is none.
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
        If rows and lists do not fit into memory.

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
    if store is not None:
        described = v.describe(ds, OUTPUTS, inputs=inputs, parameters=parameters)
        if _is_there(ds, described, store, overwrite):
            return runs.open_run(store)
    n, d = rows.shape
    held = n * (d * (2 * np.dtype(rows.dtype).itemsize + 16) + 3 * 16 * k + 100)
    job = search.prepare(source_of(rows, lists=held), rule, *labels(ds, exclude))
    found = search_approximate(job, recall, seed)
    out = _assigned(ds, found, job, inputs, parameters)
    return out if store is None else runs.save(out, store, overwrite=overwrite)


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


def _is_there(
    ds: xr.Dataset, described: dict[str, dict[str, Any]], store: str, overwrite: bool
) -> bool:
    """Return whether a run holds the result; raise if it holds another, and may not lose it."""
    run.check_writable(store)
    if not run.is_run(store):
        return False
    new = {name: str(attrs["fingerprint"]) for name, attrs in described.items()}
    committed = run.record(store)["committed"]
    if all(committed.get(n) == f for n, f in new.items()):
        return all(variable.name in committed for variable in MEASURED)
    if not overwrite:  # refuse before the work
        wanted = ds.assign({name: ((), 0, attrs) for name, attrs in described.items()})
        runs.clear(store, new, wanted, overwrite=False)
    return False


def _assigned(
    ds: xr.Dataset,
    found: Approximate,
    job: search.Job,
    inputs: tuple[v.Variable, ...],
    parameters: dict[str, Any],
) -> xr.Dataset:
    mean, low, high = found.recall
    words = f"recall {mean:.4f} [{low:.4f}, {high:.4f}]"
    values = (found.distance, found.location, job.location, job.multiplicity)
    n, d, k = *job.source.shape, job.k
    attrs = {o: {v.APPROXIMATE: words} for o in OUTPUTS}
    attrs[v.neighbor_distance] |= found.cost
    out = v.assign(
        ds,
        {o: _lazy(x, d, k) for o, x in zip(OUTPUTS, values, strict=True)},
        inputs=inputs,
        parameters=parameters,
        attrs=attrs,
    )
    covers = {"covers": f"{found.samples:,} random samples of {n:,}, compared with exact lists."}
    return v.assign(
        out,
        dict(zip(MEASURED, (mean, low, high, found.certified), strict=True)),
        inputs=(v.neighbor_distance, v.neighbor_index),
        parameters={"recall": parameters["recall"], "seed": parameters["seed"]},
        attrs={v.neighbor_recall: covers},
    )
