"""Where a run lies: in a folder, or in a bucket; both with the same face.

A bucket has no folders, no locks and no renames. What counts there is the last write: an object
is there whole or not at all, and what must have one writer is put on the condition that it
is not there yet. Credentials and endpoint come from the environment of each process (``AWS_...``).
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatch
from functools import lru_cache
from io import BytesIO
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import IO, Any, TypeAlias

SCHEMES = ("s3://",)


class Key:
    """An object of a bucket, or what lies under its name: as much of a ``Path`` as runs need."""

    def __init__(self, url: str) -> None:
        self.scheme, _, rest = url.partition("://")
        self.bucket, _, self.key = rest.rstrip("/").partition("/")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}".rstrip("/")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __truediv__(self, name: str) -> "Key":
        return Key(f"{self}/{name}")

    @property
    def store(self) -> Any:
        """The bucket."""
        return bucket_of(f"{self.scheme}://{self.bucket}")

    @property
    def name(self) -> str:
        """The last part."""
        return PurePosixPath(self.key).name

    @property
    def stem(self) -> str:
        """The last part without its suffix."""
        return PurePosixPath(self.key).stem

    @property
    def parent(self) -> "Key":
        """What it lies in."""
        return Key(f"{self.scheme}://{self.bucket}/{self.key.rpartition('/')[0]}")

    def with_name(self, name: str) -> "Key":
        """Return the same with another last part."""
        return self.parent / name

    def absolute(self) -> "Key":
        """Return itself."""
        return self

    def is_symlink(self) -> bool:
        """Return False: buckets have no links."""
        return False

    def is_file(self) -> bool:
        """Return whether there is an object of this name."""
        return self.size() is not None

    def is_dir(self) -> bool:
        """Return whether something lies under this name."""
        return next(self.under(), None) is not None

    def exists(self) -> bool:
        """Return whether there is either."""
        return self.is_file() or self.is_dir()

    def size(self) -> int | None:
        """Return the bytes of the object, None if there is none."""
        import obstore

        with suppress(FileNotFoundError):
            return int(obstore.head(self.store, self.key)["size"])
        return None

    def stat(self) -> Any:
        """Return the size, as ``st_size``.

        Raises
        ------
        FileNotFoundError
            If there is no object.
        """
        size = self.size()
        if size is None:
            raise FileNotFoundError(2, "no such object", str(self))
        return SimpleNamespace(st_size=size)

    def under(self) -> Iterator["Key"]:
        """Yield all objects that lie under this name."""
        import obstore

        for batch in obstore.list(self.store, prefix=f"{self.key}/"):
            for found in batch:
                yield Key(f"{self.scheme}://{self.bucket}/{found['path']}")

    def iterdir(self) -> Iterator["Key"]:
        """Yield what lies directly under this name."""
        import obstore

        found = obstore.list_with_delimiter(self.store, prefix=f"{self.key}/")
        names = [*found["common_prefixes"], *(x["path"] for x in found["objects"])]
        yield from (Key(f"{self.scheme}://{self.bucket}/{name}") for name in names)

    def glob(self, pattern: str) -> Iterator["Key"]:
        """Yield what lies under this name and matches, part by part."""
        wanted, start = pattern.split("/"), len(self.key) + 1
        for each in self.iterdir() if len(wanted) == 1 else self.under():
            parts = each.key[start:].split("/")
            if len(parts) == len(wanted) and all(map(fnmatch, parts, wanted)):
                yield each

    def mkdir(self, **_: Any) -> None:
        """Do nothing: folders are made by what lies in them."""

    def rmdir(self) -> None:
        """Do nothing."""

    def unlink(self, missing_ok: bool = True) -> None:
        """Delete the object."""
        import obstore

        with suppress(FileNotFoundError):
            obstore.delete(self.store, self.key)

    def read_bytes(self) -> bytes:
        """Return the object."""
        import obstore

        return bytes(obstore.get(self.store, self.key).bytes())

    def read_text(self) -> str:
        """Return the object as text."""
        return self.read_bytes().decode()

    def open(self, _: str = "rb", **__: Any) -> IO[bytes]:
        """Return the object as a file that is read where it is asked for."""
        size = self.stat().st_size
        return Ranges(self, size) if size > Ranges.WHOLE else BytesIO(self.read_bytes())

    def put(self, content: bytes, *, new: bool = False) -> None:
        """Write the object, whole or not at all.

        Raises
        ------
        FileExistsError
            If ``new`` is asked for, and it is there.
        """
        import obstore

        obstore.put(self.store, self.key, content, mode="create" if new else "overwrite")

    def replace(self, content: bytes, told: Any) -> None:
        """Write the object if it is still the one of which this was told."""
        import obstore

        mode: Any = {key: told[key] for key in ("e_tag", "version") if told.get(key)}
        obstore.put(self.store, self.key, content, mode=mode)

    def rename(self, target: "Key") -> None:
        """Move what lies under this name: copied first, then deleted."""
        import obstore

        for each in [*self.under()]:
            obstore.copy(self.store, each.key, target.key + each.key[len(self.key) :])
        remove(self)


class Ranges(BytesIO):
    """A large object that is read part by part."""

    WHOLE = 1 << 20

    def __init__(self, key: Key, size: int) -> None:
        super().__init__()
        self.object, self.bytes, self.place = key, size, 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        self.place = offset + (self.bytes if whence == os.SEEK_END else 0)
        return self.place

    def tell(self) -> int:
        """Return the place."""
        return self.place

    def read(self, size: int | None = -1) -> bytes:
        """Return so many bytes from the place on."""
        import obstore

        stop = self.bytes if size is None or size < 0 else min(self.bytes, self.place + size)
        if stop <= self.place:
            return b""
        found = obstore.get_range(self.object.store, self.object.key, start=self.place, end=stop)
        self.place = stop
        return bytes(found)


At: TypeAlias = Path | Key


def in_bucket(path: str | Path) -> bool:
    """Return whether a path is in a bucket."""
    return str(path).startswith(SCHEMES)


def at(path: str | Path, *names: str) -> Any:
    """Return the path of what lies in a folder or in a bucket."""
    return Key("/".join((str(path), *names))) if in_bucket(path) else Path(path, *names)


def within(path: str, *names: str) -> str:
    """Return the path of what lies in another one, as text."""
    return str(at(path, *names))


def absolute(path: str | Path) -> str:
    """Return a path as every process understands it."""
    return str(at(path).absolute())


def store_of(path: str, *, read_only: bool = False) -> Any:
    """Return what zarr opens."""
    if not in_bucket(path):
        return path
    from obstore.store import from_url
    from zarr.storage import ObjectStore

    return ObjectStore(from_url(path, **_options()), read_only=read_only)


def remove(path: At | str) -> None:
    """Delete a folder and all that it holds, if it is there."""
    place = at(path) if isinstance(path, str) else path
    if isinstance(place, Path):
        shutil.rmtree(place, ignore_errors=True)
        return
    import obstore

    found = [each.key for each in place.under()]
    if found:
        obstore.delete(place.store, found)


@lru_cache(maxsize=16)
def bucket_of(url: str) -> Any:
    """Return a bucket; one client in a process.

    Raises
    ------
    ImportError
        Without obstore.
    """
    try:
        from obstore.store import from_url
    except ImportError as error:
        raise ImportError(f"store: {url!r} needs obstore: pip install 'daskid[url]'") from error
    return from_url(url, **_options())


def _options() -> dict[str, Any]:
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    return {"client_options": {"allow_http": endpoint.startswith("http://")}}


def to_disk(path: At) -> None:
    """Wait until a file is on its disk; what is in a bucket is there."""
    if isinstance(path, Path):
        with path.open("rb") as file:
            os.fsync(file.fileno())


def room(path: str) -> int | None:
    """Return the free bytes where a run lies, None if there is no limit."""
    return None if in_bucket(path) else shutil.disk_usage(path).free
