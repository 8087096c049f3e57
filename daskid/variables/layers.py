"""The table's lines of moments, and of the layers of networks."""

from daskid.variables.variable import lines_of

_PCA = "principal_components"
pca_variance, pca_share = lines_of(
    _PCA, ("component",),
    "pca_variance f - variance along the principal component",
    "pca_share f 1 share of the variance along it and those before it",
)  # fmt: skip
pca_dimension, pca_dimension_error, pca_participation, pca_participation_error = lines_of(
    _PCA, (),
    "pca_dimension f 1 number of principal components that hold a share of the variance",
    "pca_dimension_error f 1 standard error of the number of principal components",
    "pca_participation f 1 participation ratio of the variances",
    "pca_participation_error f 1 standard error of the participation ratio",
)  # fmt: skip

cka, cka_error, cka_unbiased, cka_unbiased_error = lines_of(
    "cka", (),
    "cka f 1 linear centered kernel alignment",
    "cka_error f 1 standard error of linear CKA",
    "cka_unbiased f 1 linear CKA from unbiased sums",
    "cka_unbiased_error f 1 standard error of unbiased CKA",
)  # fmt: skip

_L = ("layer",)
layer_depth, layer_peaks, layer_births, layer_splits, layer_merges, layer_deaths = lines_of(
    "genealogy", _L,
    "layer_depth f 1 relative depth of the layer",
    "layer_peaks i 1 number of density peaks of the layer",
    "layer_births i 1 number of peaks that come of none of the layer before",
    "layer_splits i 1 number of peaks of the layer before that become several",
    "layer_merges i 1 number of peaks that come of several of the layer before",
    "layer_deaths i 1 number of peaks of the layer before that become none",
)  # fmt: skip
lineage_members, lineage_p, lineage_linked = lines_of(
    "genealogy", ("lineage",),
    "lineage_members i 1 number of samples in both peaks",
    "lineage_p f 1 probability of as many by chance, corrected for the number of pairs",
    "lineage_linked b 1 whether one peak comes of the other",
)  # fmt: skip
lineage_layer, lineage_peak = lines_of(
    "genealogy", ("lineage", "side"),
    "lineage_layer i 1 the two layers",
    "lineage_peak i 1 the peak in either",
)  # fmt: skip
(nucleation_match,) = lines_of(
    "genealogy", ("layer", "class"),
    "nucleation_match f 1 how far a peak is the class, 0 for all samples in one peak",
)  # fmt: skip
nucleation_depth, nucleation_depth_error = lines_of(
    "genealogy", ("class",),
    "nucleation_depth f 1 relative depth at which the class has a peak of its own",
    "nucleation_depth_error f 1 standard error of the nucleation depth",
)  # fmt: skip

_PROFILE = "layer_profile"
id_clone, id_clone_error = lines_of(
    _PROFILE, (),
    "id_clone f 1 intrinsic dimension (TwoNN) of the Gaussian clone",
    "id_clone_error f 1 standard error of the clone's intrinsic dimension",
)  # fmt: skip
(
    profile_depth, profile_features, profile_id, profile_id_error, profile_clone,
    profile_clone_error, profile_components, profile_components_error, profile_participation,
    profile_participation_error, profile_peaks, profile_rand, profile_rand_error,
    profile_label, profile_label_error, profile_label_chance, profile_label_ceiling,
    profile_next, profile_next_error, profile_last, profile_last_error,
    profile_to_next, profile_to_next_error, profile_from_next, profile_from_next_error,
) = lines_of(
    _PROFILE, _L,
    "profile_depth f 1 relative depth of the layer",
    "profile_features i 1 number of features of the layer",
    "profile_id f 1 intrinsic dimension (TwoNN)",
    "profile_id_error f 1 standard error of the intrinsic dimension",
    "profile_clone f 1 intrinsic dimension of the Gaussian clone",
    "profile_clone_error f 1 standard error of the clone's intrinsic dimension",
    "profile_components f 1 number of principal components that hold a share of the variance",
    "profile_components_error f 1 standard error of the number of principal components",
    "profile_participation f 1 participation ratio of the variances",
    "profile_participation_error f 1 standard error of the participation ratio",
    "profile_peaks i 1 number of density peaks, -1 where there are no densities",
    "profile_rand f 1 adjusted Rand index of peaks and labels",
    "profile_rand_error f 1 standard error of the adjusted Rand index",
    "profile_label f 1 overlap of neighbors and labels",
    "profile_label_error f 1 standard error of the overlap with labels",
    "profile_label_chance f 1 overlap with labels by chance",
    "profile_label_ceiling f 1 largest possible overlap with labels",
    "profile_next f 1 overlap with the next layer",
    "profile_next_error f 1 standard error of the overlap with the next layer",
    "profile_last f 1 overlap with the last layer",
    "profile_last_error f 1 standard error of the overlap with the last layer",
    "profile_to_next f 1 information imbalance from the layer to the next",
    "profile_to_next_error f 1 standard error of the imbalance to the next layer",
    "profile_from_next f 1 information imbalance from the next layer to this one",
    "profile_from_next_error f 1 standard error of the imbalance from the next layer",
)  # fmt: skip
profile_gride, profile_gride_error, profile_radius = lines_of(
    _PROFILE, ("layer", "rank"),
    "profile_gride f 1 intrinsic dimension by scale (Gride)",
    "profile_gride_error f 1 standard error of the dimension by scale",
    "profile_radius f - scale of Gride: mean of (r_n1 + r_n2) / 2",
)  # fmt: skip
profile_overlap, profile_overlap_error = lines_of(
    _PROFILE, ("layer", "other_layer"),
    "profile_overlap f 1 overlap of the neighbors of two layers",
    "profile_overlap_error f 1 standard error of the overlap of two layers",
)  # fmt: skip
profile_imbalance, profile_imbalance_error = lines_of(
    _PROFILE, ("layer", "other_layer"),
    "profile_imbalance f 1 information imbalance from a layer to another one",
    "profile_imbalance_error f 1 standard error of the imbalance of two layers",
)  # fmt: skip

cut_overlap, cut_overlap_error = lines_of(
    "cut_advice", _L,
    "cut_overlap f 1 overlap of the neighbors of a layer in two networks",
    "cut_overlap_error f 1 standard error of the overlap of two networks",
)  # fmt: skip
cut_depth, cut_depth_error = lines_of(
    "cut_advice", (),
    "cut_depth f 1 relative depth at which two networks part",
    "cut_depth_error f 1 standard error of that depth",
)  # fmt: skip
last_id, last_id_error, test_error = lines_of(
    "last_layer", ("network",),
    "last_id f 1 intrinsic dimension of the last layer",
    "last_id_error f 1 standard error of the last layer's dimension",
    "test_error f 1 share of test samples that are wrong",
)  # fmt: skip
last_r, last_r_low, last_r_high = lines_of(
    "last_layer", (),
    "last_r f 1 correlation of the last layer's dimension with the test error",
    "last_r_low f 1 lower end of its 95 % interval",
    "last_r_high f 1 upper end of its 95 % interval",
)  # fmt: skip

tree_agreement, tree_agreement_error, tree_triples = lines_of(
    "dendrogram", (),
    "tree_agreement f 1 share of triples of peaks that the merge tree joins as labels do",
    "tree_agreement_error f 1 standard error of the share of triples",
    "tree_triples i 1 number of triples of peaks of two labels",
)  # fmt: skip
