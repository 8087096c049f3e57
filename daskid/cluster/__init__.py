"""Where a search runs: a client of a cluster that is there, or of one made for it."""

from daskid.cluster.clients import connect

__all__ = ["connect"]
