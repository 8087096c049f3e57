"""Global intrinsic dimension from the distances to the neighbors."""

from daskid.estimators.dimension.decimation import twonn_blocks
from daskid.estimators.dimension.ratios import mle, twonn
from daskid.estimators.dimension.scales import gride
from daskid.estimators.dimension.windows import twonn_window

__all__ = ["gride", "mle", "twonn", "twonn_blocks", "twonn_window"]
