"""The table: name, dimensions, kind, units and step of every variable; nowhere else."""

from daskid.variables.comparison import *  # noqa: F403  its lines belong to the table
from daskid.variables.landscape import *  # noqa: F403  its lines belong to the table
from daskid.variables.layers import *  # noqa: F403  its lines belong to the table
from daskid.variables.variable import Variable


def _coordinate(name: str, dim: str, kind: str, units: str, long_name: str) -> Variable:
    return Variable(name, (dim,), kind, units, long_name, "open_rows", coordinate=True)


rows = Variable("rows", ("sample", "feature"), "fiub", "", "rows", "open_rows")
row = _coordinate("row", "sample", "i", "1", "row number in the source")
time = _coordinate("time", "sample", "fiumM", "", "time")
trajectory = _coordinate("trajectory", "sample", "iuUTOb", "", "trajectory of the sample")
column = _coordinate("column", "feature", "i", "1", "feature number in the source")
period = _coordinate("period", "feature", "f", "", "period of the feature, 0 for none")
weight = _coordinate("weight", "feature", "f", "1", "weight of the feature in the metric")

_NK = ("sample", "neighbor")
neighbor_distance = Variable(
    "neighbor_distance", _NK, "f", "", "distance to the nearest locations", "knn"
)
neighbor_index = Variable(
    "neighbor_index", _NK, "i", "1", "sample number of the nearest locations", "knn"
)
multiplicity = Variable(
    "multiplicity", ("sample",), "i", "1", "number of samples at the same location", "knn"
)
location = Variable("location", ("sample",), "i", "1", "first sample at the same location", "knn")

neighbor_recall = Variable(
    "neighbor_recall", (), "f", "1", "share of the neighbors that were found", "knn_approximate"
)
neighbor_recall_low = Variable(
    "neighbor_recall_low", (), "f", "1", "lower end of its 95 % interval", "knn_approximate"
)
neighbor_recall_high = Variable(
    "neighbor_recall_high", (), "f", "1", "upper end of its 95 % interval", "knn_approximate"
)
neighbor_certified = Variable(
    "neighbor_certified", (), "f", "1", "share of samples with exact lists", "knn_approximate"
)

id_twonn = Variable("id_twonn", (), "f", "1", "intrinsic dimension (TwoNN)", "twonn")
id_twonn_error = Variable(
    "id_twonn_error", (), "f", "1", "standard error of the intrinsic dimension (TwoNN)", "twonn"
)
id_twonn_samples = Variable(
    "id_twonn_samples", (), "i", "1", "number of locations used by TwoNN", "twonn"
)
id_twonn_ties = Variable(
    "id_twonn_ties", (), "i", "1", "number of locations with r_2 = r_1, used by TwoNN", "twonn"
)
id_twonn_left_out = Variable(
    "id_twonn_left_out", (), "i", "1", "number of locations without a ratio for TwoNN", "twonn"
)
id_twonn_radius = Variable(
    "id_twonn_radius", (), "f", "", "scale of TwoNN: mean of (r_1 + r_2) / 2", "twonn"
)

id_twonn_error_blocks = Variable(
    "id_twonn_error_blocks", (), "i", "1", "number of time blocks behind the error", "twonn"
)
id_twonn_error_short = Variable(
    "id_twonn_error_short", (), "f", "1", "share of lists too short for their half", "twonn"
)

_B = ("block_size",)
id_blocks = Variable(
    "id_blocks", _B, "f", "1", "mean intrinsic dimension of blocks (TwoNN)", "twonn_blocks"
)
id_blocks_error = Variable(
    "id_blocks_error", _B, "f", "1", "standard error of the mean over blocks", "twonn_blocks"
)
id_blocks_spread = Variable(
    "id_blocks_spread", _B, "f", "1", "standard deviation over blocks", "twonn_blocks"
)
id_blocks_radius = Variable(
    "id_blocks_radius", _B, "f", "", "scale of the blocks: mean of (r_1 + r_2) / 2", "twonn_blocks"
)
id_blocks_number = Variable(
    "id_blocks_number", _B, "i", "1", "number of blocks of this size", "twonn_blocks"
)

_S = ("scale",)
id_gride = Variable("id_gride", _S, "f", "1", "intrinsic dimension (Gride)", "gride")
id_gride_error = Variable(
    "id_gride_error", _S, "f", "1", "standard error of the intrinsic dimension (Gride)", "gride"
)
id_gride_error_kind = Variable(
    "id_gride_error_kind", _S, "i", "1", "which error id_gride_error is", "gride"
)
id_gride_radius = Variable(
    "id_gride_radius", _S, "f", "", "scale of Gride: mean of (r_n1 + r_n2) / 2", "gride"
)
id_gride_samples = Variable(
    "id_gride_samples", _S, "i", "1", "number of locations used by Gride", "gride"
)
id_gride_ties = Variable(
    "id_gride_ties", _S, "i", "1", "number of locations with r_n2 = r_n1, used by Gride", "gride"
)
id_gride_left_out = Variable(
    "id_gride_left_out", _S, "i", "1", "number of locations without a ratio for Gride", "gride"
)

id_gride_error_blocks = Variable(
    "id_gride_error_blocks", (), "i", "1", "number of time blocks behind the error", "gride"
)
id_gride_error_short = Variable(
    "id_gride_error_short", _S, "f", "1", "share of lists too short for their half", "gride"
)

