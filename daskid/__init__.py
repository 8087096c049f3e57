"""Intrinsic dimension, density and landscape of data larger than memory, on Dask."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from daskid import config
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
from daskid.estimators.neighbors import append, knn, knn_approximate, plan
from daskid.estimators.peaks import linkage, newick, peaks, persistence, significance
from daskid.io.rows import open_rows
from daskid.io.store import open_run, save
from daskid.recipes import analyze
from daskid.variables import SchemaError

if TYPE_CHECKING:
    from daskid import datasets
    from daskid.cluster import connect
    from daskid.io.export import (
        discrete_trajectories,
        export_frames,
        labels_on_source,
        to_dataframe,
    )
    from daskid.io.from_trajectory import open_trajectory
    from daskid.page import report
    from daskid.page.results import table
    from daskid.page.summary import summary

__version__ = version("daskid")

__all__ = [
    "SchemaError",
    "__version__",
    "analyze",
    "append",
    "barriers",
    "committor",
    "config",
    "connect",
    "datasets",
    "density",
    "density_at",
    "discrete_trajectories",
    "edge_state",
    "export_frames",
    "fokker_planck",
    "free_energy",
    "gride",
    "irreversibility",
    "knn",
    "knn_approximate",
    "kramers",
    "kstar",
    "labels_on_source",
    "linkage",
    "markov",
    "minimum_action_path",
    "mle",
    "newick",
    "open_rows",
    "open_run",
    "open_trajectory",
    "peaks",
    "persistence",
    "plan",
    "pmf",
    "reactive_paths",
    "report",
    "save",
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
    "report": "daskid.page",
    "summary": "daskid.page",
    "table": "daskid.page",
    "to_dataframe": "daskid.io.export",
}
"""Imported when they are asked for: what they need is slow to import, and not always wanted."""


def __getattr__(name: str) -> Any:
    if name == "datasets":
        return import_module("daskid.datasets")
    if name in LATER:
        return getattr(import_module(LATER[name]), name)
    raise AttributeError(f"module 'daskid' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
