"""Floor 1, ndarray -> ndarray: numba loops that are their own specification."""
