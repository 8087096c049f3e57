"""What a task leaves for others: one file of several pieces, each read by itself.

A task that has results for many destinations writes them to one file,
``FOLDER/TILE.pieces``, piece by piece; who gathers a destination reads its piece of every
file by byte range. A file is there whole or not at all: it is written under another name,
synced, then renamed. Every piece has a checksum, and so has the index at the end of the file.

``write(folder, 3, {0: (rows, values), 7: (rows7, values7)}, "fingerprint")`` returns a
checksum, which goes into the marker of the tile (``ledger.mark(folder, 3, checksum)``, last);
``read(folder, 3, 7, "fingerprint")`` gives ``(rows7, values7)``, ``()`` where the tile has
nothing for a destination; ``fits(folder, 3, checksum, "fingerprint")`` reads all of a file
and says whether it is as it was, for a job that is resumed. A task that does not hold all its
pieces at a time uses ``writing``. Nothing else is needed: no index is kept in memory, and
a destination with thousands of files costs two reads each.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np

from daskid.storage.place import At, at
from daskid.typing import Array

ENTRY = np.dtype([("piece", "i8"), ("offset", "i8"), ("size", "i8"), ("sum", "u1", (32,))])
TAIL = np.dtype([("pieces", "i8"), ("sum", "u1", (32,))])
MORE = 4096
"""Bytes read with the tail: the index of some fifty pieces comes along."""

Put = Callable[..., None]


def path_of(folder: str, tile: int) -> Any:
    """Return the file of a tile."""
    return at(folder) / f"{tile}.pieces"


def write(
    folder: str, tile: int, pieces: Mapping[int, tuple[Array, ...]], fingerprint: str = ""
) -> str:
    """Write all pieces of a tile; return their checksum, for its marker.

    Parameters
    ----------
    folder, tile
        Where, and whose; the folder is made if it is not there.
    pieces
        The arrays of each destination, of any number, shapes and dtypes.
    fingerprint
        What they were computed from: pieces of another one do not fit.
    """
    with writing(folder, tile, fingerprint) as (put, checksum):
        for piece, arrays in pieces.items():
            put(piece, *arrays)
    return checksum()


@contextmanager
def writing(
    folder: str, tile: int, fingerprint: str = ""
) -> Iterator[tuple[Put, Callable[[], str]]]:
    """Give ``put(piece, *arrays)``, once a destination, and the checksum for after the block.

    The file is there when the block ends, and not if it ends by an error.
    """
    path = path_of(folder, tile)
    path.parent.mkdir(parents=True, exist_ok=True)
    entries: list[tuple[int, int, int, Array]] = []
    with _new(path) as file:

        def put(piece: int, *arrays: Array) -> None:
            start, out = file.tell(), _Summed(file, fingerprint)
            for array in arrays:
                np.lib.format.write_array(out, np.asarray(array), allow_pickle=False)
            entries.append((piece, start, file.tell() - start, out.sum()))

        yield put, lambda: _checksum(_index(entries), fingerprint)
        index = _index(entries)
        file.write(index.tobytes())
        tail = np.array([(index.size, _sum(index.tobytes(), fingerprint))], TAIL)
        file.write(tail.tobytes())


@contextmanager
def _new(path: At) -> Iterator[IO[bytes]]:
    """Give a file that is at a path when the block ends, and not if it ends by an error."""
    if not isinstance(path, Path):
        content = BytesIO()
        yield content
        path.put(content.getvalue())
        return
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.unlink(missing_ok=True)  # of a process that had the same number
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


class _Summed:
    """A file that is written to and summed up at once."""

    def __init__(self, file: IO[bytes], fingerprint: str) -> None:
        self.file, self.digest = file, sha256(fingerprint.encode())

    def write(self, content: Any) -> int:
        self.digest.update(content)
        return self.file.write(content)

    def sum(self) -> Array:
        return np.frombuffer(self.digest.digest(), np.uint8)


def read(folder: str, tile: int, piece: int, fingerprint: str = "") -> tuple[Array, ...]:
    """Return the arrays that a tile has for a destination; none where it has nothing for it.

    Raises
    ------
    FileNotFoundError
        If the tile has not been written.
    ValueError
        If the file is damaged, or of another fingerprint.
    """
    path = path_of(folder, tile)
    with path.open("rb", buffering=0) as file:
        index = _read_index(file, path, fingerprint)
        found = np.flatnonzero(index["piece"] == piece)
        return _read_piece(file, index[found[0]], path, fingerprint) if found.size else ()


def numbers(folder: str, tile: int, fingerprint: str = "") -> list[int]:
    """Return the destinations that a tile has pieces for.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`read` does.
    """
    path = path_of(folder, tile)
    with path.open("rb", buffering=0) as file:
        return [int(piece) for piece in _read_index(file, path, fingerprint)["piece"]]


def fits(folder: str, tile: int, checksum: str, fingerprint: str = "") -> bool:
    """Return whether the file of a tile reads back as it was written, whatever befell it."""
    path = path_of(folder, tile)
    try:
        with path.open("rb", buffering=0) as file:
            index = _read_index(file, path, fingerprint)
            for entry in index:
                _read_piece(file, entry, path, fingerprint)
    except (OSError, ValueError):
        return False
    return _checksum(index, fingerprint) == checksum


def size_of(folder: str, tile: int) -> int:
    """Return the bytes that the file of a tile takes."""
    return int(path_of(folder, tile).stat().st_size)


def _index(entries: list[tuple[int, int, int, Array]]) -> Array:
    return np.array(entries, ENTRY)


def _sum(content: bytes, fingerprint: str) -> Array:
    return np.frombuffer(sha256(fingerprint.encode() + content).digest(), np.uint8)


def _checksum(index: Array, fingerprint: str) -> str:
    return _sum(index.tobytes(), fingerprint).tobytes().hex()


def _read_index(file: Any, path: At, fingerprint: str) -> Array:
    size = file.seek(0, os.SEEK_END)
    content = _bytes_from(file, max(0, size - MORE - TAIL.itemsize), size)
    pieces = int(np.frombuffer(content[-TAIL.itemsize :], TAIL)["pieces"][0]) if content else -1
    long = pieces * ENTRY.itemsize + TAIL.itemsize
    if len(content) < TAIL.itemsize or not TAIL.itemsize <= long <= size:
        raise _damaged(path)
    if long > len(content):
        content = _bytes_from(file, size - long, size)
    raw = content[len(content) - long : len(content) - TAIL.itemsize]
    if not np.array_equal(
        np.frombuffer(content[-TAIL.itemsize :], TAIL)["sum"][0], _sum(raw, fingerprint)
    ):
        raise _damaged(path)
    return np.frombuffer(raw, ENTRY)


def _read_piece(file: Any, entry: Any, path: At, fingerprint: str) -> tuple[Array, ...]:
    start, size = int(entry["offset"]), int(entry["size"])
    if not 0 <= start <= start + size <= file.seek(0, os.SEEK_END):
        raise _damaged(path)
    content = _bytes_from(file, start, start + size)
    if len(content) < size or not np.array_equal(entry["sum"], _sum(content, fingerprint)):
        raise _damaged(path)
    held, arrays = BytesIO(content), []
    try:
        while held.tell() < size:
            arrays.append(np.lib.format.read_array(held, allow_pickle=False))
    except (ValueError, MemoryError) as error:  # a header that claims more than there is
        raise _damaged(path) from error
    return tuple(arrays)


def _bytes_from(file: Any, start: int, stop: int) -> bytes:
    file.seek(start)
    parts, left = [], stop - start
    while left and (part := file.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts) if len(parts) != 1 else parts[0]


def _damaged(path: At) -> ValueError:
    return ValueError(
        f"pieces: expected {str(path)!r} as it was written, got a damaged file, or one of another "
        "fingerprint: run again, and it is computed again"
    )
