"""The neighbors of every sample, and the plan of their search."""

from daskid.estimators.neighbors.lists import knn
from daskid.estimators.neighbors.plans import plan

__all__ = ["knn", "plan"]
