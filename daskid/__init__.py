"""Intrinsic dimension, density and landscape of data larger than memory, on Dask."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from daskid import config, datasets
from daskid.estimators.dimension import gride, mle, twonn, twonn_blocks
from daskid.estimators.neighbors import knn, plan
from daskid.io.from_trajectory import open_trajectory
from daskid.io.rows import open_rows
from daskid.io.store import open_run, save
from daskid.page import report, summary, table
from daskid.recipes import analyze
from daskid.variables import SchemaError

if TYPE_CHECKING:
    from daskid.cluster import connect

__version__ = version("daskid")

__all__ = [
    "SchemaError",
    "__version__",
    "analyze",
    "config",
    "connect",
    "datasets",
    "gride",
    "knn",
    "mle",
    "open_rows",
    "open_run",
    "open_trajectory",
    "plan",
    "report",
    "save",
    "summary",
    "table",
    "twonn",
    "twonn_blocks",
]


def __getattr__(name: str) -> Any:
    if name == "connect":  # distributed is slow to import: only who makes a cluster waits for it
        from daskid.cluster import connect

        return connect
    raise AttributeError(f"module 'daskid' has no attribute {name!r}")
