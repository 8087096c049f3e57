"""Zarr at a URL, or in a store that was given as an object.

Storage options and stores live in the memory of this process, and in the readers that
travel to workers; they are never written.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from itertools import product
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import Store

GIVEN = "store:"
MOST_ASKED = 1000
"""Chunks whose size and time are asked for over HTTP, which has no listing."""
TOLD = ("ETag", "etag", "e_tag", "md5Hash", "LastModified", "Last-Modified", "last_modified",
        "mtime", "modified", "created")  # fmt: skip
DENIED = {"NoCredentialsError", "PartialCredentialsError", "UnauthenticatedError",
          "PermissionDeniedError", "ClientAuthenticationError", "RefreshError"}  # fmt: skip
UNREACHED = {"ClientConnectionError", "EndpointConnectionError", "ConnectTimeoutError",
             "HTTPClientError", "GenericError", "gaierror"}  # fmt: skip

_ACCESS: dict[str, Any] = {}
_OPENED: dict[tuple[str, ...], Any] = {}


def is_remote(path: str) -> bool:
    """Return whether a path is a URL or the name of a given store."""
    return "://" in path or path.startswith(GIVEN)


def name_of(store: Store) -> str:
    """Return the name under which a given store is known; the same in every process."""
    return f"{GIVEN}{store}"


def remember_access(path: str, access: Any) -> None:
    """Remember in this process how a URL or a given store is reached."""
    _ACCESS[path] = access


def access_to(path: str, access: Any = None) -> Any:
    """Return the storage options of a URL, else the given store of a name; None if not known."""
    return _ACCESS.get(path) if access is None or path.startswith(GIVEN) else access


def store_of(path: str, access: Any) -> Any:
    """Return the store at a URL, or the given one.

    Raises
    ------
    RuntimeError
        If a store was given as an object, in another process.
    """
    if isinstance(access, Store):
        return access
    if path.startswith(GIVEN):
        raise RuntimeError(
            f"source: expected the store {path.removeprefix(GIVEN)!r} of this run, got none in "
            "this process: open it with daskid.open_rows first, or make the run from a URL"
        )
    from zarr.storage import FsspecStore

    with explained(path):
        return FsspecStore.from_url(path, storage_options=dict(access or {}), read_only=True)


def opened(path: str, array: str, access: Any, version: str) -> Any:
    """Return an array; its metadata are read once a version in a process."""
    how = repr(sorted(access.items())) if isinstance(access, Mapping) else str(access)
    key = (path, array, version, how)
    if not version or key not in _OPENED:
        with explained(path):
            found = zarr.open_array(store_of(path, access), path=array, mode="r")
        if len(_OPENED) >= 64:
            _OPENED.clear()
        _OPENED[key] = found
    return _OPENED[key]


def version_of(array: Any) -> str:
    """Return a hash of the metadata of an array."""
    told = json.dumps(array.metadata.to_dict(), sort_keys=True, default=repr)
    return sha256(told.encode()).hexdigest()[:16]


def facts(path: str, array: str, access: Any) -> Iterator[tuple[Any, ...]]:
    """Yield key, size, and time or ETag of the objects of an array, in order.

    Over HTTP, which has no listing, of its metadata and of at most a thousand chunks. Of a
    given store that has neither times nor ETags, keys and sizes only.
    """
    with explained(path):
        found = opened(path, array, access, "")
        yield ("metadata", version_of(found))
        if not lists(path, access):
            yield from _asked(path, array, access, _keys(found))
        elif isinstance(access, Store):
            yield from sorted(_of_store(access, array))
        else:
            yield from sorted(_listed(path, array, access))


def lists(path: str, access: Any) -> bool:
    """Return whether a store can say what it holds, which HTTP can't."""
    inner = getattr(access, "store", None)
    return not path.startswith(("http://", "https://")) and type(inner).__name__ != "HTTPStore"


def _told(info: Mapping[str, Any]) -> str:
    return repr([(name, str(info[name])) for name in TOLD if info.get(name) is not None])


