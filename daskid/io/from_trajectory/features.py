"""What is computed of a frame: torsions, distances, or superposed coordinates, by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from daskid.io.from_trajectory.frames import package
from daskid.typing import Array

MOST_PAIRS = 50_000
"""Distances a row: beyond them a search holds more than 100 MB for 256 rows."""


@dataclass(frozen=True)
class Features:
    """Features of the atoms of a universe.

    Parameters
    ----------
    names, units, title
        Of the features.
    dtype
        In which they are kept.
    row
        Returns the features of the frame at which the universe stands.
    period
        Of all of them; 0 for none.
    """

    names: list[str]
    units: str
    title: str
    dtype: str
    row: Callable[[], Array]
    period: float = 0.0


@dataclass(frozen=True)
class Kind:
    """A kind of features: the atoms that it takes by default, and how they are made."""

    select: str
    of: Callable[[Any], Features]


def torsions(atoms: Any) -> Features:
    """Return phi, psi and chi1 of the residues of ``atoms``, in rad."""
    lib = package("MDAnalysis.lib.distances")
    try:
        labels = _residue_labels(atoms.residues)
        found = {
            f"{kind} {label}": torsion
            for residue, label in zip(atoms.residues, labels, strict=True)
            for kind in ("phi", "psi", "chi1")
            if (torsion := getattr(residue, f"{kind}_selection")()) is not None
        }
    except AttributeError as error:  # NoDataError, or a selection that needs what is not there
        raise ValueError(
            f"features: expected names, residues and segments of atoms, got none ({error}): "
            "load a topology that has them, or take features='distances'"
        ) from error
    if not found:
        raise ValueError(
            f"features: expected phi, psi or chi1 torsions, got none in {len(labels)} residues "
            f"({', '.join(sorted(set(atoms.residues.resnames))[:5])}): select protein (atoms named "
            "N, CA, C of consecutive residues), or take features='distances'"
        )
    corners = [atoms.universe.atoms[[t.ix[i] for t in found.values()]] for i in range(4)]

    def row() -> Array:
        positions = (corner.positions for corner in corners)
        return np.asarray(lib.calc_dihedrals(*positions, box=atoms.dimensions))

    title = f"{len(found)} torsions"
    return Features(list(found), "rad", title, "float64", row, period=2 * np.pi)


def distances(atoms: Any) -> Features:
    """Return the distances of all pairs of ``atoms``, of nearest images, in angstrom."""
    lib = package("MDAnalysis.lib.distances")
    n = len(atoms)
    pairs = n * (n - 1) // 2
    if not 1 <= pairs <= MOST_PAIRS:
        raise ValueError(
            f"select: expected 1 to {MOST_PAIRS} pairs of atoms (2 to 316 atoms), got {pairs} of "
            f"{n} atoms: select others, e.g. select='name CA and resid 1:100', or take "
            "features='aligned'"
        )
    labels = _atom_labels(atoms)
    first, second = np.triu_indices(n, 1)

    def row() -> Array:
        return np.asarray(lib.self_distance_array(atoms.positions, box=atoms.dimensions))

    names = [f"{labels[i]} - {labels[j]}" for i, j in zip(first, second, strict=True)]
    return Features(names, "angstrom", f"{pairs} distances", "float32", row)


def aligned(atoms: Any) -> Features:
    """Return the coordinates of ``atoms`` superposed on the present frame, in angstrom."""
    align = package("MDAnalysis.analysis.align")
    if len(atoms) < 3:
        raise ValueError(
            f"select: expected 3 atoms or more to superpose, got {len(atoms)}: select more"
        )
    labels = _atom_labels(atoms)
    whole = _Whole(atoms, labels)
    reference = _centered(atoms)

    def row() -> Array:
        whole.check()
        mobile = _centered(atoms)
        rotation, _ = align.rotation_matrix(mobile, reference)
        return np.asarray((mobile @ rotation.T).reshape(-1))

    names = [f"{label} {axis}" for label in labels for axis in "xyz"]
    return Features(names, "angstrom", f"{len(atoms)} superposed atoms", "float32", row)


def _centered(atoms: Any) -> Array:
    positions = np.asarray(atoms.positions, "f8")
    positions -= positions.mean(axis=0)
    return positions


class _Whole:
    """Whether atoms that follow one another stay on the same side of the box.

    The step from an atom to the next one of the selection may not change by more than half
    a box from the first frame on. There, inside a residue and to the next one, it is the
    step to the nearest image.
    """

    def __init__(self, atoms: Any, labels: Sequence[str]) -> None:
        self.atoms, self.labels = atoms, labels
        self.vectors = package("MDAnalysis.lib.mdamath").triclinic_vectors
        residue, segment = atoms.resindices, atoms.segindices
        near = (np.abs(np.diff(residue)) <= 1) & (np.diff(segment) == 0)
        steps = self._steps()
        self.first = None if steps is None else steps - np.round(steps) * near[:, None]

    def _steps(self) -> Array | None:
        """Return the steps in units of the box, None without a box."""
        box = self.atoms.dimensions
        vectors = np.zeros((3, 3)) if box is None else np.asarray(self.vectors(box), "f8")
        if np.linalg.det(vectors) == 0:
            return None
        steps: Array = np.diff(self.atoms.positions.astype("f8"), axis=0) @ np.linalg.inv(vectors)
        return steps

    def check(self) -> None:
        """Raise if the present frame has torn them apart."""
        steps = self._steps()
        if steps is None or self.first is None:
            return
        jumps = np.abs(steps - self.first).max(axis=1) > 0.5
        if jumps.any():
            i = int(np.flatnonzero(jumps)[0])
            frame = self.atoms.universe.trajectory.frame
            raise ValueError(
                f"universe: expected whole molecules, got {self.labels[i]} and "
                f"{self.labels[i + 1]} on two sides of the box in frame {frame}: make them whole "
                "first (gmx trjconv -pbc whole or nojump, or MDAnalysis.transformations.unwrap "
                "or NoJump), or take features='distances'"
            )


def _residue_labels(residues: Any) -> list[str]:
    many = len(set(residues.segids)) > 1
    facts = zip(residues.segids, residues.resids, strict=True)
    labels = [f"{s}:{r}" if many else f"{r}" for s, r in facts]
    return _distinct(labels, residues.ix)


def _atom_labels(atoms: Any) -> list[str]:
    if not (hasattr(atoms, "names") and hasattr(atoms, "resids")):
        return [f"atom {i}" for i in atoms.ix]
    segids = atoms.segids if hasattr(atoms, "segids") else [""] * len(atoms)
    many = len(set(segids)) > 1
    facts = zip(atoms.names, segids, atoms.resids, strict=True)
    labels = [f"{name} {s}:{r}" if many else f"{name} {r}" for name, s, r in facts]
    return _distinct(labels, atoms.ix)


def _distinct(labels: list[str], numbers: Any) -> list[str]:
    """Return labels, with numbers where they alone do not tell everything apart."""
    if len(set(labels)) == len(labels):
        return labels
    return [f"{label} #{number}" for label, number in zip(labels, numbers, strict=True)]


FEATURES: dict[str, Kind] = {
    "torsions": Kind("protein", torsions),
    "distances": Kind("protein and name CA", distances),
    "aligned": Kind("protein and name CA", aligned),
}
