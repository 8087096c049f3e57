"""Ratios of neighbor distances, the estimates of the dimension made of them, their errors."""

from daskid.kernels.dimension.estimates import (
    fit,
    fit_error,
    fit_influence,
    gride,
    gride_error,
    gride_fisher_error,
    independent_error,
    mean,
    rate,
    rate_error,
)
from daskid.kernels.dimension.halves import (
    HALVINGS,
    TOO_SHORT,
    block_numbers,
    count_blocks,
    half_sums,
    halves_error,
    members,
    moved,
    short_share,
)
from daskid.kernels.dimension.ratios import log_ratios, mean_log_ratios, midpoints
from daskid.kernels.dimension.sandwich import pair_sum, spread

__all__ = [
    "HALVINGS",
    "TOO_SHORT",
    "block_numbers",
    "count_blocks",
    "fit",
    "fit_error",
    "fit_influence",
    "gride",
    "gride_error",
    "gride_fisher_error",
    "half_sums",
    "halves_error",
    "independent_error",
    "log_ratios",
    "mean",
    "mean_log_ratios",
    "members",
    "midpoints",
    "moved",
    "pair_sum",
    "rate",
    "rate_error",
    "short_share",
    "spread",
]
