"""Peaks of the density: clusters, their saddles and tree, and which of them to believe."""

from daskid.estimators.peaks.clusters import peaks
from daskid.estimators.peaks.persistence import persistence
from daskid.estimators.peaks.support import significance
from daskid.estimators.peaks.tree import linkage, newick

__all__ = ["linkage", "newick", "peaks", "persistence", "significance"]
