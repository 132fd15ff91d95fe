"""Media in members of local tar files: a range of bytes of the file, or of its unpacked copy."""

from __future__ import annotations

import lzma
import os
import shutil
import tempfile
import weakref
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from airflow_mlplat.bridges.tar_files import is_packed, open_unpacked
from airflow_mlplat.errors import PlatformError, SourceChangedError

_COPY_BYTES = 1 << 20


def member_location(path: str, offset: int, size: int) -> str:
    """A member as a location, readable in messages: `photos-000.tar:1536+9423`."""
    return f"{path}:{offset}+{size}"


class TarMembers:
    """Ranges of tar files, by `member_location`.

    Samples are read in key order, and a packed file only from its start: at the first read of one it is unpacked into a
    temporary file without a name, which is there as long as this object.
    """

    workers = 1  # reading a range costs less than handing it to a thread

    def __init__(self) -> None:
        self._unpacked: IO[bytes] | None = None
        self._base: dict[str, int | None] = {}  # where a file begins in the unpacked ones; None for a plain file

    def locate(self, value: Any) -> str:
        """The location itself."""
        return str(value)

    def look(self, location: str) -> tuple[int, str]:
        """Size of the member, and size and time of modification of its tar file."""
        path, _, size = _parts(location)
        with _errors(path):
            status = Path(path).stat()
        return size, f"{status.st_size}-{status.st_mtime_ns}"

    def read(self, location: str) -> bytes:
        """The member.

        Raises:
            SourceChangedError: Its tar file has become shorter, or vanished.
            PlatformError: The disk fails, or has no room for the unpacked copy.
        """
        path, offset, size = _parts(location)
        with _errors(path):
            if path not in self._base:
                self._base[path] = self._unpack(path) if is_packed(path) else None
            base = self._base[path]
            if base is None or self._unpacked is None:
                with Path(path).open("rb", buffering=0) as file:
                    content = os.pread(file.fileno(), size, offset)
            else:
                content = os.pread(self._unpacked.fileno(), size, base + offset)
        if len(content) < size:
            raise SourceChangedError(
                f"tar file {path!r} became shorter while it was read",
                expected=f"{offset + size} bytes at least",
                got=f"{offset + len(content)} at most",
                fix="run again when the source is at rest",
            )
        return content

    def _unpack(self, path: str) -> int:
        if self._unpacked is None:
            self._unpacked = tempfile.TemporaryFile()  # noqa: SIM115  read until this object ends
            weakref.finalize(self, self._unpacked.close)
        base = self._unpacked.seek(0, os.SEEK_END)
        with open_unpacked(path) as file:
            shutil.copyfileobj(file, self._unpacked, _COPY_BYTES)
        self._unpacked.flush()
        return base


def _parts(location: str) -> tuple[str, int, int]:
    path, _, numbers = location.rpartition(":")
    offset, _, size = numbers.partition("+")
    return path, int(offset), int(size)


@contextmanager
def _errors(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        if isinstance(error, FileNotFoundError) and not Path(path).exists():
            raise SourceChangedError(
                f"tar file {path!r} vanished while it was read", fix="run again when the source is at rest"
            ) from error
        raise PlatformError(
            f"tar file {path!r} cannot be read",
            got=f"{type(error).__name__}: {error}",
            fix="if it is packed, see that TMPDIR has room for its unpacked copy",
        ) from error
