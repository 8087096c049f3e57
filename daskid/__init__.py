"""Intrinsic dimension, density and landscape of data larger than memory, on Dask."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from daskid import config
from daskid.estimators.comparison import (
    adjusted_rand,
    id_by_label,
    imbalance_plane,
    information_imbalance,
    label_overlap,
    normalized_mutual_info,
    overlap,
    select_features,
)
from daskid.estimators.density import density, density_at, kstar
from daskid.estimators.dimension import gride, mle, twonn, twonn_blocks, twonn_window
from daskid.estimators.landscape import (
    barriers,
    committor,
    edge_state,
    fokker_planck,
    free_energy,
    irreversibility,
    kramers,
    markov,
    minimum_action_path,
    pmf,
    reactive_paths,
    transitions,
)
from daskid.estimators.layers import dendrogram, genealogy
from daskid.estimators.moments import cka, gaussian_clone, principal_components
from daskid.estimators.neighbors import append, knn, knn_approximate, plan
from daskid.estimators.peaks import linkage, newick, peaks, persistence, significance
from daskid.io.layers import open_layers
from daskid.io.rows import open_rows
from daskid.io.store import open_run, save
from daskid.recipes import analyze, layer_profile
from daskid.recipes.transfer import cut_advice, last_layer
from daskid.variables import SchemaError

if TYPE_CHECKING:
    from daskid import datasets, plot
    from daskid.cluster import connect
    from daskid.io.export import (
        discrete_trajectories,
        export_frames,
        labels_on_source,
        to_dataframe,
    )
    from daskid.io.from_trajectory import open_trajectory
    from daskid.io.record import record
    from daskid.page import report
    from daskid.page.results import table
    from daskid.page.summary import summary

__version__ = version("daskid")

__all__ = [
    "SchemaError",
    "__version__",
    "adjusted_rand",
    "analyze",
    "append",
    "barriers",
    "cka",
    "committor",
    "config",
    "connect",
    "cut_advice",
    "datasets",
    "dendrogram",
    "density",
    "density_at",
    "discrete_trajectories",
    "edge_state",
    "export_frames",
    "fokker_planck",
    "free_energy",
    "gaussian_clone",
    "genealogy",
    "gride",
    "id_by_label",
    "imbalance_plane",
    "information_imbalance",
    "irreversibility",
    "knn",
    "knn_approximate",
    "kramers",
    "kstar",
    "label_overlap",
    "labels_on_source",
    "last_layer",
    "layer_profile",
    "linkage",
    "markov",
    "minimum_action_path",
    "mle",
    "newick",
    "normalized_mutual_info",
    "open_layers",
    "open_rows",
    "open_run",
    "open_trajectory",
    "overlap",
    "peaks",
    "persistence",
    "plan",
    "plot",
    "pmf",
    "principal_components",
    "reactive_paths",
    "record",
    "report",
    "save",
    "select_features",
    "significance",
    "summary",
    "table",
    "to_dataframe",
    "transitions",
    "twonn",
    "twonn_blocks",
    "twonn_window",
]


LATER = {
    "connect": "daskid.cluster",
    "discrete_trajectories": "daskid.io.export",
    "export_frames": "daskid.io.export",
    "labels_on_source": "daskid.io.export",
    "open_trajectory": "daskid.io.from_trajectory",
    "record": "daskid.io.record",
    "report": "daskid.page",
    "summary": "daskid.page",
    "table": "daskid.page",
    "to_dataframe": "daskid.io.export",
}
"""Imported when they are asked for: what they need is slow to import, and not always wanted."""


def __getattr__(name: str) -> Any:
    if name in ("datasets", "plot"):
        return import_module(f"daskid.{name}")
    if name in LATER:
        return getattr(import_module(LATER[name]), name)
    raise AttributeError(f"module 'daskid' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
