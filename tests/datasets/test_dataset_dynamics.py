"""Lorenz-96: its equations, its laws, the dimension of its attractor, whatever the chunks."""

import json
from itertools import pairwise

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import daskid
from daskid import datasets
from daskid.datasets import dynamics


def drift(x, forcing):
    """Lorenz (1996), for the last axis a ring."""
    return (np.roll(x, -1, -1) - np.roll(x, 2, -1)) * np.roll(x, 1, -1) - x + forcing


def tangent(x, q):
    """The derivative of the drift at ``x`` along the columns of ``q``."""
    before, after, second = (np.roll(x, s)[:, np.newaxis] for s in (1, -1, 2))
    return (
        (np.roll(q, -1, 0) - np.roll(q, 2, 0)) * before
        + (after - second) * np.roll(q, 1, 0)
        - q
    )  # fmt: skip


def exponents(record, step):
    """Lyapunov exponents by QR of the tangent flow along a record (Benettin et al. 1980)."""
    q = np.eye(record.shape[1])
    total, skipped = np.zeros(record.shape[1]), len(record) // 10
    for i, (x, y) in enumerate(pairwise(record)):
        # Runge-Kutta with the state half way on a cubic, good to the same order
        middle = 0.5 * (x + y) + 0.125 * step * (drift(x, 8.0) - drift(y, 8.0))
        k1 = tangent(x, q)
        k2 = tangent(middle, q + 0.5 * step * k1)
        k3 = tangent(middle, q + 0.5 * step * k2)
        k4 = tangent(y, q + step * k3)
        q, r = np.linalg.qr(q + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
        if i >= skipped:
            total += np.log(abs(np.diag(r)))
    return total / (step * (len(record) - 1 - skipped))


def kaplan_yorke(exponents):
    """Where the sum of the largest exponents, linear in between, is zero."""
    sums = np.cumsum(exponents)
    k = np.flatnonzero(sums >= 0)[-1]
    return k + 1 + sums[k] / -exponents[k + 1]


def test_lorenz96__follows_the_equations():
    x = datasets.lorenz96(21, 7, forcing=5.0, step=0.02, seed=3).rows.values
    exact = solve_ivp(
        lambda _, x: drift(x, 5.0), (0, 0.4), x[0], rtol=1e-11, atol=1e-11, t_eval=[0.4]
    )
    np.testing.assert_allclose(x[-1], exact.y[:, 0], rtol=1e-5)


def test_lorenz96__is_of_fourth_order(monkeypatch):
    def end(step):
        monkeypatch.setattr(dynamics, "LONGEST_STEP", step)
        return datasets.lorenz96(5, 8, step=0.2, spin_up=0).rows.values[-1]

    errors = [abs(end(step) - end(0.005)).max() for step in (0.04, 0.02)]
    assert 2**3.5 < errors[0] / errors[1] < 2**4.7


def test_lorenz96__steps_between_frames_are_short_ones():
    fine = datasets.lorenz96(31, 6, step=0.05).rows.values
    coarse = datasets.lorenz96(11, 6, step=0.15).rows.values
    np.testing.assert_allclose(coarse, fine[::3], rtol=1e-9)


@given(data=st.data())
@settings(max_examples=15)
def test_lorenz96__has_the_same_bits_for_any_chunks_and_length(data):
    n = 3 * 64 - 17
    chunks, shorter = data.draw(st.integers(1, n)), data.draw(st.integers(1, n))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dynamics, "BLOCK", 64)
        parts = datasets.lorenz96(n, 5, seed=1, chunks=chunks).compute()
        short = datasets.lorenz96(shorter, 5, seed=1).compute()
    whole = datasets.lorenz96(n, 5, seed=1).compute()
    np.testing.assert_array_equal(parts.rows, whole.rows)
    np.testing.assert_array_equal(short.rows, whole.rows[:shorter])


