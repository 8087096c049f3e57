"""Arrays at rest: opened once in a process, known by the size and time of their files."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from daskid.storage import claims
from daskid.storage.rows import remote
from daskid.typing import Array

HDF5 = (".h5", ".hdf5", ".nc", ".nc4", ".cdf")
Facts = tuple[Any, ...]


@dataclass(frozen=True)
class PlainFile:
    """A ``.npy`` file; ``offset`` of its values if they are in C order, None if they are not.

    What lies together is read, not mapped: a memory map counts as memory of the worker.
    """

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int | None

    def __getitem__(self, key: tuple[slice, ...]) -> Array:
        """Return what numpy returns for slices of step 1, one a dimension."""
        ranges = [range(size)[part] for size, part in zip(self.shape, key, strict=True)]
        shape = tuple(map(len, ranges))
        whole = [length == size for length, size in zip(shape, self.shape, strict=True)]
        split = next((i for i, length in enumerate(shape) if length != 1), len(shape))
        if self.offset is None or 0 in shape or not all(whole[split + 1 :]):
            return np.array(np.load(self.path, mmap_mode="r", allow_pickle=False)[key])
        steps = [prod(self.shape[i + 1 :]) for i in range(len(shape))]
        first = sum(part[0] * step for part, step in zip(ranges, steps, strict=True))
        out = np.empty(shape, self.dtype)
        with Path(self.path).open("rb", buffering=0) as file:
            file.seek(self.offset + first * self.dtype.itemsize)
            todo: Any = out.reshape(-1).view("u1")
            while todo.size:
                got = file.readinto(todo)
                if not got:
                    raise ValueError(
                        f"source: expected {prod(self.shape)} values in {self.path!r}, got fewer: "
                        "the file was cut, write it again"
                    )
                todo = todo[got:]
        return out


def opened(path: str, array: str, access: Any = None, version: str = "") -> Any:
    """Return an array of a Zarr store or HDF5 file, or a ``.npy`` file; again if replaced.

    Raises
    ------
    FileNotFoundError
        If it is gone.
    """
    if remote.is_remote(path):
        return remote.opened(path, array, access, version)
    for file in (Path(path, array, "zarr.json"), Path(path, array, ".zarray"), Path(path)):
        if file.is_file():
            return _opened(path, array, (file.stat().st_ino, *_facts(str(file))[1:]))
    raise _gone(path, array)


def _gone(path: str, array: str) -> FileNotFoundError:
    where = str(Path(path, array))
    return FileNotFoundError(f"source: expected an array at {where!r}, got nothing: bring it back")


@lru_cache(maxsize=64)
def _opened(path: str, array: str, _: tuple[int, int, int]) -> Any:
    if path.endswith(".npy"):
        return _npy(path)
    if path.endswith(HDF5):
        import h5py  # type: ignore[import-untyped]

        return h5py.File(path, "r")[array]
    return zarr.open_array(path, path=array, mode="r")


def _npy(path: str) -> PlainFile:
    mapped: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    offset = int(mapped.offset) if mapped.flags.c_contiguous else None
    return PlainFile(path, mapped.shape, mapped.dtype, offset)


def chunks_of(source: Any) -> tuple[int, ...]:
    """Return the chunk of an opened array; single values where any can be read."""
    chunks = getattr(source, "chunks", None)
    return tuple(map(int, chunks)) if chunks else (1,) * len(source.shape)


def check(path: str, array: str, opened: Any, access: Any = None, what: str = "source") -> None:
    """Look at what an opened array claims, before it is believed.

    Raises
    ------
    ValueError
        If it can't be true, would run code when it is read, or lies elsewhere.
    """
    claims.check_name(array, path, what)
    shape, size = tuple(opened.shape), opened.dtype.itemsize
    where = str(Path(path, array))
    if Path(path).is_dir():
        claims.check_local(path, array, opened, what)
        return
    claims.check_array(opened, where, what)
    if claims.believed(shape, size):
        return
    if not remote.is_remote(path):
        claims.check_stored(shape, size, os.path.getsize(path), where, what)  # noqa: PTH202
    elif remote.lists(path, access):
        stored = sum(int(fact[1] or 0) for fact in remote.facts(path, array, access) if fact[2:])
        claims.check_stored(shape, size, stored, f"{path}/{array}", what)


def facts(path: str, array: str, access: Any = None) -> Iterator[Facts]:
    """Yield name, size and time of all files of an array, in order."""
    folder = Path(os.path.realpath(path), array)
    if remote.is_remote(path):
        yield from remote.facts(path, array, access)
    elif folder.is_dir():
        yield from _files(str(folder), "")
    elif Path(path).is_file():
        yield _facts(os.path.realpath(path))
    else:
        raise _gone(path, array)


def _facts(file: str, name: str = "") -> tuple[str, int, int]:
    stat = os.stat(file)  # noqa: PTH116
    return name, stat.st_size, stat.st_mtime_ns


def _files(folder: str, name: str) -> Iterator[Facts]:
    with os.scandir(folder) as entries:
        found = sorted((entry.name, entry.is_dir()) for entry in entries)
    for entry, is_dir in found:
        path, relative = f"{folder}/{entry}", f"{name}/{entry}"
        yield from _files(path, relative) if is_dir else [_facts(path, relative)]
