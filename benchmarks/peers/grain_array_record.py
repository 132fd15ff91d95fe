"""Grain on ArrayRecord: groups of one record for random access, as it advises; threads, faster here than processes."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import grain.python as grain
from array_record.python.array_record_module import ArrayRecordWriter

from benchmarks.decoding import decode, one_thread_each
from benchmarks.images import Images
from benchmarks.peer import BATCH, WORKERS, Batches, Raw

LABEL = struct.Struct("<q")
"""Before the media in a record."""


class GrainArrayRecord:
    exact = True

    def write(self, images: Images, folder: Path) -> None:
        writer = ArrayRecordWriter(str(folder / "images.array_record"), "group_size:1,uncompressed")
        for number in range(len(images)):
            writer.write(LABEL.pack(int(images.labels[number])) + images.media(number))
        writer.close()

    def raw(self, folder: Path, repeat: bool) -> Raw:
        samples = _dataset(folder, repeat).map(_parse)
        yield from samples.to_iter_dataset(grain.ReadOptions(num_threads=0))

    def decoded(self, folder: Path, repeat: bool) -> Batches:
        one_thread_each()
        samples = _dataset(folder, repeat).map(_decode)
        reading = grain.ReadOptions(num_threads=WORKERS, prefetch_buffer_size=4 * BATCH)
        yield from samples.to_iter_dataset(reading).batch(BATCH)


def _dataset(folder: Path, repeat: bool) -> Any:
    source = grain.ArrayRecordDataSource(str(folder / "images.array_record"))
    dataset = grain.MapDataset.source(source).shuffle(seed=0)
    return dataset.repeat() if repeat else dataset


def _parse(record: bytes) -> tuple[bytes, int]:
    return record[LABEL.size :], LABEL.unpack_from(record)[0]


def _decode(record: bytes) -> tuple[Any, int]:
    media, label = _parse(record)
    return decode(media), label


PEER = GrainArrayRecord()
