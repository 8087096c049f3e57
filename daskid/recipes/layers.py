"""All layers of a network through the same steps, and beside each other."""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.datasets.density import gaussian_mixture
from daskid.estimators.comparison import (
    adjusted_rand,
    imbalance_plane,
    label_overlap,
    overlap,
)
from daskid.estimators.density import density, kstar
from daskid.estimators.dimension import gride, twonn
from daskid.estimators.layers import genealogy
from daskid.estimators.moments import principal_components
from daskid.estimators.neighbors import knn
from daskid.estimators.peaks import peaks
from daskid.io.layers import (
    check_together,
    drop_table,
    layers_of,
    network_of,
    run_of,
    save_table,
    with_depth,
)
from daskid.io.store import save
from daskid.typing import Floats

log = logging.getLogger("daskid")

RANK = 1e-12
"""Share of the largest variance from which on a component is more than rounding."""
OWN = {
    v.profile_id: v.id_twonn, v.profile_id_error: v.id_twonn_error,
    v.profile_clone: v.id_clone, v.profile_clone_error: v.id_clone_error,
    v.profile_components: v.pca_dimension, v.profile_components_error: v.pca_dimension_error,
    v.profile_participation: v.pca_participation,
    v.profile_participation_error: v.pca_participation_error,
    v.profile_rand: v.adjusted_rand, v.profile_rand_error: v.adjusted_rand_error,
    v.profile_label: v.label_overlap, v.profile_label_error: v.label_overlap_error,
    v.profile_label_chance: v.label_overlap_chance,
    v.profile_label_ceiling: v.label_overlap_ceiling,
}  # fmt: skip
"""What the table has of each layer by itself."""
SCALES = {
    v.profile_gride: v.id_gride, v.profile_gride_error: v.id_gride_error,
    v.profile_radius: v.id_gride_radius,
}  # fmt: skip


def layer_profile(
    tree: xr.DataTree,
    *,
    labels: str | None = None,
    neighbors: int = 100,
    k: int = 30,
    z: float | str = 1.65,
    variance: float = 0.9,
    imbalance: bool = True,
    store: str | Path | None = None,
    overwrite: bool = False,
) -> xr.DataTree:
    """Profile the layers of a network, or of its checkpoints, side by side. *Computes*.

    Every layer goes through ``knn``, ``twonn``, ``gride``, ``kstar``, ``density``, ``peaks`` and
    ``principal_components``, its Gaussian clone through ``twonn``; with labels through
    ``label_overlap`` and ``adjusted_rand``. All pairs of layers are compared by ``overlap``, those
    of one network by their information imbalance both ways, see :func:`daskid.imbalance_plane`;
    and peaks are followed from layer to layer, see :func:`daskid.genealogy`, where there is one
    network.

    Parameters
    ----------
    tree
        As :func:`daskid.open_layers` opens it: a dataset of ``rows`` for each layer.
    labels
        Name of the labels, a coordinate or variable along ``sample`` of every layer.
    neighbors
        Neighbors that are searched; fewer where there are fewer samples.
    k
        Neighbors that are compared.
    z, variance
        As :func:`daskid.peaks` and :func:`daskid.principal_components` take them.
    imbalance
        Whether to take information imbalances: one more pass over the pairs of rows of each layer.
    store
        A folder of runs, one a layer, made if there is none; what they hold is not computed again.
        The table goes beside them, into ``profile.nc``.
    overwrite
        Replace what the runs hold for other parameters.

    Returns
    -------
    A tree with the results of every layer, and in its root the table over ``layer``:
    ``profile_depth``, ``profile_features``, ``profile_id``, the curve ``profile_gride`` over
    ``rank``, ``profile_clone``, ``profile_components``, ``profile_participation``,
    ``profile_peaks``, ``profile_rand``, ``profile_label``, the overlap ``profile_next`` with the
    next layer and ``profile_last`` with the last of the network, ``profile_to_next`` and
    ``profile_from_next``, each with ``_error``; ``profile_overlap`` of all pairs,
    ``profile_imbalance`` from each layer to each other one of its network; and what
    ``genealogy`` adds. NaN (and -1 peaks) where a layer has no answer, such as one of dead units:
    the log says which and why.

    Raises
    ------
    SchemaError
        If there are no layers.
    ValueError
        If layers hold other samples or another order, or labels are missing for some; and as
        the steps do for what concerns all layers.

    References
    ----------
    .. [1] A. Ansuini, A. Laio, J. H. Macke, D. Zoccolan, "Intrinsic dimension of data
       representations in deep neural networks", NeurIPS 32 (2019).
       https://arxiv.org/abs/1905.12784

    Examples
    --------
    >>> import daskid
    >>> tree = daskid.datasets.hunchback(600, dimensions=(2, 6, 3), features=20)
    >>> out = layer_profile(tree, k=10, neighbors=30)
    >>> [f"{d:.0f}" for d in out.profile_id.values]
    ['2', '6', '3']
    """
    layers = with_depth(layers_of(tree))
    check_together(layers)
    if store is not None:
        drop_table(store)
    done = {
        name: _profiled(
            ds, None if store is None else run_of(store, name), labels, overwrite, name,
            neighbors=neighbors, k=k, z=z, variance=variance,
        )
        for name, ds in layers.items()
    }  # fmt: skip
    given = {"labels": labels, "neighbors": neighbors, "k": k, "z": z, "variance": variance}
    table = _table(done, k, imbalance=imbalance, given=given)
    if store is not None:
        save_table(table, store)
    return xr.DataTree.from_dict({"/": table, **{f"/{name}": ds for name, ds in done.items()}})


