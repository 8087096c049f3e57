"""Molecular dynamics that ships with the package: alanine dipeptide in water."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Literal

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.datasets.blocks import check_integers, dataset
from daskid.typing import Array

ATOMS = (
    "ACE CH3", "ACE C", "ACE O", "ALA N", "ALA CA", "ALA CB", "ALA C", "ALA O", "NME N", "NME C",
)  # fmt: skip
_FIRST, _SECOND = np.triu_indices(len(ATOMS), 1)
_SOURCE = (
    "own simulation: OpenMM 8.6, amber99sb-ildn with OBC implicit water, Langevin 1/ps at 300 K, "
    "4 fs steps, a frame every 0.4 ps"
)


def alanine_dipeptide(
    features: Literal["torsions", "distances"] = "torsions", *, chunks: int = 5_000
) -> xr.Dataset:
    """Return 8 ns of alanine dipeptide in implicit water at 300 K, 20,000 frames.

    The two torsions phi and psi live on a torus: dimension 2 by construction. The 45 distances
    between its 10 heavy atoms have no exact dimension: bonds and angles vibrate at small scales
    (TwoNN reads 13), the torsions dominate at large ones (Gride reads 9 at 64 neighbors).
    Populations of the states are not converged in 8 ns. Frames 0.4 ps apart are correlated.

    Parameters
    ----------
    features
        ``"torsions"``: phi and psi in rad, of period 2 pi; ``"distances"``: in nm.
    chunks
        Rows a chunk; the values do not depend on it.

    Returns
    -------
    ``rows`` with the coordinates ``time`` in ps, ``trajectory`` (0 throughout) and ``name``
    of the features; ``period`` for torsions. Truth: ``intrinsic_dimension``, null where unknown.

    Raises
    ------
    ValueError
        If ``features`` is another word, or ``chunks`` is not a positive integer.

    Examples
    --------
    >>> from daskid import datasets
    >>> ds = datasets.alanine_dipeptide()
    >>> ds.rows.shape, ds.name.values.tolist(), float(ds.time[-1])
    ((20000, 2), ['phi', 'psi'], 7999.6)
    """
    check_integers(chunks=(chunks, 1))
    if features not in ("torsions", "distances"):
        raise ValueError(
            f"features: expected 'torsions' or 'distances', got {features!r}: choose one of them"
        )
    path = files("daskid.datasets").joinpath("alanine_dipeptide.npz")
    with path.open("rb") as file, np.load(file) as data:
        step = float(data["dt_ps"])
        rows = _torsions(data, chunks) if features == "torsions" else _pair_lengths(data, chunks)
    return _trajectory(rows, features, step)


def _torsions(data: Mapping[str, Array], chunks: int) -> da.Array:
    values = np.stack([data["phi"], data["psi"]], axis=1).astype("f8")
    rows: da.Array = da.from_array(values, (chunks, -1))
    return rows


def _pair_lengths(data: Mapping[str, Array], chunks: int) -> da.Array:
    atoms = da.from_array(data["xyz_heavy"], (chunks, -1, -1))
    lengths: da.Array = da.map_blocks(
        _distances, atoms, dtype="f8", chunks=(atoms.chunks[0], (_FIRST.size,)), drop_axis=2,
        meta=np.empty((0, 0)),
    )  # fmt: skip
    return lengths


def _distances(atoms: Array) -> Array:
    difference = atoms[:, _FIRST].astype("f8") - atoms[:, _SECOND]
    x, y, z = difference[..., 0], difference[..., 1], difference[..., 2]
    length: Array = np.sqrt(x * x + y * y + z * z)
    return length


def _trajectory(rows: da.Array, features: str, step: float) -> xr.Dataset:
    n = rows.shape[0]
    torsions = features == "torsions"
    names = ["phi", "psi"] if torsions else [f"{a} - {b}" for a, b in _pairs()]
    ds = dataset(
        rows,
        truth={"intrinsic_dimension": 2 if torsions else None},
        source=_SOURCE,
        title="Alanine dipeptide in water: "
        + ("two torsions" if torsions else "45 interatomic distances"),
        units="rad" if torsions else "nm",
        coords={
            v.time: np.round(np.arange(n) * step, 6),
            v.trajectory: np.zeros(n, "i8"),
            **({v.period: np.full(2, 2 * np.pi)} if torsions else {}),
        },
    )
    ds[v.time.name].attrs["units"] = "ps"
    label = np.array(names, np.dtypes.StringDType())  # Zarr 3 has no spec for fixed-width text
    return ds.assign_coords(name=(v.period.dims, label))


def _pairs() -> list[tuple[str, str]]:
    return [(ATOMS[i], ATOMS[j]) for i, j in zip(_FIRST, _SECOND, strict=True)]
