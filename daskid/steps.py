"""The public steps, by name, in the order in which a run flows.

One table feeds the Python API, the command line and the README.
"""

from collections.abc import Callable

import xarray as xr

from daskid.estimators.dimension import gride, mle, twonn, twonn_blocks
from daskid.estimators.neighbors import knn

STEPS: dict[str, Callable[..., xr.Dataset]] = {
    "knn": knn,
    "twonn": twonn,
    "twonn_blocks": twonn_blocks,
    "gride": gride,
    "mle": mle,
}
