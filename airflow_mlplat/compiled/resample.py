"""Pillow's antialiased resize: which source places a target place is a mean of; `resample.c` makes the means."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from airflow_mlplat.compiled.library import address, library_for

BITS = 22
"""Of a weight's fraction, as `resample.c` has it."""
LONGEST = 65_535
"""The longest side that is resized here: a JPEG's. A plan grows with it, and Pillow plans in less memory."""
PLANS, PLANNED = 128, 4096
"""How many plans are kept, of sides up to which length: to make one takes little beside decoding a longer image. A plan
takes up to 104 bytes for each place of the longer side, so all of them together 55 MB at most."""


def _box(distance: np.ndarray) -> np.ndarray:
    return np.where((distance > -0.5) & (distance <= 0.5), 1.0, 0.0)


def _triangle(distance: np.ndarray) -> np.ndarray:
    return np.maximum(1.0 - np.abs(distance), 0.0)


def _cubic(distance: np.ndarray) -> np.ndarray:
    """Of Keys (1981), with a = -1/2."""
    a, x = -0.5, np.abs(distance)
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


Filter = Callable[[np.ndarray], np.ndarray]
FILTERS: dict[str, tuple[Filter, float]] = {
    "box": (_box, 0.5), "bilinear": (_triangle, 1.0), "bicubic": (_cubic, 2.0)
}  # fmt: skip
"""Name → weight at a distance from the centre, and the distance beyond which it is 0; both in the larger pixels."""


class Plan(ctypes.Structure):
    """As `resample.c` has it."""

    _fields_ = (
        ("first", ctypes.c_void_p),
        ("weights", ctypes.c_void_p),
        ("paired", ctypes.c_void_p),
        ("taps", ctypes.c_int),
        ("count", ctypes.c_int),
    )


def resampled(image: np.ndarray, target: np.ndarray, resize: str) -> bool:
    """Resize all of an image into another.

    Args:
        image: (H, W, C).
        target: (height, width, C), to write to.
        resize: Filter.

    Returns:
        False if that is left to Pillow, and nothing was written.

    Raises:
        MemoryError: There is no memory for a few rows.
    """
    compiled = library_for(image, target)
    height, width, channels = image.shape
    if compiled is None or resize not in FILTERS or channels not in (1, 3) or max(height, width) > LONGEST:
        return False
    across = _plan(width, target.shape[1], resize, channels == 3)
    down = _plan(height, target.shape[0], resize, False)
    if compiled.mlplat_resample(address(image), height, width, channels, address(target), across.at, down.at):
        raise MemoryError("no memory to resize an image")
    return True


class _Prepared:
    """A plan, and the memory that it refers to, which must live as long."""

    def __init__(self, first: np.ndarray, weights: np.ndarray, in_pairs: bool) -> None:
        self._memory = [first, weights, *([paired(weights)] if in_pairs else [])]
        addresses = [array.ctypes.data for array in self._memory]
        self._plan = Plan(*addresses, *([] if in_pairs else [None]), weights.shape[1], len(weights))
        self.at = ctypes.addressof(self._plan)


def _plan(source: int, target: int, resize: str, in_pairs: bool) -> _Prepared:
    make = _kept if max(source, target) <= PLANNED else _kept.__wrapped__
    return make(source, target, resize, in_pairs)


@lru_cache(maxsize=PLANS)
def _kept(source: int, target: int, resize: str, in_pairs: bool) -> _Prepared:
    return _Prepared(*places(source, target, resize), in_pairs)


def paired(weights: np.ndarray) -> np.ndarray:
    """Weights, int32 (target, taps), of two target places at once: int32 (half of them, taps, 8)."""
    count, taps = weights.shape
    pairs = np.pad(weights, ((0, count % 2), (0, 0)), "edge").reshape(-1, 2, taps)
    return np.ascontiguousarray(pairs.transpose(0, 2, 1).repeat(4, axis=2))


def places(source: int, target: int, resize: str) -> tuple[np.ndarray, np.ndarray]:
    """What each place of a row or column is a mean of.

    Args:
        source: Places that there are.
        target: Places that are wanted.
        resize: A key of `FILTERS`.

    Returns:
        (the first source place of each target place: int32 (target,), ascending; weights of it and those after it:
        int32 (target, taps), in 1 / 2**BITS.)
    """
    weigh, reach = FILTERS[resize]
    scale = source / target
    spread = max(scale, 1.0)
    centre = (np.arange(target) + 0.5) * scale
    first = np.maximum((centre - reach * spread + 0.5).astype(np.int32), 0)
    stop = np.minimum((centre + reach * spread + 0.5).astype(np.int32), source)
    taps = int((stop - first).max())
    own, first = first, np.minimum(first, source - taps).astype(np.int32)  # more places before it, of no weight
    beyond = first[:, None] + np.arange(taps)
    # Pillow's order of operations, since sums and products of floats depend on it.
    weights = weigh((beyond - centre[:, None] + 0.5) * (1.0 / spread))
    weights[(beyond < own[:, None]) | (beyond >= stop[:, None])] = 0.0
    total = np.zeros(target)
    for tap in range(taps):
        total += weights[:, tap]
    weights /= total[:, None]
    rounded = np.trunc(weights * (1 << BITS) + np.copysign(0.5, weights))
    return first, np.ascontiguousarray(rounded, np.int32)
