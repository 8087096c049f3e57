"""A landscape of three states made up by hand: 0 and 1 touch, 2 touches 0 at a higher saddle.

Free energies of the states are 0, 0.5 and 1, of the saddles 1.25 (0 and 1) and 4 (0 and 2).
"""

import made_run
import numpy as np
import xarray as xr

NONE = np.nan
DIRECT = [[NONE, 1.25, 4.0], [0.75, NONE, NONE], [3.0, NONE, NONE]]
MINIMAX = [[NONE, 1.25, 4.0], [0.75, NONE, 3.5], [3.0, 3.0, NONE]]
ERROR = [[NONE, 0.21, 0.41], [0.22, NONE, 0.42], [0.31, 0.43, NONE]]
COUNT = [[0, 31, 0], [30, 0, 0], [2, 0, 0]]
TIME = [[NONE, 57.3, np.inf], [12.5, NONE, np.inf], [9.1, 66.4, NONE]]
LOW = [[NONE, 50.2, 812.0], [11.1, NONE, 812.0], [4.0, 51.0, NONE]]
HIGH = [[NONE, 66.4, np.inf], [14.2, NONE, np.inf], [27.3, 91.0, NONE]]
PAIRS = ("peak", "other_peak")


def peaks():
    """What ``peaks`` adds, but what is along samples."""
    return {
        "peak_sample": ("peak", [0, 201, 399]),
        "peak_log_density": ("peak", [0.0, -0.5, -1.0]),
        "peak_log_density_error": ("peak", [0.1, 0.12, 0.15]),
        "peak_size": ("peak", [200, 120, 80]),
        "saddle_peak": (("saddle", "side"), [[0, 1], [0, 2]]),
        "saddle_log_density": ("saddle", [-1.25, -4.0]),
        "saddle_log_density_error": ("saddle", [0.11, 0.35]),
        "merge_peak": (("merge", "side"), [[0, 1], [0, 2]]),
        "merge_log_density": ("merge", [-1.25, -4.0]),
        "merge_log_density_error": ("merge", [0.11, 0.35]),
    }


def barriers():
    """What ``barriers`` adds."""
    error = np.array(ERROR)
    told = made_run.record("barriers", block=20, replicates=100, seed=0)
    covers = told | {"covers": "The scatter over halves of blocks."}
    return {
        "barrier_direct": (PAIRS, DIRECT, told),
        "barrier_direct_error": (PAIRS, np.where(np.isnan(DIRECT), NONE, error), covers),
        "barrier_minimax": (PAIRS, MINIMAX, told),
        "barrier_minimax_error": (PAIRS, error, covers),
        "barrier_minimax_bias": (PAIRS, np.where(np.isnan(MINIMAX), NONE, 0.07), told),
        "basin_probability": ("peak", [0.5, 0.3, 0.2], told),
        "basin_probability_error": ("peak", [0.04, 0.03, 0.02], {"covers": "Scatter of blocks."}),
        "basin_entropy": ("peak", [1.5, 1.2, 0.9], told),
        "basin_entropy_error": ("peak", [0.1, 0.1, 0.1], told),
        "basin_halo": ("peak", [0.25, 0.5, 0.125], told),
        "basin_halo_error": ("peak", [0.01, 0.02, 0.01], told),
        "edge_sample": (("saddle", "side"), [[17, 230], [181, -1]], told),
        "edge_free_energy": ("saddle", [1.25, 4.0], told),
        "edge_free_energy_error": ("saddle", [0.13, 0.36], told),
        "path_sample": ("path_point", [0, 17, 230, 201, 0, 181, 399], told),
        "path_saddle": ("path_point", [0, 0, 0, 0, 1, 1, 1], told),
    }  # fmt: skip


def transitions(units="ps", **attrs):
    """What ``transitions`` adds."""
    told = made_run.record("transitions", dwell=0.0)
    per, time = told | {"units": f"1/{units}"}, told | {"units": units}
    count, stay = np.array(COUNT), np.array([1000.0, 400.0, 40.0])
    covers = {"covers": "95 %, of independent stays."}
    own = np.eye(3, dtype=bool)
    rate = np.where(own, NONE, count / stay[:, np.newaxis])
    return {
        "transition_count": (PAIRS, count, {"gaps": 0, "without_core": ""} | attrs | told),
        "transition_rate": (PAIRS, rate, per),
        "transition_rate_low": (PAIRS, 0.7 * rate, per | {"covers": "95 %, Poisson."}),
        "transition_rate_high": (PAIRS, np.where(rate > 0, 1.5 * rate, 0.0037), per),
        "mean_first_passage_time": (PAIRS, TIME, time),
        "mean_first_passage_time_low": (PAIRS, LOW, time | covers),
        "mean_first_passage_time_high": (PAIRS, HIGH, time | covers),
        "state_time": ("peak", stay, time),
        "core_samples": ("peak", [90, 60, 30], told),
        "core_depth": ("peak", [0.375, 0.375, 1.0], told),
    }


