"""Members of local tar files, plain or packed: where each lies, and its bytes. What is cut off or damaged is told."""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from airflow_mlplat.errors import PlatformError, SourceError

_PACKED: dict[bytes, Callable[[str], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
"""First bytes of a packed file → what unpacks it. WebDataset's writers pack whatever the name says."""

_WRONG_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)
_DRAIN_BYTES = 1 << 20
_MEND = "copy it again, or write it again"


@dataclass(frozen=True)
class TarMember:
    """A regular file in a tar file.

    Args:
        name: Its path; bytes that are no UTF-8 are lone surrogates.
        offset: Of its first byte, in the unpacked tar file.
        size: In bytes.
        read: Its content; only until the next member is asked for. Raises as `tar_members` does.
    """

    name: str
    offset: int
    size: int
    read: Callable[[], bytes]


def tar_members(path: str) -> Iterator[TarMember]:
    """The regular files of a tar file, in order; of a plain one only the headers are read.

    `tarfile` alone takes a damaged header in the middle for the end, and an archive that stops between two members
    for a whole one.

    Raises:
        SourceError: It is missing, or no tar file; it is cut off or damaged, with the byte where; a sparse member.
        PlatformError: The disk fails.
    """
    with _told(path), open_unpacked(path) as file, _damage(path, file):
        tar = tarfile.TarFile(fileobj=file, mode="r")
        member = tar.firstmember  # type: ignore[attr-defined]  # next() fails on an empty archive in Python 3.10
        while member is not None:
            if member.issparse():
                raise SourceError(f"tar file {path!r} has a sparse member", got=member.name, fix="write it without")
            if member.isreg():
                yield TarMember(member.name, member.offset_data, member.size, _reading(path, file, member))
            file.seek(tar.offset)
            member = _next(tar)
        while is_packed(path) and file.read(_DRAIN_BYTES):
            pass  # its checksum is at its end


def open_unpacked(path: str) -> IO[bytes]:
    """The tar file's own bytes, whether it is packed or not.

    Raises:
        SourceError: It is no regular file: a pipe cannot be read twice.
    """
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise SourceError(f"tar file {path!r} is no regular file", fix="unpack or copy it to one")
    with Path(path).open("rb") as file:
        start = file.read(max(map(len, _PACKED)))
    for magic, unpack in _PACKED.items():
        if start.startswith(magic):
            return unpack(path)
    return Path(path).open("rb")


def is_packed(path: str) -> bool:
    """Whether the file must be unpacked to be read."""
    with Path(path).open("rb") as file:
        return file.read(max(map(len, _PACKED))).startswith(tuple(_PACKED))


def _next(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    """The next member; None at the zeros that end an archive."""
    try:
        return tarfile.TarInfo.fromtarfile(tar)
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # typeshed lacks the kinds of HeaderError
        return None


def _reading(path: str, file: IO[bytes], member: tarfile.TarInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        with _told(path), _damage(path, file):
            file.seek(member.offset_data)
            content = file.read(member.size)
        if len(content) < member.size:
            raise _cut_off(path, file.tell(), f"all {member.size} bytes of {member.name!r}")
        return content

    return read


def _cut_off(path: str, byte: int, expected: str) -> SourceError:
    return SourceError(f"tar file {path!r} is cut off at {_byte(path, byte)}", expected=expected, fix=_MEND)


def _byte(path: str, byte: int) -> str:
    return f"byte {byte} of its unpacked content" if is_packed(path) else f"byte {byte}"


@contextmanager
def _damage(path: str, file: IO[bytes]) -> Iterator[None]:
    """Tell what is wrong within the file, and where."""
    try:
        yield
    except (tarfile.EmptyHeaderError, tarfile.TruncatedHeaderError, EOFError) as error:  # type: ignore[attr-defined]
        # A plain file's position may lie after its end.
        end = file.tell() if is_packed(path) else min(file.tell(), Path(path).stat().st_size)
        raise _cut_off(path, end, "two blocks of zeros at the end of a tar file") from error
    except (tarfile.TarError, zlib.error, lzma.LZMAError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # not the file's fault; what gzip and bz2 find wrong are OSErrors without a number
        at = max(0, file.tell() - tarfile.BLOCKSIZE) if isinstance(error, tarfile.TarError) else file.tell()
        where = f"is damaged at {_byte(path, at)}" if at else "is no tar file"
        raise SourceError(f"tar file {path!r} {where}", got=f"{type(error).__name__}: {error}", fix=_MEND) from error


@contextmanager
def _told(path: str) -> Iterator[None]:
    """A file that is wrong is the user's to mend; a disk that fails may be well at the next try."""
    try:
        yield
    except OSError as error:
        raise (SourceError if isinstance(error, _WRONG_FILE) else PlatformError)(
            f"tar file {path!r} cannot be read",
            got=f"{type(error).__name__}: {error}",
            fix="see that it is there, readable and whole",
        ) from error
