"""Pictures of the layers of a network: dimension, overlaps, imbalances, genealogy of peaks."""

from daskid.plot.layers.curves import hunchback, imbalances, overlaps
from daskid.plot.layers.lineages import genealogy
from daskid.plot.layers.matrix import overlap_matrix

__all__ = ["genealogy", "hunchback", "imbalances", "overlap_matrix", "overlaps"]
