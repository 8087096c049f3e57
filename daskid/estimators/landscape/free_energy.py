"""The free energy at every sample, and the potential where the noise is known."""

from typing import Any, Literal

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.variables.energy import GAS_CONSTANT

Units = Literal["kT", "kJ/mol", "kcal/mol"]
CONVENTION = "F = kT (max ln p - ln p), p the density of the samples"
COVERS = (
    "The error of the log density at this one sample; that of the zero, which all samples share, "
    "is left out."
)


def free_energy(
    ds: xr.Dataset,
    *,
    sigma: float | None = None,
    temperature: float | None = None,
    units: Units = "kT",
) -> xr.Dataset:
    r"""Return the free energy of every sample, over that of the densest one.

    .. math:: F_i = \max_j \ln p_j - \ln p_i

    in units of kT. It is minus the log density and no more: a change of coordinates or of the
    metric changes it, and it is a potential of the drift only where there is one. For
    :math:`dX = b\,dt + \sigma dW` [1]_ with a known :math:`\sigma` it is also given as
    :math:`V = -(\sigma^2/2) \ln p`, of which :math:`kT = \sigma^2/2`; the quasipotential is its
    limit for :math:`\sigma \to 0`. On data of fewer dimensions than features it is
    :math:`-\ln p` on the sampled manifold.

    Parameters
    ----------
    ds
        Holds ``log_density`` and ``log_density_error``, see :func:`daskid.density`.
    sigma
        Noise strength, for ``potential``; for noise that is degenerate or depends on the state,
        a scale of its strength.
    temperature
        In kelvin, for energies of a mole.
    units
        Of ``free_energy``: "kT", or, with a temperature, "kJ/mol" or "kcal/mol".

    Returns
    -------
    ``ds`` with lazy ``free_energy`` and ``free_energy_error`` (sample), and ``potential``, in the
    units of ``sigma`` squared, if ``sigma`` is given. The zero is the densest sample, chosen as
    the highest of noisy values: see :func:`daskid.barriers` for differences with that bias
    taken off.

    Raises
    ------
    SchemaError
        If there is no density.
    ValueError
        If ``sigma`` or ``temperature`` is not a positive number, ``units`` are others, or energies
        of a mole are asked for without a temperature.

    References
    ----------
    .. [1] M. I. Freidlin, A. D. Wentzell, "Random perturbations of dynamical systems",
       3rd ed. (2012), Ch. 4. https://doi.org/10.1007/978-3-642-25847-3

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskid.estimators.landscape.free_energy import free_energy
    >>> density = {
    ...     "log_density": ("sample", [0.0, 2.0, 1.5]),
    ...     "log_density_error": ("sample", [0.1, 0.1, 0.1]),
    ... }
    >>> out = free_energy(xr.Dataset(density), sigma=0.5)
    >>> out.free_energy.values, out.potential.values
    (array([2. , 0. , 0.5]), array([0.25  , 0.    , 0.0625]))
    """
    factor = energy_of(temperature, units)
    for name, value in (("sigma", sigma), ("temperature", temperature)):
        _check(name, value)
    inputs = v.log_density, v.log_density_error
    log_density, error = v.read(ds, *inputs)
    drop = da.max(log_density) - log_density
    values: dict[v.Variable, Any] = {
        v.free_energy: factor * drop, v.free_energy_error: factor * error,
    }  # fmt: skip
    attrs: dict[v.Variable, dict[str, Any]] = {
        v.free_energy: {"units": units, "convention": CONVENTION},
        v.free_energy_error: {"units": units, "covers": COVERS},
    }
    given = {"units": units, "temperature": temperature, "sigma": sigma}
    if sigma is not None:
        values[v.potential] = 0.5 * float(sigma) ** 2 * drop
        attrs[v.potential] = {
            "convention": "V = -(sigma^2 / 2) ln p, over that of the densest sample",
            "sigma": float(sigma),
        }
    return v.assign(
        ds, values, inputs=inputs, attrs=attrs,
        parameters={name: x for name, x in given.items() if x is not None},
    )  # fmt: skip


def energy_of(temperature: float | None, units: str) -> float:
    """Return what one kT is in these units."""
    if units not in ("kT", *GAS_CONSTANT):
        raise ValueError(
            f"units: expected one of {['kT', *GAS_CONSTANT]}, got {units!r}: choose one of them"
        )
    if units == "kT":
        if temperature is not None:
            raise ValueError(
                f"temperature: expected none with units='kT', got {temperature!r}: leave it out, "
                "or give units='kJ/mol'"
            )
        return 1.0
    if temperature is None:
        raise ValueError(
            f"temperature: expected one in kelvin for units={units!r}, got None: e.g. "
            "temperature=300"
        )
    _check("temperature", temperature)
    return GAS_CONSTANT[units] * float(temperature)


def _check(name: str, value: Any) -> None:
    if value is None:
        return
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not 0 < value < np.inf:
        raise ValueError(f"{name}: expected a positive number, got {value!r}: e.g. {name}=0.5")
