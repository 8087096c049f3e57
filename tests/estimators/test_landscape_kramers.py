"""kramers: the line through runs, with peaks matched, errors shared, and the true slope found."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from daskid import datasets
from daskid.estimators.landscape.kramers import kramers
from daskid.estimators.landscape.transitions import transitions

SPOTS = np.array([[-1.0, 0.0], [1.0, 0.5], [0.0, 3.0]])


def run(barrier, time, spots=SPOTS[:2], error=0.1, width=0.2):
    """A run with these (p, p) barriers in kT and times, errors 0.1 and a fifth."""
    p, dims = len(spots), ("peak", "other_peak")
    empty = np.where(np.eye(p, dtype=bool), np.nan, 1.0)
    barrier, time = barrier * empty, time * empty
    ends = np.exp(norm.ppf(0.975) * width)
    values = {
        "barrier_minimax": barrier,
        "barrier_minimax_error": error * empty,
        "barrier_dimension_slope": barrier,
        "mean_first_passage_time": time,
        "mean_first_passage_time_low": time / ends,
        "mean_first_passage_time_high": time * ends,
    }
    ds = xr.Dataset({name: (dims, x) for name, x in values.items()})
    ds["barrier_minimax_error"].attrs["dimension_error"] = 0.0
    ds["mean_first_passage_time"].attrs["units"] = "ps"
    rows = np.r_[np.full((3, 2), 9.0), spots]
    return ds.assign(rows=(("sample", "feature"), rows), peak_sample=("peak", np.arange(p) + 3))


def of_slope(slope, sigma, climb, shift=1.0, **options):
    climb = np.asarray(climb, float)
    exponent = 2 * climb / sigma**2
    return run(exponent, np.exp(shift + slope * exponent), **options)


CLIMB = np.array([[0.0, 0.4], [0.2, 0.0]])
LEVELS = [0.3, 0.4, 0.5]


def test_kramers__finds_the_line():
    out = kramers([of_slope(0.9, s, CLIMB) for s in LEVELS], sigma=LEVELS)
    assert out.kramers_peak.values.tolist() == [[0, 1], [1, 0]]
    np.testing.assert_allclose(out.kramers_slope, 0.9, rtol=1e-6)
    np.testing.assert_allclose(out.kramers_intercept, 1.0, rtol=1e-6)
    np.testing.assert_allclose(out.kramers_exponent[0], 2 * 0.4 / np.square(LEVELS))
    np.testing.assert_allclose(out.kramers_log_time_error, 0.2)
    np.testing.assert_allclose(out.zero_noise_barrier, [0.4, 0.2])
    np.testing.assert_allclose(out.zero_noise_barrier_model_error, 0.0, atol=1e-10)
    assert out.run.values.tolist() == ["0", "1", "2"]
    assert out.kramers_sigma.values.tolist() == LEVELS
    assert out.kramers_log_time.attrs["time_units"] == "ps"
    # the longer lever knows the slope better: it is not 1 there alone
    assert out.kramers_slope_error[0] < out.kramers_slope_error[1]
    sharp = [of_slope(0.9, s, CLIMB, error=0.03, width=0.03) for s in LEVELS]
    assert kramers(sharp, sigma=LEVELS).kramers_differs.values.tolist() == [1, 1]
    blunt = [of_slope(0.9, s, CLIMB, width=0.5) for s in LEVELS]
    assert kramers(blunt, sigma=LEVELS).kramers_differs.values.tolist() == [0, 0]


def test_kramers__reads_sigma_from_the_potential_and_names():
    runs = {f"s{s}": of_slope(1.0, s, CLIMB) for s in LEVELS}
    with pytest.raises(
        ValueError, match=r"sigma: expected a positive number for run 's0.3', got None"
    ):
        kramers(runs)
    attrs = {f"s{s}": {"sigma": s} for s in LEVELS}
    told = {n: ds.assign(potential=("sample", np.zeros(5), attrs[n])) for n, ds in runs.items()}
    out = kramers(told)
    assert out.run.values.tolist() == ["s0.3", "s0.4", "s0.5"]
    np.testing.assert_allclose(out.kramers_slope, 1.0, rtol=1e-6)
    given = kramers(runs, sigma={"s0.5": 0.5, "s0.4": 0.4, "s0.3": 0.3})
    np.testing.assert_array_equal(given.kramers_slope, out.kramers_slope)


def test_kramers__matches_peaks_in_another_order():
    climb = np.array([[0.0, 0.4, 0.3], [0.2, 0.0, 0.5], [0.1, 0.6, 0.0]])
    turned = [2, 0, 1]
    runs = [of_slope(0.9, s, climb, spots=SPOTS) for s in LEVELS]
    other = of_slope(
        0.9, LEVELS[1], climb[np.ix_(turned, turned)], spots=SPOTS[turned] + 0.1
    )  # fmt: skip
    expected = kramers(runs, sigma=LEVELS)
    found = kramers([runs[0], other, runs[2]], sigma=LEVELS)
    for name in ("kramers_exponent", "kramers_log_time", "kramers_slope", "kramers_peak"):
        np.testing.assert_allclose(found[name], expected[name], err_msg=name)
    assert found.sizes["passage"] == 6
    # numbers are those of the run of least noise
    first = kramers([other, runs[2]], sigma=[0.4, 0.5])
    numbers = [turned.index(0), turned.index(1)]
    row = first.kramers_peak.values.tolist().index(numbers)
    np.testing.assert_allclose(first.kramers_exponent[row, 1], expected.kramers_exponent[0, 2])


def test_kramers__shares_the_error_of_the_dimension():
    # 10 % of each barrier, known to be the same 10 % in all runs
    shared = [of_slope(1.0, s, CLIMB, error=0.0) for s in LEVELS]
    for ds in shared:
        ds["barrier_minimax_error"] = ds.barrier_minimax_error + 0.1 * ds.barrier_minimax
        ds["barrier_minimax_error"].attrs["dimension_error"] = 0.1
    out = kramers(shared, sigma=LEVELS)
    sure = kramers([of_slope(1.0, s, CLIMB, error=0.0) for s in LEVELS], sigma=LEVELS)
    expected = np.hypot(sure.kramers_slope_error, 0.1)
    np.testing.assert_allclose(out.kramers_slope_error, expected, rtol=1e-6)
    np.testing.assert_allclose(out.kramers_intercept_error, sure.kramers_intercept_error, rtol=1e-6)
    np.testing.assert_allclose(out.zero_noise_barrier_error, [0.04, 0.02], rtol=1e-6)


def test_kramers__leaves_out_what_was_never_seen():
    runs = [of_slope(0.9, s, CLIMB) for s in LEVELS]
    runs[0].mean_first_passage_time[0, 1] = np.inf
    runs[0].mean_first_passage_time_high[0, 1] = np.inf
    for ds in runs[1:]:
        ds.mean_first_passage_time[1, 0] = ds.mean_first_passage_time_high[1, 0] = np.inf
    out = kramers(runs, sigma=LEVELS)
    assert np.isnan(out.kramers_log_time.values).sum(axis=1).tolist() == [1, 2]
    assert out.kramers_slope[0] == pytest.approx(0.9)
    assert np.isnan(out.kramers_slope[1])
    assert np.isnan(out.zero_noise_barrier[1])
    assert out.kramers_differs.values[1] == -1
    assert np.isnan(out.zero_noise_barrier_model_error[0])  # two runs are left


def test_kramers__bends_where_barriers_change_with_noise():
    runs = [of_slope(1.0, s, CLIMB + 0.5 * s**2 * (CLIMB > 0)) for s in LEVELS]
    out = kramers(runs, sigma=LEVELS)
    np.testing.assert_allclose(out.zero_noise_barrier, [0.4, 0.2])
    assert (out.zero_noise_barrier_model_error < 1e-9).all()
    runs = [of_slope(1.0, s, CLIMB + s**4 * (CLIMB > 0)) for s in LEVELS]
    out = kramers(runs, sigma=LEVELS)
    off = abs(out.zero_noise_barrier - [0.4, 0.2])
    np.testing.assert_allclose(out.zero_noise_barrier_model_error, off, rtol=1e-6)
    assert (off > 0.01).all()


RUNS = [of_slope(1.0, s, CLIMB) for s in LEVELS]
THIRD = of_slope(1.0, 0.3, np.full((3, 3), 0.3), spots=SPOTS)
HOURS = RUNS[1].copy(deep=True)
HOURS.mean_first_passage_time.attrs["units"] = "h"


@pytest.mark.parametrize(
    ("runs", "sigma", "words"),
    [
        (RUNS[:1], [0.3], "runs: expected a list or a dict of two datasets or more, .* got 1"),
        (RUNS[0], None, "runs: expected a list or a dict .* got a Dataset"),
        (RUNS, [0.3, 0.4], "sigma: expected one for each of 3 runs, got 2"),
        (RUNS, [0.3, 0.0, 0.5], "sigma: expected a positive number for run '1', got 0.0"),
        (RUNS, [0.3, -1, 0.5], "sigma: expected a positive number for run '1', got -1"),
        (RUNS, [0.3, 0.3, 0.3], "sigma: expected two different ones or more, got 0.3"),
        ([RUNS[0], RUNS[1].drop_vars("barrier_minimax")], [1, 2], "run '1': no 'barrier_minimax'"),
        ([RUNS[0], THIRD], [1, 2], "runs: expected 2 peaks of 2 features .* got 3 of 2 in run '1'"),
        ([RUNS[0], HOURS], [1, 2], "runs: expected times in one unit, got 'ps' .* and 'h'"),
        (
            [RUNS[0], of_slope(1.0, 0.4, CLIMB, spots=SPOTS[:2] * 0.2)], [1, 2],
            "runs: expected one peak of run '1' near peak 0 of run '0', got two at",
        ),
        (
            [RUNS[0], of_slope(1.0, 0.4, CLIMB, spots=SPOTS[:2] + 1.2)], [1, 2],
            "runs: expected one peak of run '1' near peak",
        ),
        ([run(np.zeros((1, 1)), np.ones((1, 1)), SPOTS[:1])] * 2, [1, 2], "two peaks or more"),
    ],
)  # fmt: skip
def test_kramers__refuses(runs, sigma, words):
    with pytest.raises(ValueError, match=words):
        kramers(runs, sigma=sigma)


def test_kramers__of_the_double_well():
    # barriers as they are, times from frames, the truth by quadrature for the very cores
    levels, step, x, y = (0.45, 0.55, 0.7), 0.05, [], []
    runs = []
    for seed, sigma in enumerate(levels):
        made = datasets.double_well(60_000, sigma=sigma, step=step, seed=seed).compute()
        along = made.rows.values[:, 0]
        climb = 2 * 0.25 / sigma**2
        ds = made.assign(
            peak_label=("sample", (along > 0).astype(int)),
            log_density=("sample", -2 / sigma**2 * (along**4 / 4 - along**2 / 2)),
            peak_log_density=("peak", np.full(2, climb)),
            merge_peak=(("merge", "side"), [[0, 1]]),
            merge_log_density=("merge", [0.0]),
        )
        ds = transitions(ds)
        exact = run(np.full((2, 2), climb), np.ones((2, 2)))
        # the densest frames of both sides
        ds = ds.assign({n: exact[n] for n in exact if n.startswith("barrier")})
        runs.append(ds.assign(peak_sample=("peak", [along.argmin(), along.argmax()])))
        depth = ds.core_depth.values[0]
        line = np.linspace(0, 1, 10_001)
        inside = 2 / sigma**2 * (0.25 - line**2 / 2 + line**4 / 4) < depth
        edge = line[inside].min() + 0.5826 * sigma * step**0.5
        cores = (-3.0, -edge), (edge, 3.0)
        x.append(climb)
        y.append(np.log(datasets.double_well_mfpt(0.0, sigma, *cores)))
    out = kramers(runs, sigma=levels)
    truth = np.polyfit(x, y, 1)[0]
    assert 0.85 < truth < 1.3
    assert (abs(out.kramers_slope - truth) < 2.5 * out.kramers_slope_error).all()
    assert (out.kramers_slope_error < 0.25).all()
    np.testing.assert_allclose(out.kramers_log_time, [y, y], atol=0.6)
