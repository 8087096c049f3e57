"""Intrinsic dimension, density and landscape of data larger than memory, on Dask."""

from importlib.metadata import version

from daskid import config, datasets
from daskid.estimators.dimension import gride, mle, twonn
from daskid.estimators.neighbors import knn
from daskid.io.rows import open_rows
from daskid.io.store import open_run, save
from daskid.page import report, summary, table
from daskid.recipes import analyze
from daskid.variables import SchemaError

__version__ = version("daskid")

__all__ = [
    "SchemaError",
    "__version__",
    "analyze",
    "config",
    "datasets",
    "gride",
    "knn",
    "mle",
    "open_rows",
    "open_run",
    "report",
    "save",
    "summary",
    "table",
    "twonn",
]
