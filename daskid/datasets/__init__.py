"""Ground truths and real data, chunked and seeded: the same bits whatever the chunks.

Every function returns a dataset that the steps take as it is. ``attrs["truth"]`` is what is
known about it, as JSON; ``attrs["source"]`` says where the truth comes from.
"""

from daskid.datasets.density import gaussian, gaussian_mixture
from daskid.datasets.dimension import cube, flat_torus, swiss_roll, torus
from daskid.datasets.dynamics import lorenz96
from daskid.datasets.manifolds import MANIFOLDS, manifold
from daskid.datasets.molecules import alanine_dipeptide

__all__ = [
    "MANIFOLDS",
    "alanine_dipeptide",
    "cube",
    "flat_torus",
    "gaussian",
    "gaussian_mixture",
    "lorenz96",
    "manifold",
    "swiss_roll",
    "torus",
]
