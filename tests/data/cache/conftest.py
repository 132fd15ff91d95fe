"""What the tests of the cache share: a few shards behind a real web server, and readers of them."""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from airflow_mlplat.data.cache import CachedReader, CacheOptions, ShardCache
from airflow_mlplat.data.cache.connections import THREADS
from airflow_mlplat.store import layout
from airflow_mlplat.store.backend import open_backend
from benchmarks.range_server import Server

SHARD_BYTES = 300_000


@pytest.fixture
def shards() -> dict[str, bytes]:
    """Six shards of 300 kB by their SHA-256, in a fixed order."""
    random = np.random.RandomState(0)
    contents = [random.bytes(SHARD_BYTES) for _ in range(6)]
    return {hashlib.sha256(content).hexdigest(): content for content in contents}


@pytest.fixture
def served(shards, tmp_path):
    """A web server of them, without delays."""
    for sha256, content in shards.items():
        path = tmp_path / "store" / layout.shard_path(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    server = Server(tmp_path / "store", 0, 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def stored(tmp_path):
    """A function: the server's file of a shard."""
    return lambda sha256: tmp_path / "store" / layout.shard_path(sha256)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Of the cache."""
    return tmp_path / "cache"


def cache_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(THREADS)]


@pytest.fixture
def threads():
    """A function that gives the names of the cache's threads; there are none after the test."""
    yield cache_threads
    until(lambda: not cache_threads())


@pytest.fixture
def reader(served, folder, threads):
    """A function that gives a reader with a cache of some bytes; all are closed at the end."""
    made = []

    def make(max_bytes=1 << 30, **options):
        backend = open_backend(served.url)
        made.append(CachedReader(backend, ShardCache(folder, max_bytes), None, CacheOptions(**options)))
        return made[-1]

    yield make
    for one in made:
        one.close()
        one._backend.close()  # else a socket is closed whenever the garbage collector runs, with a warning


def until(holds, seconds=20.0):
    """Wait for something that another thread or process does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)
