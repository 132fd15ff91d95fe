"""Memory for batches that is used again: fresh memory costs the kernel as much time as decoding a few images."""

from __future__ import annotations

from collections import deque
from typing import Any, Callable

import numpy as np

from airflow_mlplat.errors import SpecError

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
        """An array whose content is whatever was there. From any thread.

        Raises:
            SpecError: What `allocate` gave is no memory of that size.
        """
        try:
            memory = self._free.pop()
        except IndexError:
            memory = self._allocate(self._size)
            _check(memory, self._size)
        return np.asarray(Lease(memory, self._shape, self._free.append))


def _check(memory: np.ndarray, size: int) -> None:
    """Threads would write beyond it."""
    if not (isinstance(memory, np.ndarray) and memory.dtype == np.uint8 and memory.shape == (size,)):
        got = f"{memory.dtype} {memory.shape}" if isinstance(memory, np.ndarray) else repr(memory)
        raise SpecError("allocate gave no memory for a batch", expected=f"uint8 ({size},)", got=got)
    if not (memory.flags.c_contiguous and memory.flags.writeable):
        raise SpecError(
            "allocate gave no memory for a batch", expected="contiguous, and to be written", got=memory.flags
        )


class Lease:
    """Exports memory as an array, which refers to this object as long as it or a view of it lives.

    Args:
        memory: uint8 (size,).
        shape: Of the array.
        give_back: Is given the memory at the end. Not by `weakref.finalize`: that takes a third of a `take`.
    """

    def __init__(self, memory: np.ndarray, shape: tuple[int, ...], give_back: Callable[[np.ndarray], None]) -> None:
        self._memory, self._give_back = memory, give_back
        interface: dict[str, Any] = {**memory.__array_interface__, "shape": shape}
        self.__array_interface__ = interface

    def __del__(self) -> None:
        self._give_back(self._memory)
