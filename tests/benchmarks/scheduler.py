"""What a task costs besides its work: a search of tiles that do nothing, on a real scheduler.

    python tests/benchmarks/scheduler.py [--tasks 20000] [--workers 2] [--features 128]

Tasks carry what those of a search carry (the reader of the rows, how they are compared, the
tiling) and return a number; a few are in flight at a time, as in a search. Printed are CPU
milliseconds a task of the process in which scheduler, client and nannies run, of the workers,
bytes that a task sends (pickled), and bytes by which that process grows a task.
"""

import argparse
import os
import pickle
import tempfile
import time
from pathlib import Path

import dask
import numpy as np
import psutil

import daskid
from daskid.blockwise.search import Target, pool
from daskid.blockwise.search.schedule import Work
from daskid.blockwise.search.tiles import Given
from daskid.kernels.neighbors import Space
from daskid.storage.rows import recall

NONE = np.zeros(0)


def nothing(source, location, frame, trajectory, given, task, work, version):
    """Return what a task of pairs returns: the bytes that it wrote."""
    return task


def arguments(folder, features):
    """Return what every task is given, without its number."""
    path = str(Path(folder, "rows.npy"))
    np.save(path, np.zeros((2, features), "f4"))
    source = recall(daskid.open_rows(path).rows.data.name)
    center = np.zeros(features)
    space = Space(0, NONE, NONE, center, center, 1.0, 0)
    target = Target(str(Path(folder, "run.zarr")), str(Path(folder, "work")), "f" * 32, 8192)
    return source, None, None, None, Given((10**8, features), space, 50, 1 << 17, 1 << 25, target)


def cpu(process):
    times = process.cpu_times()
    return times.user + times.system


def measure(client, given, tasks):
    """Return CPU seconds here and on the workers, wall seconds, and bytes grown here."""
    here = psutil.Process()
    workers = [psutil.Process(pid) for pid in client.run(os.getpid).values()]
    list(pool.run(nothing, [(*given, i, Work(i, 1, 3), 0) for i in range(200)]))
    before = cpu(here), sum(map(cpu, workers)), time.monotonic(), here.memory_info().rss
    todo = ((*given, i, Work(i, 1, 3), 0) for i in range(tasks))
    assert sum(1 for _ in pool.run(nothing, todo)) == tasks
    after = cpu(here), sum(map(cpu, workers)), time.monotonic(), here.memory_info().rss
    return [b - a for a, b in zip(before, after, strict=True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--features", type=int, default=128)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        dask.config.set({"daskid.progress": "none"}),
        daskid.connect("local", workers=given.workers) as client,
    ):
        carried = arguments(folder, given.features)
        here, there, wall, grown = measure(client, carried, given.tasks)
    sent = len(pickle.dumps((nothing, *carried, 0, Work(0, 1, 3), 0)))
    for name, value in (
        ("tasks", f"{given.tasks:,}"),
        ("scheduler and client, CPU ms a task", f"{1e3 * here / given.tasks:.2f}"),
        ("workers, CPU ms a task", f"{1e3 * there / given.tasks:.2f}"),
        ("wall s", f"{wall:.1f}"),
        ("sent, bytes a task", f"{sent:,}"),
        ("grown, bytes a task", f"{grown / given.tasks:,.0f}"),
    ):
        print(f"{name:<40}{value:>12}")


if __name__ == "__main__":
    main()
