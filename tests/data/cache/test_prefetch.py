"""What is fetched ahead, and what that may evict."""

from __future__ import annotations

from math import inf

import pytest

from airflow_mlplat.data.cache import CacheOptions
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
