"""The landscape in pictures: states and barriers, free energies on a plane, transitions."""

from daskid.plot.landscape.kinetics import chapman_kolmogorov, implied_timescales
from daskid.plot.landscape.matrices import barrier_matrix, passage_matrix
from daskid.plot.landscape.mean_force import pmf
from daskid.plot.landscape.network import network
from daskid.plot.landscape.surface import (
    committor,
    committor_points,
    draw_committor,
    draw_surface,
    surface,
    surface_points,
)
from daskid.plot.landscape.tree import disconnectivity
from daskid.plot.landscape.tubes import tubes

__all__ = [
    "barrier_matrix",
    "chapman_kolmogorov",
    "committor",
    "committor_points",
    "disconnectivity",
    "draw_committor",
    "draw_surface",
    "implied_timescales",
    "network",
    "passage_matrix",
    "pmf",
    "surface",
    "surface_points",
    "tubes",
]
