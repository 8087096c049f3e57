"""Density peaks by the rules as they stand, one loop each; samples are ordered by (g, -number)."""


def order(g):
    """Rank of each sample: 0 is the highest; ties by the smaller number."""
    ranked = sorted(range(len(g)), key=lambda i: (-g[i], i))
    return {i: r for r, i in enumerate(ranked)}


def centers(index, kstar, g, places):
    """Rules 1 and 2: the centers, and who removed the candidates that are none."""
    rank = order(g)
    near = {i: [int(j) for j in index[i][: kstar[i]]] for i in places}
    candidates = [i for i in places if all(rank[j] > rank[i] for j in near[i])]
    removed = {}
    for c in candidates:
        above = [i for i in places if c in near[i] and rank[i] < rank[c]]
        if above:
            removed[c] = min(above, key=rank.get)
    return [c for c in candidates if c not in removed], removed


def basins(index, kstar, g, location):
    """Rule 3: the center of each sample, in decreasing g."""
    rank = order(g)
    places = [i for i in range(len(g)) if location[i] == i]
    tops, removed = centers(index, kstar, g, places)
    label = {}
    for i in sorted(places, key=rank.get):
        above = [int(j) for j in index[i] if rank[int(j)] < rank[i]]
        label[i] = i if i in tops else label[above[0] if above else removed[i]]
    return [label[int(location[i])] for i in range(len(g))]


def saddles(index, kstar, g, location, label):
    """Rule 4: the highest border sample of each pair of centers."""
    rank = order(g)
    found = {}
    for i in range(len(g)):
        if location[i] != i or label[i] == i:
            continue
        outside = [int(j) for j in index[i][: kstar[i]] if label[j] != label[i]]
        if not outside:
            continue
        j = outside[0]
        members = [int(m) for m in index[j] if label[m] == label[i]]
        if members and members[0] != i:
            continue
        found.setdefault(tuple(sorted((label[i], label[j]))), []).append(i)
    return {pair: min(samples, key=rank.get) for pair, samples in found.items()}


def margin(peak, saddle, log_density, error):
    height = log_density[peak] - log_density[saddle]
    width = error[peak] + error[saddle]
    if width == 0:
        return 0.0 if height == 0 else height * float("inf")
    return height / width


def merge(tops, border, log_density, error, z):
    """Rule 5: which center each center ends in, and the saddles that stay."""
    border, end = dict(border), {c: c for c in tops}

    def fails(pair):
        s = border[pair]
        return any(log_density[c] - log_density[s] < z * (error[c] + error[s]) for c in pair)

    while failing := [pair for pair in border if fails(pair)]:
        pair = min(failing, key=lambda pair: (-log_density[border[pair]], pair))
        a, b = pair
        s = border.pop(pair)
        if margin(a, s, log_density, error) < margin(b, s, log_density, error):
            a, b = b, a
        end = {c: a if e == b else e for c, e in end.items()}
        for other in [p for p in border if b in p]:
            third = other[1] if other[0] == b else other[0]
            new, s = tuple(sorted((a, third))), border.pop(other)
            both = [s, border[new]] if new in border else [s]
            border[new] = min(both, key=lambda s: (-log_density[s], s))
    return end, border


def peaks(index, kstar, log_density, error, z, location=None):
    """Everything, as plain lists: labels by decreasing density of the peaks."""
    location = range(len(log_density)) if location is None else location
    g = [r - e for r, e in zip(log_density, error, strict=True)]
    raw = basins(index, kstar, g, location)
    tops = sorted(set(raw))
    border = saddles(index, kstar, g, location, raw)
    end, border = merge(tops, border, log_density, error, z)
    alive = sorted(set(end.values()), key=lambda c: (-log_density[c], c))
    number = {c: n for n, c in enumerate(alive)}
    label = [number[end[c]] for c in raw]
    table = sorted((*sorted((number[a], number[b])), s) for (a, b), s in border.items())
    level = [max([log_density[s] for a, b, s in table if n in (a, b)], default=None) for n in
             range(len(alive))]  # fmt: skip
    halo = [level[c] is not None and log_density[i] < level[c] for i, c in enumerate(label)]
    return {
        "raw": raw, "peak": alive, "label": label, "halo": halo, "saddles": table,
        "size": [label.count(n) for n in range(len(alive))],
    }  # fmt: skip


def tree(level_of_peak, table):
    """Elder rule: (elder, younger, saddle) by decreasing level of the saddles, then by pair."""
    top = {n: n for n in range(len(level_of_peak))}
    merges = []
    for level, a, b, s in sorted(((-lv, a, b, s) for a, b, s, lv in table)):
        del level
        elder, younger = sorted((top[a], top[b]))
        if elder != younger:
            merges.append((elder, younger, s))
            top = {n: elder if t == younger else t for n, t in top.items()}
    return merges
