"""Saddles of parts that no border connects, by looking at every step along neighbors."""


def components(tops, pairs):
    """The smallest center of the part of each center."""
    part = {c: c for c in tops}
    for _ in tops:
        for a, b in pairs:
            part[a] = part[b] = min(part[a], part[b])
    return part


def connected(index, kstar, g, location, label, border):
    """The borders, a pair of centers to a sample, and one more for each part that is left.

    ``label`` is the center of each sample; steps are taken from the highest lower end down.
    """
    tops = sorted(set(label))
    border, steps = dict(border), []
    part = components(tops, border)
    for i in range(len(g)):
        for j in index[i][: kstar[i]] if location[i] == i else []:
            if part[label[i]] != part[label[j]]:
                lower = max(i, int(j), key=lambda s: (-g[s], s))
                pair = tuple(sorted((label[i], label[j])))
                steps.append((-g[lower], lower, *pair))
    for _, lower, a, b in sorted(steps):
        if part[a] != part[b]:
            border[a, b] = lower
            part = components(tops, border)
    return border
