"""The energy balance climate model of Ghil and Sellers: warm, or a snowball, or on the edge.

After M. Ghil, "Climate stability for a Sellers-type model", J. Atmos. Sci. 33, 3 (1976), with
the parameters as used by T. Bodai, V. Lucarini, F. Lunkeit, R. Boschi, Clim. Dyn. 44, 3361
(2015). Latitude in 36 finite volumes; units cal, cm, K, and years for time.
"""

from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.optimize import root

from daskid import variables as v
from daskid.datasets.blocks import CHUNK, check_integers, dataset
from daskid.datasets.records import Flow, ensemble, labels
from daskid.datasets.systems.truth import check_positive, components
from daskid.kernels import dynamics as kernels
from daskid.typing import Floats

CELLS = 36
DAYS = 365.25
"""Days a year."""
YEAR = 86_400 * DAYS
SUN = 1.05
"""Strength of the sun, mu: both a warm and a frozen climate are possible."""
SNOWBALL, WARM = 242.0, 290.0
"""Global means below and above which the climate is in one of its states."""

_CAPACITY = (500, 1000, 1500, 4725, 5625, 5812, 5813, 5625, 6000, 5625)
_INSOLATION = (0.426, 0.440, 0.484, 0.579, 0.696, 0.804, 0.894, 0.961, 1.003, 1.017)
_ALBEDO = (2.912, 2.96, 2.934, 2.914, 2.915, 2.868, 2.821, 2.804, 2.805)
_HEIGHT = (1204.5, 820, 295, 150.5, 193.5, 301, 261, 133.5, 156)
_DRY = (0.47113, 0.61988, 1.19933, 1.50214, 1.51063, 1.69562, 2.02342, 3.20611, 4.80401)
_MOIST = (0.3, 0.9314, 1.9772, 3.4348, 4.8316, 3.7359, 0.6903, 0.2, 0.1)
"""From pole to equator: at 90, 80, ..., 0 degrees the first two, at 85, 75, ..., 5 the others."""
_RESIDENCE = {0.4: [42.0, 77.0], 0.3: [83.0, 115.0], 0.25: [177.0, 241.0]}


class Globe(NamedTuple):
    """Fields of the model: latitudes and areas of its cells, and what the kernel takes."""

    latitude: Floats
    area: Floats
    cells: Floats
    faces: Floats


@lru_cache(maxsize=1)
def globe() -> Globe:
    """Return the fields at 36 volumes; areas sum to 1, energies are for a year."""
    edge = np.linspace(-1, 1, CELLS + 1)
    width = edge[1] - edge[0]
    middle, inner = 90 * (edge[1:] + edge[:-1]) / 2, edge[1:-1]
    length = np.diff(np.sin(np.pi * edge / 2)) * 2 / np.pi
    wide, narrow = np.arange(90, -1, -10), np.arange(85, 0, -10)
    cells = np.stack([
        _between(middle, wide, _CAPACITY) / YEAR,
        _between(middle, wide, _INSOLATION) / 100,
        _between(middle, narrow, _ALBEDO),
        _between(middle, narrow, _HEIGHT),
        length,
    ])  # fmt: skip
    circle = (2 / np.pi) ** 2 * np.cos(np.pi * inner / 2) / width
    faces = np.stack([
        circle * _between(90 * inner, narrow, _DRY) / 1e5,
        circle * _between(90 * inner, narrow, _MOIST) / 100,
    ])  # fmt: skip
    return Globe(middle, length / length.sum(), cells, faces)


def _between(latitude: Floats, at: npt.ArrayLike, values: npt.ArrayLike) -> Floats:
    """Interpolate a table from pole to equator, the same in both hemispheres."""
    out: Floats = np.interp(np.abs(latitude), np.asarray(at)[::-1], np.asarray(values)[::-1])
    return out


