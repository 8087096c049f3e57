"""A search: what is asked, what is known before it runs, what it gives."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from daskid.blockwise.search.blocks import Labels
from daskid.blockwise.search.results import Target
from daskid.blockwise.search.scan import Source
from daskid.kernels.neighbors import Space
from daskid.typing import Floats, Ints


class Rule(NamedTuple):
    """What is searched: the parameters that change the result."""

    k: int
    metric: str
    period: Floats
    weight: Floats
    exclude: int
    merge: bool


class Job(NamedTuple):
    """A search that can run: checked, its coincident rows found."""

    source: Source
    space: Space
    k: int
    labels: Labels
    location: Ints
    multiplicity: Ints
    locations: int
    seconds: float


class Means(NamedTuple):
    """How a search goes about it: none of it changes a bit of the result.

    ``target`` is where lists go, None for memory; ``rows`` those of a strip or block;
    ``block_bytes`` and ``needs`` what a task holds of the other rows, and in all;
    ``scratch`` the bytes beside the run after which what was found is merged.
    """

    target: Target | None
    rows: int
    block_bytes: int
    needs: int = 0
    scratch: int = 0


class Found(NamedTuple):
    """Lists, None where they were written to a run, and the pairs that were compared."""

    distance: Floats | None
    location: Ints | None
    pairs: int


@dataclass(frozen=True)
class Neighbors:
    """The result; the lists are None where they were written to a run."""

    distance: Floats | None
    index: Ints | None
    location: Ints
    multiplicity: Ints
    cost: dict[str, Any]
