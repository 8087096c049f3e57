"""What MDAnalysis reads: a universe, the atoms that count, its trajectories frame by frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np


def package(name: str = "MDAnalysis") -> Any:
    """Return a module of MDAnalysis, which not everybody has.

    Raises
    ------
    ImportError
        With what to install.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"open_trajectory: expected MDAnalysis, got none ({error}): pip install 'daskid[md]'"
        ) from error


@dataclass(frozen=True)
class Source:
    """Trajectories of the same atoms, read one after another.

    Parameters
    ----------
    atoms
        The selected AtomGroup; its universe stands at the first frame.
    paths
        The trajectories to load one after another; none for the one of the universe.
    lengths
        Number of frames of each trajectory.
    facts
        What identifies them: paths, sizes, times.
    """

    atoms: Any
    paths: tuple[str, ...]
    lengths: tuple[int, ...]
    facts: dict[str, Any]

    @property
    def n_frames(self) -> int:
        """Number of frames of all trajectories."""
        return sum(self.lengths)

    def times(self, start: int) -> Iterator[float]:
        """Set the universe to one frame after another, from ``start`` on; yield its time in ps."""
        universe = self.atoms.universe
        for number, length in enumerate(self.lengths):
            if start < length:
                if len(self.paths) > 1:
                    universe.load_new(self.paths[number])
                reader = universe.trajectory
                # a transformation may depend on the frames before
                for i in range(0 if reader.transformations else start, length):
                    self._go(reader, number, i)
                    if i >= start:
                        yield float(reader.time)
            start = max(0, start - length)

    def rewind(self) -> None:
        """Set the universe to the first frame of its trajectory, as MDAnalysis's analyses do."""
        self.atoms.universe.trajectory.rewind()

    def check_unchanged(self) -> None:
        """Raise if a file is no longer what it was when it was opened."""
        for key in self.facts:
            label = key.removesuffix(" modified")
            if label != key:
                now = _file_facts(label, self.facts[label])
                if now != {k: self.facts.get(k) for k in now}:
                    raise ValueError(
                        f"{label}: expected {self.facts[label]} as it was at the start, got a "
                        "changed file: run again, and overwrite, when nobody writes to it"
                    )

    def _go(self, reader: Any, number: int, i: int) -> None:
        try:
            reader[i]
        except (OSError, EOFError, IndexError, StopIteration) as error:
            where = self.facts.get(f"trajectory {number}", "the universe")
            raise OSError(
                f"trajectory: expected {self.lengths[number]} frames in {where}, got no frame {i} "
                f"({error}): bring the whole file back, and run again; frames before it are kept"
            ) from error


def is_group(universe: Any) -> bool:
    """Return whether it is an AtomGroup."""
    return not _are_paths(universe) and isinstance(universe, package().AtomGroup)


def _are_paths(universe: Any) -> bool:
    many = isinstance(universe, Sequence) and not isinstance(universe, str)
    return isinstance(universe, str | Path) or (
        many and len(universe) > 0 and all(isinstance(path, str | Path) for path in universe)
    )


def opened(universe: Any, select: str | None) -> Source:
    """Return the selected atoms of a Universe, an AtomGroup or paths, at their first frame.

    Raises
    ------
    TypeError
        If it is something else.
    ValueError
        If MDAnalysis can't read it, or nothing is selected.
    FileNotFoundError
        If there is nothing at a path.
    """
    mda = package()
    if _are_paths(universe):
        given = [universe] if isinstance(universe, str | Path) else universe
        return _from_paths([str(Path(path).absolute()) for path in given], select)
    if not isinstance(universe, mda.Universe | mda.AtomGroup):
        raise TypeError(
            "universe: expected an MDAnalysis Universe or AtomGroup, or the paths of a topology "
            f"and its trajectories, got {type(universe).__name__}: make one of these"
        )
    if getattr(universe.universe, "trajectory", None) is None:
        raise ValueError(
            "universe: expected a trajectory, got a topology without coordinates: load one "
            "with universe.load_new"
        )
    reader = universe.universe.trajectory
    reader[0]
    atoms = universe.universe.atoms[universe.atoms.unique.ix]
    files = [str(name) for name in getattr(reader, "filenames", [reader.filename])]
    facts = _file_facts("topology", universe.universe.filename)
    if isinstance(reader, package("MDAnalysis.coordinates.memory").MemoryReader):
        files = []
        positions = np.ascontiguousarray(reader.get_array())
        facts["coordinates"] = sha256(positions.data).hexdigest()[:12]
    for number, file in enumerate(files):
        label = "trajectory 0" if len(files) == 1 else f"trajectory 0 part {number}"
        facts |= _file_facts(label, file)
    facts["trajectory 0 frames"] = int(reader.n_frames)
    if reader.transformations:
        facts["transformations"] = [type(step).__name__ for step in reader.transformations]
    return Source(_selected(atoms, select), (), (int(reader.n_frames),), facts)


def _from_paths(paths: list[str], select: str | None) -> Source:
    for path in paths:
        if not Path(path).exists():
            raise FileNotFoundError(
                f"universe: expected the path of a topology or trajectory, got {path!r}: "
                "nothing there"
            )
    topology, *trajectories = paths
    facts, lengths = _file_facts("topology", topology), []
    universe = None
    for number, path in enumerate(trajectories or [topology]):
        universe = _loaded(universe, topology, path)
        lengths.append(int(universe.trajectory.n_frames))
        facts |= _file_facts(f"trajectory {number}", path)
        facts[f"trajectory {number} frames"] = lengths[-1]
    if len(trajectories) > 1:
        universe = _loaded(universe, topology, trajectories[0])
    assert universe is not None
    atoms = _selected(universe.atoms, select)
    return Source(atoms, tuple(trajectories), tuple(lengths), facts)


def _loaded(universe: Any, topology: str, path: str) -> Any:
    """Return the universe with another trajectory, or a new one."""
    try:
        if universe is not None:
            return universe.load_new(path)
        given = (topology,) if path == topology else (topology, path)
        return package().Universe(*given)
    except (ValueError, TypeError, OSError, EOFError, IndexError) as error:
        raise ValueError(
            f"universe: expected a topology and trajectories of its atoms, in formats that "
            f"MDAnalysis reads, got {topology!r} and {path!r} ({' '.join(str(error).split())}): "
            "give the files that belong together"
        ) from error


def _selected(atoms: Any, select: str | None) -> Any:
    errors = package("MDAnalysis.exceptions")
    try:
        found = atoms if select is None else atoms.select_atoms(select)
    except (errors.SelectionError, ValueError, AttributeError) as error:
        raise ValueError(
            f"select: expected atoms in MDAnalysis's selection language, got {select!r} "
            f"({' '.join(str(error).split())}): mend it, or load a topology that has what it names"
        ) from error
    if len(found) == 0:
        raise ValueError(
            f"select: expected 1 of {len(atoms)} atoms or more, got none for {select!r}: "
            "choose others with select"
        )
    return found


def _file_facts(label: str, path: Any) -> dict[str, Any]:
    """Return path, size and time of a file, as JSON values; less for what is no file."""
    if not isinstance(path, str | Path) or not Path(path).is_file():
        return {label: "in memory"}
    stat = Path(path).stat()
    return {
        label: str(Path(path).absolute()),
        f"{label} bytes": stat.st_size,
        f"{label} modified": stat.st_mtime_ns,
    }
