"""The table of the landscape: name, dimensions, kind, units and step of its variables."""

from daskid.variables.variable import lines_of

free_energy, free_energy_error, potential = lines_of(
    "free_energy", ("sample",),
    "free_energy f kT free energy over that of the densest sample",
    "free_energy_error f kT standard error of the free energy",
    "potential f - potential -(sigma^2 / 2) ln p over that of the densest sample",
)  # fmt: skip
(
    barrier_direct, barrier_direct_error, barrier_direct_bias,
    barrier_minimax, barrier_minimax_error, barrier_minimax_bias, barrier_dimension_slope,
) = lines_of(
    "barriers", ("peak", "other_peak"),
    "barrier_direct f kT climb from peak to the saddle with other_peak",
    "barrier_direct_error f kT standard error of barrier_direct",
    "barrier_direct_bias f kT bias of barrier_direct by noise, taken off",
    "barrier_minimax f kT climb from peak on the best path to other_peak",
    "barrier_minimax_error f kT standard error of barrier_minimax",
    "barrier_minimax_bias f kT bias of barrier_minimax by noise, taken off",
    "barrier_dimension_slope f kT change of barrier_minimax with the intrinsic dimension",
)  # fmt: skip
(
    basin_probability, basin_probability_error, basin_entropy, basin_entropy_error,
    basin_halo, basin_halo_error,
) = lines_of(
    "barriers", ("peak",),
    "basin_probability f 1 share of the samples in the basin",
    "basin_probability_error f 1 standard error of basin_probability",
    "basin_entropy f 1 entropy -<ln p> of the samples within the basin",
    "basin_entropy_error f 1 standard error of basin_entropy",
    "basin_halo f 1 share of the basin below its highest saddle",
    "basin_halo_error f 1 standard error of basin_halo",
)  # fmt: skip
(edge_sample,) = lines_of(
    "barriers", ("saddle", "side"), "edge_sample i 1 sample on either side of the saddle"
)
edge_free_energy, edge_free_energy_error = lines_of(
    "barriers", ("saddle",),
    "edge_free_energy f kT free energy of the saddle over that of the densest sample",
    "edge_free_energy_error f kT standard error of edge_free_energy",
)  # fmt: skip
path_sample, path_saddle = lines_of(
    "barriers", ("path_point",),
    "path_sample i 1 samples of the path between the peaks of a saddle",
    "path_saddle i 1 saddle of the path",
)  # fmt: skip
(
    transition_count, transition_rate, transition_rate_low, transition_rate_high,
    mean_first_passage_time, mean_first_passage_time_low, mean_first_passage_time_high,
) = lines_of(
    "transitions", ("peak", "other_peak"),
    "transition_count i 1 changes from the core of peak to that of other_peak",
    "transition_rate f - changes per time in peak",
    "transition_rate_low f - lower end of the 95 % interval of transition_rate",
    "transition_rate_high f - upper end of the 95 % interval of transition_rate",
    "mean_first_passage_time f - mean time from entering one core to entering the other",
    "mean_first_passage_time_low f - lower end of its 95 % interval",
    "mean_first_passage_time_high f - upper end of its 95 % interval",
)  # fmt: skip
state_time, core_samples, core_depth = lines_of(
    "transitions", ("peak",),
    "state_time f - time in the state: since its core was the last one entered",
    "core_samples i 1 number of samples in the core",
    "core_depth f kT depth of the core below the peak",
)  # fmt: skip
implied_timescale, implied_timescale_error = lines_of(
    "markov", ("lag", "timescale"),
    "implied_timescale f - relaxation times of the Markov model",
    "implied_timescale_error f - standard error of implied_timescale",
)  # fmt: skip
(
    stay_predicted, stay_predicted_error, stay_observed, stay_observed_error,
    stay_difference_error,
) = lines_of(
    "markov", ("after", "peak"),
    "stay_predicted f 1 probability to be in the basin again, by the Markov model",
    "stay_predicted_error f 1 standard error of stay_predicted",
    "stay_observed f 1 probability to be in the basin again, by a model of that lag",
    "stay_observed_error f 1 standard error of stay_observed",
    "stay_difference_error f 1 standard error of stay_predicted - stay_observed",
)  # fmt: skip
(microstate,) = lines_of("markov", ("sample",), "microstate i 1 microstate of the sample")
microstate_peak, microstate_probability = lines_of(
    "markov", ("center",),
    "microstate_peak i 1 peak of most samples of the microstate",
    "microstate_probability f 1 stationary probability in the Markov model, 0 outside of it",
)  # fmt: skip
(microstate_transition,) = lines_of(
    "markov", ("center", "next_center"),
    "microstate_transition f 1 probability of the next microstate, a lag later",
)  # fmt: skip
committor, committor_error = lines_of(
    "committor", ("sample",),
    "committor f 1 probability to reach the target before the source",
    "committor_error f 1 standard error of committor",
)  # fmt: skip

