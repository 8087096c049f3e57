"""Layers of a network side by side: how density peaks come of each other."""

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.kernels import layers as kernels
from daskid.typing import Array, Floats, Ints

OWN = 0.5
"""Match from which on a class has a peak of its own."""
REPLICATES = 200


def genealogy(
    tree: xr.DataTree, *, labels: str | None = None, share: float = 0.5, level: float = 0.05
) -> xr.Dataset:
    r"""Follow density peaks from layer to layer. *Computes* tables of shared samples.

    A peak comes of one of the layer before if they share at least ``share`` of the samples of
    the smaller one, and more than the hypergeometric law gives to chance, at ``level`` for all
    pairs of two layers together. Where a peak comes of none it is born, where several come of
    one that splits, where one comes of several these merge, and where none comes of it it dies.

    A class has nucleated [1]_ where some peak is the class: where the Jaccard index of both,
    :math:`J = |c \cap p| / |c \cup p|`, has risen half the way from that with all samples in one
    peak to 1, linearly between layers.

    Parameters
    ----------
    tree
        Layers of one network, in order, each with ``peak_label``, see :func:`daskid.peaks`.
    labels
        Name of the classes, a variable along ``sample`` of every layer.
    share, level
        See above.

    Returns
    -------
    A dataset over ``layer`` with the numbers of peaks and events, each between a layer and the
    one before it; over ``lineage`` with every pair of peaks that share samples, their number, the
    probability by chance (1 where a layer has one peak) and whether they are linked; and
    with ``labels`` the match of every class and layer, and ``nucleation_depth`` with its error:
    of a bootstrap of samples in given peaks, and of the place between two layers (their
    distance over the square root of 12). Not in it: that peaks might be others. NaN for a
    class that never has a peak of its own.

    Raises
    ------
    SchemaError
        If it is no tree, or a layer has no peaks.
    ValueError
        If there are fewer than two layers, if they are of several networks or hold other
        samples, or if labels are not a value for every sample.

    References
    ----------
    .. [1] D. Doimo, A. Glielmo, A. Ansuini, A. Laio, "Hierarchical nucleation in deep neural
       networks", NeurIPS 33 (2020), section 3. https://arxiv.org/abs/2007.03506

    Examples
    --------
    >>> import xarray as xr, daskid
    >>> one = xr.Dataset({"peak_label": ("sample", [0, 0, 0, 0, 0, 0, 0, 0])})
    >>> two = xr.Dataset({"peak_label": ("sample", [0, 0, 0, 0, 1, 1, 1, 1])})
    >>> out = genealogy(xr.DataTree.from_dict({"/a": one, "/b": two}))
    >>> out.layer_peaks.values, out.layer_splits.values
    (array([1, 2]), array([0, 1]))
    """
    if not 0 < share <= 1 or not 0 < level < 1:
        raise ValueError(
            f"share, level: expected numbers above 0, at most 1, got {share} and {level}: the "
            "defaults are 0.5 and 0.05"
        )
    layers = _layers(tree)
    names, each = list(layers), list(layers.values())
    peaks = [np.asarray(v.read(ds, v.peak_label)[0].compute(), np.int64) for ds in each]
    _check_sizes(names, peaks)
    count = [int(p.max(initial=-1)) + 1 for p in peaks]
    depth = _depths(each)
    values = {
        v.layer_depth: depth, v.layer_peaks: np.array(count),
        **_lineages(peaks, count, share, level),
    }  # fmt: skip
    coords = {"layer": ("layer", np.array(names, np.dtypes.StringDType()))}
    attrs = {}
    if labels is not None:
        classes, code = _classes(each[0], labels)
        values |= _nucleation(depth, peaks, count, code, len(classes))
        coords["class"] = ("class", classes)
        attrs[v.nucleation_depth_error] = {
            "covers": "bootstrap of samples in given peaks, and the distance of layers; not the "
            "peaks themselves"
        }
    given = {"labels": labels, "share": share, "level": level}
    out = v.assign(xr.Dataset(), values, inputs=[], parameters=given, attrs=attrs)
    return out.assign_coords(coords)


def _lineages(
    peaks: list[Ints], count: list[int], share: float, level: float
) -> dict[v.Variable, Array]:
    """Return all pairs of peaks that share samples, and what happens between layers."""
    found = [kernels.Events(0, 0, 0, 0)]
    rows: list[tuple[float, ...]] = []
    for i in range(len(peaks) - 1):
        table = kernels.shared(peaks[i], peaks[i + 1], (count[i], count[i + 1])).astype(np.int64)
        linked, p = kernels.links(table, share, level), kernels.chance(table)
        found.append(kernels.events(linked))
        rows += [
            (i, i + 1, a, b, table[a, b], p[a, b], linked[a, b])
            for a, b in zip(*np.nonzero(table), strict=True)
        ]
    columns = np.array(rows, dtype=np.float64).reshape(-1, 7)
    happened = (v.layer_births, v.layer_splits, v.layer_merges, v.layer_deaths)
    return {
        **{x: np.array([e[j] for e in found]) for j, x in enumerate(happened)},
        v.lineage_layer: columns[:, :2].astype(np.int64),
        v.lineage_peak: columns[:, 2:4].astype(np.int64),
        v.lineage_members: columns[:, 4].astype(np.int64),
        v.lineage_p: columns[:, 5],
        v.lineage_linked: columns[:, 6].astype(bool),
    }


