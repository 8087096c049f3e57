"""What a store says of itself, looked at before it is believed.

A store may come from anybody: metadata may claim shapes that no file fills, chunks that fit in
no memory, codecs that run code, and names or links that lead out of it. Each is an error here,
before anything is read or allocated by it.
"""

import json
import os
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from daskid.storage.place import At

METADATA_BYTES = 256 << 20
"""Of a file of metadata."""
PLAUSIBLE_BYTES = 1 << 30
"""Up to here any claim is believed: it can be held, if need be."""
MOST_PACKED = 10_000
"""Values a stored value, in bytes: nothing that is worth an analysis is packed as densely."""
INDEX_BYTES = 16
"""Of an inner chunk in the index of a shard."""
REFUSED = "pickle"
PHYSICAL_BYTES = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def parsed(file: At) -> dict[str, Any] | None:
    """Return the mapping in a file of JSON, None if there is none, or none that can be read."""
    try:
        with file.open("rb") as opened:
            content = opened.read(METADATA_BYTES + 1)
        found = json.loads(content) if len(content) <= METADATA_BYTES else None
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def check_array(array: Any, where: str, what: str = "source") -> None:
    """Look at codecs and chunks of an opened array, Zarr or not.

    Raises
    ------
    ValueError
        If a codec would run code, or a chunk can't be what it claims, or fits in no memory.
    """
    metadata = getattr(array, "metadata", None)
    codecs = [getattr(metadata, key, None) for key in ("codecs", "filters", "compressor")]
    if any(REFUSED in name for name in _names(codecs)):
        raise ValueError(
            f"{what}: expected codecs that hold numbers, got pickled objects in {where!r}, which "
            "run code when they are read: write it again with another codec"
        )
    chunks = getattr(array, "chunks", None)
    if not chunks:
        return
    size = array.dtype.itemsize
    chunk, whole = prod(map(int, chunks)) * size, prod(map(int, array.shape)) * size
    shards = getattr(array, "shards", None)
    index = INDEX_BYTES * prod(map(int, shards)) * size // max(1, chunk) if shards else 0
    if index > PLAUSIBLE_BYTES or (chunk > PLAUSIBLE_BYTES and chunk > 2 * whole):
        raise ValueError(
            f"{what}: expected chunks that are part of an array of shape {tuple(array.shape)}, got "
            f"{tuple(shards or chunks)} in {where!r}: damaged or made up, write it again"
        )
    if chunk > PHYSICAL_BYTES:
        raise ValueError(
            f"{what}: expected chunks that fit in memory, got {chunk} bytes in one chunk of "
            f"{where!r}, where there are {PHYSICAL_BYTES}: write it again in smaller chunks"
        )


def _names(codecs: Any) -> list[str]:
    """Return the names of codecs, nested ones as well."""
    if isinstance(codecs, dict):
        own = [str(codecs.get(key, "")) for key in ("name", "id")]
        return [
            *own,
            *(n for x in codecs.values() for n in _names(x) if isinstance(x, dict | list)),
        ]
    if isinstance(codecs, list | tuple):
        return [name for codec in codecs for name in _names(codec)]
    if hasattr(codecs, "to_dict"):
        return _names(codecs.to_dict())
    return [str(getattr(codecs, "codec_id", ""))]


def believed(shape: tuple[int, ...], itemsize: int) -> bool:
    """Return whether a shape needs no look at what is stored."""
    return prod(map(int, shape)) * itemsize <= PLAUSIBLE_BYTES


def check_stored(
    shape: tuple[int, ...], itemsize: int, stored: int, where: str, what: str = "source"
) -> None:
    """Compare the bytes that a shape claims with those that are stored.

    Raises
    ------
    ValueError
        If nothing could be packed as densely.
    """
    claimed = prod(map(int, shape)) * itemsize
    if claimed > PLAUSIBLE_BYTES and claimed > MOST_PACKED * stored:
        raise ValueError(
            f"{what}: expected values for the shape {tuple(shape)}, got {stored} bytes for "
            f"{claimed} in {where!r}: its metadata are damaged or made up, write it again"
        )


def check_name(name: str, where: str, what: str = "source") -> None:
    """Raise where the name of an array leads out of its store.

    Raises
    ------
    ValueError
        If it is absolute, or climbs.
    """
    if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or "\0" in name:
        raise ValueError(
            f"{what}: expected names of arrays in {where!r}, got {name!r}, which leads out of it: "
            "damaged or made up, write it again"
        )


def files_in(folder: str, root: str, what: str = "source") -> Iterator[os.DirEntry[str]]:
    """Yield all files in a folder of a store, and in its folders.

    Raises
    ------
    ValueError
        If a link leads out of the store.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                _check_link(entry.path, root, what)
            if entry.is_dir():
                yield from files_in(entry.path, root, what)
            else:
                yield entry


def _check_link(path: str, root: str, what: str) -> None:
    real, inside = Path(path).resolve(), Path(root).resolve()
    if inside not in real.parents or real.is_dir():
        raise ValueError(
            f"{what}: expected all files of {root!r} in it, got a link at {path!r} to "
            f"{str(real)!r}: put the file itself there (cp -rL)"
        )


def check_local(root: str, name: str, array: Any, what: str = "source") -> None:
    """Look at an opened Zarr array in a folder: codecs, chunks, links, and what is stored.

    Raises
    ------
    ValueError
        As :func:`check_array`, :func:`check_stored` and :func:`files_in` do.
    """
    folder = str(Path(root, name))
    check_array(array, folder, what)
    if os.path.islink(folder) and name:  # noqa: PTH114
        _check_link(folder, root, what)
    stored = -1 if believed(array.shape, array.dtype.itemsize) else 0
    for entry in files_in(folder, root, what):
        stored += entry.stat().st_size if stored >= 0 else 0
    if stored >= 0:
        check_stored(array.shape, array.dtype.itemsize, stored, folder, what)


def check_no_links(path: At, what: str) -> None:
    """Raise where a folder that daskid empties and fills is a link.

    Raises
    ------
    ValueError
        If it is.
    """
    if path.is_symlink():
        raise ValueError(
            f"{what}: expected a folder or file of its own at {str(path)!r}, got a link to "
            f"{os.path.realpath(str(path))!r}: daskid writes and deletes there, remove the link"
        )
