"""Fetching what will be read soon, in the order that was hinted at."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from math import inf

from airflow_mlplat.data.cache.connections import THREADS
from airflow_mlplat.data.cache.flights import Flights
from airflow_mlplat.data.cache.folder import Distance
from airflow_mlplat.data.cache.options import CacheOptions
from airflow_mlplat.errors import MlplatError

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.05
"""Between looks for shards that another process was at, or that found no room."""
REST_SECONDS = 1.0
"""Between looks when the next shards are there: another process may evict them."""


class Prefetch:
    """Threads that keep the next shards coming. They start with the first hint.

    Args:
        flights: What fetches.
        options: How many shards ahead, and at once.
    """

    def __init__(self, flights: Flights, options: CacheOptions) -> None:
        self.coming: dict[str, int] = {}  # shard → its place in the hint; replaced, never changed
        self._reached: set[str] = set()
        self._flights, self._options = flights, options
        self._changed = threading.Condition()
        self._version = 0
        self._complete = False  # all that was hinted at was there at the last look
        self._threads: list[threading.Thread] = []
        self._stopped = False

    def hint(self, shards: Iterable[str]) -> None:
        """What comes, the soonest first."""
        with self._changed:
            self.coming = {shard: place for place, shard in enumerate(dict.fromkeys(shards))}
            self._reached, self._complete = set(), False
            self._tell()
            missing = self._options.together - len(self._threads) if self._options.ahead else 0
            for _ in range(missing):
                thread = threading.Thread(
                    target=_run, args=(self,), name=f"{THREADS}-ahead-{len(self._threads)}", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def reached(self, shard: str) -> None:
        """A reader has this one. Not sooner: one that it waits for must not be evicted for what is needed later."""
        with self._changed:
            if shard not in self._reached:
                self._reached.add(shard)
                if not self._complete:  # waking the threads costs the reader more than its read
                    self._tell()

    def distance_beyond(self, place: int) -> Distance:
        """How far off shards are, negative for those up to a place in the hint: -1 spares none.

        One that was reached, or not hinted at, is as far as can be: those that are still read are mapped, and so stay.
        """
        coming, reached = self.coming, self._reached

        def distance(shard: str) -> float:
            found = inf if shard in reached else coming.get(shard, inf)
            return found if found > place else -1.0

        return distance

    def stop(self) -> None:
        """Begin no other fetch."""
        with self._changed:
            self._stopped = True
            self._tell()

    def join(self) -> None:
        """Wait for the threads' ends."""
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()

    def _tell(self) -> None:
        self._version += 1
        self._changed.notify_all()

    def _next(self) -> list[tuple[str, int]]:
        """(shard, its place) of the next ones."""
        coming = [(shard, place) for shard, place in self.coming.items() if shard not in self._reached]
        return coming[: self._options.ahead]

    def _work(self) -> None:
        while True:
            with self._changed:
                version, ahead = self._version, self._next()
            there = self._flights.cache.shards()
            for shard, place in ahead:
                if shard in there:
                    continue
                if self._stopped or not self._fetch(shard, place):
                    break
                if self._version != version:
                    break
            with self._changed:
                if self._stopped:
                    return
                if self._version == version:
                    there = self._flights.cache.shards()
                    self._complete = there.issuperset(self.coming)
                    self._changed.wait(LOOK_SECONDS if any(shard not in there for shard, _ in ahead) else REST_SECONDS)

    def _fetch(self, shard: str, place: int) -> bool:
        def distance() -> Distance | None:
            return None if shard in self._reached else self.distance_beyond(place)

        try:
            return self._flights.try_ahead(shard, distance, place)
        except MlplatError as error:  # whoever reads the shard meets it, and tells
            logger.debug("shard %s was not fetched ahead: %s", shard[:12], error)
            return False


def _run(prefetch: Prefetch) -> None:
    prefetch._work()
