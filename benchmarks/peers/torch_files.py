"""torch's DataLoader over one file an image: a map-style dataset, worker processes that persist."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.decoding import decode, one_thread_each
from benchmarks.images import Images
from benchmarks.peer import BATCH, WORKERS, Batches, Raw


class Files(torch.utils.data.Dataset):
    """(media or pixels, label) of the files that `TorchFiles.write` wrote."""

    def __init__(self, folder: Path, pixels: bool) -> None:
        self._paths = [str(path) for path in sorted((folder / "media").iterdir())]
        self._labels, self._pixels = np.load(folder / "labels.npy").tolist(), pixels

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, row: int) -> tuple[Any, int]:
        with open(self._paths[row], "rb", buffering=0) as file:  # noqa: PTH123 -- twice as fast as Path.read_bytes
            media = file.read()
        return (torch.from_numpy(decode(media)) if self._pixels else media), self._labels[row]


class TorchFiles:
    exact = True

    def write(self, images: Images, folder: Path) -> None:
        (folder / "media").mkdir()
        for number in range(len(images)):
            (folder / "media" / f"{number:08d}.jpg").write_bytes(images.media(number))
        np.save(folder / "labels.npy", images.labels)

    def raw(self, folder: Path, repeat: bool) -> Raw:
        loader = torch.utils.data.DataLoader(Files(folder, False), batch_size=None, shuffle=True)
        return epochs(loader, repeat)

    def decoded(self, folder: Path, repeat: bool) -> Batches:
        return epochs(loader(Files(folder, True), shuffle=True), repeat)


def loader(dataset: Any, **options: Any) -> torch.utils.data.DataLoader:
    """torch's DataLoader as its documents tune it: workers persist, four batches ahead."""
    one_thread_each()
    return torch.utils.data.DataLoader(
        dataset, batch_size=BATCH, num_workers=WORKERS, persistent_workers=True, prefetch_factor=4, **options
    )


def epochs(loader: Any, repeat: bool) -> Iterator[Any]:
    """Its samples or batches, over one epoch or without end."""
    for _ in count() if repeat else range(1):
        yield from loader


PEER = TorchFiles()