def _listed(path: str, array: str, access: Any) -> Iterator[tuple[Any, ...]]:
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    fs, root = url_to_fs(path, **(access or {}))
    fs.invalidate_cache()
    for key, info in fs.find(f"{root}/{array}".rstrip("/"), detail=True).items():
        yield key, info.get("size"), _told(info)


def _keys(array: Any) -> Iterator[str]:
    """Yield the keys of the chunks, of at most ``MOST_ASKED`` spread evenly."""
    chunks = array.shards or array.chunks
    grid = [-(-size // chunk) for size, chunk in zip(array.shape, chunks, strict=True)]
    n = int(np.prod(grid))
    wanted = np.unique(np.linspace(0, n - 1, min(n, MOST_ASKED)).astype(int))
    places = np.stack(np.unravel_index(wanted, grid), axis=1).tolist()
    for chunk in places if n > MOST_ASKED else product(*map(range, grid)):
        yield array.metadata.encode_chunk_key(tuple(chunk))


def _asked(path: str, array: str, access: Any, keys: Iterator[str]) -> list[tuple[Any, ...]]:
    """Return the facts of single objects, asked for one by one."""
    info_of, root = _info_of(path, access)
    folder = f"{root}/{array}".rstrip("/")

    def ask(key: str) -> tuple[Any, ...]:
        try:
            info = info_of(f"{folder}/{key}".lstrip("/"))
        except FileNotFoundError:
            return key, None, ""
        return key, info.get("size"), _told(info)

    with ThreadPoolExecutor(16) as threads:
        return list(threads.map(ask, keys))


def _info_of(path: str, access: Any) -> tuple[Callable[[str], Mapping[str, Any]], str]:
    if isinstance(access, Store):
        import obstore

        return partial(obstore.head, access.store), ""  # type: ignore[attr-defined]
    from fsspec.core import url_to_fs

    fs, root = url_to_fs(path, **(access or {}))
    return fs.info, root


def _of_store(store: Any, array: str) -> list[tuple[Any, ...]]:
    prefix = f"{array}/" if array else ""
    if type(store).__name__ == "ObjectStore":
        import obstore

        batches = obstore.list(store.store, prefix=array or None)
        return [(x["path"], x["size"], _told(x)) for batch in batches for x in batch]

    async def listed() -> list[tuple[Any, ...]]:
        return [(key, await store.getsize(key), "") async for key in store.list_prefix(prefix)]

    from zarr.core.sync import sync

    return list(sync(listed()))


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Raise what went wrong at a URL in one of Python's own errors, with a remedy."""
    try:
        yield
    except Exception as error:
        better = _better(path, error)
        if better is None:
            raise
        raise better from error


def _better(path: str, error: Exception) -> Exception | None:
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    names = {c.__name__ for e in chain for c in type(e).__mro__}
    status = {getattr(e, "status", None) for e in chain}
    got = f"got {type(error).__name__} ({str(error) or 'no message'})"
    if str(error).startswith("source: "):
        return None
    if "ImportError" in names:
        return ImportError(f"source: expected the package that reads {path!r}, {got}: {EXTRA}")
    if "PermissionError" in names or names & DENIED or status & {401, 403}:
        return PermissionError(f"source: expected access to {path!r}, {got}: {KEYS}")
    if names & UNREACHED or names & {"ConnectionError", "TimeoutError"}:
        return ConnectionError(f"source: expected an answer from {path!r}, {got}: {NET}")
    if "FileNotFoundError" in names:
        return FileNotFoundError(
            f"source: expected a Zarr array or group at {path!r}, got nothing there ({error}): "
            "check the address"
        )
    if "Protocol not known" in str(error):
        return ValueError(f"source: expected a URL that fsspec can read, {got}: {SCHEMES}")
    return None


EXTRA = "pip install 'daskid[url]', or the package that it names"
KEYS = (
    "give storage_options, e.g. {'anon': True} for public data, set daskid.storage-options in "
    "dask's configuration, or the environment variables of the service"
)
NET = "check the address, and the network of every worker"
SCHEMES = "take s3://, gs://, https://, memory:// or file://, or give a zarr store"
