"""What a loader must do to take part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.images import Images

BATCH, SIDE = 64, 224
WORKERS = 2
"""Threads or processes that decode, for every peer."""

Raw = Iterator[tuple[Any, int]]
"""(media: bytes or what becomes bytes without a copy, label)."""
Batches = Iterator[tuple[Any, Any]]
"""(uint8 (BATCH, SIDE, SIDE, 3), or (BATCH, 3, SIDE, SIDE) where that is the peer's own; integers (BATCH,))."""


class Peer(Protocol):
    """A loader at its documented best settings. Both ways to read shuffle anew in every epoch."""

    exact: bool
    """Whether its pixels are those of `decoding.decode`: false for C++ decoders of its own."""

    def write(self, images: Images, folder: Path) -> None:
        """Write the set in the peer's format into an empty folder."""

    def raw(self, folder: Path, repeat: bool) -> Raw:
        """Every sample of one epoch, or of epochs without end; in this thread alone, which has one core."""

    def decoded(self, folder: Path, repeat: bool) -> Batches:
        """The same, decoded by `WORKERS` threads or processes, in batches."""


def order(count: int, repeat: bool) -> Iterator[np.ndarray]:
    """A random permutation, int64 (count,), of each epoch: for formats that have no order of their own."""
    draws = np.random.default_rng(0)
    yield draws.permutation(count)
    while repeat:
        yield draws.permutation(count)
