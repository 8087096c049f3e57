"""The landscape: states, barriers and transitions of samples; paths and times of a known drift."""

from daskid.estimators.landscape.action import minimum_action_path
from daskid.estimators.landscape.barriers import barriers
from daskid.estimators.landscape.committor import committor
from daskid.estimators.landscape.edge import edge_state
from daskid.estimators.landscape.fokker_planck import fokker_planck
from daskid.estimators.landscape.free_energy import free_energy
from daskid.estimators.landscape.irreversibility import irreversibility
from daskid.estimators.landscape.kramers import kramers
from daskid.estimators.landscape.markov import markov
from daskid.estimators.landscape.pmf import pmf
from daskid.estimators.landscape.reactive import reactive_paths
from daskid.estimators.landscape.transitions import transitions

__all__ = [
    "barriers",
    "committor",
    "edge_state",
    "fokker_planck",
    "free_energy",
    "irreversibility",
    "kramers",
    "markov",
    "minimum_action_path",
    "pmf",
    "reactive_paths",
    "transitions",
]
