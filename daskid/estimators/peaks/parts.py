"""Parts that no border connects, joined where neighbors lead from one to the other."""

import dask.array as da
import numpy as np
from dask.base import compute

from daskid.blockwise import parts as blockwise
from daskid.estimators.peaks.reading import Found, Input
from daskid.kernels.peaks import parts as kernels


def connected(given: Input, found: Found) -> Found:
    """Give a saddle to each part that has none and that neighbors leave. *Computes*.

    Two or three samples of the tails may have a center and no border that a list confirms:
    with no saddle they would be a peak at any z. Their saddle is the highest that a path along
    neighbors, ``kstar`` of each sample, takes out of them: the lower end of the step from
    one part to the other. Whether they are a peak is then asked as of all others. What no
    neighbor leaves, such as blobs far apart, stays a peak.

    Parameters
    ----------
    given, found
        Lists, and the raw peaks that were found in them.
    """
    part = kernels.parts(found.raw)
    if not part.any():
        return found
    lists, n = given.lists, found.center.size
    (error,) = compute(given.error)
    place = np.searchsorted(found.raw.sample, found.center)
    whole = (found.log_density - error, found.center, part.astype(found.center.dtype)[place])
    crossing = blockwise.crossings(
        lists.index, lists.kstar, lists.location, *(da.from_array(x, chunks=n) for x in whole)
    ).compute()
    return found._replace(raw=kernels.link(found.raw, crossing, found.log_density, error))
