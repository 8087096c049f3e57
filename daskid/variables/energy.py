"""In which units energies are given: those of the free energy, kT where there is none."""

import json

import xarray as xr

from daskid.variables.landscape import free_energy

GAS_CONSTANT = {"kJ/mol": 8.31446261815324e-3, "kcal/mol": 8.31446261815324e-3 / 4.184}
"""Per kelvin: exact in SI, and by the thermochemical calorie."""


def energy_scale(ds: xr.Dataset) -> tuple[float, str]:
    """Return what one kT is in the units of ``free_energy``, and these.

    Examples
    --------
    >>> attrs = {"units": "kJ/mol", "parameters": '{"temperature": 300}'}
    >>> energy_scale(xr.Dataset({"free_energy": ("sample", [0.0], attrs)}))
    (2.494338785445972, 'kJ/mol')
    >>> energy_scale(xr.Dataset())
    (1.0, 'kT')
    """
    if free_energy.name not in ds.variables:
        return 1.0, "kT"
    attrs = ds[free_energy.name].attrs
    try:
        kelvin = float(json.loads(attrs.get("parameters", "{}"))["temperature"])
        factor = GAS_CONSTANT[attrs["units"]] * kelvin
    except (KeyError, TypeError, ValueError):
        return 1.0, "kT"
    return (factor, str(attrs["units"])) if factor > 0 else (1.0, "kT")
