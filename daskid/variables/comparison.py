"""The lines of the table for comparisons of neighborhoods, labels and layers."""

from daskid.variables.variable import lines_of

label_overlap, label_overlap_error, label_overlap_chance, label_overlap_ceiling = lines_of(
    "label_overlap", (),
    "label_overlap f 1 share of neighbors with the same label",
    "label_overlap_error f 1 standard error of label_overlap",
    "label_overlap_chance f 1 share of neighbors with the same label by chance",
    "label_overlap_ceiling f 1 largest share that the sizes of the classes allow",
)  # fmt: skip
id_label, id_label_error, id_label_samples = lines_of(
    "id_by_label", ("class",),
    "id_label f 1 intrinsic dimension of a class (TwoNN)",
    "id_label_error f 1 standard error of the intrinsic dimension of a class",
    "id_label_samples i 1 number of locations of a class used by TwoNN",
)  # fmt: skip
adjusted_rand, adjusted_rand_error = lines_of(
    "adjusted_rand", (),
    "adjusted_rand f 1 adjusted Rand index of peaks and labels",
    "adjusted_rand_error f 1 standard error of adjusted_rand",
)  # fmt: skip
normalized_mutual_info, normalized_mutual_info_error = lines_of(
    "normalized_mutual_info", (),
    "normalized_mutual_info f 1 normalized mutual information of peaks and labels",
    "normalized_mutual_info_error f 1 standard error of normalized_mutual_info",
)  # fmt: skip

overlap, overlap_error, overlap_chance = lines_of(
    "overlap", (),
    "overlap f 1 share of neighbors in common",
    "overlap_error f 1 standard error of overlap",
    "overlap_chance f 1 share of neighbors in common by chance",
)  # fmt: skip
imbalance_ab, imbalance_ab_error, imbalance_ba, imbalance_ba_error, imbalance_floor = lines_of(
    "information_imbalance", (),
    "imbalance_ab f 1 information imbalance from a to b",
    "imbalance_ab_error f 1 standard error of imbalance_ab",
    "imbalance_ba f 1 information imbalance from b to a",
    "imbalance_ba_error f 1 standard error of imbalance_ba",
    "imbalance_floor f 1 information imbalance of two equal sets of neighbors",
)  # fmt: skip
imbalance, imbalance_error = lines_of(
    "imbalance_plane", ("layer", "other_layer"),
    "imbalance f 1 information imbalance from a layer to another one",
    "imbalance_error f 1 standard error of imbalance",
)  # fmt: skip
(
    selected_feature, selected_imbalance, selected_imbalance_error,
    selected_imbalance_back, selected_imbalance_back_error,
) = lines_of(
    "select_features", ("selected",),
    "selected_feature i 1 feature that was chosen next",
    "selected_imbalance f 1 imbalance from the features chosen so far to the target",
    "selected_imbalance_error f 1 standard error of selected_imbalance",
    "selected_imbalance_back f 1 imbalance from the target to the features chosen so far",
    "selected_imbalance_back_error f 1 standard error of selected_imbalance_back",
)  # fmt: skip