def markov():
    """What ``markov`` adds, but what is along samples and microstates; lags 0.5, 1, 2, 4 ps."""
    unit = {"units": "ps"}
    test = {"passes": 1, "apart": 1.25, "limit": 3.8, "comparisons": 6}
    error = {"covers": "Halves of blocks."}
    time = np.array([[28.0, 1.6], [28.5, 1.7], [28.6, 1.9], [28.4, 3.0]])
    stay = np.array([[0.98, 0.96, 0.7], [0.96, 0.92, 0.5]])
    after, lag = ("after", "peak"), ("lag", "timescale")
    return {
        "implied_timescale": (lag, time, made_run.record("markov", lag=None) | unit | test),
        "implied_timescale_error": (lag, 0.05 * time, unit | error),
        "stay_predicted": (after, stay),
        "stay_predicted_error": (after, np.full((2, 3), 0.01), error),
        "stay_observed": (after, stay + 0.01),
        "stay_observed_error": (after, np.full((2, 3), 0.02), error),
        "stay_difference_error": (after, np.full((2, 3), 0.008), error),
        "lag": ("lag", [0.5, 1.0, 2.0, 4.0], unit),
        "after": ("after", [1.0, 2.0], unit),
    }


def irreversibility(flag=1, sentence="-ln p is not a potential here: net flux 0->1->2->0"):
    """What ``irreversibility`` adds."""
    return {
        "irreversible": ((), np.int8(flag), {"sentence": sentence}),
        "cycle_winding": ("cycle", [41.0]),
        "cycle_winding_error": ("cycle", [6.0], {"covers": "Scatter of 64 blocks."}),
        "cycle_p_value": ("cycle", [2e-9]),
        "cycle_peak": (("cycle", "corner"), [[0, 1, 2, -1]]),
        "area_rate": (("component", "other_component"), [[NONE, 0.5], [-0.5, NONE]]),
        "area_rate_error": (("component", "other_component"), [[NONE, 0.1], [0.1, NONE]]),
        "area_rate_p_value": (("component", "other_component"), [[NONE, 0.003], [0.003, NONE]]),
        "entropy_production": ((), 0.8, {"units": "1/ps"}),
        "entropy_production_error": ((), 0.2),
        "entropy_production_p_value": ((), 0.0005),
    }


def samples(n=made_run.N, units="kJ/mol", temperature=300.0):
    """Free energies and a committor of every sample."""
    rng = np.random.default_rng(4)
    given = {"units": units, "temperature": temperature}
    told = made_run.record("free_energy", **given) | {"units": units}
    ends = made_run.record("committor", source=0, target=1)
    return {
        "free_energy": ("sample", rng.exponential(5.0, n), told),
        "free_energy_error": ("sample", np.full(n, 0.4), told),
        "committor": ("sample", np.where(np.arange(n) < n // 2, 0.0, 1.0), ends),
    }


def run(n=made_run.N, **changes):
    """Torsions with all of these tables, energies in kT."""
    ds = made_run.run(n)[["rows", "period", "name"]].assign(peaks()).assign(samples(n, "kT"))
    tables = barriers() | transitions() | markov()
    return ds.assign(tables).assign(changes)


def crowd(p=40, seed=0):
    """As many states on a line, each with a saddle and some transitions to the next."""
    rng = np.random.default_rng(seed)
    height = -np.sort(rng.exponential(1.0, p))
    pair = np.column_stack([np.arange(p - 1), np.arange(1, p)])
    level = np.minimum(height[:-1], height[1:]) - rng.uniform(0.5, 2.0, p - 1)
    direct = np.full((p, p), np.nan)
    direct[pair[:, 0], pair[:, 1]] = height[:-1] - level
    direct[pair[:, 1], pair[:, 0]] = height[1:] - level
    apart = np.abs(np.subtract.outer(np.arange(p), np.arange(p))).astype(float)
    lowest = np.array([[level[min(a, b) : max(a, b)].min(initial=0.0) for b in range(p)]
                       for a in range(p)])  # fmt: skip
    minimax = np.where(apart > 0, height[:, np.newaxis] - lowest, np.nan)
    time = np.where(apart > 0, 3.0 * apart, np.nan)
    size = rng.integers(5, 100, p)
    elder, joined = list(range(p)), []
    for a, b in pair[np.argsort(-level)].tolist():
        one, other = sorted((elder[a], elder[b]))  # peaks are in the order of their height
        elder = [one if c == other else c for c in elder]
        joined.append((one, other))
    return xr.Dataset(
        {
            "peak_log_density": ("peak", height),
            "peak_log_density_error": ("peak", np.full(p, 0.1)),
            "peak_size": ("peak", size),
            "basin_probability": ("peak", size / size.sum()),
            "basin_probability_error": ("peak", np.full(p, 0.01)),
            "saddle_peak": (("saddle", "side"), pair),
            "saddle_log_density": ("saddle", level),
            "saddle_log_density_error": ("saddle", np.full(p - 1, 0.2)),
            "merge_peak": (("merge", "side"), joined),
            "merge_log_density": ("merge", np.sort(level)[::-1]),
            "merge_log_density_error": ("merge", np.full(p - 1, 0.2)),
            "barrier_direct": (PAIRS, direct),
            "barrier_direct_error": (PAIRS, np.full((p, p), 0.2)),
            "barrier_minimax": (PAIRS, minimax),
            "barrier_minimax_error": (PAIRS, np.full((p, p), 0.2)),
            "edge_sample": (("saddle", "side"), 2 * pair),
            "transition_count": (PAIRS, np.where(apart == 1, 9, 0)),
            "transition_rate": (PAIRS, np.where(apart == 1, 0.1, 0.0)),
            "transition_rate_low": (PAIRS, np.where(apart == 1, 0.05, 0.0)),
            "transition_rate_high": (PAIRS, np.full((p, p), 0.2)),
            "mean_first_passage_time": (PAIRS, time),
            "mean_first_passage_time_low": (PAIRS, 0.5 * time),
            "mean_first_passage_time_high": (PAIRS, 2.0 * time),
        }
    )
