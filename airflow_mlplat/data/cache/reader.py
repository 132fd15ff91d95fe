"""Reading ranges of a remote store's shards through the cache."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

import numpy as np

from airflow_mlplat.data.cache.connections import THREADS
from airflow_mlplat.data.cache.flights import Flights
from airflow_mlplat.data.cache.folder import FullError, ShardCache
from airflow_mlplat.data.cache.held import Held, HeldShards
from airflow_mlplat.data.cache.options import CacheOptions
from airflow_mlplat.data.cache.prefetch import Prefetch
from airflow_mlplat.data.cache.stats import Counts, Stats, total
from airflow_mlplat.errors import NotFoundError, SpecError
from airflow_mlplat.store import layout
from airflow_mlplat.store.backend import Backend
from airflow_mlplat.store.damage import missing
from airflow_mlplat.store.ranges import one_by_one

logger = logging.getLogger(__name__)

REFUSED_SECONDS = 1.0
"""How long a shard that found no room is read from the store before room is looked for again."""


class CachedReader:
    """Ranges of shards, from memory maps of cached files; a `store.ranges.ShardReader`. Safe to share between threads.

    The first read of a shard waits until it is fetched whole, by this or another process; one that finds no room is
    read from the store range by range. Threads run from the first hint or fetch until `close`, or until the reader is
    no longer referred to. A forked process may go on with it.

    Args:
        backend: Where the shards lie.
        cache: Where they are kept.
        sizes: Bytes of shards by SHA-256, as manifests have them; the backend is asked for others.
        options: How they are fetched.
    """

    def __init__(
        self,
        backend: Backend,
        cache: ShardCache,
        sizes: Mapping[str, int] | None = None,
        options: CacheOptions = CacheOptions(),  # noqa: B008  # frozen
    ) -> None:
        self.cache, self.options = cache, options
        self._backend, self._sizes = backend, dict(sizes or {})
        self._counts: list[Counts] = []
        self._stats = Stats(self._counts, [])
        self._held = HeldShards()
        self._closed = False
        self._starting: dict[int, threading.Lock] = {}  # by process: one of the parent's may be held for ever
        self._start()

    def _start(self) -> None:
        """What belongs to one process: locks and threads. Its number comes last, and tells that they are there."""
        self._lock = threading.Lock()
        self._flights = Flights(self._backend, self.cache, self.options, self._stats, self._sizes)
        self._prefetch = Prefetch(self._flights, self.options)
        self._refused: dict[str, float] = {}
        self._pid = os.getpid()

    def __enter__(self) -> CachedReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_closed", True):
            return
        if not threading.current_thread().name.startswith(THREADS):
            self.close()
        elif self._pid == os.getpid():
            # The garbage collector calls from a thread that others may wait for, or for a lock of: it must not wait.
            ending = (self._prefetch, self._flights)
            threading.Thread(target=_end, args=ending, name=f"{THREADS}-end", daemon=True).start()

    def close(self) -> None:
        """End the threads, and let go of the files. What is cached stays."""
        self._closed = True
        if self._pid == os.getpid():
            _end(self._prefetch, self._flights)
        self._held.clear()

    def stats(self) -> dict[str, Any]:
        """What was counted so far, of this reader; plain JSON. `Counts` says what each number is."""
        return {**total(self._counts), "evictions": self.cache.evictions, "damaged": self.cache.damaged}

    def hint(self, shards: Iterable[str]) -> None:
        """Tell which shards will be read from now on, the soonest first; replaces what was told before.

        They are fetched ahead in this order, and evicted the furthest first; what is not among them is evicted before
        them. Processes that share the cache and the order fetch different shards: each leaves out what another is at.
        """
        self._check()
        self._prefetch.hint(shards)
        with self._lock:
            self._held.drop_idle(self._prefetch.coming)

    def read(self, shard: str, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` of a shard, fewer at its end.

        Raises:
            CorruptionError: The store has no such shard, or bytes of another SHA-256.
            StoreError: The store fails.
            SpecError: The reader is closed.
        """
        held = self._held.get(shard)
        if held is None or not held.is_whole():
            return self._read_absent(shard, offset, size, held)
        content = held.data[offset : offset + size]
        counts = self._stats.mine
        counts.hits += 1
        counts.bytes_served += len(content)
        self._held.reads = held.last = self._held.reads + 1
        return content

    def read_each(
        self,
        shards: Sequence[str],
        which: np.ndarray,
        offsets: np.ndarray,
        sizes: np.ndarray,
        sums: np.ndarray | None = None,
    ) -> Iterator[bytes | None]:
        """`read` many times, one after the other: see `ShardReader`."""
        return one_by_one(self.read, map(shards.__getitem__, which.tolist()), offsets, sizes, sums)

    def recheck(self, shard: str) -> None:
        """Hash a cached shard again, for readers whose sample has another checksum; a damaged one is removed.

        Reading again may help even where the file is right: another reader may have mended it meanwhile.

        Raises:
            SpecError: The reader is closed.
        """
        self._check()
        with self._lock:
            self._held.drop(shard)
        with suppress(FullError, OSError):  # of a folder that was removed, or is locked: then reading again streams
            self.cache.recheck(shard)

    def _read_absent(self, shard: str, offset: int, size: int, damaged: Held | None) -> bytes:
        self._check()
        started = time.monotonic()
        held, at_once = self._obtain(shard, damaged)
        counts = self._stats.mine
        if held is None:
            content = self._stream(shard, offset, size)
            counts.streamed += 1
            counts.bytes_fetched += len(content)
        else:
            content = held.data[offset : offset + size]
            counts.hits += at_once
            counts.misses += not at_once
        counts.wait_seconds += time.monotonic() - started
        counts.bytes_served += len(content)
        return content

    def _obtain(self, shard: str, damaged: Held | None) -> tuple[Held | None, bool]:
        """(the mapped shard, or None if there is no room for it; whether nothing had to be fetched)."""
        with self._lock:
            if damaged is not None and self._held.get(shard) is damaged:
                self._held.drop(shard)
            held = self._held.get(shard)
            if held is not None:
                return held, False
            if time.monotonic() < self._refused.get(shard, 0):
                return None, False
            self._held.drop_idle(self._prefetch.coming)
        if not self._flights.size(shard):  # an empty file cannot be mapped
            return None, False
        try:
            handle, at_once = self._flights.obtain(shard, lambda: self._prefetch.distance_beyond(-1))
        finally:  # also one that failed, or is streamed, is not fetched ahead any more
            self._prefetch.reached(shard)
        if handle is None:
            self._refuse(shard)
            return None, False
        fresh = Held(handle, self._flights.size(shard))
        with self._lock:
            held = self._held.get(shard)
            if held is None:
                held = fresh
                self._held.add(shard, fresh)
        return held, at_once

    def _refuse(self, shard: str) -> None:
        if shard not in self._refused:
            logger.warning("shard %s found no room in the cache %s, and is streamed", shard[:12], self.cache.folder)
        self._refused[shard] = time.monotonic() + REFUSED_SECONDS

    def _stream(self, shard: str, offset: int, size: int) -> bytes:
        path = layout.shard_path(shard)
        try:
            return self._backend.read_range(path, offset, size)
        except NotFoundError as error:
            raise missing(path, self._backend.url) from error

    def _check(self) -> None:
        if self._closed:
            raise SpecError("the cached reader is closed", fix="make a new one")
        if self._pid != os.getpid():  # after a fork the threads are the parent's, and so may be the locks
            with self._starting.setdefault(os.getpid(), threading.Lock()):  # atomic: all threads get the same one
                if self._pid != os.getpid():
                    self._start()


def _end(prefetch: Prefetch, flights: Flights) -> None:
    """End the threads, and wait for them."""
    prefetch.stop()
    flights.close()
    prefetch.join()
