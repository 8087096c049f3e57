r"""Diffusions :math:`dX = b(X)\,dt + \sigma\,dW` whose landscape is known: drift and truth.

The data sets of the same names sample them; ``drift`` is what
:func:`daskid.minimum_action_path` and :func:`daskid.fokker_planck` take.
"""

from daskid.datasets.systems.flows import maier_stein, ornstein_uhlenbeck
from daskid.datasets.systems.surfaces import mueller_brown, triple_well
from daskid.datasets.systems.truth import System
from daskid.datasets.systems.wells import double_well

__all__ = [
    "System",
    "double_well",
    "maier_stein",
    "mueller_brown",
    "ornstein_uhlenbeck",
    "triple_well",
]
