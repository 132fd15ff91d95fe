"""Ranges of shards, memory-mapped where the store is local."""

from __future__ import annotations

import mmap
import threading
from contextlib import contextmanager
from operator import getitem
from typing import TYPE_CHECKING, Any, Protocol

from airflow_mlplat.compiled.pieces import pieces
from airflow_mlplat.errors import NotFoundError, StoreError
from airflow_mlplat.store import layout
from airflow_mlplat.store.checksum import agreeing
from airflow_mlplat.store.damage import cut_off, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np

    from airflow_mlplat.store.backend import Backend

OPEN_SHARDS = 128
"""Shards kept mapped: each holds one or two file descriptors, of which a process often has 1024."""


class ShardReader(Protocol):
    """What `Samples` reads shards by: `ShardRanges`, or the cache of `data.cache`."""

    def read(self, shard: str, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` of the shard of that SHA-256, fewer at its end. Called from several threads."""

    def read_each(
        self,
        shards: Sequence[str],
        which: np.ndarray,
        offsets: np.ndarray,
        sizes: np.ndarray,
        sums: np.ndarray | None = None,
    ) -> Iterator[bytes | None]:
        """`read` many times, one after the other.

        Args:
            shards: SHA-256 of each, at least one.
            which: Of them, for each read: int64 (m,).
            offsets: int64 (m,).
            sizes: int64 (m,).
            sums: uint32 (m,): None stands for what has another CRC-32C than this. Not compared if it is not given.
        """

    def hint(self, shards: Iterable[str]) -> None:
        """Which shards will be read from now on, the soonest first; replaces what was told before."""

    def recheck(self, shard: str) -> None:
        """Look again at a shard that gave wrong bytes, which will be read once more."""


def one_by_one(
    read: Callable[[str, int, int], bytes],
    shards: Iterable[str],
    offsets: np.ndarray,
    sizes: np.ndarray,
    sums: np.ndarray | None,
) -> Iterator[bytes | None]:
    """A reader's `read_each` by its `read`: the i-th is of the i-th of `shards`."""
    return agreeing(map(read, shards, offsets.tolist(), sizes.tolist()), sums)


class ShardRanges:
    """Reads ranges of shards: from memory maps of the latest opened, or else from the backend. Thread-safe.

    Args:
        backend: Where the shards lie.
        open_shards: How many stay mapped.
    """

    def __init__(self, backend: Backend, open_shards: int = OPEN_SHARDS) -> None:
        self._backend, self._open_shards = backend, open_shards
        self._lock = threading.Lock()
        self._maps: dict[str, Any] = {}

    def read_each(
        self,
        shards: Sequence[str],
        which: np.ndarray,
        offsets: np.ndarray,
        sizes: np.ndarray,
        sums: np.ndarray | None = None,
    ) -> Iterator[bytes | None]:
        """`read` many times, one after the other: see `ShardReader`."""
        maps = [] if len(shards) > self._open_shards else [self._mapped(shard) for shard in shards]
        if not maps or None in maps:
            return one_by_one(self.read, map(shards.__getitem__, which.tolist()), offsets, sizes, sums)
        found = pieces(maps, which, offsets, sizes, sums)
        if found is None:
            ranges = map(slice, offsets.tolist(), (offsets + sizes).tolist())
            found = agreeing(map(getitem, map(maps.__getitem__, which.tolist()), ranges), sums)
        return found

    def hint(self, shards: Iterable[str]) -> None:
        """The operating system reads ahead by itself."""

    def recheck(self, shard: str) -> None:
        """There is no other copy."""

    def read(self, shard: str, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` of a shard, fewer at its end.

        Raises:
            CorruptionError: There is no such shard, though a manifest names it, or it was cut off.
        """
        mapped = self._mapped(shard)
        if mapped is not None:
            return mapped[offset : offset + size]
        with _named(shard, self._backend):
            return self._backend.read_range(layout.shard_path(shard), offset, size)

    def _mapped(self, shard: str) -> Any:
        """The shard's memory map; None if the store is not local, or the shard empty."""
        mapped = self._maps.get(shard)  # without the lock: looking into a dict is atomic
        if mapped is None:
            with _named(shard, self._backend):
                mapped = self._map(shard, layout.shard_path(shard))
        # To touch the pages of a file that became shorter would end the process (SIGBUS).
        if mapped is not None and mapped.size() < len(mapped):
            with self._lock:
                self._maps.pop(shard, None)  # who mends it has it read again
            raise cut_off(layout.shard_path(shard), self._backend.url, f"{len(mapped)} bytes", mapped.size())
        return mapped

    def _map(self, shard: str, path: str) -> Any:
        local = self._backend.local_path(path)
        if local is None or not self._backend.size(path):  # an empty file cannot be mapped
            return None
        with self._lock:
            if shard not in self._maps:
                try:
                    with local.open("rb") as file:
                        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                except OSError as error:
                    raise StoreError(f"{local} cannot be mapped", got=error.strerror) from error
                while len(self._maps) >= self._open_shards:
                    del self._maps[next(iter(self._maps))]  # the oldest; unmapped when its last reader lets go
                self._maps[shard] = mapped
            return self._maps[shard]


@contextmanager
def _named(shard: str, backend: Backend) -> Iterator[None]:
    """A missing shard is damage: a manifest names it."""
    try:
        yield
    except NotFoundError as error:
        raise missing(layout.shard_path(shard), backend.url) from error
