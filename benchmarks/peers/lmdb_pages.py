"""LMDB: one memory-mapped file, random keys in one read transaction a thread; two threads for decoded ones."""

from __future__ import annotations

import struct
import threading
from pathlib import Path

import lmdb
import numpy as np

from benchmarks.decoding import in_batches, threaded
from benchmarks.images import Images
from benchmarks.peer import Batches, Raw, order

KEY, LABEL = struct.Struct(">q"), struct.Struct("<q")


class LMDB:
    exact = True

    def write(self, images: Images, folder: Path) -> None:
        size = 2 * sum(len(images.media(number)) for number in range(len(images))) + (64 << 20)
        with lmdb.open(str(folder), map_size=size) as env, env.begin(write=True) as writing:
            for number in range(len(images)):
                label = LABEL.pack(int(images.labels[number]))
                writing.put(KEY.pack(number), label + images.media(number), append=True)

    def raw(self, folder: Path, repeat: bool) -> Raw:
        env = _open(folder)
        get = env.begin(buffers=True).get
        for rows in order(env.stat()["entries"], repeat):
            for row in rows.tolist():
                yield _parse(get(KEY.pack(row)))

    def decoded(self, folder: Path, repeat: bool) -> Batches:
        env, own = _open(folder), threading.local()

        def read(rows: np.ndarray) -> list[tuple[bytes, int]]:
            if not hasattr(own, "get"):
                own.get = env.begin(buffers=True).get
            return [_parse(own.get(KEY.pack(row))) for row in rows.tolist()]

        return threaded(read, in_batches(order(env.stat()["entries"], repeat)))


def _open(folder: Path) -> lmdb.Environment:
    # Readahead off and no lock file: what its documents say for random reads of a database that nobody writes.
    return lmdb.open(str(folder), readonly=True, lock=False, readahead=False)


def _parse(record: memoryview) -> tuple[bytes, int]:
    return bytes(record[LABEL.size :]), LABEL.unpack_from(record)[0]


PEER = LMDB()
