"""The sidecars of shards as arrays, verified once, memory-mapped where the store is local."""

from __future__ import annotations

import hashlib
import mmap
from typing import TYPE_CHECKING

from airflow_mlplat.errors import CorruptionError, NotFoundError, StoreError
from airflow_mlplat.store.damage import cut_off, missing
from airflow_mlplat.store.index import NpyHead, npy_head, read_npy

if TYPE_CHECKING:
    import numpy as np

    from airflow_mlplat.store.store import Store

_CHUNK_BYTES = 1 << 20
"""Read at once while hashing: read, not mapped, so that verifying leaves nothing in the process's memory."""


class Sidecar:
    """One verified file of records.

    Args:
        store: Where it lies.
        path: In the store.
        head: What its head says.
        held: The array, where it cannot be mapped.
    """

    def __init__(self, store: Store, path: str, head: NpyHead, held: np.ndarray | None = None) -> None:
        self._store, self._path, self.head, self._held = store, path, head, held
        self._mapped: mmap.mmap | None = None
        self.mappable = held is None

    def array(self) -> np.ndarray:
        """All records, read-only; a memory map is closed when nothing refers to the array nor to this.

        Raises:
            CorruptionError: The file has gone, or lost its end, since it was verified.
        """
        if self._held is None:
            try:
                mapped = self._map()
                held = self.head.array(mapped)
            except ValueError as error:  # of a file that is empty, or too short
                raise cut_off(self._path, self._store.url, f"{self.head.shape} records", error) from error
            self._mapped, self._held = mapped, held  # of whichever thread was last: what each has mapped is whole
        return self._held

    def check(self) -> None:
        """To touch the pages of a file that became shorter would end the process (SIGBUS).

        Raises:
            CorruptionError: It has lost its end since it was mapped.
        """
        mapped = self._mapped
        if mapped is not None and mapped.size() < len(mapped):
            raise cut_off(self._path, self._store.url, f"{len(mapped)} bytes", mapped.size())

    def record(self, number: int) -> bytes:
        """The bytes of one record, read from the file: slow, and without a memory map.

        Raises:
            CorruptionError: The file has gone, or lost its end, since it was verified.
        """
        width = self.head.dtype.itemsize
        try:
            found = self._store.backend.read_range(self._path, self.head.start + width * number, width)
        except NotFoundError as error:
            raise missing(self._path, self._store.url) from error
        if len(found) != width:
            raise cut_off(self._path, self._store.url, f"{width} bytes", len(found))
        return found

    def _map(self) -> mmap.mmap:
        local = self._store.backend.local_path(self._path)
        if local is None:
            raise StoreError(f"{self._path} cannot be mapped", got=f"no local file in {self._store.url}")
        try:
            with local.open("rb") as file:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError as error:
            raise missing(self._path, self._store.url) from error
        except OSError as error:
            raise StoreError(f"{local} cannot be mapped", got=error.strerror) from error


class Sidecars:
    """Opens index and keys files. Each is verified when it is opened first. Thread-safe.

    Args:
        store: Whose.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._verified: dict[str, NpyHead] = {}

    def open(self, path: str, sha256: str, rows: int) -> Sidecar:
        """A file of so many records.

        Raises:
            CorruptionError: It is missing, damaged, or has another number of records.
        """
        try:
            if self._store.backend.local_path(path) is None:
                array = read_npy(self._store.verified(path, sha256), path)
                sidecar = Sidecar(self._store, path, NpyHead(array.dtype, array.shape, 0), array)
            else:
                sidecar = Sidecar(self._store, path, self._head(path, sha256))
        except NotFoundError as error:
            raise missing(path, self._store.url) from error
        if sidecar.head.shape != (rows,):
            raise CorruptionError(f"{path} has another number of rows", expected=(rows,), got=sidecar.head.shape)
        return sidecar

    def _head(self, path: str, sha256: str) -> NpyHead:
        if path not in self._verified:
            found, offset, head = hashlib.sha256(), 0, b""
            while chunk := self._store.backend.read_range(path, offset, _CHUNK_BYTES):
                found.update(chunk)
                head, offset = head or chunk, offset + len(chunk)
            if found.hexdigest() != sha256:
                self._store.verified(path, sha256)  # reads it again, and tells what is wrong
            self._verified[path] = npy_head(head, path, offset)
        return self._verified[path]
