"""litdata: chunks of 64 MB that `optimize` wrote, its own loader with two processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from litdata import StreamingDataLoader, StreamingDataset
from litdata.streaming.writer import BinaryWriter

from benchmarks.decoding import decode, one_thread_each
from benchmarks.images import Images
from benchmarks.peer import BATCH, WORKERS, Batches, Raw
from benchmarks.peers.torch_files import epochs

SHARDS = 4
"""At least: each worker must have some."""


class Decoded(StreamingDataset):
    """With the pixels of each sample."""

    def __getitem__(self, row: Any) -> Any:
        sample = super().__getitem__(row)
        return torch.from_numpy(decode(sample["image"])), sample["label"]


class LitData:
    exact = True

    def write(self, images: Images, folder: Path) -> None:
        size = sum(len(images.media(number)) for number in range(len(images)))
        writer = BinaryWriter(str(folder), chunk_bytes=min(64 << 20, size // SHARDS))  # what `optimize` writes with
        for number in range(len(images)):
            writer[number] = {"image": images.media(number), "label": int(images.labels[number])}
        writer.done()
        writer.merge()

    def raw(self, folder: Path, repeat: bool) -> Raw:
        for sample in epochs(StreamingDataset(str(folder), shuffle=True), repeat):
            yield sample["image"], sample["label"]

    def decoded(self, folder: Path, repeat: bool) -> Batches:
        one_thread_each()
        dataset = Decoded(str(folder), shuffle=True)
        loader = StreamingDataLoader(dataset, batch_size=BATCH, num_workers=WORKERS, prefetch_factor=4)
        return epochs(loader, repeat)


PEER = LitData()
