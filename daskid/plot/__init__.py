"""Pictures of a run: Dataset in, matplotlib axes out; one file per room.

Each picture has two halves, so that a page can compute many of them at once:
``*_points`` describes, lazily, the few numbers that are drawn, and ``draw_*``
draws them. The function without a prefix does both, and so *computes*.
No picture touches pyplot: ``ax.figure.savefig("x.pdf")`` writes it, and in a
notebook ``ax.figure`` as the last line shows it.
"""

from daskid.plot import density, dimension, kramers, landscape, peaks, rows

__all__ = ["density", "dimension", "kramers", "landscape", "peaks", "rows"]
