"""A batch's digest is of its shape, pixels and labels."""

from __future__ import annotations

import numpy as np

from airflow_mlplat.data import Batch, batch_digest

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4, 1)
LABELS = np.array([3, -1])
GOLDEN = "f51fd55e134b19e81a63b83764859537c53d83d45952ff65c29ae5ba70b67333"


def test_digest_is_golden():
    batch = Batch(IMAGES, LABELS, np.array([5, 6]), epoch=0, position=2)
    assert len(batch) == 2
    assert batch.digest() == batch_digest(IMAGES, LABELS) == GOLDEN


def test_digest_of_other_types_of_the_same_numbers():
    assert batch_digest(np.asfortranarray(IMAGES), LABELS.astype(np.int32)) == GOLDEN
    assert batch_digest(IMAGES, LABELS.astype(">i8")) == GOLDEN


def test_digest_tells_apart():
    others = [
        (IMAGES.reshape(2, 4, 3, 1), LABELS),
        (IMAGES[::-1], LABELS),
        (IMAGES, LABELS[::-1]),
        (IMAGES[:1], LABELS[:1]),
        (IMAGES[:0], LABELS[:0]),
    ]
    assert len({GOLDEN, *(batch_digest(*other) for other in others)}) == 6