def _profiled(
    ds: xr.Dataset,
    run: str | None,
    labels: str | None,
    overwrite: bool,
    name: str,
    *,
    neighbors: int,
    k: int,
    z: float | str,
    variance: float,
) -> xr.Dataset:
    """Return a layer with all that it says by itself."""
    log.info("layer_profile: %s", name)
    most = min(neighbors, ds.sizes["sample"] - 1)
    out = _attempt(name, ds, lambda x: knn(x, k=most, store=run, overwrite=overwrite))
    if v.neighbor_distance.name in out:
        out = gride(twonn(out))
        out = _attempt(name, out, lambda x: peaks(density(kstar(x)), z=z))
    if v.pca_share.name not in out or v.parameters(out, v.pca_share)["variance"] != variance:
        out = _attempt(name, out, lambda x: principal_components(x, variance=variance))
    if v.id_clone.name not in out and v.pca_variance.name in out:
        out = _attempt(name, out, _clone)
    if labels is not None and v.neighbor_distance.name in out:
        out = _attempt(name, out, lambda x: label_overlap(x, labels=labels, k=k))
        if v.peak_label.name in out:
            out = _attempt(name, out, lambda x: adjusted_rand(x, labels=labels))
    return out if run is None else save(out, run, overwrite=overwrite)


