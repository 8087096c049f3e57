"""Coverage of the errors of potentials of mean force, against densities that are known.

Frames of a linear system in time, along one of its features and along both, and independent
samples of the double well: for every system the share of cells whose 95 % interval holds the
truth, and the mean standard error over the scatter between seeds, of cells that hold 20 effective
samples or more.

    python tests/benchmarks/pmf_coverage.py --seeds 200 --samples 20000
"""

import argparse
import warnings

import numpy as np

from daskid import datasets
from daskid.datasets.systems.wells import double_well_potential
from daskid.estimators.landscape.pmf import pmf

FINE = 8
LEAST = 20
"""Effective samples below which the log of a count is no normal variable."""


def normal(covariance):
    C = np.atleast_2d(covariance)
    inverse, scale = np.linalg.inv(C), np.sqrt(np.linalg.det(2 * np.pi * C))
    return lambda x: np.exp(-0.5 * np.einsum("...i,ij,...j", x, inverse, x)) / scale


def well(c, sigma):
    x = np.linspace(-4, 4, 40_001)
    weight = np.exp(-2 / sigma**2 * double_well_potential(x[:, None], c))
    norm = np.trapezoid(weight, x)
    return lambda y: np.exp(-2 / sigma**2 * double_well_potential(y, c)) / norm


def in_cells(density, position, width):
    """Mean of the density over each cell."""
    offset = (np.arange(FINE) + 0.5) / FINE - 0.5
    grid = np.stack(np.meshgrid(*[offset * w for w in width], indexing="ij"), axis=-1)
    return density(position[:, None] + grid.reshape(1, -1, len(width))).mean(axis=1)


def systems(samples):
    flow = {"flow": "symmetric", "step": 0.1}
    covariance = np.array(datasets.systems.ornstein_uhlenbeck("symmetric").truth["covariance"])
    return {
        "linear, frames, one feature": (
            lambda seed: datasets.ornstein_uhlenbeck(samples, seed=seed, **flow),
            {"features": 0, "bins": 24}, normal(covariance[:1, :1]),
        ),
        "linear, frames, two features": (
            lambda seed: datasets.ornstein_uhlenbeck(samples, seed=seed, **flow),
            {"bins": 12}, normal(covariance),
        ),
        "double well, independent": (
            lambda seed: datasets.double_well(samples, c=0.1, sigma=0.5, seed=seed),
            {"bins": 40}, well(0.1, 0.5),
        ),
        "double well, frames": (
            lambda seed: datasets.double_well(samples, c=0.1, sigma=0.5, step=0.5, seed=seed),
            {"bins": 24}, well(0.1, 0.5),
        ),
    }  # fmt: skip


def coverage(make, keywords, density, seeds):
    """Coverage of 95 % intervals, mean se over sd, of what cells have in common."""
    deviations, errors, growth = [], [], []
    for seed in seeds:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            out = pmf(make(seed), **keywords)
        truth = in_cells(density, out.pmf_position.values, out.pmf.attrs["width"])
        error = out.pmf_error.values
        with np.errstate(divide="ignore"):
            found = out.pmf.attrs["zero_log_density"] - out.pmf.values - np.log(truth)
        # chosen by the truth alone: a rule that looks at the count chooses deviations
        share = truth * np.prod(out.pmf.attrs["width"])
        kept = share * out.rows.shape[0] >= LEAST * inefficiency(out)
        kept &= ~np.isnan(found)
        deviations.append(found[kept])
        errors.append(error[kept])
        growth.append(out.pmf_error.attrs.get("growth", 1.0))
    d, e = np.concatenate(deviations), np.concatenate(errors)
    per_seed = [(np.abs(x) <= 1.96 * y).mean() for x, y in zip(deviations, errors, strict=True)]
    ratio = np.sqrt((e**2).mean() / (d**2).mean())
    return np.mean(per_seed), np.std(per_seed) / np.sqrt(len(per_seed)), ratio, np.median(growth)


def inefficiency(out):
    """How many frames count as one: the variance of shares over that of independent samples."""
    n = out.pmf_samples.values
    share, there = n / n.sum(), n > 0
    alone = share[there] * (1 - share[there]) / n.sum()
    return max(1.0, float(((out.pmf_error.values * share)[there] ** 2).sum() / alone.sum()))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--samples", type=int, default=20_000)
    given = parser.parse_args()
    print(f"{'system':<30}{'coverage':>10}{'+-':>7}{'se / rms deviation':>20}{'growth':>8}")
    for name, system in systems(given.samples).items():
        covered, error, ratio, growth = coverage(*system, range(given.seeds))
        print(f"{name:<30}{covered:>10.3f}{error:>7.3f}{ratio:>20.3f}{growth:>8.2f}")


if __name__ == "__main__":
    main()
