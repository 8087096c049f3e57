"""A run with densities and peaks made up by hand, and one that the steps made."""

import os
from pathlib import Path

import dask.array as da
import made_landscape
import made_run
import numpy as np
import pytest
import xarray as xr

import daskid

CHROMIUM = Path(os.environ.get("DASKID_CHROMIUM", "/usr/bin/chromium"))
OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SIZES = (200, 120, 80)
HALO = 100


def made_peaks(n=made_run.N, **changes):
    """Three peaks: 0 and 1 touch, 2 touches 0 at a lower saddle."""
    scale = n // sum(SIZES)
    label = np.repeat(np.arange(3), np.array(SIZES) * scale)
    rng = np.random.default_rng(2)
    density = made_run.record("density", method="pak", k=None)
    peaks = made_run.record("peaks", z=1.65)
    found = {
        "kstar": ("sample", da.from_array(np.arange(n) % 9 + 3, 150), {
            "share_beyond_half_period": 0.0}),
        "kstar_capped": ("sample", np.zeros(n, bool), {"share": 0.004, "enough": 8}),
        "kstar_dimension": ((), 2.004, {"source": "Gride at n1 = 4, the scale of the median "
                                                  "r_kstar", "scale": 4}),
        "log_density": ("sample", da.from_array(rng.normal(-2, 0.5, n), 150), density),
        "log_density_error": ("sample", np.full(n, 0.21), density | {"covers": "Scatter of PAk."}),
        "peak_label": ("sample", label, peaks),
        "peak_halo": ("sample", da.from_array(np.arange(n) < HALO * scale, 150), peaks),
        "peak_z": ((), 1.65, peaks),
        "peak_sample": ("peak", [0, 201, 399]),
        "peak_log_density": ("peak", [0.0, -0.5, -1.0]),
        "peak_log_density_error": ("peak", [0.1, 0.12, 0.15], {"covers": "One sample."}),
        "peak_size": ("peak", np.array(SIZES) * scale),
        "saddle_peak": (("saddle", "side"), [[0, 1], [0, 2]]),
        "saddle_log_density": ("saddle", [-1.25, -4.0]),
        "saddle_log_density_error": ("saddle", [0.11, 0.35]),
        "merge_peak": (("merge", "side"), [[0, 1], [0, 2]]),
        "merge_log_density": ("merge", [-1.25, -4.0]),
        "merge_log_density_error": ("merge", [0.11, 0.35]),
        "surviving_peaks": ("threshold", [9, 5, 3, 3, 3, 3, 2]),
        "threshold": ("threshold", [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]),
    }  # fmt: skip
    return made_run.run(n).assign(found).assign(changes)


def made_replicates(support=(1.0, 0.96, 0.5), **parameters):
    """What ``significance`` adds."""
    record = made_run.record("significance", replicates=4, **parameters)
    return {
        "peak_support": ("peak", np.array(support), record),
        "merge_support": ("merge", np.ones(len(support) - 1), record),
        "replicate_peaks": ("replicate", [3, 2, 3, 4], record),
    }


def many_peaks(n_peaks=60):
    """More peaks than can be read; peak ``c`` has ``c + 1`` samples and touches the next."""
    c = np.arange(n_peaks)
    steps = np.column_stack([c[:-1], c[1:]])
    saddle = -2.0 - 0.1 * c[1:]
    joined = np.column_stack([np.zeros(n_peaks - 1, int), c[1:]])
    return xr.Dataset(
        {
            "peak_z": ((), 0.2),
            "peak_log_density": ("peak", -0.1 * c),
            "peak_log_density_error": ("peak", np.full(n_peaks, 0.1)),
            "peak_size": ("peak", c + 1),
            "saddle_peak": (("saddle", "side"), steps),
            "saddle_log_density": ("saddle", saddle),
            "saddle_log_density_error": ("saddle", np.full(n_peaks - 1, 0.2)),
            "merge_peak": (("merge", "side"), joined),
            "merge_log_density": ("merge", saddle),
            "merge_log_density_error": ("merge", np.full(n_peaks - 1, 0.2)),
        }
    )


@pytest.fixture(scope="module")
def browser():
    """Chromium, which needs ``pip install playwright`` and Debian's package."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"no chromium at {CHROMIUM}")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def peaks_run():
    return made_peaks


@pytest.fixture(scope="session")
def replicates():
    return made_replicates


def made_states(units="kJ/mol", **changes):
    """The same three peaks with all that the steps of the landscape add."""
    ds = made_peaks().assign(made_landscape.samples(units=units))
    tables = made_landscape.barriers() | made_landscape.transitions() | made_landscape.markov()
    ds = ds.assign(tables).assign_coords(
        row=("sample", 5 * np.arange(made_run.N)),
        time=("sample", 0.4 * np.arange(made_run.N), {"units": "ps"}),
    )
    return ds.assign(changes)


@pytest.fixture(scope="session")
def states_run():
    return made_states


@pytest.fixture(scope="session")
def crowd():
    return many_peaks()


@pytest.fixture(scope="session")
def real_run():
    """Two blobs, 300 samples, all steps; their peaks are not for the page to judge."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, 2)) + np.repeat([[0.0, 0.0], [6.0, 0.0]], 150, axis=0)
    ds = daskid.knn(xr.Dataset({"rows": (("sample", "feature"), x)}).chunk(sample=120), k=150)
    return (
        ds.pipe(daskid.kstar, dimension=2)
        .pipe(daskid.density)
        .pipe(daskid.peaks)
        .pipe(daskid.persistence)
    )
