"""What the tests of the store share: a store, and a span of small made-up media in several shards."""

from __future__ import annotations

import pytest

from airflow_mlplat.store import Sample, SpanWriter, open_store

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return open_store(tmp_path / "store")


@pytest.fixture
def samples() -> list[Sample]:
    """20 samples: keys k/000.x …, labels 0 1 None, every second with metadata."""
    return [
        Sample(f"k/{i:03d}.x", PNG + bytes([i]) * 10 * i, (0, 1, None)[i % 3], {"taken": i} if i % 2 else None)
        for i in range(20)
    ]


@pytest.fixture
def write(store, samples):
    """A function that commits a span, of the 20 samples unless told otherwise, in shards of 8 kB."""

    def commit(partition="2026-01-01", rows=None, classes=("cat", "dog"), dataset="pets"):
        with SpanWriter(store, dataset, partition, list(classes), shard_bytes=8000) as writer:
            for sample in samples if rows is None else rows:
                writer.add(sample)
            return writer.commit()

    return commit


@pytest.fixture
def span(write):
    """A committed span of the 20 samples."""
    return write()


@pytest.fixture
def flip(store):
    """A function that changes one byte of the first file that matches a pattern; gives its path in the store."""

    def change(pattern: str, at: int = -1) -> str:
        path = sorted(store.backend.root.glob(pattern))[0]
        content = bytearray(path.read_bytes())
        content[at] ^= 1
        path.write_bytes(bytes(content))
        return path.relative_to(store.backend.root).as_posix()

    return change
