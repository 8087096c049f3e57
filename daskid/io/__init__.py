"""The outside world and the dataset: opening sources, saving and opening runs."""
