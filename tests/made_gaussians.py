"""Gaussians with the lists and densities that the steps would leave, made by the kernels alone."""

import numpy as np
import peaks_input
from benchmarks import peaks_calibration as simulation

from daskid import variables as v


def gaussians(n, d, seed, k, centers=((0,),), method="pak"):
    """Standard Gaussians of ``n`` samples each; of ``centers``, the leading features are given."""
    x = np.random.default_rng([seed, n * len(centers), d]).standard_normal((n * len(centers), d))
    for blob, center in enumerate(centers):
        x[blob * n : (blob + 1) * n, : len(center)] += center
    distance, index = simulation.neighbors(x, k)
    kstar = simulation.neighborhoods(distance, index, d)
    found = {name: values for name, *values in simulation.densities(distance, kstar, d)}
    ds = peaks_input.dataset(index, kstar, *found[method], chunk=len(x) // 3)
    lists = {v.kstar: ds.kstar.data, v.kstar_dimension: float(d)}
    values = {v.log_density: ds.log_density.data, v.log_density_error: ds.log_density_error.data}
    ds = v.assign(ds, lists, inputs=(v.neighbor_index,))
    return v.assign(ds, values, inputs=(v.kstar,), parameters={"method": method})
