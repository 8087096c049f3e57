"""Searches in processes of their own, to be killed: a driver, a scheduler, a worker."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import daskid
from daskid.blockwise.search import strip_rows
from daskid.storage import ledger, run

SAMPLES, FEATURES, K = 40_000, 16, 20
TILES = 16
PATIENCE = 120.0
REFERENCE = """
import sys, numpy as np, daskid
out = daskid.knn(daskid.open_rows(sys.argv[1]), k=int(sys.argv[2]))
np.savez(sys.argv[3], **{n: out[n].values for n in ("neighbor_distance", "neighbor_index")})
"""


class Place:
    """A source, what an undisturbed search in memory finds in it, an environment with a cache."""

    def __init__(self, folder, samples=SAMPLES):
        self.folder, self.samples = Path(folder), samples
        self.tiles = -(-samples // strip_rows(samples, FEATURES, K))
        root, here = str(Path(daskid.__file__).parents[1]), str(Path(__file__).parent)
        kept = {k: x for k, x in os.environ.items() if k not in ("DASK_SCHEDULER",)}
        self.env = {
            **kept,
            "DASKID_NUMBA_CACHE": "1",
            "NUMBA_CACHE_DIR": str(self.folder / "cache"),
            "DASK_DASKID__PROGRESS": "none",
            "PYTHONPATH": os.pathsep.join([root, here, os.environ.get("PYTHONPATH", "")]),
        }
        self.source = self.folder / "rows.npy"
        x = np.random.default_rng(5).standard_normal((samples, FEATURES)).astype("f4")
        x[-7:] = x[:7]  # copies, found again at every resume
        np.save(self.source, x)
        reference = str(self.folder / "reference.npz")
        self.call("-c", REFERENCE, str(self.source), str(K), reference, check=True)
        self.reference = dict(np.load(reference))

    def popen(self, *arguments, **options):
        """Start Python on arguments."""
        return subprocess.Popen([sys.executable, *arguments], env=self.env, **options)

    def call(self, *arguments, check=False):
        """Run Python on arguments; return how it ended, and what it wrote."""
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, env=self.env, check=check, capture_output=True, text=True, timeout=PATIENCE
        )

    def new_run(self, path):
        """Make a run of the source, return its path."""
        daskid.save(daskid.open_rows(str(self.source)), str(path))
        return str(path)

    def knn(self, path, method="strips"):
        """Return the arguments of the command that searches into a run."""
        return ("-m", "daskid", "knn", path, "--k", str(K), "--method", method)

    def same_bits(self, path):
        """Return whether a run holds the reference."""
        return all(
            np.array_equal(run.read_rows(path, name, 0, self.samples), values)
            for name, values in self.reference.items()
        ) and set(self.reference) <= set(run.record(path)["committed"])


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
    wait_until(lambda: len(ledger.marks(Path(folder_of(path), stage))) >= least, process)


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
