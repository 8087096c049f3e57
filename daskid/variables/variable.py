"""One line of the table of variables."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Variable:
    """One line of the table: ``kind`` holds the numpy dtype kinds allowed."""

    name: str
    dims: tuple[str, ...]
    kind: str
    units: str
    long_name: str
    step: str
    coordinate: bool = False


def lines_of(step: str, dims: tuple[str, ...], *lines: str) -> tuple[Variable, ...]:
    """Return variables from lines of name, kind, units (- for none) and long name."""
    parts = (line.split(maxsplit=3) for line in lines)
    return tuple(Variable(n, dims, k, u.strip("-"), words, step) for n, k, u, words in parts)
