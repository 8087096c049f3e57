"""The landscape: barriers and transitions in samples, paths and times of a known drift."""
