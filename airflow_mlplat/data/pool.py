"""Memory for batches that is used again: fresh memory costs the kernel as much time as decoding a few images."""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any, Callable

import numpy as np

Allocate = Callable[[int], np.ndarray]
"""Size in bytes → uint8 (size,): how memory is come by, such as pinned memory for a GPU."""


ALIGNMENT = 64
"""Bytes: what TensorFlow and JAX want of an array that they are to take over without a copy."""


def ordinary(size: int) -> np.ndarray:
    """Ordinary memory, aligned."""
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]


class BatchPool:
    """Gives arrays of one shape. An array's memory is given again only when nothing refers to it any more.

    So whoever was given an array keeps it as long as it likes: views of it, and tensors that share its memory, count.

    Args:
        shape: Of the arrays, uint8.
        spare: How many unused ones are kept.
        allocate: Where their memory comes from.
    """

    def __init__(self, shape: tuple[int, ...], spare: int, allocate: Allocate = ordinary) -> None:
        self._shape, self._allocate = shape, allocate
        self._size = int(np.prod(shape, dtype=np.int64))
        self._free: deque[np.ndarray] = deque(maxlen=spare)

    def take(self) -> np.ndarray:
        """An array whose content is whatever was there. From any thread."""
        try:
            memory = self._free.pop()
        except IndexError:
            memory = self._allocate(self._size)
        lease = _Lease(memory, self._shape)
        # Knows the memory and the pool's list, not the lease; at the interpreter's end nothing is to be done.
        weakref.finalize(lease, self._free.append, memory).atexit = False
        return np.asarray(lease)


class _Lease:
    """Exports memory as an array, which refers to this object as long as it or a view of it lives."""

    def __init__(self, memory: np.ndarray, shape: tuple[int, ...]) -> None:
        self._memory = memory
        interface: dict[str, Any] = {**memory.__array_interface__, "shape": shape}
        self.__array_interface__ = interface
