"""The landscape: states, barriers and transitions of samples; paths and times of a known drift."""

from daskid.estimators.landscape.action import minimum_action_path
from daskid.estimators.landscape.barriers import barriers
from daskid.estimators.landscape.edge import edge_state
from daskid.estimators.landscape.fokker_planck import fokker_planck
from daskid.estimators.landscape.free_energy import free_energy
from daskid.estimators.landscape.markov import committor, markov
from daskid.estimators.landscape.transitions import transitions

__all__ = [
    "barriers",
    "committor",
    "edge_state",
    "fokker_planck",
    "free_energy",
    "markov",
    "minimum_action_path",
    "transitions",
]
