"""The dimension of every class of samples."""

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import blocks, search
from daskid.blockwise.comparison.classes import search_classes
from daskid.blockwise.search.source import source_of
from daskid.estimators.comparison.labels import codes_of
from daskid.estimators.comparison.samples import check_whole
from daskid.typing import MetricName

_COVERS = (
    "Sandwich error: the scatter over samples of the class drawn anew and independently, with "
    "neighborhoods that share samples; correlated frames and the bias of boundaries, curvature and "
    "uneven density are left out."
)


def id_by_label(
    ds: xr.Dataset, *, labels: str, metric: MetricName = "euclidean", exclude: int = 0
) -> xr.Dataset:
    r"""Estimate the intrinsic dimension of every class by itself; this step *computes*.

    Neighbors are searched afresh among the samples of the class, and :func:`daskid.twonn` reads
    its dimension, as Ansuini et al. did for object manifolds [1]_: lists of all samples hold
    neighbors of other classes, and miss farther ones of the same.

    Parameters
    ----------
    ds
        Holds ``rows (sample, feature)``, see :func:`daskid.open_rows`; the coordinates
        ``period`` and ``weight`` are honored. Neighbors that it holds are not used.
    labels
        Name of the variable or coordinate that holds labels: integers, text or booleans.
    metric, exclude
        As in :func:`daskid.knn`. Coincident samples of a class are one.

    Returns
    -------
    ``ds`` with a coordinate ``class``, the labels, and along it ``id_label``,
    ``id_label_error`` and ``id_label_samples``, the number of locations used. A class of fewer
    than three has no dimension: NaN.

    Raises
    ------
    SchemaError
        If ``rows`` is missing, or there are no such labels.
    ValueError
        If labels are not along ``sample``, or missing for some; as :func:`daskid.knn` for values.
    MemoryError
        If rows are not at rest, and do not fit into memory.

    References
    ----------
    .. [1] A. Ansuini, A. Laio, J. H. Macke, D. Zoccolan, "Intrinsic dimension of data
       representations in deep neural networks", NeurIPS 32 (2019), section 3.
       https://arxiv.org/abs/1905.12784

    Examples
    --------
    >>> import numpy as np, xarray as xr, daskid
    >>> x = np.random.default_rng(0).random((2000, 3))
    >>> flat = np.arange(2000) < 1000
    >>> x[flat, 2] = 0.5
    >>> ds = xr.Dataset({"rows": (("sample", "feature"), x), "flat": ("sample", flat)})
    >>> out = daskid.id_by_label(ds, labels="flat")
    >>> [f"{d:.1f} +- {e:.1f}" for d, e in zip(out.id_label.values, out.id_label_error.values)]
    ['2.7 +- 0.1', '1.9 +- 0.1']
    """
    (rows,) = v.read(ds, v.rows)
    check_whole("exclude", exclude, 0)
    if metric not in search.METRICS:
        raise ValueError(
            f"metric: expected one of {[*search.METRICS]}, got {metric!r}: choose one of them"
        )
    code, names = codes_of(ds, labels, classes=1)
    if "class" in ds.variables and ds["class"].dims != ("class",):
        raise ValueError(
            "labels: expected no variable 'class' along sample, as the classes become a dimension "
            "of this name: rename it, ds.rename({'class': 'kind'})"
        )
    rule = search.Rule(2, metric, *v.compared(ds), min(int(exclude), 1 << 62), merge=True)
    frame, trajectory = v.frames(ds) if exclude else (None, None)
    frames = np.arange(code.size) if frame is None else frame, trajectory
    found, used = [], []
    for lists in search_classes(source_of(rows), rule, code, frames):
        if lists is None:
            found.append((np.nan, np.nan))
            used.append(0)
            continue
        found.append(blocks.twonn(lists, metric)[:2])
        used.append(int((lists.location == np.arange(lists.location.size)).sum()))
    values = np.array(found)
    read = (v.rows, v.period, v.weight, *((v.row, v.trajectory) if exclude else ()))
    out = v.assign(
        ds.drop_vars("class", errors="ignore"),
        {v.id_label: values[:, 0], v.id_label_error: values[:, 1], v.id_label_samples: used},
        inputs=tuple(c for c in read if c.name in ds.variables),
        parameters={
            "labels": labels, "metric": metric, "exclude": int(exclude),
            "values": v.fingerprint(ds[labels]),
        },
        attrs={v.id_label_error: {"covers": _COVERS}},
    )  # fmt: skip
    return out.assign_coords({"class": ("class", names)})
