"""Media in a folder of the worker's own file system, never outside it."""

from __future__ import annotations

import errno
import os
import stat
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_mlplat.bridges.reasons import MISSING, OUTSIDE, UNREADABLE, BadRecord
from airflow_mlplat.errors import PlatformError, SourceError

_MISSING = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
_UNREADABLE = {errno.EACCES, errno.EPERM, errno.EISDIR}


class LocalFiles:
    """Files below a folder.

    Args:
        root: The folder, or its `file://` URL.

    Raises:
        SourceError: No such folder.
    """

    workers = 1  # opening a small file costs less than handing it to a thread

    def __init__(self, root: str) -> None:
        self._named = os.path.normpath(Path(_path_of(root)).absolute())
        if not Path(self._named).is_dir():
            raise SourceError(
                "root of the media is no folder",
                expected="an existing folder",
                got=self._named,
                fix="mount it on the worker, or correct File(root=…)",
            )
        self._root = os.path.realpath(self._named)
        # Resolving links costs a system call per path part; neighbours share their folder.
        self._real_folder = lru_cache(maxsize=4096)(os.path.realpath)

    def locate(self, value: Any) -> str:
        """The path, absolute, with `..` resolved as text."""
        path = _path_of(path_text(value))
        if "\0" in path:
            raise BadRecord(MISSING, f"{path!a} is no path")
        path = os.path.normpath(os.path.join(self._named, path))  # noqa: PTH118  an absolute value replaces the root
        if not _below(path, self._named):
            raise BadRecord(OUTSIDE, ascii(str(value)))
        return path

    def look(self, location: str) -> tuple[int, str]:
        """Size and time of modification, to the nanosecond."""
        with _os_errors(location, self._told(location)):
            status = Path(self._resolved(location)).stat()
        if not stat.S_ISREG(status.st_mode):
            raise BadRecord(UNREADABLE, f"{self._told(location)!a} is no file")
        return status.st_size, f"{status.st_size}-{status.st_mtime_ns}"

    def read(self, location: str) -> bytes:
        """The whole file."""
        with _os_errors(location, self._told(location)):
            # Without O_NONBLOCK a pipe put in the file's place would hang the bridge.
            descriptor = os.open(self._resolved(location), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                return file.read()

    def _resolved(self, location: str) -> str:
        folder, name = os.path.split(location)
        path = os.path.join(self._real_folder(folder), name)  # noqa: PTH118
        if os.path.islink(path):  # noqa: PTH114  twice as fast as Path's
            path = os.path.realpath(path)
        if not _below(path, self._root):
            raise BadRecord(OUTSIDE, f"{self._told(location)!a} is a link out of it")
        return path

    def _told(self, location: str) -> str:
        """The path below the root: what is told of a bad record counts in its span's digest, so no place may."""
        return location[len(self._named.rstrip("/")) + 1 :]


def path_text(value: Any) -> str:
    """The path as a record has it.

    Raises:
        SourceError: Not text.
    """
    if not isinstance(value, str):
        raise SourceError(
            "media column holds no paths",
            expected="text",
            got=type(value).__name__,
            fix="use Column(column) when it holds the bytes",
        )
    return value


def _path_of(text: str) -> str:
    """A path, or the path of a `file://` URL (RFC 8089), whose percent-encoding is undone."""
    return unquote(urlsplit(text).path) if text[:7].lower() == "file://" else text


def _below(path: str, root: str) -> bool:
    return path.startswith(root.rstrip("/") + "/")


class _os_errors:
    """Raise BadRecord for what is wrong with one file, PlatformError for what is wrong with the disk.

    A class, as a generator's context manager would cost more than the stat that it guards.
    """

    def __init__(self, location: str, told: str) -> None:
        self._location, self._told = location, told

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, OSError):
            return
        if error.errno in _MISSING:
            raise BadRecord(MISSING, ascii(self._told)) from error
        if error.errno in _UNREADABLE:
            raise BadRecord(UNREADABLE, f"{self._told!a} {errno.errorcode[error.errno]}") from error
        raise PlatformError(f"media {self._location!r} cannot be read", got=error) from error
