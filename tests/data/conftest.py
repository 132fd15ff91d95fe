"""What the tests of the data iterator share: samples in memory, and one way to look at a pass."""

from __future__ import annotations

import threading
import time
from typing import ClassVar

import numpy as np
import pytest

from airflow_mlplat.contract import Ref
from airflow_mlplat.data import BatchIterator, IteratorOptions
from airflow_mlplat.data.iterator import THREADS

MANIFEST = "ab" * 32


class Memory:
    """Samples without a store. Equal arguments are equal samples.

    Args:
        media: Of each sample.
        labels: int64 (n,).
        shard_ends, span_ends: All samples in one, when not given.
    """

    classes: ClassVar = list("0123456789")

    def __init__(self, media, labels, manifest=MANIFEST, shard_ends=None, span_ends=None):
        self.ref = Ref("dataset", "digits", manifest)
        self.labels, self._media = labels, media
        self.shard_ends = np.array([len(media)] if shard_ends is None else shard_ends)
        self.span_ends = np.array([len(media)] if span_ends is None else span_ends)
        self.hints = []

    def __len__(self):
        return len(self._media)

    rows_digest = None

    def manifest_rows(self, rows):
        return rows

    def labels_at(self, rows):
        return self.labels[rows]

    def will_read(self, shards):
        self.hints.append(shards.tolist())

    def key(self, position):
        return f"digit/{position}"

    def media(self, position):
        return self._media[position]

    def media_of(self, rows):
        return (self._media[row] for row in rows)


@pytest.fixture(scope="session")
def memory(digits, png):
    """A function that gives the first n digits, with other media at some positions if told."""
    images, labels = digits
    files = [png(image) for image in images]

    def build(n, manifest=MANIFEST, broken=None, **parts):
        media = [{**dict(enumerate(files[:n])), **(broken or {})}[i] for i in range(n)]
        return Memory(media, labels[:n].astype(np.int64), manifest, **parts)

    return build


@pytest.fixture(scope="session")
def options():
    """A function that makes options for digits."""

    def build(**changed):
        return IteratorOptions(**{"batch_size": 8, "shape": (8, 8, 1), "prefetch": 2, **changed})

    return build


@pytest.fixture(scope="session")
def given():
    """A function that gives [(epoch, position, rows, digest)] of the batches that are left."""

    def run(samples, options, epochs=1, state=None):
        iterator = BatchIterator(samples, options, epochs)
        if state:
            iterator.set_state(state)
        return [(batch.epoch, batch.position, batch.rows.tolist(), batch.digest()) for batch in iterator]

    return run


def decoding_threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(THREADS)]


@pytest.fixture
def threads():
    """A function that gives the names of the decoding threads; there are none before and after the test."""
    assert decoding_threads() == []
    yield decoding_threads
    deadline = time.monotonic() + 5  # a thread that ended itself may need a moment to leave the list
    while decoding_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert decoding_threads() == []
