"""Looks at a machine and a cluster as a search would use them, and says what is in the way."""

import fcntl
import os
import platform
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import dask
import psutil
from dask.utils import format_bytes, parse_bytes

from daskid.blockwise.search.workers import prepare
from daskid.cluster.queues import ask
from daskid.cluster.submit import seconds_of

PACKAGES = ("daskid", "dask", "distributed", "numpy", "numba", "xarray", "zarr")
CLOCK_SECONDS, FEWEST_BYTES = 5.0, 1 << 30
VOLATILE = ("tmpfs", "ramfs", "overlay")
"""File systems that do not outlive the machine or the container, or are memory."""


class Check(NamedTuple):
    """What was looked at, whether it is as it should be, what it is, and what to do else."""

    name: str
    good: bool
    found: str
    remedy: str


def doctor(
    where: str | None = None, *, store: str | None = None, folder: str = ".", **given: Any
) -> Iterator[Check]:
    """Check a machine, a batch system and a cluster, one after the other; *computes* nothing.

    Parameters
    ----------
    where
        As in :func:`daskid.connect`; by default this machine alone.
    store
        A source or a run that workers are to read.
    folder
        Where results go; workers have to see it.
    **given
        Keywords of :func:`daskid.connect`.

    Yields
    ------
    A check each, as soon as it is known.
    """
    yield from _machine(folder, store)
    if where is None:
        return
    if where == "slurm":
        hopeless = False
        for check in _slurm(given):
            hopeless |= not check.good
            yield check
        if hopeless:
            return
    from daskid.cluster.clients import connect

    try:
        client = connect(where, **given)
    except (OSError, ValueError, ImportError) as error:
        yield Check("cluster", False, str(error), "see what it says; nothing else can be looked at")
        return
    with client:
        yield from _cluster(client, folder, store)


def _machine(folder: str, store: str | None) -> Iterator[Check]:
    yield Check("python", True, f"{sys.executable} ({platform.python_version()})", "")
    root = os.geteuid() == 0
    yield Check("user", True, "root: workers act as root" if root else "not root", "")
    yield _disk(folder)
    if store is not None and "://" not in store:
        there = Path(store).exists()
        found = f"{store} is {'' if there else 'not '}there"
        yield Check("store", there, found, "give the path of a source or run")


def _disk(folder: str) -> Check:
    """Return whether a folder has room, can be locked, and outlives the machine."""
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    mounts = {Path(p.mountpoint): p.fstype for p in psutil.disk_partitions(all=True)}
    kind = next((mounts[p] for p in (place, *place.parents) if p in mounts), "unknown")
    found = f"{place}: {format_bytes(free)} free, {kind}"
    locked = _writable(str(place))
    if locked:
        return Check("folder", False, f"{found}; {locked}", "give a folder that you may write")
    if free < FEWEST_BYTES:
        return Check("folder", False, found, "make room, or give another folder (--folder)")
    kept = kind not in VOLATILE
    return Check("folder", True, found if kept else f"{found}: it does not outlive a restart", "")


def _writable(folder: str) -> str:
    """Return why a folder cannot be written and locked, empty if it can."""
    probe = Path(folder) / f".daskid-probe-{uuid.uuid4().hex}"
    try:
        with probe.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    finally:
        with suppress(OSError):
            probe.unlink()
    return ""


def _slurm(given: dict[str, Any]) -> Iterator[Check]:
    """Compare what would be asked for with the partition's limits."""
    try:
        lines = ask("sinfo", "-h", "-o", "%P|%l|%m|%c|%a").splitlines()
    except RuntimeError as error:
        yield Check("slurm", False, str(error), "run it on a login node; ask the site's admins")
        return
    site = dask.config.get("jobqueue.slurm", {})
    parts = [line.split("|") for line in lines]
    names = [name.rstrip("*") for name, *_ in parts]
    default = next((n.rstrip("*") for n, *_ in parts if n.endswith("*")), names[0])
    wanted = site.get("queue") or default
    if wanted not in names:
        yield Check(
            "partition", False, f"no {wanted!r}", f"jobqueue.slurm.queue: one of {', '.join(names)}"
        )
        return
    own = [part for part in parts if part[0].rstrip("*") == wanted]
    yield Check("partition", own[0][4] == "up", f"{wanted} is {own[0][4]}", "use another one")
    walltime = str(given.get("walltime") or site.get("walltime") or "00:30:00")
    yield _below("walltime", walltime, own[0][1], _seconds, "walltime= or jobqueue.slurm.walltime")
    memory = given.get("memory") or site.get("memory")
    if memory is None:
        yield Check("memory", False, "none given", "give memory=, or jobqueue.slurm.memory")
    else:
        most = max(float(part[2].rstrip("+")) for part in own) * 2**20
        yield _below("memory", str(memory), most, parse_bytes, "memory= or jobqueue.slurm.memory")
    cores = int(given.get("cores") or site.get("cores") or 1)
    most_cores = max(int(part[3].rstrip("+")) for part in own)
    yield _below("cores", str(cores), most_cores, int, "cores= or jobqueue.slurm.cores")


