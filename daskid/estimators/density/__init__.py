"""The density at every sample, from as many neighbors as see the same density."""

from daskid.estimators.density.densities import density
from daskid.estimators.density.neighborhoods import kstar
from daskid.estimators.density.newcomers import density_at

__all__ = ["density", "density_at", "kstar"]
