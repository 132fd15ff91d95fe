"""Fetching each absent shard once: one thread of one process does, whoever else wants it waits."""

from __future__ import annotations

import logging
import threading
import time
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
        self._lock, self._claims = threading.Lock(), threading.Lock()
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
                raise CorruptionError(f"{path} is missing from the store {self._backend.url}") from error
        return self._sizes[shard]

    def obtain(self, shard: str, distance: Distance) -> tuple[int | None, bool]:
        """Have a shard, however long it takes.

        Returns:
            (a handle of its file under a shared lock, None if there is no room for it; whether it was there at once).

        Raises:
            CorruptionError: The store has no such shard, or bytes of another SHA-256.
            StoreError: The store fails.
        """
        at_once, size = True, self.size(shard)
        while True:
            try:
                handle = self.cache.open(shard, size)
                if handle is not None:
                    return handle, at_once
                at_once = False
                if (landed := self._lead(shard)) is None:
                    try:
                        return self._fetched(shard, size, distance, -1.0), False
                    finally:
                        self._land(shard)
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

    def try_ahead(self, shard: str, distance: Distance, urgency: float) -> bool:
        """Fetch a shard unless somebody is at it.

        Returns:
            Whether there was room.
        """
        size = self.size(shard)
        if not size:
            return True
        part, room = self._claimed_ahead(shard, size, distance)
        if part is None:
            return room
        try:
            unlock(self._fetched(shard, size, distance, urgency, part))
        except BusyError:
            return True
        except (FullError, OSError):
            return False
        finally:
            self._land(shard)
        return True

    def _claimed_ahead(self, shard: str, size: int, distance: Distance) -> tuple[Part | None, bool]:
        """(the part to be fetched, if it is this thread that is to; whether there was room)."""
        part, room = None, True
        with self._claims:  # one after the other: what is needed later must not take the room of what is needed sooner
            if self.cache.has(shard) or self._lead(shard) is not None:
                return None, True
            try:
                part = self.cache.claim(shard, size, distance)
            except BusyError:
                pass
            except (FullError, OSError):
                room = False
            finally:
                if part is None:
                    self._land(shard)
        return part, room

    def _lead(self, shard: str) -> threading.Event | None:
        """None if the caller is to fetch it, and then to call `_land`; else what tells when another thread has."""
        with self._lock:
            if shard in self._under_way:
                return self._under_way[shard]
            self._under_way[shard] = threading.Event()
            return None

    def _land(self, shard: str) -> None:
        with self._lock:
            self._under_way.pop(shard).set()

    def _fetched(self, shard: str, size: int, distance: Distance, urgency: float, claimed: Part | None = None) -> int:
        path = layout.shard_path(shard)
        for _ in range(FETCHES):
            part, claimed, whole = claimed or self.cache.claim(shard, size, distance), None, False
            try:
                came = self._fetch(path, part, urgency)
                whole = part.is_whole()
            finally:
                if not whole:
                    part.discard()
            counts = self._stats.mine
            counts.bytes_fetched += came
            if whole:
                counts.shards_fetched += 1
                return self.cache.publish(part)
            counts.refetched += 1
            logger.warning("%s of %s has another SHA-256, and is fetched again", path, self._backend.url)
        raise CorruptionError(
            f"{path} of the store {self._backend.url} is damaged",
            expected=f"{size} bytes of SHA-256 {shard[:12]}…", got=f"others, {FETCHES} times",
            fix="restore it from a copy, or delete it and run again what made it",
        )  # fmt: skip

    def _fetch(self, path: str, part: Part, urgency: float) -> int:
        try:
            return fetch(
                self._backend, path, part,
                connections=self._connections, urgency=urgency, range_bytes=self._options.range_bytes,
            )  # fmt: skip
        except NotFoundError as error:
            raise CorruptionError(f"{path} is missing from the store {self._backend.url}") from error
        except CancelledError as error:
            raise self._ended() from error

    def _ended(self) -> SpecError:
        return SpecError("the cached reader was closed while a shard was fetched", fix="close it after the last read")
