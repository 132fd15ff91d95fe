"""Batches as plain arrays: what every other adapter is compared with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from airflow_mlplat.data.iterator import BatchIterator


def arrays(iterator: BatchIterator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of images, uint8 (n, height, width, channels), and labels, int64 (n,)."""
    for batch in iterator:
        yield batch.images, batch.labels