(path,) = lines_of(
    "minimum_action_path", ("point", "component"), "path f - points of the minimum action path"
)
action, action_error = lines_of(
    "minimum_action_path", (),
    "action f - action W of the path; the quasipotential is half of it",
    "action_error f - change of the action when the points of the path were doubled",
)  # fmt: skip
(edge_state,) = lines_of(
    "edge_state", ("component",), "edge_state f - state on the boundary of two basins"
)
edge_success, edge_motion, edge_unstable = lines_of(
    "edge_state", (),
    "edge_success b 1 whether it is steady and leads to both attractors",
    "edge_motion f 1 its motion in a step over the distance of the two starts",
    "edge_unstable i 1 number of unstable directions, -1 where it is not steady",
)  # fmt: skip
(edge_rate,) = lines_of("edge_state", ("mode",), "edge_rate f - growth rates, largest first")
(cell_position,) = lines_of(
    "fokker_planck", ("cell", "component"), "cell_position f - center of the cell"
)
cell_probability, cell_committor = lines_of(
    "fokker_planck", ("cell",),
    "cell_probability f 1 stationary probability of the cell",
    "cell_committor f 1 probability to reach the second core before the first",
)  # fmt: skip
(relaxation_time,) = lines_of(
    "fokker_planck", ("timescale",), "relaxation_time f - relaxation times, longest first"
)
(core_passage_time,) = lines_of(
    "fokker_planck", ("core", "other_core"),
    "core_passage_time f - mean time from core to other_core",
)  # fmt: skip

(pmf_position,) = lines_of(
    "pmf", ("pmf_cell", "pmf_feature"), "pmf_position f - center of the cell"
)
pmf, pmf_error, pmf_samples = lines_of(
    "pmf", ("pmf_cell",),
    "pmf f kT potential of mean force over that of the densest cell, NaN where it is empty",
    "pmf_error f kT standard error of the potential of mean force",
    "pmf_samples i 1 number of samples in the cell",
)  # fmt: skip
(reactive_path,) = lines_of(
    "reactive_paths", ("reactive_point", "feature"),
    "reactive_path f - points of the minimax path, source first",
)  # fmt: skip
reactive_position, reactive_position_error, reactive_spread = lines_of(
    "reactive_paths", ("direction", "reactive_point", "feature"),
    "reactive_position f - mean of the frames of passages nearest to the point",
    "reactive_position_error f - standard error of reactive_position",
    "reactive_spread f - standard deviation of these frames",
)  # fmt: skip
reactive_count, reactive_duration, reactive_duration_error = lines_of(
    "reactive_paths", ("direction",),
    "reactive_count i 1 number of passages from core to core",
    "reactive_duration f - mean time from leaving one core to entering the other",
    "reactive_duration_error f - standard error of reactive_duration",
)  # fmt: skip
(reactive_difference_p,) = lines_of(
    "reactive_paths", (),
    "reactive_difference_p f 1 p-value of equal tubes in both directions",
)  # fmt: skip

cycle_winding, cycle_winding_error, cycle_p_value = lines_of(
    "irreversibility", ("cycle",),
    "cycle_winding f 1 turns round the cycle of states, less those the other way",
    "cycle_winding_error f 1 standard error of cycle_winding",
    "cycle_p_value f 1 p-value of cycle_winding, by Holm's rule for all tests",
)  # fmt: skip
(cycle_peak,) = lines_of(
    "irreversibility", ("cycle", "corner"), "cycle_peak i 1 peaks along the cycle, then -1"
)
area_rate, area_rate_error, area_rate_p_value = lines_of(
    "irreversibility", ("component", "other_component"),
    "area_rate f - mean of (x_i dx_j - x_j dx_i) / 2 over time",
    "area_rate_error f - standard error of area_rate",
    "area_rate_p_value f 1 p-value of area_rate, by Holm's rule for all tests",
)  # fmt: skip
entropy_production, entropy_production_error, entropy_production_p_value, irreversible = lines_of(
    "irreversibility", (),
    "entropy_production f - lower bound of the entropy production over time",
    "entropy_production_error f - standard error of entropy_production",
    "entropy_production_p_value f 1 its p-value, by Holm's rule for all tests",
    "irreversible i 1 whether time has a direction: 1 yes, 0 not seen, -1 no power",
)  # fmt: skip
(kramers_peak,) = lines_of(
    "kramers", ("passage", "side"), "kramers_peak i 1 peak that is left, and peak that is reached"
)  # fmt: skip
(
    kramers_slope, kramers_slope_error, kramers_intercept, kramers_intercept_error,
    kramers_differs, zero_noise_barrier, zero_noise_barrier_error, zero_noise_barrier_model_error,
) = lines_of(
    "kramers", ("passage",),
    "kramers_slope f 1 slope of ln tau against 2 Delta V / sigma^2",
    "kramers_slope_error f 1 standard error of kramers_slope",
    "kramers_intercept f - ln tau at no barrier",
    "kramers_intercept_error f - standard error of kramers_intercept",
    "kramers_differs i 1 whether the slope is not 1: 1 yes, 0 not seen, -1 no line",
    "zero_noise_barrier f - Delta V on a line in sigma^2, at no noise",
    "zero_noise_barrier_error f - standard error of zero_noise_barrier",
    "zero_noise_barrier_model_error f - how far a parabola in sigma^2 ends from the line",
)  # fmt: skip
kramers_log_time, kramers_log_time_error, kramers_exponent, kramers_exponent_error = lines_of(
    "kramers", ("passage", "run"),
    "kramers_log_time f - ln of the mean first passage time",
    "kramers_log_time_error f - standard error of kramers_log_time",
    "kramers_exponent f 1 2 Delta V / sigma^2: the barrier in kT",
    "kramers_exponent_error f 1 standard error of kramers_exponent",
)  # fmt: skip
(kramers_sigma,) = lines_of("kramers", ("run",), "kramers_sigma f - noise strength of the run")
