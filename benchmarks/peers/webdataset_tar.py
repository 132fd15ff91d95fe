"""WebDataset: tar shards, a buffer of 1000 samples to shuffle, batches made in the workers of its WebLoader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import webdataset

from benchmarks.decoding import decode, one_thread_each
from benchmarks.images import Images
from benchmarks.peer import BATCH, WORKERS, Batches, Raw

BUFFER = 1000
"""Samples: what its documents use throughout."""
SHARDS = 4
"""At least: each worker must have some."""


class WebDataset:
    exact = True

    def write(self, images: Images, folder: Path) -> None:
        most = min(1000, -(-len(images) // SHARDS))
        with webdataset.ShardWriter(str(folder / "%04d.tar"), maxcount=most, verbose=0) as writer:
            for number in range(len(images)):
                media, label = images.media(number), int(images.labels[number])
                writer.write({"__key__": f"{number:08d}", "jpg": media, "cls": label})

    def raw(self, folder: Path, repeat: bool) -> Raw:
        for media, label in _pipeline(folder, repeat).to_tuple("jpg", "cls"):
            yield media, int(label)

    def decoded(self, folder: Path, repeat: bool) -> Batches:
        one_thread_each()
        samples = _pipeline(folder, repeat).to_tuple("jpg", "cls").map_tuple(decode, int)
        loader = webdataset.WebLoader(
            samples.batched(BATCH, collation_fn=_collate), batch_size=None, num_workers=WORKERS
        )
        yield from loader


def _pipeline(folder: Path, repeat: bool) -> Any:
    shards = sorted(map(str, folder.glob("*.tar")))
    dataset = webdataset.WebDataset(shards, shardshuffle=len(shards))
    return (dataset.repeat() if repeat else dataset).shuffle(BUFFER)


def _collate(samples: list[tuple[np.ndarray, int]]) -> tuple[Any, Any]:
    import torch  # tensors pass between processes in shared memory, arrays through a pipe

    images, labels = zip(*samples)
    return torch.from_numpy(np.stack(images)), torch.tensor(labels)


PEER = WebDataset()
