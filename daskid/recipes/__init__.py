"""Compositions of steps: what most people run."""

from daskid.recipes.analyze import analyze
from daskid.recipes.layers import layer_profile

__all__ = ["analyze", "layer_profile"]
