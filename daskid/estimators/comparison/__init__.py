"""What neighborhoods share: of layers, of labels, of features."""

from daskid.estimators.comparison.classes import id_by_label
from daskid.estimators.comparison.imbalance import information_imbalance
from daskid.estimators.comparison.overlaps import label_overlap, overlap
from daskid.estimators.comparison.partitions import adjusted_rand, normalized_mutual_info
from daskid.estimators.comparison.plane import imbalance_plane
from daskid.estimators.comparison.selection import select_features

__all__ = [
    "adjusted_rand",
    "id_by_label",
    "imbalance_plane",
    "information_imbalance",
    "label_overlap",
    "normalized_mutual_info",
    "overlap",
    "select_features",
]
