"""Ground truths and real data, chunked and seeded: the same bits whatever the chunks.

Every function returns a dataset that the steps take as it is. ``attrs["truth"]`` is what is
known about it, as JSON; ``attrs["source"]`` says where the truth comes from.
"""

from daskid.datasets import systems
from daskid.datasets.chains import three_state_ring
from daskid.datasets.climate import (
    ghil_sellers,
    ghil_sellers_drift,
    ghil_sellers_states,
    global_mean,
)
from daskid.datasets.density import gaussian, gaussian_mixture
from daskid.datasets.dimension import cube, flat_torus, swiss_roll, torus
from daskid.datasets.dynamics import lorenz63, lorenz96
from daskid.datasets.layers import hunchback, nucleation
from daskid.datasets.manifolds import MANIFOLDS, manifold
from daskid.datasets.molecules import alanine_dipeptide
from daskid.datasets.potentials import double_well, mueller_brown, triple_well
from daskid.datasets.stochastic import maier_stein, ornstein_uhlenbeck
from daskid.datasets.systems.wells import double_well_mfpt

__all__ = [
    "MANIFOLDS",
    "alanine_dipeptide",
    "cube",
    "double_well",
    "double_well_mfpt",
    "flat_torus",
    "gaussian",
    "gaussian_mixture",
    "ghil_sellers",
    "ghil_sellers_drift",
    "ghil_sellers_states",
    "global_mean",
    "hunchback",
    "lorenz63",
    "lorenz96",
    "maier_stein",
    "manifold",
    "mueller_brown",
    "nucleation",
    "ornstein_uhlenbeck",
    "swiss_roll",
    "systems",
    "three_state_ring",
    "torus",
    "triple_well",
]
