"""Types that every floor may use."""

from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
MetricName: TypeAlias = Literal["euclidean", "cityblock", "chebyshev", "cosine", "hamming"]
MethodName: TypeAlias = Literal["auto", "strips", "tiles", "pruned"]
