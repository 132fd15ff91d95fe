"""Batches as plain arrays: what every other adapter is compared with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from airflow_mlplat.data.iterator import BatchIterator
from airflow_mlplat.errors import SpecError


def arrays(iterator: BatchIterator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of images, uint8 (n, height, width, channels), and labels, int64 (n,): the rest of one epoch.

    Called again it gives the next epoch, and nothing after the last.

    Raises:
        SpecError: Images are mixed with each other (`mixup`, `cutmix`): they have no one label. Take `Batch.targets`.
    """
    for batch in iterator.epoch():
        if batch.mixed is not None:
            raise SpecError(
                "mixed images have no one label, and adapters give labels", expected="no mixup and no cutmix",
                fix="iterate over the batches, and take batch.images and batch.targets(len(samples.classes))",
            )  # fmt: skip
        yield batch.images, batch.labels
