"""Results back in the user's own terms: frames of the source, labels on its axes, tables."""

from daskid.io.export.frames import export_frames
from daskid.io.export.labels import discrete_trajectories, labels_on_source
from daskid.io.export.tables import to_dataframe

__all__ = ["discrete_trajectories", "export_frames", "labels_on_source", "to_dataframe"]
