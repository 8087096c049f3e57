"""Searches in processes of their own, to be killed: a driver, a scheduler, a worker."""

import ctypes
import importlib
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import dask
import numpy as np
import yaml
from distributed.utils import get_mp_context

import daskid
from daskid.blockwise.search import strip_rows
from daskid.storage import ledger, place, run

SAMPLES, FEATURES, K = 40_000, 16, 20
TILES = 16
WARM = 5000
CLONE_NEWNET = 0x40000000
PATIENCE = 300.0


class Place:
    """A source, what an undisturbed search in memory finds in it, an environment with a cache."""

    def __init__(self, folder, samples=SAMPLES):
        self.folder, self.samples, self.warmed = Path(folder), samples, set()
        self.tiles = -(-samples // strip_rows(samples, FEATURES, K))
        root, here = str(Path(daskid.__file__).parents[1]), str(Path(__file__).parent)
        kept = {k: x for k, x in os.environ.items() if k not in ("DASK_SCHEDULER",)}
        self.env = {
            **kept,
            "DASKID_NUMBA_CACHE": "1",
            "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", str(self.folder / "cache")),
            "DASK_DASKID__PROGRESS": "none",
            "PYTHONPATH": os.pathsep.join([root, here, os.environ.get("PYTHONPATH", "")]),
        }
        self.source = self.folder / "rows.npy"
        x = np.random.default_rng(5).standard_normal((samples, FEATURES)).astype("f4")
        x[-7:] = x[:7]  # copies, found again at every resume
        np.save(self.source, x)
        with dask.config.set(scheduler="threads"):
            out = daskid.knn(daskid.open_rows(str(self.source)), k=K)
        names = ("neighbor_distance", "neighbor_index")
        self.reference = {name: out[name].values for name in names}

    def popen(self, *arguments, **options):
        """Start Python on arguments."""
        return subprocess.Popen([sys.executable, *arguments], env=self.env, **options)

    def new_run(self, path):
        """Make a run of the source, return its path."""
        daskid.save(daskid.open_rows(str(self.source)), str(path))
        return str(path)

    def warm(self, method):
        """Compile what a method needs, once for all processes that share the cache."""
        if method in self.warmed:
            return
        self.warmed.add(method)
        rows, path = str(self.folder / f"{method}.npy"), str(self.folder / f"{method}.zarr")
        np.save(rows, np.load(self.source, mmap_mode="r")[:WARM])
        with dask.config.set(scheduler="synchronous"):
            daskid.save(daskid.open_rows(rows), path)
            daskid.knn(daskid.open_run(path), k=K, method=method, store=path)

    def knn(self, path, method="strips"):
        """Return the arguments of the command that searches into a run."""
        return ("knn", path, "--k", str(K), "--method", method)

    def same_bits(self, path):
        """Return whether a run holds the reference."""
        return all(
            np.array_equal(run.read_rows(path, name, 0, self.samples), values)
            for name, values in self.reference.items()
        ) and set(self.reference) <= set(run.record(path)["committed"])


class Forked:
    """The ``main`` of a module on arguments, in a process forked from multiprocessing's server.

    The server, see ``cluster/conftest.py``, has the module imported, and nothing else done.
    ``host`` is a network namespace that it enters, ``settings`` are dask's.
    """

    def __init__(self, module, *arguments, host=None, settings=None):
        given = (module, arguments, host, settings or {}, dict(os.environ))
        self.process = get_mp_context().Process(target=_main, args=given)
        self.process.start()

    @property
    def pid(self):
        """Number of the process."""
        return self.process.pid

    def poll(self):
        """Return how it ended, None if it runs."""
        return self.process.exitcode

    def wait(self, seconds):
        """Return how it ended; raise if it runs for longer."""
        self.process.join(seconds)
        if self.poll() is None:
            raise subprocess.TimeoutExpired(self.process.name, seconds)
        return self.poll()

    def send(self, number):
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        """Kill it: it can do nothing about it."""
        self.send(signal.SIGKILL)
        self.wait(PATIENCE)


def _main(module, arguments, host, settings, environment):
    """Run a command line in a new process, without a word.

    The server may be older than what a test has set in the environment since.
    """
    os.environ.clear()
    os.environ.update(environment)
    if host is not None:
        with Path(f"/var/run/netns/{host}").open() as namespace:
            assert ctypes.CDLL(None).setns(namespace.fileno(), CLONE_NEWNET) == 0
    for number in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    dask.config.set({"daskid.progress": "none", "scheduler": None, **settings})
    sys.argv = [module, *arguments]
    importlib.import_module(module).main()


@contextmanager
def started(module, *arguments, **options):
    """Give a process that is killed in the end, whatever happens."""
    process = Forked(module, *arguments, **options)
    try:
        yield process
    finally:
        process.kill()


def settings_in(file):
    """Return dask's settings by dotted names: a file is merged into others, not put over them."""

    def flat(tree, *names):
        for name, x in tree.items():
            yield from flat(x, *names, name) if isinstance(x, dict) else [((*names, name), x)]

    return {".".join(names): x for names, x in flat(yaml.safe_load(Path(file).read_text()))}


def folder_of(path):
    """Return the folder of the ledger of a run's search."""
    return ledger.folder_of(path, "knn")


def wait_until(condition, process=None):
    """Wait until a condition holds; fail if a process ends before, or it takes too long."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert process is None or process.poll() is None, "it ended too soon"
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.005)


def wait_for_marks(path, least, process=None, stage=""):
    """Wait until so many tiles are done, of the result or of a stage."""
    folder = place.within(folder_of(path), stage) if stage else folder_of(path)
    wait_until(lambda: len(ledger.marks(folder)) >= least, process)


def every_try(folder):
    """Return how often each tile was begun; those of a stage's folder with its name."""
    return ledger.tries(folder) | {
        (stage.name, tile): count
        for stage in Path(folder).glob("*/")
        for tile, count in ledger.tries(stage).items()
    }


class Count:
    """Tiles that were done at a moment, and how often they were begun by then."""

    def __init__(self, path):
        self.folder = folder_of(path)
        stages = [*Path(self.folder).glob("*/")]
        # before the tries: a mark may follow
        self.done = set(ledger.marks(self.folder)) | {
            (stage.name, tile) for stage in stages for tile in ledger.marks(stage)
        }
        self.tries = every_try(self.folder)

    def begun_again(self, tries):
        """Return the tiles that were done and yet begun later."""
        return {tile for tile in self.done if tries.get(tile, 0) > self.tries.get(tile, 0)}
