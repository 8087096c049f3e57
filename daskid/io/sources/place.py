"""Where a source is: a folder or file, a URL, or a store that was given as an object."""

import pickle
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import dask
from zarr.abc.store import Store
from zarr.storage import LocalStore

from daskid.storage.rows import remote

MOST_SENT = 1 << 20
"""Bytes of a given store, as it is sent with every task."""
TAKEN = "a Zarr array or group, a .npy, .npz or netCDF file"


class Place(NamedTuple):
    """A Zarr store: absolute path, URL or name; how it is reached; a group inside it."""

    path: str
    access: Any = None
    inside: str = ""

    @property
    def remote(self) -> bool:
        """Whether it is a URL or a given store."""
        return remote.is_remote(self.path)

    @property
    def listed(self) -> bool:
        """Whether the store can say what it holds, which HTTP can't."""
        return remote.lists(self.path, self.access)

    @property
    def where(self) -> str:
        """The address, for messages."""
        return f"{self.path}/{self.inside}".rstrip("/")

    def store(self) -> Any:
        """Return what zarr opens."""
        return remote.store_of(self.path, self.access) if self.remote else self.path

    def child(self, name: str) -> "Place":
        """Return the place of what lies in it."""
        if not self.remote:
            return self._replace(path=str(Path(self.path, name)))
        return self._replace(inside=f"{self.inside}/{name}".strip("/"))

    def parent(self) -> "tuple[Place, str] | None":
        """Return the place that it lies in, and its name there; None at the top."""
        if not self.remote:
            return self._replace(path=str(Path(self.path).parent)), Path(self.path).name
        if self.inside:
            folder, _, name = self.inside.rpartition("/")
            return self._replace(inside=folder), name
        scheme, _, rest = self.path.partition("://")
        folder, _, name = rest.rpartition("/")
        return (self._replace(path=f"{scheme}://{folder}"), name) if folder else None


def located(source: str | Path | Store, storage_options: Mapping[str, Any] | None) -> Place:
    """Return where a source is, and remember in this process how it is reached.

    Raises
    ------
    ValueError, TypeError
        If a URL holds a secret, a store can't be sent to workers, or there are storage
        options for what needs none.
    """
    if isinstance(source, LocalStore):
        source = Path(source.root)
    if isinstance(source, Store):
        place = _given(source)
    elif isinstance(source, str) and source.startswith("file:"):
        place = Place(str(Path(url2pathname(unquote(urlsplit(source).path))).absolute()))
    elif isinstance(source, str) and remote.is_remote(source):
        _check(source, storage_options)
        url = source.rstrip("/")
        place = Place(url, access_to(url, storage_options))
    else:
        place = Place(str(Path(source).absolute()))
    if storage_options is not None and not (place.remote and isinstance(source, str)):
        raise ValueError(
            f"storage_options: expected a URL that they open, got {str(source)!r}: leave them out"
        )
    if place.remote:
        remote.remember_access(place.path, place.access)
    return place


def _given(store: Store) -> Place:
    try:
        size = len(pickle.dumps(store))
    except Exception as error:
        raise TypeError(
            f"source: expected a store that workers can be sent, got {store} ({error}): "
            "give its URL, or a store that can be pickled"
        ) from error
    if size > MOST_SENT:
        raise TypeError(
            f"source: expected a store that workers can be sent, got {store}, which holds "
            f"{size} bytes in memory: write it to disk, or give an xarray.DataArray"
        )
    return Place(remote.name_of(store), store)


def _check(url: str, storage_options: Any) -> None:
    shown = url.split("?")[0]
    parts = urlsplit(url.split("::")[-1])
    if not (parts.netloc + parts.path).strip("/"):
        raise ValueError(f"source: expected the URL of {TAKEN}, got {shown!r}: add what is there")
    if parts.password is not None:
        raise ValueError(
            f"source: expected a URL without a password, got one at {parts.hostname}: "
            "give it in storage_options, which are never written"
        )
    if parts.query:
        raise ValueError(
            f"source: expected a URL without '?', got {shown}?...: a signature is for one "
            "object, a Zarr store has many: give credentials in storage_options"
        )
    if storage_options is not None and not isinstance(storage_options, Mapping):
        raise TypeError(
            "storage_options: expected a mapping, as fsspec takes it, got "
            f"{type(storage_options).__name__}: give e.g. {{'anon': True}}"
        )


def access_to(path: str, storage_options: Mapping[str, Any] | None) -> Any:
    """Return how a URL or given store is reached.

    What is given comes first, then the options of the longest prefix in dask's
    configuration, then what was given before in this process.
    """
    if not remote.is_remote(path) or path.startswith(remote.GIVEN):
        return remote.access_to(path)
    configured = dask.config.get("daskid.storage-options", None) or {}
    found = [prefix for prefix in configured if path.startswith(prefix)]
    options = configured[max(found, key=len)] if found else {}
    return {**(remote.access_to(path) or {}), **options, **(storage_options or {})}


def choose(
    names: list[str], there: Collection[Any], variable: str | None, where: str, remedy: str = ""
) -> str:
    """Return the name of the array that is meant.

    Raises
    ------
    ValueError
        If it is not there, or not clear.
    """
    if variable is not None:
        if variable not in there:
            raise ValueError(f"variable: expected one of {names} in {where}, got {variable!r}")
        return variable
    if "rows" in names:
        return "rows"
    if not names:
        raise ValueError(
            f"variable: expected an array with a sample dimension in {where}, got none"
            + (remedy or ": give another source")
        )
    if len(names) > 1:
        raise ValueError(f"variable: expected one, {where} has {names}: choose one of them")
    return names[0]
