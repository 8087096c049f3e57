"""The page of a large run: how long it takes to build, how large it is, how long it takes to open.

``python tests/benchmarks/page.py [--samples 1000000] [--neighbors 30] [--run RUN.zarr]`` draws
trajectories of the triple well, finds neighbors with scipy's cKDTree, runs the steps up to the
barriers on them, and saves the run, unless ``--run`` is there already. ``daskid report`` then makes
the page in a process of its own, whose CPU seconds and peak memory are printed, and Chromium (from
``DASKID_CHROMIUM``, by default Debian's) opens it without network: until the figures are drawn.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import dask
import dask.array as da
import xarray as xr
from scipy.spatial import cKDTree

import daskid
from daskid import datasets

ROWS, MEMBERS, Z = 1 << 16, 8, 4.0


def searched(samples, k):
    """Return the frames with their neighbors, in chunks."""
    ds = datasets.triple_well(samples // MEMBERS, step=0.2, members=MEMBERS, seed=0).load()
    distance, index = cKDTree(ds.rows.values).query(ds.rows.values, k=k + 1)
    dims = ("sample", "neighbor")
    lists = {
        "neighbor_distance": (dims, da.from_array(distance[:, 1:].copy(), (ROWS, -1))),
        "neighbor_index": (dims, da.from_array(index[:, 1:].copy(), (ROWS, -1))),
    }
    return ds.chunk(sample=ROWS).assign(lists)


def analyzed(ds):
    """Return the run with what the page shows of dimension, density, peaks and landscape."""
    steps = (
        daskid.twonn, daskid.gride, daskid.mle, daskid.kstar, daskid.density,
        lambda ds: daskid.peaks(ds, z=Z), daskid.persistence, daskid.free_energy, daskid.barriers,
    )  # fmt: skip
    for step in steps:
        known = set(ds.data_vars)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the neighbors are few
            ds = step(ds)
        new = [name for name in ds.data_vars if name not in known]
        ds = ds.assign(xr.Dataset({name: ds[name] for name in new}).compute().data_vars)
    return ds


def built(run, out, *options):
    """Print what the page took, in a process of its own."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "daskid", "report", run, "--out", out, *options]
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{' '.join(options) or 'interactive':>12}: {Path(out).stat().st_size / 1e6:.2f} MB, "
        f"{cpu:.1f} CPU-s, {time.perf_counter() - started:.1f} s, "
        f"peak memory {after.ru_maxrss / 1e3:.0f} MB"
    )


def opened(path):
    """Print how long the page takes until it is loaded, and until its figures are drawn."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("DASKID_CHROMIUM", "/usr/bin/chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for _ in range(3):
            page = browser.new_context(offline=True).new_page()
            page.goto(Path(path).as_uri())
            loaded = page.evaluate("performance.now()")
            page.wait_for_selector("#explore[data-ready]")
            drawn = page.evaluate("performance.now()")
            print(f"{'opened':>12}: loaded {loaded / 1e3:.2f} s, drawn {drawn / 1e3:.2f} s")
        browser.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--neighbors", type=int, default=30)
    parser.add_argument("--run")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = given.run or f"{folder}/run.zarr"
        if not Path(run).exists():
            started = time.process_time()
            ds = analyzed(searched(given.samples, given.neighbors))
            daskid.save(ds, run)
            print(f"{'the run':>12}: {time.process_time() - started:.1f} CPU-s", flush=True)
        sizes = daskid.open_run(run).sizes
        print(f"{'the run':>12}: {sizes['sample']:,} samples, {sizes['peak']} peaks", flush=True)
        page = f"{folder}/page.html"
        built(run, page, "--still")
        built(run, page)
        opened(page)


if __name__ == "__main__":
    with dask.config.set(scheduler="synchronous"):
        main()
