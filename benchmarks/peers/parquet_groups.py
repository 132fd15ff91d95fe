"""Parquet: row groups of 100, of which ten random ones at a time are shuffled; two threads for decoded ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.decoding import threaded
from benchmarks.images import Images
from benchmarks.peer import BATCH, Batches, Raw, order
from benchmarks.peers.arrow_ipc import table

ROWS, GROUPS = 100, 10
"""Rows of a group, and groups that are read at once: no row is read alone."""


class Parquet:
    exact = True

    def write(self, images: Images, folder: Path) -> None:
        # A dictionary or compression would cost time for nothing: no two images are equal, JPEGs do not shrink.
        pq.write_table(
            table(images), folder / "images.parquet", row_group_size=ROWS, compression="none", use_dictionary=False
        )

    def raw(self, folder: Path, repeat: bool) -> Raw:
        for samples in _shuffled(folder, repeat):
            yield from samples

    def decoded(self, folder: Path, repeat: bool) -> Batches:
        return threaded(lambda samples: samples, _batches(_shuffled(folder, repeat)))


def _shuffled(folder: Path, repeat: bool) -> Iterator[list[tuple[bytes, int]]]:
    """The samples of some groups each, in random order."""
    file = pq.ParquetFile(folder / "images.parquet", memory_map=True)
    draws = np.random.default_rng(1)
    for groups in order(file.num_row_groups, repeat):
        for at in range(0, len(groups), GROUPS):
            rows = file.read_row_groups(groups[at : at + GROUPS].tolist(), use_threads=False)
            samples = list(zip(rows["image"].to_pylist(), rows["label"].to_pylist()))
            yield [samples[i] for i in draws.permutation(len(samples)).tolist()]


def _batches(parts: Iterator[list[tuple[bytes, int]]]) -> Iterator[list[tuple[bytes, int]]]:
    left: list[tuple[bytes, int]] = []
    for part in parts:
        left += part
        full = len(left) - len(left) % BATCH
        yield from (left[at : at + BATCH] for at in range(0, full, BATCH))
        left = left[full:]
    if left:
        yield left


PEER = Parquet()
