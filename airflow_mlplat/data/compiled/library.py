"""The shared library that `scripts/compile` makes, where it is."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

LIBRARY = Path(__file__).with_name("libresize.so")


@lru_cache(maxsize=1)
def library() -> Any:
    """Its functions; None if it was not compiled, or for another machine."""
    pointer, number = ctypes.c_void_p, ctypes.c_int
    try:
        found = ctypes.CDLL(str(LIBRARY))
        found.mlplat_resize_linear.argtypes = [pointer, number, number, pointer, number, number]
        found.mlplat_resample.argtypes = [pointer, number, number, number, pointer, pointer, pointer]
    except (OSError, AttributeError):  # none, or of an older source
        return None
    return found if found.mlplat_runs_here() else None


def address(array: np.ndarray) -> int:
    """Where a contiguous array begins."""
    if array.flags.writeable:
        return ctypes.addressof(ctypes.c_char.from_buffer(array.data))  # a third of what the other takes
    return array.ctypes.data
