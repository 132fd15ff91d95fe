"""A store behind an fsspec driver: S3, WebHDFS, memory. Never fsspec's caches: they served half-written files
(fsspec #639, #1126).
"""

from __future__ import annotations

import io
import os
import tempfile
import threading
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Callable
from urllib.parse import urlsplit

from airflow_mlplat.errors import ConfigError, NotFoundError, StoreError
from airflow_mlplat.store.backend import Entry
from airflow_mlplat.store.read_only import ReadOnly
from airflow_mlplat.store.retry import Result, repeated

if TYPE_CHECKING:
    from collections.abc import Iterator

ATTEMPTS = 3
"""Of a call: one lost answer should not cost a job."""

_GONE, _BEYOND, _PASSING = (404, 410), 416, (408, 409, 425, 429)  # 409: S3, of writers in each other's way
_NEEDS = {"s3": "s3fs", "webhdfs": "requests"}


class FsspecBackend(ReadOnly):
    """Files below a URL, for reading. Safe to share between threads.

    Args:
        url: `s3://bucket/path`, `webhdfs://user@host:port/path`. Credentials come from the driver's own places:
            `AWS_ACCESS_KEY_ID`, `~/.aws`, a Kerberos ticket. A password in the URL is used, and is part of no message
            and not of `url`.

    Raises:
        ConfigError: fsspec, or the driver of this scheme, is not installed; or the URL chains drivers.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if "::" in url or not (parts.netloc or parts.path.strip("/")):
            raise ConfigError("no URL of a store", expected=f"{parts.scheme}://host/path")
        user, _, host = parts.netloc.rpartition("@")
        user = user.partition(":")[0]
        self.url = f"{parts.scheme}://{user + '@' if user else ''}{host}{parts.path.rstrip('/')}"
        self._given, self._scheme, self._pid = url, parts.scheme, 0
        self._driver: Any = None
        self._inherited: Any = None
        self._opening = threading.Lock()
        self._files()

    def _files(self) -> Any:
        """The driver. A forked process has its own: drivers keep threads and connections. Its parent's is kept, unused:
        dropped, it would say goodbye on connections that the parent still uses.
        """
        if self._pid != os.getpid():
            self._opening = threading.Lock() if self._pid else self._opening
            with self._opening:
                self._inherited = (self._inherited, self._driver)
                self._driver, self._root = _opened(self._given, self._scheme)
                self._pid = os.getpid()
        return self._driver

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"

    def read(self, path: str) -> bytes:
        """All bytes of a file."""
        return bytes(self._ask(path, lambda files: files.cat_file(self._at(path))))

    def read_range(self, path: str, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`, fewer at the end of the file."""
        if not size:
            return b""
        read = _RANGES.get(self._scheme, _cat_range)
        return bytes(self._ask(path, lambda files: read(files, self._at(path), offset, size)))

    def size(self, path: str) -> int:
        """Size in bytes."""
        return int(self._ask(path, lambda files: files.info(self._at(path)))["size"])

    def exists(self, path: str) -> bool:
        """Whether the file is there."""
        try:
            return self._ask(path, lambda files: files.info(self._at(path)))["type"] == "file"
        except NotFoundError:
            return False

    def list(self, prefix: str) -> Iterator[Entry]:
        """Every file below the folder `prefix`, sorted by path."""
        try:
            found = self._ask(prefix, lambda files: files.find(self._at(prefix), detail=True))
        except NotFoundError:
            return
        start = len(self._root) + 1
        for path, info in sorted(found.items()):
            yield Entry(path[start:], int(info["size"]), modified_at(info))

    def _ask(self, path: str, call: Callable[[Any], Result], done: str = "read from", fix: str | None = None) -> Result:
        """One call of the driver, repeated when a failure may pass; `done` and `fix` are for the message."""
        try:
            return repeated(lambda: call(self._files()), _may_pass, ATTEMPTS)
        except Exception as error:  # drivers raise their client's own classes
            if _is_absent(error):
                raise NotFoundError(f"{path} is not in the store {self.url}") from error
            # Not the driver's text: it may hold a signed URL.
            told = f"{type(error).__name__} {status_of(error) or ''}".strip()
            raise StoreError(f"{path} cannot be {done} {self.url}", got=told, fix=fix) from error


