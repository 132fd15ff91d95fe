"""This package: a span in the store, read by `Samples` in the iterator's order, decoded by `BatchIterator`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.data import BatchIterator, IteratorOptions, permute
from airflow_mlplat.store import Sample, Samples, SpanWriter, open_store
from benchmarks.augmentation import STEPS
from benchmarks.images import CLASSES, Images
from benchmarks.peer import BATCH, SIDE, WORKERS, Batches, Raw

CHUNK = 16_384
"""Positions whose rows are found at once."""


class Ours:
    exact = True

    def write(self, images: Images, folder: Path) -> None:
        with SpanWriter(open_store(folder), "images", "2026-01-01", list(map(str, range(CLASSES)))) as writer:
            for number in range(len(images)):
                writer.add(Sample(f"{number:08d}", images.media(number), int(images.labels[number])))
            writer.commit()

    def raw(self, folder: Path, repeat: bool) -> Raw:
        """Without a look at checksums: no peer looks at any."""
        return _raw(open_samples(folder), repeat, check=False)

    def checked(self, folder: Path, repeat: bool) -> Raw:
        """The CRC-32C of every sample compared."""
        return _raw(open_samples(folder), repeat, check=True)

    def decoded(self, folder: Path, repeat: bool) -> Batches:
        return _batches(folder, repeat)

    def antialiased(self, folder: Path, repeat: bool) -> Batches:
        """Decoded, and resized by the default filter: Pillow's pixels."""
        return _batches(folder, repeat, resize="bilinear")

    def augmented(self, folder: Path, repeat: bool) -> Batches:
        """Decoded, with the augmentations of `augmentation.STEPS`."""
        return _batches(folder, repeat, augment=STEPS)


def _raw(samples: Samples, repeat: bool, check: bool) -> Raw:
    def chunks() -> Iterator[Raw]:
        for epoch in count() if repeat else range(1):
            for start in range(0, len(samples), CHUNK):
                positions = np.arange(start, min(start + CHUNK, len(samples)))
                rows = permute(positions, len(samples), 0, epoch, samples.ref.digest)
                yield zip(samples.media_of(rows, check), samples.labels[rows].tolist())

    return chain.from_iterable(chunks())


def _batches(folder: Path, repeat: bool, **options: Any) -> Batches:
    how: dict[str, Any] = {"shape": (SIDE, SIDE, 3), "threads": WORKERS, "resize": "linear", **options}
    made = IteratorOptions(batch_size=BATCH, keep_bytes=0, **how)  # decoding is measured, so it is done in every epoch
    with BatchIterator(open_samples(folder), made, None if repeat else 1) as batches:
        for batch in batches:
            yield batch.images, batch.labels


def open_samples(folder: Path) -> Samples:
    """Of the one span in the store."""
    store = open_store(folder)
    ((digest, manifest),) = store.manifests("span")
    return Samples(store, Ref("span", manifest["name"], digest))


PEER = Ours()
