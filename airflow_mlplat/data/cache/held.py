"""Shards that this process has mapped: what a hit is served from."""

from __future__ import annotations

import mmap
import os

from airflow_mlplat.store.ranges import OPEN_SHARDS

IDLE_READS = 16
"""A shard that was not read while every mapped one could have been so many times is let go: at random, one that is
still in use would be taken for idle once in e**16 looks, and then only be mapped anew."""


class Held:
    """A mapped shard. The shared lock on its file, and so its place in the cache, goes with the last reference.

    Args:
        handle: Of the file, under a shared lock; owned from now on.
        size: In bytes.
    """

    __slots__ = ("data", "handle", "last", "size")

    def __init__(self, handle: int, size: int) -> None:
        self.handle, self.size, self.last = handle, size, 0
        self.data = mmap.mmap(handle, size, access=mmap.ACCESS_READ)

    def __del__(self) -> None:
        os.close(self.handle)

    def is_whole(self) -> bool:
        """Whether the file still has its size: to touch the pages of a truncated one would end the process (SIGBUS)."""
        return os.lseek(self.handle, 0, os.SEEK_END) == self.size


class HeldShards:
    """The mapped shards by SHA-256. `get` takes no lock; the rest is called under the reader's."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self.get = self._held.get
        self.reads = 0  # of all threads, but for some that are lost to races: a clock

    def add(self, shard: str, held: Held) -> None:
        """Take one, and let go of the least recently read if there are too many."""
        while len(self._held) >= OPEN_SHARDS:
            self.drop(min(self._held, key=lambda name: self._held[name].last))
        held.last = self.reads
        self._held[shard] = held

    def drop(self, shard: str) -> None:
        """Let go of one: unmapped when its last reader has its bytes."""
        self._held.pop(shard, None)

    def drop_idle(self, coming: dict[str, int]) -> None:
        """Let go of those that seem to be done with.

        Args:
            coming: What was hinted at; nothing if there was no hint.
        """
        patience = IDLE_READS * len(self._held)
        for shard, held in list(self._held.items()):
            if (coming and shard not in coming) or self.reads - held.last > patience:
                self.drop(shard)

    def clear(self) -> None:
        """Let go of all."""
        self._held.clear()
