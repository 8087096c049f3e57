"""k / k_eff by a loop over all pairs of frames."""


def inflation(neighbors, location, frame, trajectory, window, weights):
    """One sample: its neighbors, and what each counts."""

    def together(i, j):
        i, j = location[i], location[j]
        return trajectory[i] == trajectory[j] and abs(frame[i] - frame[j]) <= window

    places = [i for i in range(len(location)) if location[i] == i]
    share = sum(together(i, j) for i in places for j in places) / len(places) ** 2
    pairs = [(a, b) for a in zip(neighbors, weights, strict=True)
             for b in zip(neighbors, weights, strict=True)]  # fmt: skip
    close = sum(v * w for (i, v), (j, w) in pairs if together(i, j))
    total, alone = sum(weights), sum(w * w for w in weights)
    return max(1.0, (close - share * total**2) / alone)
