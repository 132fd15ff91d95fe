"""Fetching each absent shard once: one thread of one process does, whoever else wants it waits."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError

from airflow_mlplat.data.cache.connections import Connections
from airflow_mlplat.data.cache.fetch import fetch
from airflow_mlplat.data.cache.folder import BusyError, Distance, FullError, ShardCache
from airflow_mlplat.data.cache.options import CacheOptions
from airflow_mlplat.data.cache.part import Part, unlock
from airflow_mlplat.data.cache.stats import Stats
from airflow_mlplat.errors import CorruptionError, NotFoundError, SpecError
from airflow_mlplat.store import layout
from airflow_mlplat.store.backend import Backend
from airflow_mlplat.store.damage import missing

logger = logging.getLogger(__name__)

FETCHES = 3
"""Of one shard, before the store's bytes are taken to be damaged."""
LOOK_SECONDS = 0.004
"""Between two looks whether another process has fetched a shard: short beside the fetch."""
STALLED_SECONDS = 60.0
"""Another process that writes nothing for so long is not waited for any more."""


class Flights:
    """Fetches of one process.

    Args:
        backend: Where the shards lie.
        cache: Where to.
        options: How.
        stats: Are counted there.
        sizes: Bytes of shards, as far as they are known; filled.
    """

    def __init__(
        self, backend: Backend, cache: ShardCache, options: CacheOptions, stats: Stats, sizes: dict[str, int]
    ) -> None:
        self._backend, self.cache, self._options, self._stats, self._sizes = backend, cache, options, stats, sizes
        self._connections = Connections(options.connections)
        self._claims = threading.Lock()
        self._under_way: dict[str, threading.Event] = {}
        self._closed = False

    def close(self) -> None:
        """Break off what is under way."""
        self._closed = True
        self._connections.close()

    def size(self, shard: str) -> int:
        """Bytes of a shard.

        Raises:
            CorruptionError: The store has no such shard.
        """
        if shard not in self._sizes:
            path = layout.shard_path(shard)
            try:
                self._sizes[shard] = self._backend.size(path)
            except NotFoundError as error:
                raise missing(path, self._backend.url) from error
        return self._sizes[shard]

    def obtain(self, shard: str, distance: Callable[[], Distance]) -> tuple[int | None, bool]:
        """Have a shard, however long it takes.

        Args:
            shard: Its SHA-256.
            distance: Gives what to evict for it.

        Returns:
            (a handle of its file under a shared lock, None if there is no room for it; whether it was there at once).

        Raises:
            CorruptionError: The store has no such shard, or bytes of another SHA-256.
            StoreError: The store fails.
        """
        at_once, size = True, self.size(shard)
        while True:
            try:
                if (handle := self.cache.open(shard, size)) is not None:
                    return handle, at_once
                at_once = False
                part, landed = self._claim(shard, size, distance)
                if part is not None:
                    return self._finish(part, -1.0), False
                if landed is not None:
                    landed.wait()
            except BusyError as busy:
                if busy.seconds > STALLED_SECONDS:
                    return None, False
                if self._closed:
                    raise self._ended() from busy
                time.sleep(LOOK_SECONDS)
            except (FullError, OSError) as error:
                logger.debug("shard %s: %s", shard[:12], error)
                return None, False

    def try_ahead(self, shard: str, distance: Callable[[], Distance | None], urgency: float) -> bool:
        """Fetch a shard unless somebody is at it.

        Args:
            shard: Its SHA-256.
            distance: Gives what to evict for it, None if it is not to be fetched any more.
            urgency: The lower, the sooner.

        Returns:
            Whether there was room.
        """
        size = self.size(shard)
        try:
            part = self._claim(shard, size, distance)[0] if size else None
            if part is not None:
                unlock(self._finish(part, urgency))
        except BusyError:
            return True
        except (FullError, OSError):
            return False
        return True

    def _claim(
        self, shard: str, size: int, distance: Callable[[], Distance | None]
    ) -> tuple[Part | None, threading.Event | None]:
        """(the part, for the caller to `_finish`; or else what tells when another thread has)."""
        with self._claims:  # one after the other: what is needed later must not take the room of what is needed sooner
            told = distance()
            if told is None or shard in self._under_way:
                return None, self._under_way.get(shard)
            part = self.cache.claim(shard, size, told)
            self._under_way[shard] = threading.Event()
            return part, None

    def _finish(self, part: Part, urgency: float) -> int:
        """Fetch a claimed shard; its handle, as `ShardCache.open` gives it."""
        counts, path = self._stats.mine, layout.shard_path(part.shard)
        try:
            for _ in range(FETCHES):
                counts.bytes_fetched += self._fetch(path, part, urgency)
                if part.is_whole():
                    handle = self.cache.publish(part)
                    counts.shards_fetched += 1
                    return handle
                part.rewind()
                counts.refetched += 1
                logger.warning("%s of %s has another SHA-256, and is fetched again", path, self._backend.url)
            raise CorruptionError(
                f"{path} of the store {self._backend.url} is damaged",
                expected=f"{part.size} bytes of SHA-256 {part.shard[:12]}…", got=f"others, {FETCHES} times",
                fix="restore it from a copy, or delete it and run again what made it",
            )  # fmt: skip
        except BaseException:
            part.discard()
            raise
        finally:
            self._under_way.pop(part.shard).set()

    def _fetch(self, path: str, part: Part, urgency: float) -> int:
        try:
            return fetch(
                self._backend, path, part,
                connections=self._connections, urgency=urgency, range_bytes=self._options.range_bytes,
            )  # fmt: skip
        except NotFoundError as error:
            raise missing(path, self._backend.url) from error
        except CancelledError as error:
            raise self._ended() from error

    def _ended(self) -> SpecError:
        return SpecError("the cached reader was closed while a shard was fetched", fix="close it after the last read")
