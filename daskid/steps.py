"""The public steps, by name, in the order in which a run flows.

One table feeds the Python API, the command line and the README.
"""

from collections.abc import Callable

import xarray as xr

from daskid.estimators.comparison import (
    adjusted_rand,
    id_by_label,
    label_overlap,
    normalized_mutual_info,
)
from daskid.estimators.density import density, kstar
from daskid.estimators.dimension import gride, mle, twonn, twonn_blocks, twonn_window
from daskid.estimators.landscape import (
    barriers,
    committor,
    free_energy,
    irreversibility,
    markov,
    pmf,
    reactive_paths,
    transitions,
)
from daskid.estimators.layers import dendrogram
from daskid.estimators.moments import principal_components
from daskid.estimators.neighbors import knn, knn_approximate
from daskid.estimators.peaks import peaks, persistence, significance

STEPS: dict[str, Callable[..., xr.Dataset]] = {
    "knn": knn,
    "knn_approximate": knn_approximate,
    "twonn": twonn,
    "twonn_blocks": twonn_blocks,
    "twonn_window": twonn_window,
    "gride": gride,
    "mle": mle,
    "principal_components": principal_components,
    "id_by_label": id_by_label,
    "label_overlap": label_overlap,
    "kstar": kstar,
    "density": density,
    "peaks": peaks,
    "persistence": persistence,
    "significance": significance,
    "adjusted_rand": adjusted_rand,
    "normalized_mutual_info": normalized_mutual_info,
    "dendrogram": dendrogram,
    "free_energy": free_energy,
    "barriers": barriers,
    "transitions": transitions,
    "markov": markov,
    "committor": committor,
    "irreversibility": irreversibility,
    "pmf": pmf,
    "reactive_paths": reactive_paths,
}
