"""Kill a worker, the scheduler or the driver of a search at random moments, again and again.

    PYTHONPATH=.:tests python tests/benchmarks/survive.py [--kills 20] [--samples 60000]
                                                       [--seed 0] [--method tiles]

Each line is a search of its own, on a scheduler and two workers in processes of their own:
what was killed, so many seconds after a random number of tiles had been done (0: one had been
begun), the tiles that were done at that moment, how the driver ended, whether it was resumed, how
many of the tiles that were done were begun again, and whether the lists have the bits of an
undisturbed search in memory.
"""

import argparse
import ast
import os
import random
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
from survival import PATIENCE, Count, K, Place, every_try, folder_of, wait_for_marks, wait_until

VICTIMS = ("worker", "scheduler", "driver")
LATEST = 0.5
"""Seconds after a tile."""
SPARED = 4
"""Tiles at the end of a search, before which the kill comes."""
DRIVER = """
import sys, daskid
from daskid.storage import ledger
from survival import every_try
ledger.clear = lambda folder: print(every_try(folder))
with daskid.connect(sys.argv[2]):
    run, k, method = sys.argv[1], int(sys.argv[3]), sys.argv[4]
    daskid.knn(daskid.open_run(run), k=k, method=method, store=run)
"""


class Cluster:
    """A scheduler, and two workers that their nannies start again."""

    def __init__(self, place, file):
        file.unlink(missing_ok=True)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        given = ("--scheduler-file", str(file), "--no-dashboard", "--host", "127.0.0.1")
        module = "distributed.cli.dask_"
        self.scheduler = place.popen("-m", f"{module}scheduler", *given, "--port", "0", **quiet)
        wait_until(file.exists, self.scheduler)
        workers = ("--nworkers", "2", "--nthreads", "1")
        self.nannies = place.popen("-m", f"{module}worker", *given, *workers, **quiet)

    def workers(self):
        """Return the processes of the workers."""
        every = psutil.Process(self.nannies.pid).children(recursive=True)
        return [p for p in every if "spawn_main" in " ".join(p.cmdline())]

    def close(self):
        """End all processes."""
        for process in (*self.workers(), self.nannies, self.scheduler):
            process.kill()
        for process in (self.nannies, self.scheduler):
            process.wait()


def drive(place, run, file, method):
    command = ("-c", DRIVER, run, str(file), str(K), method)
    return place.popen(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_once(place, number, victim, moments, method):
    """Return a line of the table."""
    run = place.new_run(place.folder / f"run{number}.zarr")
    file = place.folder / "scheduler.json"
    cluster = Cluster(place, file)
    driver = drive(place, run, file, method)
    stage = {"strips": "", "tiles": "found", "pruned": "found"}[method]
    after = moments.randrange(place.tiles - SPARED) if method == "strips" else moments.randrange(4)
    moment = moments.uniform(0, LATEST)
    wait_until(lambda: every_try(folder_of(run)), driver)
    wait_for_marks(run, after, driver, stage)
    time.sleep(moment)
    victims = {"driver": driver.pid, "scheduler": cluster.scheduler.pid}
    pid = victims.get(victim) or moments.choice(cluster.workers()).pid
    count = Count(run)
    os.kill(pid, signal.SIGKILL)
    out, error = driver.communicate(timeout=PATIENCE)
    ended, again = driver.returncode, "finished"
    if ended:
        if victim == "scheduler":
            cluster.close()
            cluster = Cluster(place, file)
        second = drive(place, run, file, method)
        out, _ = second.communicate(timeout=PATIENCE)
        again = "resumed" if second.returncode == 0 else f"failed ({second.returncode})"
    cluster.close()
    raised = re.findall(r"^(\w+Error): ", error, re.MULTILINE)
    why = raised[-1] if raised else str(ended)
    tries = ast.literal_eval(out.splitlines()[-1])
    begun_again = len(count.begun_again(tries))
    same = "yes" if place.same_bits(run) else "NO"
    return victim, f"{after} + {moment:.2f} s", len(count.done), why, again, begun_again, same


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--samples", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--method", choices=["strips", "tiles", "pruned"], default="tiles")
    given = parser.parse_args()
    moments = random.Random(given.seed)
    form = "{:>3} {:<10}{:>14}{:>11}  {:<18}{:<10}{:>12}{:>10}"
    print(
        form.format(
            "#", "killed", "after tiles", "tiles done", "driver", "", "begun again", "same bits"
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), given.samples)
        for number in range(given.kills):
            line = kill_once(place, number, VICTIMS[number % len(VICTIMS)], moments, given.method)
            print(form.format(number + 1, *line), flush=True)


if __name__ == "__main__":
    main()
