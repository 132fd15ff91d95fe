"""Things that are opened when they are first asked for, a bounded number at once."""

from __future__ import annotations

import resource
import threading
from typing import Callable, Generic, TypeVar

_LOCKS = 16
"""So many things are opened at once; each lock serves every sixteenth."""

T = TypeVar("T")


class Opened(Generic[T]):
    """What was opened, by number; only so many at once, those opened last. Thread-safe, and no lock where it is open.

    Args:
        make: Number → what is opened. Called for one thread at a time for the same number. It must not refer to what
            holds this: in such a cycle nothing is closed before the garbage collector runs.
        most: How many stay open.
    """

    def __init__(self, make: Callable[[int], T], most: int) -> None:
        self._make, self._most = make, most
        self._lock, self._locks = threading.Lock(), [threading.Lock() for _ in range(_LOCKS)]
        self._open: dict[int, T] = {}
        self.get: Callable[[int], T | None] = self._open.get
        """What is open, None if it is not."""

    def __getitem__(self, number: int) -> T:
        found = self.get(number)
        if found is not None:
            return found
        with self._locks[number % _LOCKS]:
            found = self.get(number)
            if found is None:
                found = self._make(number)
                with self._lock:
                    while len(self._open) >= self._most:
                        del self._open[next(iter(self._open))]  # closed when its last reader lets go
                    self._open[number] = found
            return found


def most_open() -> int:
    """How many files may stay mapped, of which each holds a descriptor: an eighth of what this process may have."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 8192 if limit == resource.RLIM_INFINITY else max(16, min(8192, limit // 8))
