"""What is fetched ahead, and what that may evict."""

from __future__ import annotations

import threading
from math import inf

import pytest

from airflow_mlplat.data.cache import CacheOptions, ShardCache
from airflow_mlplat.data.cache.prefetch import Prefetch

from .conftest import SHARD_BYTES, until

ROOM = -(-SHARD_BYTES // 4096) * 4096


def there(reader, shards):
    return [number for number, name in enumerate(shards) if reader.cache.has(name)]


def test_only_so_many_ahead(reader, shards):
    names = list(shards)
    one = reader(ahead=2)
    one.hint(names)
    until(lambda: there(one, shards) == [0, 1])
    one.read(names[1], 0, 1)
    until(lambda: there(one, shards) == [0, 1, 2])
    one.read(names[2], 0, 1)
    until(lambda: there(one, shards) == [0, 1, 2, 3])
    assert one.stats()["shards_fetched"] == 4


def test_nothing_ahead(reader, shards, threads):
    one = reader(ahead=0)
    one.hint(shards)
    assert threads() == []


def test_nothing_is_evicted_for_what_is_needed_later(reader, shards, served):
    names = list(shards)
    one = reader(max_bytes=3 * ROOM)
    one.hint(names)
    until(lambda: there(one, shards) == [0, 1, 2])
    for name in names:  # each makes room for the next
        assert one.read(name, 0, SHARD_BYTES) == shards[name]
        for _ in range(100):
            one.read(name, 0, 1)
    assert served.sent == 6 * SHARD_BYTES
    assert one.stats()["streamed"] == 0


def test_what_a_reader_waits_for_is_not_evicted(reader, shards, served, monkeypatch):
    first, second = list(shards)[:2]
    absent, tried = threading.Event(), threading.Event()
    opened, claimed, publish = ShardCache.open, ShardCache.claim, ShardCache.publish

    def open_late(cache, shard, size):  # the second time, when it has landed
        if absent.is_set():
            assert tried.wait(20)
        handle = opened(cache, shard, size)
        absent.set()
        return handle

    def claim(cache, shard, *rest):
        landed = cache.has(first)
        try:
            return claimed(cache, shard, *rest)
        finally:
            if shard == second and landed:
                tried.set()

    def publish_late(cache, part):  # when the reader waits for it
        assert absent.wait(20)
        return publish(cache, part)

    monkeypatch.setattr(ShardCache, "open", open_late)
    monkeypatch.setattr(ShardCache, "claim", claim)
    monkeypatch.setattr(ShardCache, "publish", publish_late)
    one = reader(max_bytes=ROOM)
    one.hint([first, second])
    until(lambda: served.sent)
    assert one.read(first, 0, SHARD_BYTES) == shards[first]
    assert served.sent == SHARD_BYTES


def test_another_hint_replaces_the_first(reader, shards):
    names = list(shards)
    one = reader(ahead=1)
    one.hint(names[:1])
    until(lambda: there(one, shards) == [0])
    one.hint(names[5:])
    until(lambda: there(one, shards) == [0, 5])


def test_what_fails_ahead_is_told_to_whoever_reads(reader, shards, stored):
    names = list(shards)
    stored(names[0]).unlink()
    one = reader()
    one.hint(names)
    with pytest.raises(Exception, match="is missing from the store"):
        one.read(names[0], 0, 1)
    assert one.read(names[1], 0, 5) == shards[names[1]][:5]


def test_distances():
    prefetch = Prefetch(None, CacheOptions(ahead=0))
    prefetch.hint("abca")
    prefetch.reached("b")
    assert [prefetch.distance_beyond(-1)(name) for name in "abcx"] == [0, inf, 2, inf]
    assert [prefetch.distance_beyond(1)(name) for name in "abcx"] == [-1, inf, 2, inf]
    assert [prefetch.distance_beyond(2)(name) for name in "abcx"] == [-1, inf, -1, inf]
