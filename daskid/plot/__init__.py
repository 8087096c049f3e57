"""Pictures of a run: Dataset in, matplotlib axes out; one file per room.

Each picture has two halves, so that a page can compute many of them at once:
``*_points`` describes, lazily, the few numbers that are drawn, and ``draw_*``
draws them. The function without a prefix does both, and so *computes*.
No picture touches pyplot: ``ax.figure.savefig("x.pdf")`` writes it, and in a
notebook ``ax.figure`` as the last line shows it.
"""

from collections.abc import Callable

from matplotlib.axes import Axes

from daskid.plot import comparison, density, dimension, kramers, landscape, layers, peaks, rows

__all__ = [
    "PICTURES",
    "comparison",
    "density",
    "dimension",
    "kramers",
    "landscape",
    "layers",
    "peaks",
    "rows",
]

PICTURES: dict[str, Callable[..., Axes]] = {
    "projection": rows.projection,
    "twonn_fit": dimension.twonn_fit,
    "dimension_scale": dimension.dimension_scale,
    "dimension_blocks": dimension.dimension_blocks,
    "dimension_window": dimension.dimension_window,
    "density": density.histogram,
    "tree": peaks.tree,
    "topography": peaks.topography,
    "basins": peaks.basins,
    "persistence": peaks.persistence,
    "disconnectivity": landscape.disconnectivity,
    "surface": landscape.surface,
    "pmf": landscape.pmf,
    "barrier_matrix": landscape.barrier_matrix,
    "passage_matrix": landscape.passage_matrix,
    "network": landscape.network,
    "implied_timescales": landscape.implied_timescales,
    "chapman_kolmogorov": landscape.chapman_kolmogorov,
    "committor": landscape.committor,
    "tubes": landscape.tubes,
    "arrhenius": kramers.arrhenius,
    "hunchback": layers.hunchback,
    "overlaps": layers.overlaps,
    "overlap_matrix": layers.overlap_matrix,
    "imbalances": layers.imbalances,
    "imbalance_plane": comparison.imbalance_plane,
    "imbalance_matrix": comparison.layer_matrix,
    "genealogy": layers.genealogy,
}
"""The pictures of a run, or of the table of layers, by name, in the order of the steps needed."""