def ghil_sellers_drift(temperature: npt.ArrayLike, *, mu: float = SUN) -> Floats:
    """Return the change of (..., 36) surface temperatures, in K a year, without noise.

    Parameters
    ----------
    temperature
        In K, from the south pole to the north pole.
    mu
        Strength of the sun.

    Examples
    --------
    >>> import numpy as np
    >>> from daskid import datasets
    >>> warm, snowball, edge = datasets.ghil_sellers_states()
    >>> bool(abs(datasets.ghil_sellers_drift(edge)).max() < 1e-9)
    True
    >>> datasets.global_mean([warm, snowball, edge]).round(2).tolist()
    [297.41, 234.97, 257.64]
    """
    t = np.stack(components(temperature, CELLS), axis=-1)
    _, _, (capacity, insolation, albedo, height, area), (dry, moist) = globe()
    middle = 0.5 * (t[..., 1:] + t[..., :-1])
    conductivity = dry + moist * kernels.C4 * middle**-2 * np.exp(-kernels.C5 / middle)
    flux = np.zeros((*t.shape[:-1], CELLS + 1))
    flux[..., 1:-1] = conductivity * np.diff(t, axis=-1)
    cold = np.minimum(t - kernels.C2 * height - kernels.FREEZING, 0)
    bright = albedo - kernels.C1 * (kernels.FREEZING + cold)
    sun = mu * insolation * (1 - np.clip(bright, kernels.DARKEST, kernels.BRIGHTEST))
    clear = 1 - kernels.GREENHOUSE * np.tanh(kernels.C3 * t**6)
    gain: Floats = np.diff(flux, axis=-1) / area + sun - kernels.RADIATION * t**4 * clear
    return np.asarray(gain / capacity)


def global_mean(temperature: npt.ArrayLike) -> Floats:
    """Return the means over the sphere of (..., 36) surface temperatures."""
    t = np.stack(components(temperature, CELLS), axis=-1)
    mean: Floats = (t * globe().area).sum(axis=-1)
    return mean


@lru_cache(maxsize=8)
def ghil_sellers_states(mu: float = SUN) -> tuple[Floats, Floats, Floats]:
    """Return the three steady climates: warm, snowball, and the edge state between them.

    Parameters
    ----------
    mu
        Strength of the sun, near 1.05.

    Raises
    ------
    ValueError
        If there are not three of them.
    """
    x = np.linspace(-1, 1, CELLS)
    found = []
    for mean, steep in ((300.0, 40.0), (237.0, 20.0), (265.0, 50.0)):
        solved = root(partial(ghil_sellers_drift, mu=mu), mean - steep * x**2, tol=1e-12)
        found.append(solved.x)
    means = global_mean(found)
    if not (solved.success and means[1] + 1 < means[2] < means[0] - 1):
        raise ValueError(
            f"mu: expected a sun under which there are two climates and an edge state, got {mu!r}: "
            "take one near 1.05"
        )
    return found[0], found[1], found[2]


