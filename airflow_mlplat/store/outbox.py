"""A store that a job may not write: it reads there, and what it puts goes into a folder of its own, its outbox.

Whoever started the job takes from the outbox what the job's result names: see `adoption`.
"""

from __future__ import annotations

import heapq
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mlplat.store.local import LocalBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_mlplat.store.backend import Backend, Entry


class OutboxBackend:
    """A store's files and those of an outbox, as one. To all but the writer it is the store: it has the store's URL.

    Args:
        store: Only read.
        outbox: Folder for what is put.
    """

    def __init__(self, store: Backend, outbox: Path) -> None:
        self._store, self._outbox = store, LocalBackend(outbox)
        self.url = store.url

    def _holder(self, path: str) -> Backend:
        return self._outbox if self._outbox.exists(path) else self._store

    def read(self, path: str) -> bytes:
        """All bytes of a file."""
        return self._holder(path).read(path)

    def read_range(self, path: str, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`, fewer at the end of the file."""
        return self._holder(path).read_range(path, offset, size)

    def size(self, path: str) -> int:
        """Size in bytes."""
        return self._holder(path).size(path)

    def exists(self, path: str) -> bool:
        """Whether the file is in either."""
        return self._holder(path).exists(path)

    def list(self, prefix: str) -> Iterator[Entry]:
        """Every file of both below the folder `prefix`, sorted by path."""
        return heapq.merge(self._store.list(prefix), self._outbox.list(prefix), key=lambda entry: entry.path)

    def scratch(self) -> Path:
        """The name of a new local file to write, in the outbox."""
        return self._outbox.scratch()

    def put_if_absent(self, path: str, content: bytes | Path) -> bool:
        """Make a file appear in the outbox, unless it is in either."""
        if not self._store.exists(path):
            return self._outbox.put_if_absent(path, content)
        if isinstance(content, Path):
            content.unlink(missing_ok=True)
        return False

    def touch(self, path: str) -> bool:
        """Whether the file is in either; the store's ages are renewed when the outbox is adopted."""
        return self._outbox.touch(path) or self._store.exists(path)

    def delete(self, path: str, modified_before: float) -> bool:
        """Remove a file of the outbox."""
        return self._outbox.delete(path, modified_before)

    def local_path(self, path: str) -> Path | None:
        """The file as a local one, if it is one where it is."""
        return self._holder(path).local_path(path)
