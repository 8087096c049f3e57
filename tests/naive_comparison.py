"""Comparisons from whole matrices of distances, pair by pair."""

import math
from collections import Counter
from itertools import combinations

import numpy as np


def merged(*locations):
    """The first sample of each place: copies in all sets are one."""
    seen, kept = set(), []
    for i, place in enumerate(zip(*locations, strict=True)):
        if place not in seen:
            seen.add(place)
            kept.append(i)
    return kept


def probability(distance, i, k):
    """Of each sample to be one of the k nearest of i, ties drawn at random."""
    others = [j for j in range(len(distance)) if j != i and np.isfinite(distance[i, j])]
    last = sorted(distance[i, j] for j in others)[k - 1]
    nearer = sum(distance[i, j] < last for j in others)
    tied = sum(distance[i, j] == last for j in others)
    out = {j: 1.0 for j in others if distance[i, j] < last}
    return out | {j: (k - nearer) / tied for j in others if distance[i, j] == last}


def rank(distance, i, j):
    """One more than the number of samples that are closer to i than j; ties count by half."""
    others = [m for m in range(len(distance)) if m not in (i, j)]
    closer = sum(distance[i, m] < distance[i, j] for m in others)
    return 1 + closer + 0.5 * sum(distance[i, m] == distance[i, j] for m in others)


def imbalance(a, b, k):
    """Glielmo 2022, eq. 3, over k neighbors."""
    n = len(a)
    ranks = [sum(p * rank(b, i, j) for j, p in probability(a, i, k).items()) / k for i in range(n)]
    return 2 / n * math.fsum(ranks) / n


def overlap(a, b, k):
    """Doimo 2020, the expectation over ties."""
    total = 0.0
    for i in range(len(a)):
        one, other = probability(a, i, k), probability(b, i, k)
        total += sum(p * other.get(j, 0.0) for j, p in one.items())
    return total / len(a) / k


def label_overlap(a, labels, k, weighted=False):
    """The share of neighbors with the same label; of each class, then of classes."""
    shares = [
        sum(p for j, p in probability(a, i, k).items() if labels[j] == labels[i]) / k
        for i in range(len(a))
    ]
    if not weighted:
        return np.mean(shares)
    return np.mean([np.mean(np.array(shares)[labels == c]) for c in np.unique(labels)])


def adjusted_rand(one, other):
    """Hubert 1985 by counting pairs."""
    pairs = list(combinations(range(len(one)), 2))
    same = [(one[i] == one[j], other[i] == other[j]) for i, j in pairs]
    both, first, second = (
        sum(s) for s in (map(all, same), (a for a, _ in same), (b for _, b in same))
    )
    expected = first * second / len(pairs)
    return (both - expected) / ((first + second) / 2 - expected)


def normalized_mutual_info(one, other):
    """Mutual information over the mean entropy."""
    n = len(one)
    both, first, second = Counter(zip(one, other, strict=True)), Counter(one), Counter(other)
    information = sum(
        c / n * math.log(c * n / (first[a] * second[b])) for (a, b), c in both.items()
    )
    entropy = [-sum(c / n * math.log(c / n) for c in x.values()) for x in (first, second)]
    return information / np.mean(entropy)


def spread(values, excess, more=0.0):
    """The error of a mean from what each sample adds to others, each pair counted once.

    ``values`` (n,), ``excess`` (n, n) what the column adds to the value of the row beyond what
    any other sample would, ``more`` (n,) what it adds to all others together.
    """
    n = len(values)
    whole = values + excess.sum(axis=0) + more
    pairs = sum((excess[i, j] + excess[j, i]) ** 2 for i in range(n) for j in range(i))
    own = ((values - values.mean()) ** 2).sum()
    variance = n / (n - 1) * ((whole - whole.mean()) ** 2).sum() - pairs
    return math.sqrt(max(variance, n / (n - 1) * own)) / n


def around(values, *distances, of=20):
    """The mean value over the nearest ``of`` neighbors, then over sets of distances."""
    order = [np.argsort(d, axis=1)[:, :of] for d in distances]
    return np.mean([values[o].mean(axis=1) for o in order], axis=0)


def imbalance_error(a, b, k):
    """Of rows without ties: own ranks, those as a neighbor, and those it is nearer than."""
    n = len(a)
    near = np.argsort(a, axis=1)[:, :k]
    ranks = np.array([[rank(b, i, j) for j in near[i]] for i in range(n)])
    values, excess, nearer = ranks.mean(axis=1), np.zeros((n, n)), np.zeros(n)
    usual = around(values, a)
    for i in range(n):
        for j, r in zip(near[i], ranks[i], strict=True):
            excess[i, j] = (r - usual[i]) / k
            nearer += (b[i] < b[i, j]) / k
    return 2 / n * spread(values, excess, nearer)


def overlap_error(a, b, k):
    """Of rows without ties: a neighbor in common takes the place of others."""
    one, other = ((d <= np.sort(d, axis=1)[:, k - 1 : k]).astype(float) for d in (a, b))
    values = (one * other).sum(axis=1) / k
    usual = around(values, a, b)
    return spread(values, (one * other - usual[:, np.newaxis] * (one + other) / 2) / k)


def label_error(a, labels, k, weighted=False):
    """Of rows without ties, every sample or every class counted the same."""
    near = a <= np.sort(a, axis=1)[:, k - 1 : k]
    same = labels == labels[:, np.newaxis]
    values, weight = (near & same).sum(axis=1) / k, np.ones(len(a))
    excess = near * (same - around(values, a)[:, np.newaxis]) / k
    center = values.mean()
    if weighted:
        size = same.sum(axis=1)
        weight = len(a) / (len(np.unique(labels)) * size)
        center = (same * values).sum(axis=1) / size
    return spread(weight * (values - center), weight[:, np.newaxis] * excess)
