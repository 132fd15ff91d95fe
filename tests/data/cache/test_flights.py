"""Single flight in a process, failures, and what is no room."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_mlplat.data.cache import CacheOptions, ShardCache
from airflow_mlplat.data.cache import flights as module
from airflow_mlplat.data.cache.flights import FETCHES, Flights
from airflow_mlplat.data.cache.folder import BusyError
from airflow_mlplat.data.cache.stats import Stats, total
from airflow_mlplat.errors import CorruptionError, SpecError, StoreError
from airflow_mlplat.store import retry
from airflow_mlplat.store.backend import open_backend
from benchmarks.range_server import Handler

from .conftest import SHARD_BYTES, until


@pytest.fixture
def counts():
    """Of the flights."""
    return []


@pytest.fixture
def flights(served, folder, threads, counts, monkeypatch):
    """Into an empty cache with much room."""
    monkeypatch.setattr(retry, "PAUSE_SECONDS", 0.001)
    options, backend = CacheOptions(range_bytes=100_000), open_backend(served.url)
    made = Flights(backend, ShardCache(folder, 1 << 30), options, Stats(counts, []), {})
    yield made
    made.close()
    backend.close()  # an error's traceback may hold it: the garbage collector would find its sockets open


def anywhere():
    """Any other shard may be evicted."""
    return lambda other: float("inf")


def test_many_threads_one_fetch(flights, shards, served, counts):
    name = next(iter(shards))
    served.latency_seconds = 0.05
    with ThreadPoolExecutor(8) as pool:
        handles = list(pool.map(lambda i: flights.obtain(name, anywhere)[0], range(8)))
    for handle in handles:
        assert os.pread(handle, SHARD_BYTES, 0) == shards[name]
        os.close(handle)
    assert served.sent == SHARD_BYTES == total(counts)["bytes_fetched"]
    assert total(counts)["shards_fetched"] == 1


def test_what_is_there_is_there_at_once(flights, shards):
    name = next(iter(shards))
    for at_once in (False, True):
        handle, known = flights.obtain(name, anywhere)
        os.close(handle)
        assert known is at_once


def test_ahead_unless_it_is_there(flights, shards, served):
    name = next(iter(shards))
    for _ in range(2):
        assert flights.try_ahead(name, anywhere, 3)
    assert served.sent == SHARD_BYTES
    assert flights.cache.recheck(name) is False


def test_ahead_unless_it_is_not_wanted_any_more(flights, shards):
    assert flights.try_ahead(next(iter(shards)), lambda: None, 3)
    assert flights.cache.shards() == set()


def test_damaged_in_the_store(flights, shards, served, stored, counts):
    name = next(iter(shards))
    stored(name).write_bytes(b"\0" * SHARD_BYTES)
    with pytest.raises(
        CorruptionError,
        match=rf"shard-{name}.tar of the store http://\S+ is damaged; expected 300000 bytes of SHA-256 .*; got others",
    ):
        flights.obtain(name, anywhere)
    assert served.sent == FETCHES * SHARD_BYTES
    assert total(counts)["refetched"] == FETCHES
    assert flights.cache.used() == 0


def test_damaged_once_on_its_way(flights, shards, monkeypatch):
    name, calls = next(iter(shards)), []
    kind = type(flights._backend)
    real = kind.read_into

    def flip_first(backend, path, offset, view):
        count = real(backend, path, offset, view)
        calls.append(offset)
        if len(calls) == 1:
            view[0] ^= 1
        return count

    monkeypatch.setattr(kind, "read_into", flip_first)
    handle, _ = flights.obtain(name, anywhere)
    assert os.pread(handle, SHARD_BYTES, 0) == shards[name]
    os.close(handle)


def test_shorter_in_the_store_than_the_manifest_says(flights, shards, stored):
    name = next(iter(shards))
    assert flights.size(name) == SHARD_BYTES
    os.truncate(stored(name), 1000)
    with pytest.raises(CorruptionError, match="is damaged"):
        flights.obtain(name, anywhere)


def test_missing(flights, shards, stored):
    name = next(iter(shards))
    stored(name).unlink()
    with pytest.raises(CorruptionError, match=rf"shard-{name}\.tar is missing from the store http"):
        flights.obtain(name, anywhere)
    flights._sizes[name] = SHARD_BYTES  # as a manifest has it
    with pytest.raises(CorruptionError, match=rf"shard-{name}\.tar is missing from the store http"):
        flights.obtain(name, anywhere)


def test_a_store_that_fails(flights, shards, served):
    name = next(iter(shards))
    flights.size(name)
    served.failures = [500] * 1000
    with pytest.raises(StoreError, match=r"cannot be read from http://\S+; got HTTP status 500"):
        flights.obtain(name, anywhere)
    served.failures = []
    os.close(flights.obtain(name, anywhere)[0])


def test_a_disk_that_fills_up_is_no_room(flights, shards, monkeypatch):
    def full(self, offset, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.Part, "write", full)
    assert flights.obtain(next(iter(shards)), anywhere) == (None, False)
    assert not flights.try_ahead(next(iter(shards)), anywhere, 0)
    assert flights.cache.used() == 0


def test_a_writer_that_does_not_go_on_is_not_waited_for(flights, shards, monkeypatch):
    def stalled(shard, size, distance):
        raise BusyError(module.STALLED_SECONDS + 1)

    monkeypatch.setattr(flights.cache, "claim", stalled)
    assert flights.obtain(next(iter(shards)), anywhere) == (None, False)
    assert flights.try_ahead(next(iter(shards)), anywhere, 0)


def test_closed_in_mid_fetch(flights, shards, monkeypatch):
    told, asked, closed, pour = [], threading.Event(), threading.Event(), Handler._pour

    def pour_late(handler, *of):
        asked.set()
        assert closed.wait(20)
        pour(handler, *of)

    def read():
        try:
            flights.obtain(next(iter(shards)), anywhere)
        except SpecError as error:
            told.append(str(error))

    monkeypatch.setattr(Handler, "_pour", pour_late)
    flights._connections._n = 1
    reading, closing = threading.Thread(target=read), threading.Thread(target=flights.close)
    reading.start()
    assert asked.wait(20)
    closing.start()  # waits for the range that is under way
    until(lambda: flights._connections._closed)
    closed.set()
    closing.join()
    reading.join()
    assert told == ["the cached reader was closed while a shard was fetched. close it after the last read."]
    assert list(flights.cache.folder.glob("*.part")) == []


def test_closed_while_another_process_fetches(flights, shards):
    name = next(iter(shards))
    part = flights.cache.claim(name, SHARD_BYTES, anywhere())
    flights.close()
    with pytest.raises(SpecError, match="was closed while a shard was fetched"):
        flights.obtain(name, anywhere)
    part.discard()
