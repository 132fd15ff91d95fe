"""Arrow IPC: one memory-mapped file, random rows; two threads for decoded ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.decoding import in_batches, threaded
from benchmarks.images import Images
from benchmarks.peer import Batches, Raw, order


class ArrowIPC:
    exact = True

    def write(self, images: Images, folder: Path) -> None:
        rows = table(images)
        with pa.OSFile(str(folder / "images.arrow"), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
            writer.write_table(rows)

    def raw(self, folder: Path, repeat: bool) -> Raw:
        media, labels = _columns(folder)
        for rows in order(len(labels), repeat):
            for row in rows.tolist():
                yield media[row].as_py(), labels[row]

    def decoded(self, folder: Path, repeat: bool) -> Batches:
        media, labels = _columns(folder)

        def read(rows: np.ndarray) -> list[tuple[bytes, int]]:
            return [(media[row].as_py(), labels[row]) for row in rows.tolist()]

        return threaded(read, in_batches(order(len(labels), repeat)))


def table(images: Images) -> pa.Table:
    """The set as one table of one chunk: `image` binary, `label` int64."""
    media = [images.media(number) for number in range(len(images))]
    return pa.table({"image": pa.array(media, pa.large_binary()), "label": pa.array(images.labels)})


def _columns(folder: Path) -> tuple[pa.Array, list[int]]:
    """Media, mapped and in one chunk, and labels."""
    rows = pa.ipc.open_file(pa.memory_map(str(folder / "images.arrow"))).read_all()
    labels: np.ndarray = rows["label"].to_numpy()
    return rows["image"].chunk(0), labels.tolist()


PEER = ArrowIPC()
