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
    """`stats.mine` are the calling thread's counts. A thread that ends leaves them to one that begins, which counts on.

    Args:
        all_counts: Of all threads; filled, with no more than there are threads at once.
        left: Those of ended threads; filled.
    """

    def __init__(self, all_counts: list[Counts], left: list[Counts]) -> None:  # once in every thread that looks at it
        try:
            self.mine = left.pop()  # atomic, as `append` is: no lock, which a forked process might find taken
        except IndexError:
            self.mine = Counts()
            all_counts.append(self.mine)
        self._lease = _Lease(self.mine, left)


class _Lease:
    """Lives as long as a thread does, or its `Stats`."""

    def __init__(self, counts: Counts, left: list[Counts]) -> None:
        self._counts, self._left = counts, left

    def __del__(self) -> None:
        self._left.append(self._counts)


def total(counts: list[Counts]) -> dict[str, Any]:
    """The sum, as plain JSON."""
    result = Counts()
    for one in list(counts):
        for field in fields(Counts):
            setattr(result, field.name, getattr(result, field.name) + getattr(one, field.name))
    return {**asdict(result), "wait_seconds": round(result.wait_seconds, 6)}