def test_lorenz96__seed_and_spin_up_choose_the_start():
    start = datasets.lorenz96(1, 40, spin_up=0, seed=5).rows.values[0]
    assert 0.6 < (start - 8).std() < 1.5
    record = datasets.lorenz96(101, 40, spin_up=0, seed=5).rows.values
    late = datasets.lorenz96(1, 40, spin_up=5.0, seed=5).rows.values[0]
    np.testing.assert_array_equal(late, record[100])
    assert not np.allclose(start, datasets.lorenz96(1, 40, spin_up=0, seed=6).rows.values[0])


@pytest.mark.parametrize("variables", [20, 40])
def test_lorenz96__obeys_its_laws(variables):
    # the energy balance and the contraction of volumes follow from the equations; means over
    # 1,000 time units are known to 1 %
    x = datasets.lorenz96(20_000, variables, seed=variables).rows.values
    assert (x**2).mean() == pytest.approx(8 * x.mean(), rel=1e-3)
    spectrum = exponents(x[:8000], 0.05)
    assert spectrum.sum() == pytest.approx(-variables, rel=2e-3)
    # three longer integrations apart from the package: 1.53 and 1.69 (scatter 0.02), 13.44 and
    # 27.05 (0.03); one of 400 time units scatters by 0.05 and 0.1
    assert spectrum[0] == pytest.approx({20: 1.53, 40: 1.69}[variables], abs=0.15)
    truth = json.loads(datasets.lorenz96(1, variables).attrs["truth"])
    assert kaplan_yorke(spectrum) == pytest.approx(truth["kaplan_yorke_dimension"], abs=0.4)
    assert truth["sum_of_lyapunov_exponents"] == -variables


def test_lorenz96__decays_to_its_fixed_point_where_forcing_is_weak():
    # F < 8/9 is stable for any number of sites (Lorenz and Emanuel 1998, section 2)
    x = datasets.lorenz96(1, 12, forcing=0.5, spin_up=100).rows.values
    np.testing.assert_allclose(x, 0.5, rtol=1e-12)


def test_lorenz96__is_a_record_of_frames():
    ds = datasets.lorenz96(300, 6, step=0.1, chunks=100)
    assert ds.rows.chunks == ((100,) * 3, (6,))
    assert isinstance(ds.rows.data, da.Array)
    np.testing.assert_allclose(ds.time, 0.1 * np.arange(300))
    np.testing.assert_array_equal(ds.row, np.arange(300))
    out = daskid.knn(ds, k=2, exclude="0.5 time units")
    assert abs(out.neighbor_index.values - np.arange(300)[:, np.newaxis]).min() > 5


def test_lorenz96__truth_is_told_only_where_it_is_known():
    assert "kaplan_yorke_dimension" not in datasets.lorenz96(1, 21).attrs["truth"]
    assert "kaplan_yorke_dimension" not in datasets.lorenz96(1, 20, forcing=9.0).attrs["truth"]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"samples": 0}, "samples: expected an integer of at least 1, got 0"),
        ({"variables": 3}, "variables: expected an integer of at least 4, got 3"),
        ({"forcing": np.nan}, "forcing: expected a finite number, got nan: leave it out"),
        ({"step": 0}, "step: expected a finite time above 0, got 0"),
        ({"step": "1"}, "step: expected a finite time above 0, got '1'"),
        ({"spin_up": -1.0}, r"spin_up: expected a finite time of at least 0, got -1\.0"),
        ({"seed": -1}, "seed: expected an integer of at least 0, got -1"),
        ({"chunks": 0}, "chunks: expected an integer of at least 1, got 0"),
        ({"forcing": 1e6, "spin_up": 0}, r"forcing: expected one that steps of 0\.05 can follow"),
    ],
)
def test_lorenz96__refuses_bad_keywords(keywords, message):
    with pytest.raises(ValueError, match=message):
        datasets.lorenz96(**{"samples": 40, **keywords})
