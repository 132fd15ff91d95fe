"""Images of noise, and memory before a page that ends the process when it is touched."""

from __future__ import annotations

import ctypes
import itertools
import mmap

import numpy as np

from airflow_mlplat.compiled.library import locked_library
from airflow_mlplat.compiled.pieces import pieces
from airflow_mlplat.data.fit import fitted

PAGE = mmap.PAGESIZE
SIDES = ((7, 2), (40, 61), (3, 90), (1, 5), (9, 4), (1, 2), (33, 31))


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """uint8 of a shape, the same on every numpy."""
    return np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)


def walled(size: int) -> np.ndarray:
    """uint8 (size,) of zeros that ends where memory ends."""
    pages = -(-size // PAGE)
    memory = mmap.mmap(-1, (pages + 1) * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if ctypes.CDLL(None, use_errno=True).mprotect(ctypes.c_void_p(start + pages * PAGE), PAGE, 0):  # PROT_NONE
        raise OSError(ctypes.get_errno(), "mprotect")
    return np.frombuffer(memory, np.uint8)[pages * PAGE - size : pages * PAGE]


def within_walls(resize: str) -> None:
    """Resize images that end there into images that end there."""
    for size, target, channels in itertools.product(SIDES, SIDES, (1, 3)):
        image, found = (walled(r * c * channels).reshape(r, c, channels) for r, c in (size, target))
        image[...] = noise(*image.shape)
        fitted(image, found.shape, resize, out=found)


def pieces_within_walls() -> None:
    """Copy and sum what ends there, told of by numbers that end there."""
    memory = walled(5000)
    memory[...] = noise(5000)
    sizes = np.arange(5001)
    found = pieces([memory], np.zeros_like(sizes), 5000 - sizes, sizes, np.zeros(5001, np.uint32))
    if found is None or list(found)[1:] != [None] * 5000:
        raise AssertionError("what ends there was not summed")
    begins, lengths = (walled(8 * 7).view(np.int64) for _ in range(2))
    sums = walled(4 * 7).view(np.uint32)
    begins[:], lengths[:] = memory.ctypes.data, 5000
    copied = locked_library().mlplat_pieces(begins.ctypes.data, lengths.ctypes.data, sums.ctypes.data, 0, 7, 7)
    if copied != [None] * 7:
        raise AssertionError("numbers that end there were not read")
