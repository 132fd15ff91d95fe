"""Spans of very many samples, quickly: some real ones, and more of the same media under other labels.

Spans share shards by content, so ten million samples need a gigabyte; each span has indexes of its own, because its
labels differ, so whoever opens all of them reads 24 bytes a sample as with media of their own.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import Any

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.store import Sample, SpanWriter, Store, layout, npy_bytes
from airflow_mlplat.store.index import read_npy

CLASSES = [str(n) for n in range(10)]
SIDE = 8
"""Pixels: 140 bytes of PNG, a kilobyte of tar."""
NAME = "many"


def png(pixels: bytes) -> bytes:
    """A grey PNG of SIDE x SIDE pixels, not compressed: a tenth of the time that a library takes for it."""
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + pixels[start : start + SIDE] for start in range(0, SIDE * SIDE, SIDE))
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


def write_span(store: Store, partition: str, samples: int, seed: int = 0) -> Ref:
    """A span of samples of their own, by `SpanWriter`."""
    random = np.random.RandomState(seed)
    with SpanWriter(store, NAME, partition, CLASSES) as writer:
        for row in range(samples):
            writer.add(Sample(f"{row:09d}", png(random.bytes(SIDE * SIDE)), row % len(CLASSES)))
        return writer.commit()


def relabel_span(store: Store, span: Ref, partition: str, seed: int) -> Ref:
    """A span of the same media and keys, with random labels."""
    document, random = store.manifest(span), np.random.RandomState(seed)
    shards = [_relabel(store, shard, random) for shard in document["shards"]]
    return store.put_manifest({**document, "partition": partition, "shards": shards})


def _relabel(store: Store, shard: dict[str, Any], random: np.random.RandomState) -> dict[str, Any]:
    path = layout.index_path(shard["index_sha256"])
    rows = read_npy(store.verified(path, shard["index_sha256"]), path).copy()
    rows["label"] = random.randint(0, len(CLASSES), len(rows))
    content = npy_bytes(rows)
    sha256 = hashlib.sha256(content).hexdigest()
    store.backend.put_if_absent(layout.index_path(sha256), content)
    return {**shard, "index_sha256": sha256}


def write_spans(store: Store, samples: int, spans: int = 10) -> list[Ref]:
    """Spans that together have so many samples: the first is written, the others are its media under other labels.

    Args:
        store: Where to.
        samples: In all, a multiple of `spans`.
        spans: At most 31.
    """
    first = write_span(store, "2026-01-01", samples // spans)
    return [first] + [relabel_span(store, first, f"2026-01-{day:02d}", seed=day) for day in range(2, spans + 1)]
