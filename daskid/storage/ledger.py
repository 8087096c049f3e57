"""What a job has done, beside the run it fills: a plan, a marker a tile, one writer.

A tile counts once its marker is there; markers are written last, by rename, and
hold a checksum of the tile. What a kill leaves behind has no marker and is
computed again; what has one, and still fits its checksum, is not.
"""

import errno
import fcntl
import json
import os
import shutil
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import numpy as np

from daskid.storage import claims, leases, place
from daskid.storage.place import At, at
from daskid.typing import Array

PLAN, LOCK = "plan.json", "lock"
FULL = (errno.ENOSPC, errno.EDQUOT)
LOOKS, LOOK_SECONDS = 5, 0.02
MARK_BYTES = 4096
"""Of a marker, and of what is read of one."""


def folder_of(run: str, stage: str) -> str:
    """Return the folder of a stage of a run: beside the run, never inside its group."""
    path = at(run).absolute()
    return str(path.with_name(f"{path.name}.work") / stage)


@contextmanager
def writing(folder: str) -> Iterator[None]:
    """Hold the one writer's lock of a folder; it goes with the process, however that ends.

    Raises
    ------
    BlockingIOError
        If another process holds it; it says which.
    OSError
        If a disk is full, here or in what is done meanwhile.
    """
    own = f"process {os.getpid()} on {socket.gethostname()}"
    if place.in_bucket(folder):
        with leases.held_by(at(folder, LOCK), own):
            yield
        return
    try:
        with _locked(Path(folder) / LOCK) as file:
            file.truncate(0)
            file.write(own)
            file.flush()
            yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise OSError(
            error.errno,
            f"store: expected room beside {folder!r} and in its run, got a full disk "
            f"({error}): make room and run again; tiles that are done are kept",
        ) from error


def _locked(path: Path) -> IO[str]:
    """Return the open file of a lock that this process now holds."""
    for _ in range(LOOKS):
        for own in (path.parent.parent, path.parent, path):
            claims.check_no_links(own, "store")
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+", opener=_own)  # noqa: SIM115
        with suppress(BlockingIOError, FileNotFoundError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.stat().st_ino == os.fstat(file.fileno()).st_ino:  # not cleared meanwhile
                return file
        file.seek(0)
        holder = file.read().strip()
        file.close()
        time.sleep(LOOK_SECONDS)  # who only looks is gone by then
    raise BlockingIOError(
        f"store: expected to be the only writer of {str(path.parent)!r}, got another one "
        f"({holder or 'unknown'}): wait for it, or stop it"
    )


def _own(path: str, flags: int) -> int:
    """Open a file that is there itself, not by a link."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def held(folder: str) -> bool:
    """Return whether a process is writing; nothing is made or changed."""
    if place.in_bucket(folder):
        return leases.is_held(at(folder, LOCK))
    path = Path(folder) / LOCK
    if not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def begin(folder: str, plan: dict[str, Any], *, overwrite: bool = False) -> bool:
    """Write the plan of a job, or find the same one there; return whether it was there.

    Raises
    ------
    ValueError
        If there is an unfinished job of another plan and ``overwrite`` is not set; it
        names what changed.
    """
    old = plan_of(folder)
    if old == plan:
        for path in at(folder).iterdir():
            claims.check_no_links(path, "store")
        return True
    if old is not None and not overwrite:
        changed = sorted(key for key in {*old, *plan} if old.get(key) != plan.get(key))
        before, now = (", ".join(f"{key}={p.get(key)}" for key in changed) for p in (old, plan))
        raise ValueError(
            f"store: expected to go on with the unfinished job in {folder!r} ({before}), "
            f"got {now}: "
            "finish it with what it was begun, or overwrite it"
        )
    _empty(folder)
    write(at(folder) / PLAN, json.dumps(plan, indent=1, sort_keys=True).encode())
    return False


def _empty(folder: str) -> None:
    if place.in_bucket(folder):
        for each in [*at(folder).under()]:
            if each != at(folder, LOCK):
                each.unlink()
        return
    for path in Path(folder).iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def plan_of(folder: str) -> dict[str, Any] | None:
    """Return the plan in a folder, None if there is none.

    Raises
    ------
    ValueError
        If it can't be read.
    """
    path = at(folder) / PLAN
    found = claims.parsed(path)
    if found is None and path.exists():
        raise ValueError(
            f"store: expected the plan of a job in {str(path)!r}, got a damaged file: delete the "
            f"folder {folder!r}, and the job begins again"
        )
    return found


def count_try(folder: str, tile: int) -> None:
    """Count that a tile is being computed."""
    if place.in_bucket(folder):  # where nothing is appended to
        at(folder, f"{tile}.{uuid4().hex}.try").put(b"")
        return
    with open(Path(folder) / f"{tile}.tries", "a", opener=_own) as file:
        file.write(f"{os.getpid()}\n")


def tries(folder: str) -> dict[int, int]:
    """Return how often each tile was begun."""
    if place.in_bucket(folder):
        found = (each.name.split(".") for each in at(folder).iterdir())
        return dict(Counter(int(parts[0]) for parts in found if parts[-1] == "try"))
    return {tile: len(told.splitlines()) for tile, told in _told(folder, ".tries")}


def _told(folder: str, kind: str) -> Iterator[tuple[int, str]]:
    """Yield tile and content of all files of a kind; what is no such file is passed over."""
    if place.in_bucket(folder):
        for each in at(folder).iterdir():
            number = each.name.removesuffix(kind)
            if number != each.name and number.isdecimal():
                yield int(number), each.read_text()[:MARK_BYTES]
        return
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            number = entry.name.removesuffix(kind)
            if number != entry.name and number.isdecimal() and entry.is_file(follow_symlinks=False):
                with open(entry.path, errors="replace") as file:  # noqa: PTH123
                    yield int(number), file.read(MARK_BYTES)


def mark(folder: str, tile: int, checksum: str) -> None:
    """Enter a tile as done: the last thing that its task does."""
    write(at(folder) / f"{tile}.ok", checksum.encode())


def marks(folder: str) -> dict[int, str]:
    """Return the checksums of the tiles that are done."""
    return dict(_told(folder, ".ok"))


def marked(folder: str, tile: int) -> bool:
    """Return whether a tile is done."""
    return bool((at(folder) / f"{tile}.ok").is_file())


def unmark(folder: str, tile: int) -> None:
    """Take back that a tile is done."""
    (at(folder) / f"{tile}.ok").unlink(missing_ok=True)


def checksum(fingerprint: str, *arrays: Array) -> str:
    """Return a checksum of what a tile holds, and of what it was computed from."""
    digest = sha256(fingerprint.encode())
    for array in arrays:
        digest.update(repr((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def clear(folder: str) -> None:
    """Drop a folder and all that it holds, and the one around it if nothing else is there."""
    place.remove(folder)
    with suppress(OSError):
        at(folder).parent.rmdir()


def write(path: At, content: bytes) -> None:
    """Write a file under another name, then rename it: it is there whole, or not at all."""
    if not isinstance(path, Path):
        path.put(content)
        return
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)  # of a process that had the same number
    with partial.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