def ghil_sellers(
    samples: int,
    *,
    sigma: float = 0.3,
    mu: float = SUN,
    step: int = 10,
    members: int = 1,
    start: npt.ArrayLike | None = None,
    seed: int = 0,
    chunks: int = CHUNK,
) -> xr.Dataset:
    r"""Integrate the climate model of Ghil and Sellers [1]_, [2]_ under a fluctuating sun.

    .. math:: C(x)\, T_t = \frac{4}{\pi^2 \cos(\pi x/2)} \partial_x [\cos(\pi x/2)\, k\, T_x]
              + \mu\, Q(x) (1 - \alpha) - s T^4 (1 - m \tanh c_3 T^6)

    for the surface temperature T over x = latitude / 90. Ice that reflects makes two climates
    stable, and one between them unstable in one direction. The noise,
    :math:`\mu \to \mu (1 + \sigma \sqrt{\mathrm{yr}}\, \xi)` in Ito's sense, is the same at all
    latitudes: one random number a day for 36 temperatures, so -ln p is no potential here.

    Parameters
    ----------
    samples
        Frames of each member.
    sigma
        Strength of the noise; 0 for none.
    mu
        Strength of the sun.
    step
        Days between frames; integrated in steps of a day.
    members
        Number of trajectories.
    start
        (36,) temperatures in K at which all members start; None takes the warm climate or the
        snowball, by chance.
    seed, chunks
        As for :func:`double_well`.

    Returns
    -------
    ``rows`` in K from the south pole to the north pole, with the coordinates ``time`` in years,
    ``trajectory``, ``lat``, and ``weight``, the areas over their mean. Truth: ``minima`` (warm,
    snowball), ``saddles`` (edge), their global means, ``growth_rate`` a year of the edge state,
    ``cores`` in terms of the global mean, and ``residence_time`` of both climates between these
    cores, in years, within 15 %, where it is known (sigma 0.4, 0.3, 0.25).

    Raises
    ------
    ValueError
        If a number is out of range.

    References
    ----------
    .. [1] M. Ghil, "Climate stability for a Sellers-type model", J. Atmos. Sci. 33, 3 (1976).
    .. [2] T. Bodai, V. Lucarini, F. Lunkeit, R. Boschi, "Global instability in the Ghil-Sellers
       model", Clim. Dyn. 44, 3361 (2015). https://doi.org/10.1007/s00382-014-2206-5

    Examples
    --------
    >>> from daskid import datasets
    >>> ds = datasets.ghil_sellers(100, step=30)
    >>> ds.rows.shape, float(ds.time[1].round(4))
    ((100, 36), 0.0821)
    """
    check_integers(samples=(samples, 1), step=(step, 1), members=(members, 1))
    check_integers(seed=(seed, 0), chunks=(chunks, 1))
    if sigma != 0:
        check_positive(sigma=sigma)
    warm, snowball, _ = ghil_sellers_states(mu)
    begin = (warm, snowball) if start is None else (np.stack(components(start, CELLS), axis=-1),)
    advance = partial(_advance, mu=float(mu), sigma=float(sigma), steps=step)
    flow = Flow(partial(_choice, among=begin), advance, step, 1)
    rows = ensemble(flow, samples, CELLS, members=members, seed=seed, chunks=chunks)
    coords = labels(samples, step / DAYS, rows)
    coords[v.weight] = globe().area * CELLS
    out = dataset(
        rows, truth=_truth(sigma, mu), units="K", coords=coords,
        title=f"Ghil-Sellers climate model, sigma = {sigma:g}",
        source="steady states by root finding; residence times from runs of the model",
    )  # fmt: skip
    out[v.time.name].attrs.update(long_name=v.time.long_name, units="years")
    latitude = (v.weight.dims, globe().latitude, {"units": "degrees_north"})
    return out.assign_coords(lat=latitude)


def _truth(sigma: float, mu: float) -> dict[str, Any]:
    warm, snowball, edge = ghil_sellers_states(mu)
    means = global_mean([warm, snowball, edge]).tolist()
    known = mu == SUN and sigma in _RESIDENCE
    return {
        "minima": [warm.tolist(), snowball.tolist()],
        "saddles": [edge.tolist()],
        "minimum_global_mean": means[:2],
        "saddle_global_mean": means[2:],
        "growth_rate": _growth(mu),
        "cores": {"above": WARM, "below": SNOWBALL},
        **({"residence_time": _RESIDENCE[sigma]} if known else {}),
    }


def _choice(rng: np.random.Generator, *, among: tuple[Floats, ...]) -> Floats:
    return among[int(rng.integers(len(among)))]


def _advance(state: Floats, noise: Floats, *, mu: float, sigma: float, steps: int) -> Floats:
    _, _, cells, faces = globe()
    return kernels.energy_balance(state, cells, faces, mu, sigma, 1 / DAYS, noise, steps)


def _growth(mu: float) -> float:
    """Return the largest growth rate at the edge state, a year."""
    edge = ghil_sellers_states(mu)[2]
    move = 1e-4 * np.eye(CELLS)
    ahead, behind = (ghil_sellers_drift(edge + s * move, mu=mu) for s in (1, -1))
    return float(np.linalg.eigvals((ahead - behind) / 2e-4).real.max())
