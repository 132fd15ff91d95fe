"""The four ways to a record's media behind one protocol: locate, look at, read."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from airflow_mlplat.bridges.local import LocalFiles
from airflow_mlplat.bridges.media import Column, File, Member
from airflow_mlplat.bridges.members import TarMembers
from airflow_mlplat.bridges.reasons import EMPTY, TOO_LARGE, BadRecord
from airflow_mlplat.bridges.remote import RemoteFiles
from airflow_mlplat.errors import SourceError

MAX_MEDIA_BYTES = 256 * 1024 * 1024
"""A larger file is no sample; a few of them at once would not fit a worker's memory. In bytes."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Reader(Protocol):
    """Access to the media of one source.

    Attributes:
        workers: How many threads pay off.
    """

    workers: int

    def locate(self, value: Any) -> str | bytes:
        """The column's value as a location (or the bytes); raises BadRecord when it may not be read."""

    def look(self, location: Any) -> tuple[int, str]:
        """Size in bytes, and the state as a text that changes with the media; raises BadRecord."""

    def read(self, location: Any) -> bytes:
        """The media; raises BadRecord."""


class ColumnBytes:
    """Media that came with the row."""

    workers = 1

    def locate(self, value: Any) -> bytes:
        """The bytes themselves."""
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise SourceError(
                "media column holds no bytes",
                expected="bytes",
                got=type(value).__name__,
                fix="use File(column, root=…) when the column holds paths",
            )
        return bytes(value)

    def look(self, location: bytes) -> tuple[int, str]:
        """Size and SHA-256."""
        return len(location), hashlib.sha256(location).hexdigest()

    def read(self, location: bytes) -> bytes:
        """The bytes themselves."""
        return location


def open_reader(media: File | Column | Member, filesystem: Callable[[str], Any] | None = None) -> Reader:
    """The reader of a source's media.

    Args:
        media: The source's description.
        filesystem: From a URL's scheme to an fsspec file system with its credentials; default: fsspec's own choice.

    Raises:
        SourceError: The root does not exist.
        ConfigError: The driver for the root's scheme is not installed.
    """
    if isinstance(media, Column):
        return ColumnBytes()
    if isinstance(media, Member):
        return TarMembers()
    if media.protocol == "file":
        return LocalFiles(media.root)
    return RemoteFiles(media.root, filesystem)


def look_at(reader: Reader, location: Any) -> str:
    """The media's state, after checking its size.

    Raises:
        BadRecord: Missing, unreadable, empty or too large.
    """
    size, state = reader.look(location)
    if size == 0:
        raise BadRecord(EMPTY)
    if size > MAX_MEDIA_BYTES:
        raise BadRecord(TOO_LARGE, f"{size} bytes, at most {MAX_MEDIA_BYTES} are allowed")
    return state


def map_ahead(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """`map` with threads: results in order, at most twice as many items in flight as workers."""
    if workers == 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="bridge")
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
