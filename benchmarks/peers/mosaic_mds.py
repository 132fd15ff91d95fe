"""MosaicML streaming: MDS shards, its own shuffle, torch's DataLoader with two processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from streaming import MDSWriter, StreamingDataset
from streaming.base.util import clean_stale_shared_memory

from benchmarks.decoding import decode
from benchmarks.images import Images
from benchmarks.peer import BATCH, Batches, Raw
from benchmarks.peers.torch_files import epochs, loader


class Decoded(StreamingDataset):
    """With the pixels of each sample."""

    def __getitem__(self, row: int) -> Any:
        sample = super().__getitem__(row)
        return torch.from_numpy(decode(sample["image"])), sample["label"]


class MosaicMDS:
    exact = True

    def write(self, images: Images, folder: Path) -> None:
        with MDSWriter(out=str(folder / "mds"), columns={"image": "bytes", "label": "int"}) as writer:
            for number in range(len(images)):
                writer.write({"image": images.media(number), "label": int(images.labels[number])})

    def raw(self, folder: Path, repeat: bool) -> Raw:
        for sample in epochs(_dataset(StreamingDataset, folder), repeat):
            yield sample["image"], sample["label"]

    def decoded(self, folder: Path, repeat: bool) -> Batches:
        return epochs(loader(_dataset(Decoded, folder)), repeat)


def _dataset(kind: type[StreamingDataset], folder: Path) -> StreamingDataset:
    clean_stale_shared_memory()
    # One canonical node: with the default of 64, some samples come twice in an epoch of a small set.
    return kind(local=str(folder / "mds"), shuffle=True, batch_size=BATCH, num_canonical_nodes=1)


PEER = MosaicMDS()
