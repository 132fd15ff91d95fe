"""The shared library that `scripts/compile` makes, where it is."""

from __future__ import annotations

import ctypes
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

LIBRARY = Path(__file__).with_name("libmlplat.so")


def library_for(image: np.ndarray, target: np.ndarray) -> Any:
    """Its functions, if they can read such an image and write to such a target; else None.

    Args:
        image: What to read: they take uint8 (H, W, C), contiguous.
        target: Where to write to: uint8 (height, width, C), contiguous, writeable.
    """
    plain = image.dtype.char == target.dtype.char == "B" and image.flags.c_contiguous and target.flags.c_contiguous
    whole = image.shape[2] == target.shape[2] and image.size and target.size and target.flags.writeable
    return library() if plain and whole else None


@lru_cache(maxsize=1)
def library() -> Any:
    """Its functions; None if it was not compiled, of other source than lies beside it, or for another machine."""
    pointer, number = ctypes.c_void_p, ctypes.c_int
    try:
        found = ctypes.CDLL(str(LIBRARY))
        found.mlplat_source.restype = ctypes.c_char_p
        found.mlplat_resize_linear.argtypes = [pointer, number, number, pointer, number, number]
        found.mlplat_resample.argtypes = [pointer, number, number, number, pointer, pointer, pointer]
    except (OSError, AttributeError):
        return None
    return found if found.mlplat_source() == _source() and found.mlplat_runs_here() else None


@lru_cache(maxsize=1)
def locked_library() -> Any:
    """Those of its functions that make Python's objects, for which they keep Python's lock; None as above."""
    if library() is None:
        return None
    found = ctypes.PyDLL(str(LIBRARY))
    found.mlplat_pieces.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int64] * 3
    found.mlplat_pieces.restype = ctypes.py_object
    return found


def _source() -> bytes:
    """As `scripts/compile` tells it to the library."""
    files = sorted(Path(__file__).parent.glob("*.[ch]"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest().encode()


def address(array: np.ndarray) -> int:
    """Where a contiguous array begins."""
    if array.flags.writeable:
        return ctypes.addressof(ctypes.c_char.from_buffer(array.data))  # a third of what the other takes
    return array.ctypes.data
