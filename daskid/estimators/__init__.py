"""Floor 3, Dataset -> Dataset: the public steps, one room per science."""
