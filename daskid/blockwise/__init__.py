"""Floor 2, dask.Array -> dask.Array: how a quantity is reduced over chunks."""
