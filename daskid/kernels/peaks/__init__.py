"""Density peaks: who climbs to which center, where basins touch, which peaks are real.

``ascent`` walks the neighbor lists, chunk by chunk; ``tables`` works on the few peaks and
saddles that it leaves; ``trees`` on the merges of those that survive.
"""

from daskid.kernels.peaks.ascent import (
    BORDER,
    REMOVAL,
    borders,
    climb,
    contacts,
    first_higher,
    group,
    highest,
    join,
    strongest,
)
from daskid.kernels.peaks.calibration import METHODS, RANGE, calibrated
from daskid.kernels.peaks.resampling import shifts, weights
from daskid.kernels.peaks.tables import (
    Final,
    Raw,
    centers,
    compact,
    finish,
    merge,
    persistence,
    survivors,
)
from daskid.kernels.peaks.trees import (
    averages,
    best_paths,
    chain,
    elders,
    linkage,
    members,
    merge_sizes,
    merge_tree,
    newick,
)

__all__ = [
    "BORDER",
    "METHODS",
    "RANGE",
    "REMOVAL",
    "Final",
    "Raw",
    "averages",
    "best_paths",
    "borders",
    "calibrated",
    "centers",
    "chain",
    "climb",
    "compact",
    "contacts",
    "elders",
    "finish",
    "first_higher",
    "group",
    "highest",
    "join",
    "linkage",
    "members",
    "merge",
    "merge_sizes",
    "merge_tree",
    "newick",
    "persistence",
    "shifts",
    "strongest",
    "survivors",
    "weights",
]
