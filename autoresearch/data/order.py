"""Permutations that are the same on any machine and with any numpy.

`Generator.permutation` may change between numpy versions (NEP 19); the raw stream of a bit generator may not.
"""

from __future__ import annotations

import numpy as np


def permutation(count: int, *seed: int) -> np.ndarray:
    """Return the numbers 0 … count-1 in an order that depends on `seed` alone.

    The seeds are non-negative: a base seed and whatever tells this permutation from its siblings, such as an
    epoch.
    """
    keys = np.random.PCG64(list(seed)).random_raw(count)
    return np.argsort(keys, kind="stable")