def _layers(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """Return the layers of one network by name, in order."""
    if not isinstance(tree, xr.DataTree):
        raise v.SchemaError(
            f"tree: expected an xarray.DataTree, got {type(tree).__name__}: start with "
            "daskid.open_layers"
        )
    found = {
        node.path.removeprefix(tree.path).strip("/"): node.to_dataset(inherit=False)
        for node in tree.subtree
        if v.peak_label.name in node.variables
    }
    if len(found) < 2:
        raise v.SchemaError(
            f"tree: expected two layers or more with peaks, got {len(found)}: run peaks on each, "
            "or daskid.layer_profile"
        )
    networks = {name.rpartition("/")[0] for name in found}
    if len(networks) > 1:
        raise ValueError(
            f"tree: expected the layers of one network, got those of {sorted(networks)}: give "
            "tree[name]"
        )
    return found


def _check_sizes(names: list[str], peaks: list[Ints]) -> None:
    for name, p in zip(names, peaks, strict=True):
        if p.size != peaks[0].size:
            raise ValueError(
                f"tree: expected {peaks[0].size} samples in {name!r}, as in {names[0]!r}, got "
                f"{p.size}: bring layers to the same samples"
            )


def _depths(layers: list[xr.Dataset]) -> Floats:
    given = [ds.attrs.get("depth") for ds in layers]
    if any(d is None for d in given):
        return np.linspace(0, 1, len(layers))
    return np.asarray(given, np.float64)


def _classes(ds: xr.Dataset, labels: str) -> tuple[Array, Ints]:
    """Return the names of classes, and the class of every sample."""
    if labels not in ds.variables or ds[labels].dims != ("sample",):
        known = sorted(str(n) for n, x in ds.variables.items() if x.dims == ("sample",))
        raise ValueError(
            f"labels: expected a variable along sample, one of {known}, got {labels!r}: assign it "
            "to every layer"
        )
    values = np.asarray(ds[labels].values)
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise ValueError(
            f"labels: expected a class for every sample, got NaN in {labels!r}: leave those "
            "samples out"
        )
    names, code = np.unique(values, return_inverse=True)
    return names, code.astype(np.int64)


def _nucleation(
    depth: Floats, peaks: list[Ints], count: list[int], code: Ints, classes: int
) -> dict[v.Variable, Floats]:
    """Return matches of classes with peaks, and the depths at which they nucleate."""
    rng, n = np.random.default_rng(0), code.size

    def matches(weight: Floats | None) -> Floats:
        tables = (
            kernels.shared(code, p, (classes, k), weight) for p, k in zip(peaks, count, strict=True)
        )
        return np.stack([kernels.match(table) for table in tables])

    seen = matches(None)
    where = kernels.crossing(depth, seen, OWN)
    drawn = [
        kernels.crossing(depth, matches(rng.multinomial(n, np.full(n, 1 / n)).astype(float)), OWN)
        for _ in range(REPLICATES)
    ]
    after = np.searchsorted(depth, where)
    after = np.clip(after, 1, depth.size - 1)
    between = (depth[after] - depth[after - 1]) ** 2 / 12
    spread = np.ma.masked_invalid(np.stack(drawn)).var(axis=0).filled(np.nan)
    error = np.where(np.isnan(where), np.nan, np.sqrt(spread + between))
    return {v.nucleation_match: seen, v.nucleation_depth: where, v.nucleation_depth_error: error}


def dendrogram(ds: xr.Dataset, *, labels: str) -> xr.Dataset:
    """Compare the tree of density peaks with a coarser level of labels. *Computes*.

    A peak belongs to the label of most of its samples. Of every three peaks, two of one label
    and one of another, the tree agrees where the two of one label join at a higher density than
    either joins the third: 1 where the tree is that of the labels, a third by chance. Labels of
    several levels (dogs, mammals, animals) are asked one by one, as in the dendrogram of
    the last layer of a network [1]_.

    Parameters
    ----------
    ds
        Holds ``peak_label`` and ``merge_peak``, see :func:`daskid.peaks`.
    labels
        Name of the coarse labels, a variable along ``sample``.

    Returns
    -------
    ``ds`` with ``tree_agreement``, ``tree_agreement_error`` (peaks left out one by one) and
    ``tree_triples``; NaN where there are no such three.

    Raises
    ------
    SchemaError
        If there are no peaks.
    ValueError
        If labels are not a value for every sample.

    References
    ----------
    .. [1] D. Doimo, A. Glielmo, A. Ansuini, A. Laio, "Hierarchical nucleation in deep neural
       networks", NeurIPS 33 (2020), section 3.2. https://arxiv.org/abs/2007.03506

    Examples
    --------
    >>> import xarray as xr
    >>> ds = xr.Dataset({"peak_label": ("sample", [0, 1, 2]), "coarse": ("sample", [5, 5, 6]),
    ...                  "merge_peak": (("merge", "side"), [[0, 1], [0, 2]])})
    >>> float(dendrogram(ds, labels="coarse").tree_agreement)
    1.0
    """
    label, merge = (np.asarray(x.compute()) for x in v.read(ds, v.peak_label, v.merge_peak))
    classes, code = _classes(ds, labels)
    peaks = int(label.max(initial=-1)) + 1
    family = kernels.shared(label, code, (peaks, len(classes))).argmax(axis=1)
    at = kernels.joined(merge, peaks)
    right, total = kernels.triples(at, family)
    left = [kernels.triples(at, family, p) for p in range(peaks)]
    shares = np.array([r / n for r, n in left if n])
    known = shares.size
    error = np.sqrt((known - 1) * shares.var()) if known > 1 else np.nan
    return v.assign(
        ds,
        {
            v.tree_agreement: right / total if total else np.nan,
            v.tree_agreement_error: error if total else np.nan,
            v.tree_triples: total,
        },
        inputs=[v.peak_label, v.merge_peak],
        parameters={"labels": labels, "fingerprint": v.fingerprint(ds[labels])},
        attrs={v.tree_agreement_error: {"covers": "peaks left out one by one"}},
    )
