"""One shard being written into the cache. Its lock tells every other process that the writer lives."""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
from pathlib import Path

from airflow_mlplat.data.cache.stamp import stamp


class Part:
    """A file of its final size, under an exclusive flock(2), which the kernel frees when the writer dies.

    Args:
        handle: The open file; closed by `publish` or `discard`.
        path: Its name.
        shard: SHA-256 that it shall have.
        size: In bytes, all of which the disk holds free.
    """

    def __init__(self, handle: int, path: Path, shard: str, size: int) -> None:
        self._handle, self._path, self.shard, self.size = handle, path, shard, size
        self._sha256, self._hashed = hashlib.sha256(), 0

    def write(self, offset: int, content: memoryview) -> None:
        """Write bytes. Called from several threads."""
        while len(content):
            count = os.pwrite(self._handle, content, offset)
            offset, content = offset + count, content[count:]

    def hash_to(self, end: int) -> None:
        """Take the bytes up to there, which must have been written, into the digest."""
        if end <= self._hashed:
            return
        with (
            mmap.mmap(self._handle, self.size, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as view,
            view[self._hashed : end] as fresh,
        ):
            self._sha256.update(fresh)
        self._hashed = end

    def rewind(self) -> None:
        """Write and hash it from the start again."""
        self._sha256, self._hashed = hashlib.sha256(), 0

    def is_whole(self) -> bool:
        """Whether all was hashed, and the digest is the shard's."""
        return self._hashed == self.size and self._sha256.hexdigest() == self.shard

    def publish(self, path: Path) -> int:
        """Under its final name from now on.

        Returns:
            The handle, now under a shared lock, for the caller to close.

        Raises:
            OSError: The name cannot be changed.
        """
        stamp(self._handle, self.shard)
        self._path.rename(path)
        fcntl.flock(self._handle, fcntl.LOCK_SH)
        return self._handle

    def discard(self) -> None:
        """Remove it."""
        os.ftruncate(self._handle, 0)  # its room is free from the moment that it is not seen any more
        self._path.unlink(missing_ok=True)
        unlock(self._handle)


def unlock(handle: int) -> None:
    """Free a lock and close: a forked child may hold the same handle, and with it the lock, for longer."""
    fcntl.flock(handle, fcntl.LOCK_UN)
    os.close(handle)
