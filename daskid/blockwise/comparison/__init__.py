"""What two sets of rows of the same samples have in common: passes over blocks of rows."""
