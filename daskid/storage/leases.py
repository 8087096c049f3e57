"""One writer in a bucket, which has no locks: an object that must not be there, renewed.

It is made on the condition that there is none; who holds it writes it again every few seconds.
One that has not been written for a while is of a process that was killed, and is taken over on
the condition that it is still the one that was looked at.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from daskid.storage.place import Key

RENEWED, LOST = 10.0, 60.0
"""Seconds: how often a lease is renewed, and after which it is nobody's."""


@contextmanager
def held_by(key: Key, own: str) -> Iterator[None]:
    """Hold the lease of a folder in a bucket while the block runs.

    Raises
    ------
    BlockingIOError
        If another process holds it; it says which.
    """
    _take(key, own)
    ended = threading.Event()
    renews = threading.Thread(target=_renew, args=(key, own, ended), daemon=True)
    renews.start()
    try:
        yield
    finally:
        ended.set()
        renews.join()
        with suppress(FileNotFoundError):
            if key.read_text() == own:
                key.unlink()


def is_held(key: Key) -> bool:
    """Return whether a process is writing."""
    with suppress(FileNotFoundError):
        return not _is_lost(key, *_seen(key))
    return False


def _take(key: Key, own: str) -> None:
    try:
        key.put(own.encode(), new=True)
        return
    except Exception as error:
        if not key.is_file():
            raise
        holder, told = _seen(key)
        if not _is_lost(key, holder, told):
            raise BlockingIOError(
                f"store: expected to be the only writer of {str(key.parent)!r}, got another one "
                f"({holder}): wait for it, or stop it"
            ) from error
    key.replace(own.encode(), told)


def _seen(key: Key) -> tuple[str, Any]:
    """Return who holds a lease, and what the bucket says of the object."""
    import obstore

    found = obstore.get(key.store, key.key)
    return bytes(found.bytes()).decode(), found.meta


def _is_lost(key: Key, holder: str, told: Any) -> bool:
    """Return whether the holder is dead: seen here, or silent for long, by the bucket's clock."""
    import obstore

    process, _, host = holder.removeprefix("process ").partition(" on ")
    if host == socket.gethostname() and process.isdecimal():
        return not _alive(int(process))
    clock = key.with_name(f"{key.name}.clock")
    clock.put(b"")
    now = obstore.head(clock.store, clock.key)["last_modified"]
    clock.unlink()
    return bool(now - told["last_modified"] > timedelta(seconds=LOST))


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _renew(key: Key, own: str, ended: threading.Event) -> None:
    while not ended.wait(RENEWED):
        with suppress(Exception):  # an answer that fails to come is asked for again
            if key.read_text() == own:
                key.put(own.encode())
