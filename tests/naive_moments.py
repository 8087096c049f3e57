"""Moments by their definitions, in memory."""

import numpy as np


def cka(x, y):
    """Linear CKA by centering the Gram matrices."""
    h = np.eye(len(x)) - 1 / len(x)
    k, m = x @ x.T, y @ y.T

    def alike(a, b):
        return np.trace(h @ a @ h @ b)

    return alike(k, m) / np.sqrt(alike(k, k) * alike(m, m))


def cka_unbiased(x, y):
    """The same from the estimator of Song et al. (2012), equation 5."""
    n, one = len(x), np.ones(len(x))
    k, m = (a @ a.T * (1 - np.eye(n)) for a in (x, y))

    def alike(a, b):
        ends = a.sum() * b.sum() / ((n - 1) * (n - 2))
        return np.trace(a @ b) + ends - 2 / (n - 2) * (one @ a @ b @ one)

    return alike(k, m) / np.sqrt(alike(k, k) * alike(m, m))


def left_out(statistic, x, y, groups):
    """The error of leaving out every part of the samples."""
    part = np.arange(len(x)) % groups
    found = np.array([statistic(x[part != g], y[part != g]) for g in range(groups)])
    return np.sqrt((groups - 1) * found.var())
