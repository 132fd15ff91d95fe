"""The sidecars of shards as arrays, verified once, memory-mapped where the store is local."""

from __future__ import annotations

import hashlib
import mmap
import resource
import threading
from typing import TYPE_CHECKING, BinaryIO, Callable, Generic, TypeVar

from airflow_mlplat.errors import CorruptionError, NotFoundError, StoreError
from airflow_mlplat.store.index import NpyHead, npy_head, read_npy

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from airflow_mlplat.store.store import Store

_CHUNK_BYTES = 1 << 20
"""Read at once while hashing: read, not mapped, so that verifying leaves nothing in the process's memory."""
_LOCKS = 16
"""So many things are opened at once; each lock serves every sixteenth."""

T = TypeVar("T")


class Sidecars:
    """Opens index and keys files. Each is verified when it is opened first. Thread-safe.

    Args:
        store: Whose.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._verified: dict[str, NpyHead] = {}

    def open(self, path: str, sha256: str, rows: int) -> np.ndarray:
        """The array of a file: (rows,), read-only; its memory map is closed when nothing refers to it.

        Raises:
            CorruptionError: It is missing, damaged, or has another number of rows.
        """
        local = self._store.backend.local_path(path)
        try:
            array = read_npy(self._store.verified(path, sha256), path) if local is None else self._map(
                local, path, sha256
            )  # fmt: skip
        except NotFoundError as error:
            raise CorruptionError(f"{path} is missing from the store {self._store.url}") from error
        if array.shape != (rows,):
            raise CorruptionError(f"{path} has another number of rows", expected=(rows,), got=array.shape)
        return array

    def _map(self, local: Path, path: str, sha256: str) -> np.ndarray:
        try:
            with local.open("rb") as file:
                if path not in self._verified and _sha256(file) != sha256:
                    self._store.verified(path, sha256)  # reads it again, and tells what is wrong
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError as error:
            raise NotFoundError(f"{path} is not in the store {self._store.url}") from error
        except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
            raise StoreError(f"{local} cannot be mapped", got=error) from error
        if path not in self._verified:
            self._verified[path] = npy_head(mapped, path)
        return self._verified[path].array(mapped, path)


def _sha256(file: BinaryIO) -> str:
    found, chunk = hashlib.sha256(), memoryview(bytearray(_CHUNK_BYTES))
    while size := file.readinto(chunk):  # type: ignore[attr-defined]
        found.update(chunk[:size])
    return found.hexdigest()


class Opened(Generic[T]):
    """What was opened, by number; only so many at once, those opened last. Thread-safe, and no lock where it is open.

    Args:
        make: Number → what is opened. Called for one thread at a time for the same number.
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