class MemoryBackend(FsspecBackend):
    """fsspec's files in the memory of this process: for trying things out. Can be written.

    Args:
        url: `memory://path`.
    """

    _writing = threading.Lock()  # of all: the files are one process-wide dict

    def scratch(self) -> Path:
        """The name of a new local file to write."""
        return local_scratch()

    def put_if_absent(self, path: str, content: bytes | Path) -> bool:
        """Make a file appear, whole, unless one is there."""
        with consumed(content) as file:
            content = file.read()
        with self._writing:
            absent = not self.exists(path)
            self._put(path, content if absent else self.read(path))
        return absent

    def touch(self, path: str) -> bool:
        """Renew a file's age. False if it is absent."""
        with self._writing, suppress(NotFoundError):
            self._put(path, self.read(path))
            return True
        return False

    def delete(self, path: str, modified_before: float) -> bool:
        """Remove a file if it was last put or touched before that time."""
        with self._writing:
            if not self.exists(path):
                return False
            if modified_at(self._files().info(self._at(path))) >= modified_before:
                return False
            self._files().rm_file(self._at(path))
            return True

    def _put(self, path: str, content: bytes) -> None:
        self._files().pipe_file(self._at(path), content)


def local_scratch() -> Path:
    """The name of a new file in this machine's temporary folder."""
    return Path(tempfile.gettempdir()) / f"mlplat-{os.getpid()}-{os.urandom(8).hex()}"


@contextmanager
def consumed(content: bytes | Path) -> Iterator[BinaryIO]:
    """What shall be put, for reading; a file is gone afterwards.

    Raises:
        StoreError: It cannot be read.
    """
    if isinstance(content, bytes):
        yield io.BytesIO(content)
        return
    try:
        with content.open("rb") as file:
            yield file
    except OSError as error:
        raise StoreError(f"{content!s} cannot be read", got=error.strerror) from error
    finally:
        content.unlink(missing_ok=True)


def _opened(url: str, scheme: str) -> tuple[Any, str]:
    """(driver, root) of a URL."""
    try:
        import fsspec.core

        files, root = fsspec.core.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
    except (ImportError, ValueError) as error:
        package = getattr(error, "name", None) or _NEEDS.get(scheme, "the scheme's driver")
        raise ConfigError(
            f"no driver for {scheme}:// stores", got=type(error).__name__, fix=f"install {package} beside fsspec"
        ) from error
    return files, root.rstrip("/")


def _cat_range(files: Any, path: str, offset: int, size: int) -> bytes:
    try:
        return files.cat_file(path, start=offset, end=offset + size)
    except Exception as error:
        if status_of(error) == _BEYOND:  # S3 says so, where others give nothing
            return b""
        raise


def _webhdfs_range(files: Any, path: str, offset: int, size: int) -> bytes:
    """One OPEN of these bytes: `cat_file` reads ahead, and throws that away."""
    with files.open(path, "rb") as file:
        return file._fetch_range(offset, offset + size)


_RANGES: dict[str, Callable[[Any, str, int, int], bytes]] = {"webhdfs": _webhdfs_range}
"""Scheme → how to read a range, where the driver's `cat_file` does not do."""


def modified_at(info: dict[str, Any]) -> float:
    """Seconds since 1970, from what drivers call it: S3, memory, WebHDFS (in milliseconds)."""
    value = info.get("LastModified") or info.get("created") or 0
    if isinstance(value, datetime):
        return value.timestamp()
    return float(value or info.get("modificationTime", 0) / 1000)


def _is_absent(error: BaseException) -> bool:
    return isinstance(error, FileNotFoundError) or status_of(error) in _GONE


def _may_pass(error: BaseException) -> bool:
    status = status_of(error)
    if status is not None:
        return status >= 500 or status in _PASSING
    return not isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError, ValueError))


def status_of(error: BaseException) -> int | None:
    """HTTP status in an error of requests, or of botocore, or in what caused it."""
    link: BaseException | None = error
    while link is not None:
        response = getattr(link, "response", None)
        status = getattr(response, "status_code", None)
        if isinstance(response, dict):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if isinstance(status, int):
            return status
        link = link.__cause__
    return None
