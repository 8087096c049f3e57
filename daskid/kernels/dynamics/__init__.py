"""Trajectories of model systems: deterministic, and driven by noise."""

from daskid.kernels.dynamics.diffusions import (
    DOUBLE_WELL,
    LINEAR,
    MAIER_STEIN,
    MUELLER_BROWN,
    TRIPLE_WELL,
    diffusion_drift,
    euler_maruyama,
)
from daskid.kernels.dynamics.energy_balance import (
    BRIGHTEST,
    C1,
    C2,
    C3,
    C4,
    C5,
    DARKEST,
    FREEZING,
    GREENHOUSE,
    RADIATION,
    energy_balance,
)
from daskid.kernels.dynamics.lorenz import lorenz63, lorenz63_drift, lorenz96, lorenz96_drift

__all__ = [
    "BRIGHTEST",
    "C1",
    "C2",
    "C3",
    "C4",
    "C5",
    "DARKEST",
    "DOUBLE_WELL",
    "FREEZING",
    "GREENHOUSE",
    "LINEAR",
    "MAIER_STEIN",
    "MUELLER_BROWN",
    "RADIATION",
    "TRIPLE_WELL",
    "diffusion_drift",
    "energy_balance",
    "euler_maruyama",
    "lorenz63",
    "lorenz63_drift",
    "lorenz96",
    "lorenz96_drift",
]
