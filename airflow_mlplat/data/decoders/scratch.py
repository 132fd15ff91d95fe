"""Memory of a thread that each image is decoded into: fresh memory for each costs a tenth of decoding it."""

from __future__ import annotations

import threading

import numpy as np

KEPT_BYTES = 64 << 20
"""Larger images get memory of their own: a thread should not hold on to so much."""

_own = threading.local()


def scratch(size: int) -> np.ndarray:
    """uint8 (size,) with any content, the same memory at each call of a thread."""
    if size > KEPT_BYTES:
        return np.empty(size, np.uint8)
    memory = getattr(_own, "memory", None)
    if memory is None or len(memory) < size:
        memory = _own.memory = np.empty(size, np.uint8)
    return memory[:size]
