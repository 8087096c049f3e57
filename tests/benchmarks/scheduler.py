"""What a task costs besides its work: a search of tiles that do nothing, on a real scheduler.

    python tests/benchmarks/scheduler.py [--tasks 20000] [--workers 2] [--features 128]

Tasks carry what those of a search carry (the reader of the rows, how they are compared, the
tiling) and return a number; a few are in flight at a time, as in a search. Printed are CPU
milliseconds a task of the process in which scheduler, client and nannies run, of the workers,
bytes that a task sends (pickled), and bytes by which that process grows a task. What the same
processes take while nothing runs (heartbeats) is measured before and left out. Tasks run in parts
of a thousand: the median of the parts, and the least, as others on the machine make CPU time
dearer. Last, the largest search that is worth while, 1e8 x 128 on 1,000 workers, by the plan, and
what its tasks would take here.
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
from daskid.blockwise.search import Data, Facts, Machine, Target, make_plan, pool
from daskid.blockwise.search.methods import tiles_seconds
from daskid.blockwise.search.schedule import Work
from daskid.blockwise.search.tiles import Given
from daskid.kernels.neighbors import Space
from daskid.storage.rows import recall

NONE = np.zeros(0)
PART, REST_SECONDS = 1000, 6.0


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


def spent(processes):
    """Return CPU seconds of some groups of processes, and the time."""
    return np.array([*(sum(map(cpu, group)) for group in processes), time.monotonic()])


def measure(client, given, tasks):
    """Return what a second of rest takes, what parts take a task beside it, and bytes grown."""
    here = [psutil.Process()]
    every = here, [psutil.Process(pid) for pid in client.run(os.getpid).values()]
    list(pool.run(nothing, [(*given, i, Work(i, 1, 3), 0) for i in range(200)]))
    time.sleep(REST_SECONDS / 2)
    before = spent(every)
    time.sleep(REST_SECONDS)
    *rest, seconds = spent(every) - before
    rest, parts, grown = np.array(rest) / seconds, [], here[0].memory_info().rss
    for start in range(0, tasks, PART):
        stop, before = min(start + PART, tasks), spent(every)
        todo = ((*given, i, Work(i, 1, 3), 0) for i in range(start, stop))
        assert sum(1 for _ in pool.run(nothing, todo)) == stop - start
        *took, seconds = spent(every) - before
        parts.append([*(took - rest * seconds), seconds] / np.float64(stop - start))
    return rest, np.array(parts), here[0].memory_info().rss - grown


def largest():
    """Return the plan of 1e8 x 128 for k=50 on 1,000 workers of one thread and 4 GB each."""
    facts = Facts(10**8, 128, 50, False, False, True, True)
    data = Data(10**8, 128, 4, 50, 8 << 20, 1)
    return make_plan(data, Machine(1000, 1, 4 * 10**9), facts), tiles_seconds(facts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--features", type=int, default=128)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        dask.config.set({"daskid.progress": "none"}),
        daskid.connect("local", workers=given.workers) as client,
    ):
        carried = arguments(folder, given.features)
        rest, parts, grown = measure(client, carried, given.tasks)
    sent = len(pickle.dumps((nothing, *carried, 0, Work(0, 1, 3), 0)))
    (here, there, wall), (least, *_) = 1e3 * np.median(parts, axis=0), 1e3 * parts.min(axis=0)
    planned, seconds = largest()
    for name, value in (
        ("tasks", f"{given.tasks:,}"),
        ("at rest, CPU ms a second, here / workers", "{:.0f} / {:.0f}".format(*1e3 * rest)),
        ("scheduler and client, CPU ms a task", f"{here:.2f} (least {least:.2f})"),
        ("workers, CPU ms a task", f"{there:.2f}"),
        ("wall ms a task", f"{wall:.1f}"),
        ("sent, bytes a task", f"{sent:,}"),
        ("grown, bytes a task", f"{grown / given.tasks:,.0f}"),
        ("1e8 x 128: tasks, core-days", f"{planned.tasks:,}, {seconds / 86_400:.0f}"),
        ("of the scheduler and client, minutes", f"{planned.tasks * here / 6e4:.1f}"),
        ("hours on 1,000 workers", f"{seconds / 3.6e6:.1f}"),
    ):
        print(f"{name:<42}{value:>20}")
    print(planned)


if __name__ == "__main__":
    main()