id_mle = Variable("id_mle", (), "f", "1", "intrinsic dimension (Levina-Bickel)", "mle")
id_mle_error = Variable(
    "id_mle_error", (), "f", "1", "standard error of the intrinsic dimension (Levina-Bickel)", "mle"
)
id_mle_samples = Variable(
    "id_mle_samples", (), "i", "1", "number of locations used by Levina-Bickel", "mle"
)
id_mle_left_out = Variable(
    "id_mle_left_out", (), "i", "1", "number of locations without ratios for Levina-Bickel", "mle"
)

id_mle_error_blocks = Variable(
    "id_mle_error_blocks", (), "i", "1", "number of time blocks behind the error", "mle"
)
id_mle_error_short = Variable(
    "id_mle_error_short", (), "f", "1", "share of lists too short for their half", "mle"
)

_W = ("window",)
id_window = Variable(
    "id_window", _W, "f", "1", "intrinsic dimension (TwoNN of two passages)", "twonn_window"
)
id_window_error = Variable(
    "id_window_error", _W, "f", "1", "standard error of the intrinsic dimension", "twonn_window"
)
id_window_samples = Variable(
    "id_window_samples", _W, "i", "1", "number of anchors with a ratio", "twonn_window"
)
id_window_radius = Variable(
    "id_window_radius", _W, "f", "", "scale of the anchors: mean of (r_1 + r_2) / 2", "twonn_window"
)
id_window_shared = Variable(
    "id_window_shared", _W, "f", "1", "share of anchors with both neighbors on one passage",
    "twonn_window",
)  # fmt: skip

peak_label = Variable("peak_label", ("sample",), "i", "1", "density peak of the sample", "peaks")
peak_halo = Variable(
    "peak_halo", ("sample",), "b", "1", "below the highest saddle of its peak", "peaks"
)
peak_z = Variable("peak_z", (), "f", "1", "errors by which peaks stand out of saddles", "peaks")
_P = ("peak",)
peak_sample = Variable("peak_sample", _P, "i", "1", "sample number of the peak", "peaks")
peak_log_density = Variable("peak_log_density", _P, "f", "", "log density of the peak", "peaks")
peak_log_density_error = Variable(
    "peak_log_density_error", _P, "f", "1", "standard error of the peak's log density", "peaks"
)
peak_size = Variable("peak_size", _P, "i", "1", "number of samples of the peak", "peaks")
saddle_peak = Variable(
    "saddle_peak", ("saddle", "side"), "i", "1", "the two peaks beside the saddle", "peaks"
)
saddle_sample = Variable(
    "saddle_sample", ("saddle",), "i", "1", "sample number of the saddle", "peaks"
)
saddle_log_density = Variable(
    "saddle_log_density", ("saddle",), "f", "", "log density of the saddle", "peaks"
)
saddle_log_density_error = Variable(
    "saddle_log_density_error", ("saddle",), "f", "1", "standard error at the saddle", "peaks"
)
_M = ("merge",)
merge_peak = Variable(
    "merge_peak", ("merge", "side"), "i", "1", "highest peak of either branch", "peaks"
)
merge_log_density = Variable(
    "merge_log_density", _M, "f", "", "log density at which the branches join", "peaks"
)
merge_log_density_error = Variable(
    "merge_log_density_error", _M, "f", "1", "standard error at which they join", "peaks"
)
merge_size = Variable("merge_size", _M, "i", "1", "number of samples in both branches", "peaks")

_R = ("raw_peak",)
raw_peak_sample = Variable(
    "raw_peak_sample", _R, "i", "1", "sample number of the raw peak", "persistence"
)
raw_peak_log_density = Variable(
    "raw_peak_log_density", _R, "f", "", "log density of the raw peak", "persistence"
)
raw_peak_persistence = Variable(
    "raw_peak_persistence", _R, "f", "1", "drop to where a denser peak is met", "persistence"
)
raw_peak_persistence_error = Variable(
    "raw_peak_persistence_error", _R, "f", "1", "error of the peak plus the saddle's", "persistence"
)
raw_peak_elder = Variable(
    "raw_peak_elder", _R, "i", "1", "the denser raw peak that is met", "persistence"
)
surviving_peaks = Variable(
    "surviving_peaks", ("threshold",), "i", "1", "number of peaks that survive z", "persistence"
)

peak_support = Variable(
    "peak_support", _P, "f", "1", "share of replicates that have the peak", "significance"
)
merge_support = Variable(
    "merge_support", _M, "f", "1", "share of replicates that have the branch", "significance"
)
replicate_peaks = Variable(
    "replicate_peaks", ("replicate",), "i", "1", "number of peaks", "significance"
)

kstar = Variable(
    "kstar", ("sample",), "i", "1", "number of neighbors that see a constant density", "kstar"
)
kstar_capped = Variable(
    "kstar_capped", ("sample",), "b", "1", "whether the list is too short for kstar", "kstar"
)
kstar_dimension = Variable(
    "kstar_dimension", (), "f", "1", "intrinsic dimension of kstar and all later steps", "kstar"
)
kstar_dimension_error = Variable(
    "kstar_dimension_error", (), "f", "1", "standard error of kstar_dimension", "kstar"
)

log_density = Variable("log_density", ("sample",), "f", "", "log density", "density")
log_density_error = Variable(
    "log_density_error", ("sample",), "f", "1", "standard error of the log density", "density"
)

VARIABLES: dict[str, Variable] = {
    variable.name: variable for variable in tuple(globals().values()) if type(variable) is Variable
}
