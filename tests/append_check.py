"""Runs with neighbors, to which rows are appended: what two test files need."""

import shutil
from pathlib import Path

import numpy as np

import daskid


def made(path, ds, k=4, **options):
    """A run with neighbors."""
    shutil.rmtree(path, ignore_errors=True)
    daskid.save(ds, path)
    return daskid.knn(daskid.open_run(path), k=k, store=str(path), **options)


def points(n=60, d=2, seed=0, low=-3, high=4):
    """Points of a small grid: ties and copies are the rule."""
    return np.random.default_rng(seed).integers(low, high, (n, d)).astype(float)


def names_beside(path):
    return sorted(p.name for p in Path(path).parent.iterdir())
