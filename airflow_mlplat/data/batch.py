"""A batch: what every framework is fed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples of one rank that follow each other in an epoch's order. Its arrays are its own: keep or change them.

    Args:
        images: uint8 (n, height, width, channels).
        labels: int64 (n,), -1 where missing.
        rows: int64 (n,), their positions in the manifest.
        epoch: From 0.
        position: How many samples of the epoch all ranks together have been given after this batch.
    """

    images: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    epoch: int
    position: int

    def __len__(self) -> int:
        return len(self.labels)

    def digest(self) -> str:
        """SHA-256 of shape, pixels and labels: equal in every framework, on every machine."""
        return batch_digest(self.images, self.labels)


def batch_digest(images: np.ndarray, labels: np.ndarray) -> str:
    """SHA-256 in hex of the images' shape, pixels and labels.

    Args:
        images: uint8 (n, height, width, channels).
        labels: Any integers (n,).
    """
    found = hashlib.sha256(repr(tuple(map(int, images.shape))).encode())
    found.update(np.ascontiguousarray(images, np.uint8).tobytes())
    found.update(np.ascontiguousarray(labels, "<i8").tobytes())
    return found.hexdigest()
