"""Ranges of shards: mapped, few at a time, from many threads."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from airflow_mlplat.contract import digest
from airflow_mlplat.errors import CorruptionError
from airflow_mlplat.store import layout
from airflow_mlplat.store import ranges as module
from airflow_mlplat.store.checksum import crc32c
from airflow_mlplat.store.ranges import ShardRanges


@pytest.fixture
def shards(store):
    """Five shards of 1000 equal bytes: {sha256: byte}."""
    contents = [bytes([i]) * 1000 for i in range(5)]
    for content in contents:
        store.backend.put_if_absent(layout.shard_path(digest(content)), content)
    return {digest(content): content[:1] for content in contents}


def test_few_stay_open(store, shards):
    ranges = ShardRanges(store.backend, open_shards=2)
    with ThreadPoolExecutor(8) as pool:
        for sha256, part in pool.map(lambda s: (s, ranges.read(s, 10, 5)), list(shards) * 40):
            assert part == shards[sha256] * 5
    assert len(ranges._maps) == 2


def test_at_the_end(store, shards):
    ranges = ShardRanges(store.backend)
    sha256 = next(iter(shards))
    assert len(ranges.read(sha256, 990, 50)) == 10
    assert ranges.read(sha256, 5000, 5) == b""


def test_where_nothing_can_be_mapped(store, shards, monkeypatch):
    monkeypatch.setattr(type(store.backend), "local_path", lambda self, path: None)
    sha256, byte = next(iter(shards.items()))
    assert ShardRanges(store.backend).read(sha256, 990, 50) == byte * 10


def test_an_empty_shard(store):
    store.backend.put_if_absent(layout.shard_path("e" * 64), b"")
    assert ShardRanges(store.backend).read("e" * 64, 0, 5) == b""


def test_missing(store):
    with pytest.raises(CorruptionError, match=r"shards/shard-f+\.tar is missing from the store file:///"):
        ShardRanges(store.backend).read("f" * 64, 0, 5)


def test_a_shard_that_is_cut_off_while_it_is_mapped(store, shards):
    ranges, sha256 = ShardRanges(store.backend), next(iter(shards))
    assert len(ranges.read(sha256, 0, 5)) == 5
    path = store.backend.local_path(layout.shard_path(sha256))
    path.chmod(0o644)
    os.truncate(path, 0)
    one = np.array([0]), np.array([10]), np.array([5])
    for read in (lambda: ranges.read(sha256, 10, 5), lambda: list(ranges.read_each([sha256], *one))):
        with pytest.raises(
            CorruptionError,
            match=r"\.tar of the store file:///.* has lost its end; expected 1000 bytes; got \d+\. restore the file",
        ):
            read()
        path.write_bytes(shards[sha256] * 1000)  # mended
        assert ranges.read(sha256, 10, 5) == shards[sha256] * 5
        os.truncate(path, 0)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("mapped", "open_shards"), [(True, 5), (True, 2), (False, 5)])
def test_each_of_many_reads(store, shards, monkeypatch, *, compiled, mapped, open_shards):
    if not compiled:
        monkeypatch.setattr(module, "pieces", lambda *given: None)
    if not mapped:
        monkeypatch.setattr(type(store.backend), "local_path", lambda self, path: None)
    ranges, names = ShardRanges(store.backend, open_shards), list(shards)
    which, offsets = np.arange(40) % len(names), np.arange(40) * 25
    sizes = offsets // 7 + 1  # some go beyond the shard's end
    right = [ranges.read(names[w], o, s) for w, o, s in zip(which.tolist(), offsets.tolist(), sizes.tolist())]
    assert len(right[-1]) == 25 and len(right[10]) == sizes[10]
    sums = np.array([crc32c(content) for content in right], np.uint32)
    for part in (slice(None), slice(20)):  # the second half has those beyond the end
        given = which[part], offsets[part], sizes[part]
        assert list(ranges.read_each(names, *given)) == right[part]
        assert list(ranges.read_each(names, *given, sums[part])) == right[part]
        assert list(ranges.read_each(names, *given, sums[part] + np.uint32(1))) == [None] * len(right[part])


def test_more_shards_than_may_stay_open_are_read_one_by_one(store, shards, monkeypatch):
    monkeypatch.setattr(module, "pieces", lambda *given: pytest.fail("all are mapped at once"))
    which = np.arange(5)
    found = ShardRanges(store.backend, open_shards=4).read_each(list(shards), which, which, which)
    assert [len(content) for content in found] == [0, 1, 2, 3, 4]
