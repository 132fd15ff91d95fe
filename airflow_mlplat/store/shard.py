"""One shard being written: the tar file, and the rows of its index and keys."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from airflow_mlplat.errors import StoreError
from airflow_mlplat.store import layout, tar
from airflow_mlplat.store.backend import WRITABLE
from airflow_mlplat.store.checksum import crc32c
from airflow_mlplat.store.index import INDEX_DTYPE, keys_rows, npy_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_mlplat.store.store import Store


class ScratchFile:
    """A file being written in the store's scratch folder, whose errors are the store's.

    Args:
        store: Whose.
    """

    def __init__(self, store: Store) -> None:
        self.path: Path = store.backend.scratch()
        self.size = 0
        try:
            self._file: BinaryIO = self.path.open("wb")
        except OSError as error:
            raise StoreError(
                f"the store {store.url} cannot be written", got=f"{error.strerror}: {self.path}", fix=WRITABLE
            ) from error

    def write(self, content: bytes) -> None:
        """Append bytes."""
        try:
            self._file.write(content)
        except OSError as error:
            raise StoreError(f"{self.path} cannot be written", got=error.strerror) from error
        self.size += len(content)

    def finish(self) -> Path:
        """Close it, for reading."""
        try:
            self._file.close()
        except OSError as error:
            raise StoreError(f"{self.path} cannot be written", got=error.strerror) from error
        return self.path

    def discard(self) -> None:
        """Close and remove it, if it is still there."""
        try:
            self._file.close()
        except OSError:  # the disk is full, but nobody wants these bytes
            pass
        finally:
            self.path.unlink(missing_ok=True)


class ShardWriter:
    """Appends samples to one shard, then puts it and its sidecars. Holds some 150 bytes a sample in memory.

    Args:
        store: Where to.
    """

    def __init__(self, store: Store) -> None:
        self._store, self._file, self._sha256 = store, ScratchFile(store), hashlib.sha256()
        self._rows: list[tuple[int, int, int, int]] = []
        self._keys: list[tuple[bytes, bytes]] = []

    @property
    def size(self) -> int:
        """Bytes so far, without the end of the archive."""
        return self._file.size

    def add(self, key: bytes, media: bytes, label: int, members: bytes) -> None:
        """Append a sample.

        Args:
            key: In UTF-8.
            media: For the checksums.
            label: Class or -1.
            members: Its tar members, of which the media are the first.
        """
        self._rows.append((self.size + tar.BLOCK, len(media), crc32c(media), label))
        self._keys.append((key, hashlib.sha256(media).digest()))
        self._write(members)

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._sha256.update(content)

    def put(self) -> dict[str, Any]:
        """Into the store, sidecars too; its entry in the span's manifest."""
        try:
            self._write(tar.END)
            path = self._file.finish()
            index, keys = npy_bytes(np.array(self._rows, INDEX_DTYPE)), npy_bytes(keys_rows(self._keys))
            sha256, index_sha256, keys_sha256 = (
                self._sha256.hexdigest(),
                hashlib.sha256(index).hexdigest(),
                hashlib.sha256(keys).hexdigest(),
            )
            put = self._store.backend.put_if_absent
            put(layout.shard_path(sha256), path)
            put(layout.index_path(index_sha256), index)
            put(layout.keys_path(keys_sha256), keys)
        finally:
            self.discard()
        return {
            "sha256": sha256,
            "bytes": self.size,
            "samples": len(self._rows),
            "index_sha256": index_sha256,
            "keys_sha256": keys_sha256,
        }

    def discard(self) -> None:
        """Remove what was written."""
        self._file.discard()
