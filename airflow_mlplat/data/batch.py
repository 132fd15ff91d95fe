"""A batch: what every framework is fed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from airflow_mlplat.data.augment import Mixed


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples of one rank that follow each other in an epoch's order.

    Its arrays are its own: keep or change them. The memory of the images is used again when nothing refers to it.

    Args:
        images: uint8 (n, height, width, channels).
        labels: int64 (n,), -1 where missing.
        rows: int64 (n,), their positions in what the iterator reads.
        epoch: From 0.
        position: How many samples of the epoch all ranks together have been given after this batch.
        mixed: How images were mixed with others of the batch, if an operation did.
    """

    images: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    epoch: int
    position: int
    mixed: Mixed | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def digest(self) -> str:
        """SHA-256 of shape, pixels and labels: equal in every framework, on every machine."""
        return batch_digest(self.images, self.labels)

    def targets(self, classes: int) -> np.ndarray:
        """What a model is to say of each image: int64 (n,) labels, or where images were mixed float32 (n, classes)."""
        return self.labels if self.mixed is None else soft_labels(self.labels, self.mixed, classes)


def soft_labels(labels: np.ndarray, mixed: Mixed, classes: int) -> np.ndarray:
    """The shares of classes in mixed images: float32 (n, classes), each row's sum 1, or less where a label is missing.

    Args:
        labels: int64 (n,), below `classes`, -1 where missing.
        mixed: With what they were mixed.
        classes: How many.
    """
    found, rows = np.zeros((len(labels), classes), np.float32), np.arange(len(labels))
    for whose, shares in ((labels, mixed.shares), (mixed.partners, 1 - mixed.shares)):
        known = whose >= 0
        found[rows[known], whose[known]] += shares[known]
    return found


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
