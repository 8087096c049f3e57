"""Graphs for peaks: small integers, so that ties and copies are the rule."""

import naive
import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays


@st.composite
def graphs(draw, most=24):
    """(index, kstar, log_density, error, location) of rows on a small grid."""
    n = draw(st.integers(3, most))
    x = draw(arrays("i8", (n, 2), elements=st.integers(0, 4)))
    places = len(np.unique(x, axis=0))
    assume(places > 1)
    k = draw(st.integers(1, min(places - 1, 8)))
    _, index, location = naive.knn(x, k)
    own = [
        draw(arrays("i8", n, elements=st.integers(low, high)))[location]
        for low, high in ((1, k), (0, 5), (0, 2))
    ]
    return index, own[0], own[1] / 2, own[2] / 4, location


def chunks(graph):
    """Lengths of chunks of the lists: seven of them at most."""
    n = len(graph[0])
    return st.integers(-(-n // 7), n)
