"""The truth about a diffusion in one or two dimensions, from its drift alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from daskid import variables as v
from daskid.estimators.landscape.drift import Drift, checked, whole
from daskid.kernels.landscape import fokker_planck as kernels
from daskid.typing import Array, Floats


def fokker_planck(
    drift: Drift,
    sigma: npt.ArrayLike,
    box: npt.ArrayLike,
    *,
    cells: int = 150,
    timescales: int = 3,
    cores: Sequence[tuple[npt.ArrayLike, float]] = (),
) -> xr.Dataset:
    r"""Solve the Fokker-Planck equation of a known drift in one or two dimensions; it *computes*.

    For :math:`dX = b\,dt + \sigma\,dW` between reflecting walls: the stationary density, the
    relaxation times, and mean first passage times between disks. Cells exchange probability at
    the rates of Scharfetter and Gummel [1]_; the error falls as the square of their width.

    Parameters
    ----------
    drift
        Maps arrays of positions (..., D) to (..., D), D = 1 or 2.
    sigma
        Strength of the noise: one number, or one for each component.
    box
        (D, 2) lower and upper end of each component; beyond it there should be no density.
    cells
        Along each component.
    timescales
        How many.
    cores
        Disks (center, radius); a core is the cells whose centers are in the disk.

    Returns
    -------
    ``cell_position`` (cell, component) and ``cell_probability`` (cell), which sums to 1;
    ``relaxation_time`` (timescale), :math:`-1 / \mathrm{Re}\,\lambda` of the slowest modes (one
    that oscillates much faster than it decays may be missed); and, where there are cores,
    ``core_passage_time`` (core, other_core), the mean time from core to other_core, over the
    stationary density in the first; where there are two, ``cell_committor`` (cell), the
    probability to reach the second before the first. Times are those of the drift.

    Raises
    ------
    ValueError
        If there are more than two components, the noise is not positive, the box is empty, a
        core holds no cell, or there are fewer modes than are asked for.

    References
    ----------
    .. [1] D. L. Scharfetter, H. K. Gummel, "Large-signal analysis of a silicon Read diode
       oscillator", IEEE Trans. Electron Devices 16, 64 (1969).
       https://doi.org/10.1109/T-ED.1969.16566

    Examples
    --------
    >>> from daskid import datasets
    >>> from daskid.estimators.landscape import fokker_planck
    >>> well = datasets.systems.double_well(c=0.1, sigma=0.5)
    >>> out = fokker_planck(well.drift, 0.5, [(-2.3, 2.2)])
    >>> left = out.cell_probability.values[out.cell_position.values[:, 0] < 0.101].sum()
    >>> round(float(left), 2), round(well.truth["weights"][0], 2)
    (0.81, 0.81)
    """
    edges = _box(box)
    d = len(edges)
    strength = np.asarray(sigma, np.float64)
    if strength.shape not in ((), (d,)) or not (np.isfinite(strength) & (strength > 0)).all():
        raise ValueError(
            f"sigma: expected one number or {d} above 0, got {sigma!r}: pass the strength of the "
            "noise of each component"
        )
    whole("cells", cells, 8)
    whole("timescales", timescales, 1)
    if timescales > cells**d - 3:
        raise ValueError(
            f"timescales: expected at most {cells**d - 3} for {cells**d} cells, got {timescales}: "
            "take fewer, or more cells"
        )
    x = kernels.centers(edges, cells)
    rates = kernels.jump_rates(checked(drift, x), np.broadcast_to(strength, (d,)), edges, cells)
    probability = kernels.stationary(rates)
    sets = [_core(x, core, i) for i, core in enumerate(cores)]
    values = {
        v.cell_position: x,
        v.cell_probability: probability,
        v.relaxation_time: -1 / kernels.relaxation(rates, timescales).real,
    }
    if sets:
        values[v.core_passage_time] = _times(rates, probability, sets)
    if len(sets) > 1:
        values[v.cell_committor] = kernels.committor(rates, sets[0] & ~sets[1], sets[1])
    parameters = {"sigma": strength, "box": edges, "cells": cells, "timescales": timescales}
    return v.assign(xr.Dataset(), values, inputs=(), parameters=parameters)


def _box(box: npt.ArrayLike) -> Floats:
    edges = np.asarray(box, np.float64)
    flat = edges.ndim != 2 or edges.shape[-1] != 2 or len(edges) not in (1, 2)
    if flat or not np.isfinite(edges).all() or not (edges[:, 0] < edges[:, 1]).all():
        raise ValueError(
            f"box: expected (low, high) with low < high for one or two components, got {box!r}: "
            "equations in more dimensions need other methods"
        )
    return edges


def _core(x: Floats, core: tuple[npt.ArrayLike, float], number: int) -> Array:
    center, radius = np.asarray(core[0], np.float64), core[1]
    inside: Array = ((x - center) ** 2).sum(axis=1) <= radius**2
    if not inside.any():
        raise ValueError(
            f"cores: expected disks that hold cells, got none in core {number}, {core!r}: take "
            "more cells, or another core"
        )
    return inside


def _times(rates: Any, probability: Floats, sets: Sequence[Array]) -> Floats:
    times = [kernels.first_passage(rates, target) for target in sets]
    return np.array([
        [np.average(time[core], weights=probability[core]) for time in times] for core in sets
    ])  # fmt: skip
