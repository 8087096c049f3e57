"""What two sets of neighbors of the same samples have in common."""
