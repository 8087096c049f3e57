"""What frames that remember each other add to the errors of log densities.

The place of every frame on one axis, 8 bytes a sample, travels whole to each chunk of lists.
"""

from functools import partial
from typing import Any

import dask.array as da
import numpy as np

from daskid.blockwise import gather
from daskid.kernels import visits as kernels
from daskid.typing import Array, Floats, Ints


def inflation(
    index: da.Array,
    k: da.Array,
    location: da.Array,
    frame: da.Array,
    trajectory: da.Array | None,
    *,
    window: int,
    sloped: bool,
) -> da.Array:
    """Return k / k_eff of each sample: (n,).

    Parameters
    ----------
    index, k
        (n, stored) lists, and (n,) how many count.
    location, frame, trajectory
        (n,) first sample at the same place, frame number, trajectory if there are several.
    window, sloped
        See :func:`daskid.kernels.visits.inflation`.
    """
    index = index.rechunk({1: -1})
    rows = (index.chunks[0],)
    labels = () if trajectory is None else (gather.whole(trajectory), "n")
    location = gather.whole(location)
    # i: samples, k: neighbors, n: all samples
    place = da.blockwise(
        _places, "n", location, "n", gather.whole(frame), "n", *labels,
        window=window, dtype=np.int64, meta=np.empty(0, np.int64),
    )  # fmt: skip
    share = da.blockwise(
        _share, "", location, "n", place, "n",
        window=window, concatenate=True, dtype=np.float64, meta=np.empty(()),
    )  # fmt: skip
    factor: da.Array = da.blockwise(
        partial(_inflation, window=window, sloped=sloped),
        "i", index, "ik", k.rechunk(rows), "i", place, "n", share, "",
        align_arrays=False, dtype=np.float64, meta=np.empty(0),
    )  # fmt: skip
    return factor


def _places(location: Ints, frame: Ints, trajectory: Array | None = None, *, window: int) -> Ints:
    codes = np.zeros(frame.size, np.int64)
    if trajectory is not None:
        codes = np.unique(trajectory, return_inverse=True)[1].astype(np.int64)
    return kernels.places(location, frame.astype(np.int64), codes, window)


def _share(location: Ints, place: Ints, *, window: int) -> Floats:
    return np.asarray(kernels.share(location, place, window))


def _inflation(
    index: Any, k: Ints, place: Any, share: Floats, *, window: int, sloped: bool
) -> Floats:
    (index,), (place,) = (x if isinstance(x, list) else [x] for x in (index, place))
    gather.check(index, place.size)
    if (outside := (k < 1) | (k > index.shape[1])).any():
        raise ValueError(
            f"kstar: expected ranks from 1 to {index.shape[1]}, the neighbors stored, "
            f"got {k[outside][0]}: run kstar again"
        )
    index = np.ascontiguousarray(index)
    return kernels.inflation(index, k, place, window, float(share), sloped)