def _attempt(name: str, ds: xr.Dataset, step: Any) -> xr.Dataset:
    """Return what a step makes of a layer, or the layer as it is where it has no answer."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            made: xr.Dataset = step(ds)
        except v.SchemaError:
            raise
        except ValueError as error:
            if str(error).startswith(("store:", "source:")):  # of the run, not of the layer
                raise
            log.warning("layer_profile: goes on without a result for the layer %s: %s", name, error)
            made = ds
    for each in caught:
        log.warning("layer_profile: %s: %s", name, each.message)
    return made


def _clone(ds: xr.Dataset) -> xr.Dataset:
    """Return a layer with the dimension of its Gaussian clone, drawn along principal axes.

    Distances are those of a draw of :func:`daskid.gaussian_clone`, turned, which needs no
    second look at the rows.
    """
    variance = np.asarray(v.read(ds, v.pca_variance)[0].compute())
    held = variance[variance > RANK * variance[0]]
    if not held.size:
        raise ValueError("rows: expected some variance, got constant rows: dead units")
    shape = np.zeros((1, held.size)), np.sqrt(held)[np.newaxis]
    drawn = gaussian_mixture(ds.sizes["sample"], means=shape[0], widths=shape[1])
    found = twonn(knn(drawn, k=2))
    value, error = (float(found[x.name]) for x in (v.id_twonn, v.id_twonn_error))
    return v.assign(ds, {v.id_clone: value, v.id_clone_error: error}, inputs=[v.pca_variance])


def _table(
    layers: dict[str, xr.Dataset], k: int, *, imbalance: bool, given: dict[str, Any]
) -> xr.Dataset:
    """Return the table over layers."""
    names, each = list(layers), list(layers.values())
    values: dict[v.Variable, Any] = {
        v.profile_depth: np.array([float(ds.attrs["depth"]) for ds in each]),
        v.profile_features: np.array([ds.sizes["feature"] for ds in each]),
        v.profile_peaks: np.array([ds.sizes.get("peak", -1) for ds in each]),
        **{ours: np.array([_scalar(ds, own) for ds in each]) for ours, own in OWN.items()},
    }
    ranks = max((ds.sizes.get("scale", 0) for ds in each), default=0)
    for ours, own in SCALES.items():
        values[ours] = np.stack([_curve(ds, own, ranks) for ds in each])
    values |= _pairs(names, each, k, imbalance=imbalance)
    if all(np.isnan(values[v.profile_label])):
        for ours in [x for x in OWN if x.name.startswith(("profile_label", "profile_rand"))]:
            del values[ours]
    out = v.assign(xr.Dataset(), values, inputs=[], parameters=given)
    text = np.array(names, np.dtypes.StringDType())
    widest = max(each, key=lambda ds: ds.sizes.get("scale", 0))
    coords: dict[str, Any] = {"layer": ("layer", text), "other_layer": ("other_layer", text)}
    if "scale" in widest.coords:
        coords["rank"] = ("rank", widest["scale"].values)
    out = out.assign_coords(coords)
    networks = {network_of(name) for name in names}
    if len(networks) == 1 and sum(v.peak_label.name in ds for ds in each) == len(each) > 1:
        tree = xr.DataTree.from_dict({f"/{name}": ds for name, ds in layers.items()})
        out = out.merge(genealogy(tree, labels=given["labels"]))
    return out


def _scalar(ds: xr.Dataset, variable: v.Variable) -> float:
    return float(ds[variable.name]) if variable.name in ds else np.nan


def _curve(ds: xr.Dataset, variable: v.Variable, ranks: int) -> Floats:
    out = np.full(ranks, np.nan)
    if variable.name in ds:
        out[: ds.sizes["scale"]] = ds[variable.name].values
    return out


def _pairs(
    names: list[str], each: list[xr.Dataset], k: int, *, imbalance: bool
) -> dict[v.Variable, Floats]:
    """Return what layers keep of each other."""
    size = len(each)
    found = {x: np.full((size, size), np.nan) for x in (v.profile_overlap, v.profile_overlap_error)}
    usable = [ds.sizes.get("neighbor", 0) > k for ds in each]
    for i in range(size):
        for j in range(i):
            if usable[i] and usable[j]:
                pair = overlap(each[i], each[j], k=k)
                for ours, own in ((v.profile_overlap, v.overlap),
                                  (v.profile_overlap_error, v.overlap_error)):  # fmt: skip
                    found[ours][i, j] = found[ours][j, i] = float(pair[own.name])
        if usable[i]:
            found[v.profile_overlap][i, i], found[v.profile_overlap_error][i, i] = 1.0, 0.0
    following, last = _following(names)
    out = dict(found)
    for ours, other in ((v.profile_next, following), (v.profile_last, last)):
        for ending, whole in (("", v.profile_overlap), ("_error", v.profile_overlap_error)):
            variable = v.VARIABLES[ours.name + ending]
            out[variable] = np.array(
                [found[whole][i, j] if j >= 0 else np.nan for i, j in enumerate(other)]
            )
    if imbalance:
        out |= _imbalances(names, each, following)
    return out


def _following(names: list[str]) -> tuple[list[int], list[int]]:
    """Return, for each layer, the next and the last of its network; -1 for the last itself."""
    following, last = [], []
    for i, name in enumerate(names):
        later = [j for j in range(i + 1, len(names)) if network_of(names[j]) == network_of(name)]
        following.append(later[0] if later else -1)
        last.append(later[-1] if later else -1)
    return following, last


def _imbalances(
    names: list[str], each: list[xr.Dataset], following: list[int]
) -> dict[v.Variable, Floats]:
    """Return the imbalances of all pairs of layers of a network, and those to and from the next."""
    plane, error = (np.full((len(each), len(each)), np.nan) for _ in range(2))
    for network in {network_of(name) for name in names}:
        own = [
            i
            for i, name in enumerate(names)
            if network_of(name) == network and "neighbor" in each[i].sizes
        ]
        if len(own) > 1:
            found = imbalance_plane({names[i]: each[i] for i in own})
            square = np.ix_(own, own)
            plane[square] = found[v.imbalance.name].values
            error[square] = found[v.imbalance_error.name].values
    out: dict[v.Variable, Any] = {v.profile_imbalance: plane, v.profile_imbalance_error: error}
    pairs = [(i, j) for i, j in enumerate(following) if j >= 0]
    for ours, whole, turned in (
        (v.profile_to_next, plane, False), (v.profile_to_next_error, error, False),
        (v.profile_from_next, plane, True), (v.profile_from_next_error, error, True),
    ):  # fmt: skip
        out[ours] = np.full(len(each), np.nan)
        for i, j in pairs:
            out[ours][i] = whole[j, i] if turned else whole[i, j]
    return out
