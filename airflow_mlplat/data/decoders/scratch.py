"""Memory of a thread that each image is decoded into: fresh memory for each costs a tenth of decoding it."""

from __future__ import annotations

import threading

import numpy as np

KEPT_BYTES = 64 << 20
"""Larger images get memory of their own: a thread should not hold on to so much."""

FIRST_BYTES = 1 << 20
"""What a thread begins with: it is not touched before it is used."""

_own = threading.local()


def scratch(size: int) -> np.ndarray:
    """uint8 (size,) with any content, the same memory at each call of a thread."""
    if size > KEPT_BYTES:
        return np.empty(size, np.uint8)
    memory = kept()
    if len(memory) < size:
        memory = _own.memory = np.empty(size, np.uint8)
    return memory[:size]


def kept() -> np.ndarray:
    """All the memory of this thread: uint8 (at most `KEPT_BYTES`,)."""
    try:
        return _own.memory
    except AttributeError:
        _own.memory = np.empty(FIRST_BYTES, np.uint8)
        return _own.memory
