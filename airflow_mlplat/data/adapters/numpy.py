"""Batches as plain arrays: what every other adapter is compared with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from airflow_mlplat.data.iterator import BatchIterator


def arrays(iterator: BatchIterator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of images, uint8 (n, height, width, channels), and labels, int64 (n,): the rest of one epoch.

    Called again it gives the next epoch, and nothing after the last.
    """
    for batch in iterator.epoch():
        yield batch.images, batch.labels
