"""What a reader counts, without a lock: every thread for itself."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass
class Counts:
    """Counts of one thread, or their sum.

    Args:
        hits: Reads of a shard that the cache had.
        misses: Reads that waited until their shard was fetched.
        streamed: Reads that were passed on to the store, because the shard found no room.
        bytes_served: That readers were given.
        bytes_fetched: That the store was asked for, streamed ones with them.
        shards_fetched: Shards that this process fetched.
        refetched: Fetches repeated because the store's bytes had another SHA-256.
        wait_seconds: That readers waited, of all threads together.
    """

    hits: int = 0
    misses: int = 0
    streamed: int = 0
    bytes_served: int = 0
    bytes_fetched: int = 0
    shards_fetched: int = 0
    refetched: int = 0
    wait_seconds: float = 0.0


class Stats(threading.local):
    """`stats.mine` are the calling thread's counts."""

    def __init__(self, all_counts: list[Counts]) -> None:  # called once in every thread that looks at `mine`
        self.mine = Counts()
        all_counts.append(self.mine)


def total(counts: list[Counts]) -> dict[str, Any]:
    """The sum, as plain JSON."""
    result = Counts()
    for one in list(counts):
        for field in fields(Counts):
            setattr(result, field.name, getattr(result, field.name) + getattr(one, field.name))
    return {**asdict(result), "wait_seconds": round(result.wait_seconds, 6)}
