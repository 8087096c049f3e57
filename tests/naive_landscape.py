"""Slow, obvious versions of what is counted and compared in a landscape."""

import itertools

import numpy as np


def transitions(core, time, begins, dwell, peaks):
    """Counts, times in states and stays, segment by segment, visit by visit."""
    count = np.zeros((peaks, peaks), int)
    spent = np.zeros(peaks)
    stays = [[] for _ in range(peaks)]
    starts = [*np.flatnonzero(begins), len(core)]
    for a, b in itertools.pairwise(starts):
        inside = [(time[i], int(core[i])) for i in range(a, b) if core[i] >= 0]
        if not inside:
            continue
        visits = []  # [core, first frame, last frame], neighbors of another core each
        for t, c in inside:
            if visits and visits[-1][0] == c:
                visits[-1][2] = t
            else:
                visits.append([c, t, t])
        states = [visits[0]]
        for visit in visits[1:]:
            if visit[0] != states[-1][0] and visit[2] - visit[1] >= dwell:
                states.append(visit)
        entries = [(c, t) for c, t, _ in states]
        for (c, t), (d, u) in itertools.pairwise(entries):
            count[c, d] += 1
            spent[c] += u - t
        spent[entries[-1][0]] += time[b - 1] - entries[-1][1]
        for (c, t), (_, u) in itertools.pairwise(entries[1:]):
            stays[c].append(u - t)
    return count, spent, stays


def tied(level, moved):
    """Levels of groups: the highest that is left, and who is within an error of it."""
    left, out = sorted(range(len(level)), key=lambda s: (-level[s], s)), list(level)
    while left:
        top = left[0]
        group = [
            s for s in left
            if level[top] - level[s] <= np.mean([(m[s] - m[top]) ** 2 for m in moved]) ** 0.5
        ]  # fmt: skip
        for s in group:
            out[s] = sum(level[g] for g in group) / len(group)
        left = [s for s in left if s not in group]
    return out


def bottlenecks(pair, level, peaks):
    """Highest lowest level of all paths, by relaxing over every third peak."""
    best = np.full((peaks, peaks), -np.inf)
    for (a, b), at in zip(pair, level, strict=True):
        best[a, b] = best[b, a] = max(best[a, b], at)
    for c in range(peaks):
        best = np.maximum(best, np.minimum(best[:, [c]], best[[c]]))
    np.fill_diagonal(best, -np.inf)
    return best


def saddles(index, kstar, row, g, label, fixed, peak):
    """Basins that meet and where, with a dictionary of nodes and a list of groups."""
    height = dict(zip(row.tolist(), g.tolist(), strict=True))
    node, taken = {}, set()
    for i in sorted(height, key=lambda i: (-height[i], i)):
        for j in index[i, : kstar[i]].tolist():
            if j in height and (-height[j], j) < (-height[i], i):
                node[i] = node[j]
                break
            if j not in height and fixed[j] > height[i]:
                node[i] = int(label[j])
                break
        else:
            own = int(label[i])
            first = int(peak[own]) in height and own not in taken
            taken |= {own} if first else set()
            node[i] = own if first else ("part", i)
    at = {j: node.get(j, int(label[j])) for j in range(len(label))}
    border = []
    for i in height:
        other = next((j for j in index[i, : kstar[i]].tolist() if at[j] != at[i]), None)
        if other not in height:
            continue
        ours = next((j for j in index[other].tolist() if at[j] == at[i]), i)
        if ours == i:
            border.append((-height[i], i, at[other]))
    group, met = {c: {c} for c in set(at.values()) | set(range(len(peak)))}, {}
    for _, i, other in sorted(border, key=lambda line: line[:2]):
        a, b = group[at[i]], group[other]
        real = [c for c in (*a, *b) if not isinstance(c, tuple)]
        if a is b:
            continue
        if len(real) == 2:
            met.setdefault(tuple(sorted(real)), i)
            continue
        for c in (joined := a | b):
            group[c] = joined
    return met


def passage_times(rate):
    """Mean first passage times by many small steps of a chain."""
    p = len(rate)
    rate = np.where(np.eye(p, dtype=bool), 0.0, rate)
    step = 1e-3 / rate.sum(axis=1).max()
    move = rate * step + np.diag(1 - rate.sum(axis=1) * step)
    out = np.full((p, p), np.nan)
    for b in range(p):
        keep = [a for a in range(p) if a != b]
        stay = move[np.ix_(keep, keep)]
        total = np.eye(p - 1)
        for _ in range(24):  # 2^24 steps
            total = total + stay @ total
            stay = stay @ stay
        out[keep, b] = step * total.sum(axis=1)
    return out
