"""Decoded samples, and their labels, that stay in memory: an epoch after the first need not decode them again.

All samples of an iterator are kept, or none: whether they fit is known before, from their number and shape. So it does
not matter in which order they come, how often, or how many ranks share them: each has its place, by its row. What is
kept is what decoding and fitting gave. Augmentation comes after, anew each time, so batches are the same, byte by byte.

A sample's media is read, and checked against its checksum, when it is first decoded, and then no more.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from airflow_mlplat.data.options import IteratorOptions

MOST_BYTES = 256 << 20
"""Kept at most where nothing is said: 50,000 images of 32x32 colours, or 1,780 of 224x224."""
MEMORY_SHARE = 8
"""One part in so many of the memory that a process may have is kept at most where nothing is said: a framework needs
more of it, and a training has two iterators."""

_UNKNOWN = -2
"""No label yet: less than any label, and than -1 for a missing one."""
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Of a container's memory, in bytes: cgroup v2 and v1 of the Linux kernel's documentation. `max` is no limit."""


class Kept:
    """Images and labels by row, each from when it was put. Threads may share one.

    The memory is the system's until something is put there, so it is taken as the first epoch goes on.

    Args:
        samples: How many there are, n.
        shape: (height, width, channels) of each.
    """

    def __init__(self, samples: int, shape: tuple[int, int, int]) -> None:
        self._images = np.empty((samples, *shape), np.uint8)
        self._here = np.zeros(samples, bool)
        self._labels = np.full(samples, _UNKNOWN, np.int64)

    @classmethod
    def of(cls, samples: int, options: IteratorOptions, epochs: int | None) -> Kept | None:
        """For so many samples, read in so many epochs, None for no end; None if they do not fit, or are read once."""
        if epochs == 1:  # a copy of each would be for nothing
            return None
        most = default_bytes() if options.keep_bytes is None else options.keep_bytes
        fits = samples * math.prod(options.shape) <= most
        return cls(samples, options.shape) if fits else None

    def put(self, row: int, image: np.ndarray) -> None:
        """Keep a copy of a sample's image, uint8 (height, width, channels).

        Two threads that decoded the same sample write the same bytes, so whoever reads meanwhile finds these too.
        """
        self._images[row] = image
        self._here[row] = True  # last: a thread that sees it sees all of the image

    def get(self, row: int) -> np.ndarray | None:
        """A sample's image, uint8 (height, width, channels), not to be changed; None if it was not put yet."""
        return self._images[row] if self._here[row] else None

    def has(self, rows: np.ndarray) -> bool:
        """Whether all samples of some rows, int64 (m,), were put."""
        return bool(self._here[rows].all())

    def copy(self, rows: np.ndarray, out: np.ndarray) -> bool:
        """Copy images if all of them were put; whether they were.

        Args:
            rows: int64 (m,), each in [0, n).
            out: uint8 (m, height, width, channels), contiguous.
        """
        if not self.has(rows):
            return False
        np.take(self._images, rows, axis=0, out=out, mode="clip")  # by any mode but `raise` straight into `out`
        return True

    def labels_at(self, rows: np.ndarray, look_up: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Labels of rows: int64 (m,) of int64 (m,), those of `look_up`, which is asked if one of them is not known."""
        labels = self._labels[rows]
        if (labels == _UNKNOWN).any():
            labels = self._labels[rows] = look_up(rows)
        return labels

    def incomplete(self, ends: np.ndarray) -> np.ndarray:
        """Of which shards samples were not put yet: bool (S,).

        Args:
            ends: int64 (S,), ascending: how many samples there are up to the end of each.
        """
        absent = np.concatenate([[0], np.cumsum(~self._here)])[ends]
        return np.diff(absent, prepend=0) > 0


def default_bytes() -> int:
    """How many bytes are kept at most where nothing is said."""
    return min(MOST_BYTES, _memory() // MEMORY_SHARE)


def _memory() -> int:
    """Bytes that this process may have: the container's, or the machine's."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in _LIMITS:
        try:
            text = Path(path).read_text().strip()
        except OSError:  # another version of cgroups, or none, or no limit
            continue
        if text.isdecimal():
            found.append(int(text))
    return min(found)
