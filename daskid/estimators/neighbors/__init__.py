"""The neighbors of every sample, and the plan of their search."""

from daskid.estimators.neighbors.append import append
from daskid.estimators.neighbors.approximate import knn_approximate
from daskid.estimators.neighbors.lists import knn
from daskid.estimators.neighbors.plans import plan

__all__ = ["append", "knn", "knn_approximate", "plan"]
