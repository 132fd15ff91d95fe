"""Where the bytes lie: a handful of operations on immutable files, of which one, put_if_absent, decides who is first.

A path is relative, with slashes: `blobs/9f…`. A new kind of storage is one class and one line in `BACKENDS`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple, Protocol

from airflow_mlplat.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRATCH = "tmp"
"""Folder of files still being written, of the backends that keep them beside the finished ones."""

WRITABLE = "see that the store can be written and has room, or set MLPLAT_STORE to another place"
"""What to do when the storage refuses."""


class Entry(NamedTuple):
    """One stored file.

    Args:
        path: Relative to the store.
        bytes: Its size.
        modified: When it was put or last touched, in seconds since 1970.
    """

    path: str
    bytes: int
    modified: float


class Backend(Protocol):
    """What a storage must be able to do. Every method raises StoreError when the storage fails."""

    url: str

    def read(self, path: str) -> bytes:
        """All bytes of a file. Raises NotFoundError if it is absent."""

    def read_range(self, path: str, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`, fewer at the end of the file. Raises NotFoundError if it is absent."""

    def size(self, path: str) -> int:
        """Size in bytes. Raises NotFoundError if it is absent."""

    def exists(self, path: str) -> bool:
        """Whether the file is there."""

    def list(self, prefix: str) -> Iterator[Entry]:
        """Every file below the folder `prefix`, sorted by path; nothing if there is no such folder."""

    def scratch(self) -> Path:
        """The name of a new local file to write, then hand to `put_if_absent`; the caller removes it otherwise."""

    def put_if_absent(self, path: str, content: bytes | Path) -> bool:
        """Make a file appear, whole, unless one is there: then leave that, renewing its age.

        Args:
            path: Where.
            content: The bytes, or a file made by `scratch`, which is consumed.

        Returns:
            Whether it was this call that made it. Of several at once exactly one is told True.
        """

    def touch(self, path: str) -> bool:
        """Renew a file's age, so that it is not collected as garbage. False if it is absent."""

    def delete(self, path: str, modified_before: float) -> bool:
        """Remove a file if it was last put or touched before that time. False if it was not, or is absent."""

    def local_path(self, path: str) -> Path | None:
        """The file as a local one that may be memory-mapped, if it is one."""


def _local(url: str) -> Backend:
    from airflow_mlplat.store.local import LocalBackend

    return LocalBackend.from_url(url)


def _http(url: str) -> Backend:
    from airflow_mlplat.store.http import HttpBackend

    return HttpBackend(url)


def _fsspec(url: str) -> Backend:
    from airflow_mlplat.store.remote import FsspecBackend

    return FsspecBackend(url)


def _s3(url: str) -> Backend:
    from airflow_mlplat.store.s3 import S3Backend

    return S3Backend(url)


def _memory(url: str) -> Backend:
    from airflow_mlplat.store.remote import MemoryBackend

    return MemoryBackend(url)


BACKENDS: dict[str, Callable[[str], Backend]] = {
    "": _local,
    "file": _local,
    "http": _http,
    "https": _http,
    "s3": _s3,
    "webhdfs": _fsspec,
    "memory": _memory,
}
"""URL scheme → what opens it. A plain path has the empty scheme."""


def open_backend(url: str | Path) -> Backend:
    """The backend of a URL, by its scheme.

    Raises:
        ConfigError: No URL, or one of an unknown scheme.
    """
    if not isinstance(url, (str, Path)):
        raise ConfigError("a store is named by its URL", expected="str or Path", got=repr(url), fix="set MLPLAT_STORE")
    text = str(url)
    scheme = text.split("://", 1)[0] if "://" in text else ""
    if not text or scheme not in BACKENDS:
        known = ", ".join(f"{s}://" for s in sorted(BACKENDS) if s)
        raise ConfigError(
            "no such kind of store", expected=f"a path or {known}", got=repr(scheme), fix="set MLPLAT_STORE"
        )
    return BACKENDS[scheme](text)
