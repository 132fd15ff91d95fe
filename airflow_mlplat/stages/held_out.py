"""Which samples are held out of training."""

from __future__ import annotations

import hashlib

import numpy as np


def held_out(keys: np.ndarray, fraction: float) -> np.ndarray:
    """Which samples are held out: those whose key's SHA-256, as a share of all digests, is below the fraction.

    A sample is held out or not whatever else is in the dataset, so a window that moves on never trains on a sample
    that an earlier model was measured on.

    Args:
        keys: (n,) of dtype S.
        fraction: 0 to 1.

    Returns:
        bool (n,).
    """
    if not fraction:
        return np.zeros(len(keys), bool)
    shares = [int.from_bytes(hashlib.sha256(key).digest()[:8], "big") / 2.0**64 for key in keys.tolist()]
    return np.array(shares) < fraction