def _seconds(walltime: str) -> float:
    return float("inf") if walltime in ("infinite", "UNLIMITED") else seconds_of(walltime)


def _below(name: str, wanted: str, most: Any, number: Callable[[str], float], where: str) -> Check:
    limit = number(most) if isinstance(most, str) else most
    shown = most if isinstance(most, str) else format_bytes(most) if name == "memory" else most
    return Check(name, number(wanted) <= limit, f"{wanted}, at most {shown}", f"lower {where}")


def _cluster(client: Any, folder: str, store: str | None) -> Iterator[Check]:
    prepare(client)
    client.wait_for_workers(1, timeout=60)
    address = client.scheduler.address
    plain = address.startswith("tcp://") and "//127." not in address
    yield Check("encryption", not plain, address, "daskid certs DIR, and a scheduler with them")
    yield _versions(client)
    yield _clock(client)
    threads = client.run(_blas)
    most = max(threads.values(), default=1)
    yield Check("BLAS threads", most <= 1, f"{most} in a worker", "OMP_NUM_THREADS=1 for workers")
    limits = [w["memory_limit"] for w in client.scheduler_info(-1)["workers"].values()]
    found = f"{len(limits)} workers of {format_bytes(min(limits))} or more"
    yield Check("memory of workers", min(limits) > 0, found, "give workers a --memory-limit")
    yield from _shared(client, folder)
    if store is not None:
        seen = client.run(_there, str(Path(store).absolute()) if "://" not in store else store)
        blind = [worker for worker, there in seen.items() if not there]
        yield Check(
            "store on workers", not blind, f"{len(seen) - len(blind)} of {len(seen)} see {store}",
            "put it where all nodes see it under the same path",
        )  # fmt: skip


def _versions(client: Any) -> Check:
    """Return whether all processes have the same packages."""
    every = {"scheduler": client.run_on_scheduler(_installed), **client.run(_installed)}
    own, wrong = _installed(), []
    for place, found in every.items():
        wrong += [
            f"{name} {found[name]} on {place}, {own[name]} here"
            for name in own
            if found[name] != own[name]
        ]
    words = "; ".join(wrong[:5]) or ", ".join(f"{n} {x}" for n, x in own.items())
    return Check("versions", not wrong, words, "start all with the same environment")


def _installed() -> dict[str, str]:
    found = {"python": ".".join(map(str, sys.version_info[:2]))}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def _clock(client: Any) -> Check:
    """Return whether clocks agree, but for the time that asking takes."""
    began = time.time()
    told = client.run(_now)
    ended = time.time()
    off = max((max(began - t, t - ended, 0.0) for t in told.values()), default=0.0)
    return Check("clocks", off < CLOCK_SECONDS, f"{off:.1f} s apart", "synchronize them (NTP)")


def _now() -> float:
    return time.time()


def _blas() -> int:
    from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

    return max((p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"), default=1)


def _shared(client: Any, folder: str) -> Iterator[Check]:
    """Write a file on either side, look for it on the other."""
    place = Path(folder).absolute()
    name = f".daskid-probe-{uuid.uuid4().hex}"
    here, there = place / f"{name}-here", place / f"{name}-there"
    try:
        here.write_text("")
        seen = client.run(_there, str(here))
    except OSError as error:
        seen = {"": False}
        yield Check("folder here", False, str(error), "give a folder that you may write (--folder)")
    finally:
        with suppress(OSError):
            here.unlink()
    blind = [worker for worker, found in seen.items() if not found]
    remedy = "give a folder that all nodes share (--folder)"
    yield Check(
        "folder on workers", not blind, f"{len(seen) - len(blind)} of {len(seen)} see it", remedy
    )
    wrote = client.run(_touched, str(there))
    failed = [words for words in wrote.values() if words]
    found = failed[0] if failed else "workers write it" if there.exists() else "written, not seen"
    yield Check("folder from workers", not failed and there.exists(), found, remedy)
    with suppress(OSError):
        there.unlink()


def _there(path: str) -> bool:
    return "://" in path or Path(path).exists()


def _touched(path: str) -> str:
    """Write a file; return why that cannot be, empty if it can."""
    try:
        Path(path).touch()
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    return ""
