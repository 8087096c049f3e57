"""A peptide built from torsions, so that its torsions are known; written as MDAnalysis would.

``python tests/made_peptide.py TOPOLOGY TRAJECTORY STORE FEATURES MOMENT`` opens the trajectory
in blocks of 7 frames and kills itself at MOMENT, which is ``between`` two blocks, or ``within``
one, before its marker is there.
"""

import os
import signal
import sys
from contextlib import contextmanager

import MDAnalysis
import numpy as np

RESIDUES = ("ALA", "CYS", "VAL", "ALA", "CYS", "ALA")
GAMMA = {"CYS": "SG", "VAL": "CG1"}
BLOCK = 7
NAMES = [
    "psi 1", "phi 2", "psi 2", "chi1 2", "phi 3", "psi 3", "chi1 3", "phi 4", "psi 4", "phi 5",
    "psi 5", "chi1 5", "phi 6",
]  # fmt: skip
"""Torsions of the peptide in the order of its features."""


def torsions(frames, seed=0):
    """Return torsions by name: free ones, uniform; omega, near 180 degrees."""
    rng = np.random.default_rng(seed)
    kinds = [f"{kind} {i}" for i in range(1, 7) for kind in ("phi", "psi", "chi1")]
    free = {name: rng.uniform(-np.pi, np.pi, frames) for name in kinds}
    return free | {f"omega {i}": np.pi + rng.normal(0, 0.1, frames) for i in range(1, 7)}


def _place(a, b, c, bond, angle, torsion):
    """Return the (frames, 3) atoms bonded to ``c``: angle with ``b``, torsion from ``a``."""
    along = (c - b) / np.linalg.norm(c - b, axis=1, keepdims=True)
    normal = np.cross(b - a, along)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    side = np.cross(normal, along)
    x, y = -np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turned = np.cos(torsion)[:, None] * side + np.sin(torsion)[:, None] * normal
    return c + bond * (x * along + y * turned)


def positions(angle):
    """Return the (frames, atoms, 3) positions of the peptide, in angstrom, and atom names."""
    frames = angle["phi 1"].size
    before = np.tile([[-1.0, 1.0, 0.0]], (frames, 1))
    n, ca = np.zeros((frames, 3)), np.tile([[1.46, 0.0, 0.0]], (frames, 1))
    atoms, names = [], []
    for i, residue in enumerate(RESIDUES, start=1):
        phi, psi, omega = (angle[f"{kind} {i}"] for kind in ("phi", "psi", "omega"))
        c = _place(before, n, ca, 1.52, 111, phi)
        cb = _place(before, n, ca, 1.53, 110, phi - np.radians(120))
        atoms += [n, ca, c, _place(n, ca, c, 1.23, 120, psi + np.pi), cb]
        names += ["N", "CA", "C", "O", "CB"]
        if residue in GAMMA:
            atoms.append(_place(n, ca, cb, 1.5, 110, angle[f"chi1 {i}"]))
            names.append(GAMMA[residue])
        following = _place(n, ca, c, 1.33, 117, psi)
        n, ca, before = following, _place(ca, c, following, 1.46, 121, omega), c
    return np.stack(atoms, axis=1), names


def _rotations(frames, seed):
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(frames, 3, 3)))
    q *= np.sign(np.einsum("fii->fi", r))[:, None, :]
    q[:, :, 0] *= np.linalg.det(q)[:, None]
    return q


def peptide(frames=40, seed=0, box=60.0):
    """Return a universe in memory: turned at random, in the middle of its box."""
    moved, names = positions(torsions(frames, seed))
    moved -= moved.mean(axis=1, keepdims=True)
    moved = np.einsum("fai,fij->faj", moved, _rotations(frames, seed))
    moved += np.random.default_rng(seed).normal(box / 2, 1, (frames, 1, 3))
    counts = [5 + (r in GAMMA) for r in RESIDUES]
    universe = MDAnalysis.Universe.empty(
        len(names), len(RESIDUES), atom_resindex=np.repeat(np.arange(6), counts),
        residue_segindex=[0] * 6, trajectory=True,
    )  # fmt: skip
    for attribute, values in (
        ("name", names), ("resname", RESIDUES), ("resid", range(1, 7)), ("segid", ["A"]),
    ):  # fmt: skip
        universe.add_TopologyAttr(attribute, list(values))
    universe.load_new(moved.astype("f4"), dt=0.5, dimensions=[box] * 3 + [90.0] * 3)
    return universe


def write(folder, universe, name="peptide.xtc"):
    """Write a topology and an xtc file; return their paths."""
    topology, trajectory = str(folder / "peptide.gro"), str(folder / name)
    universe.trajectory[0]
    universe.atoms.write(topology)
    with MDAnalysis.Writer(trajectory, universe.atoms.n_atoms) as writer:
        for _ in universe.trajectory:
            writer.write(universe.atoms)
    return topology, trajectory


def progress_to(hook):
    """Return what shows progress: it calls ``hook`` with the frames done and all frames."""

    @contextmanager
    def progress(_, total, __):
        done = 0

        def advance(amount):
            nonlocal done
            done += amount
            hook(done, total)

        yield advance

    return progress


def _die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def _killed(topology, trajectory, store, features, moment):
    from daskid.io import from_trajectory
    from daskid.io.from_trajectory import writing

    from_trajectory.BLOCK_FRAMES = BLOCK
    if moment == "within":
        mark = writing.ledger.mark
        writing.ledger.mark = lambda folder, block, sum_: (
            _die() if block == 2 else mark(folder, block, sum_)
        )
    writing.progress = progress_to(
        lambda done, _: _die() if moment == "between" and done == 2 * BLOCK else None
    )
    from_trajectory.open_trajectory((topology, trajectory), features=features, store=store)


if __name__ == "__main__":
    _killed(*sys.argv[1:])
