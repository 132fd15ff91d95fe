"""Lance: random rows by `take`, 1024 at a time for raw samples; two threads for decoded ones."""

from __future__ import annotations

from pathlib import Path

import lance
import numpy as np

from benchmarks.decoding import in_batches, threaded
from benchmarks.images import Images
from benchmarks.peer import Batches, Raw, order
from benchmarks.peers.arrow_ipc import table

TAKE = 1024


class Lance:
    exact = True

    def write(self, images: Images, folder: Path) -> None:
        lance.write_dataset(table(images), str(folder / "images.lance"))

    def raw(self, folder: Path, repeat: bool) -> Raw:
        dataset = lance.dataset(str(folder / "images.lance"))
        for rows in order(dataset.count_rows(), repeat):
            for at in range(0, len(rows), TAKE):
                yield from _take(dataset, rows[at : at + TAKE])

    def decoded(self, folder: Path, repeat: bool) -> Batches:
        dataset = lance.dataset(str(folder / "images.lance"))
        return threaded(lambda rows: _take(dataset, rows), in_batches(order(dataset.count_rows(), repeat)))


def _take(dataset: lance.LanceDataset, rows: np.ndarray) -> list[tuple[bytes, int]]:
    taken = dataset.take(rows.tolist(), columns=["image", "label"])
    return list(zip(taken["image"].to_pylist(), taken["label"].to_pylist()))


PEER = Lance()
