"""MXNet: RecordIO with an index; ImageRecordUInt8Iter decodes in C++, crops what its resize leaves over."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import mxnet as mx
import numpy as np

from benchmarks.images import Images
from benchmarks.peer import BATCH, SIDE, WORKERS, Batches, Raw, order


class RecordIO:
    exact = False

    def write(self, images: Images, folder: Path) -> None:
        records = mx.recordio.MXIndexedRecordIO(str(folder / "images.idx"), str(folder / "images.rec"), "w")
        for number in range(len(images)):
            header = mx.recordio.IRHeader(0, float(images.labels[number]), number, 0)
            records.write_idx(number, mx.recordio.pack(header, images.media(number)))
        records.close()

    def raw(self, folder: Path, repeat: bool) -> Raw:
        records = mx.recordio.MXIndexedRecordIO(str(folder / "images.idx"), str(folder / "images.rec"), "r")
        for rows in order(len(records.keys), repeat):
            for row in rows.tolist():
                header, media = mx.recordio.unpack(records.read_idx(row))
                yield media, int(header.label)

    def decoded(self, folder: Path, repeat: bool) -> Batches:
        reader = mx.io.ImageRecordUInt8Iter(
            path_imgrec=str(folder / "images.rec"), path_imgidx=str(folder / "images.idx"), data_shape=(3, SIDE, SIDE),
            batch_size=BATCH, resize=SIDE, shuffle=True, preprocess_threads=WORKERS, prefetch_buffer=4,
        )  # fmt: skip
        for _ in count() if repeat else range(1):
            reader.reset()
            for batch in reader:
                yield batch.data[0].asnumpy(), batch.label[0].asnumpy().astype(np.int64)


PEER = RecordIO()
