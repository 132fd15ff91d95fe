"""Tar members with the same bytes on every machine: POSIX ustar, with zero times and owners.

Written by hand because `tarfile` has changed its bytes between Python versions (device fields, bpo-39017).
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

from airflow_mlplat.errors import CorruptionError, SpecError

BLOCK = 512
"""Bytes: headers and contents begin on multiples of it."""

END = bytes(2 * BLOCK)
"""An archive ends with two blocks of zeros."""

KEY_BYTES = 1024
"""The longest key in bytes of UTF-8, as of S3."""

_NAME_BYTES, _PREFIX_BYTES = 100, 155  # fields of a ustar header
_MAGIC = (
    (0, b"\xff\xd8\xff", "jpg"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\x93NUMPY", "npy"),
    (0, b"GIF8", "gif"),
    (8, b"WEBP", "webp"),
    (0, b"BM", "bmp"),
    (0, b"II*\0", "tif"),
    (0, b"MM\0*", "tif"),
    (4, b"ftyp", "mp4"),
)


def extension(media: bytes) -> str:
    """What media bytes are, by their first bytes: `jpg`, `png`, `npy`, …, or `bin`. Never `json`."""
    return next((name for offset, magic, name in _MAGIC if media.startswith(magic, offset)), "bin")


def key_bytes(key: str) -> bytes:
    """A sample's key in UTF-8, the order of samples.

    Raises:
        SpecError: Not a str, empty, too long, with a NUL, or not sayable in UTF-8.
    """
    expected = f"1 to {KEY_BYTES} bytes of UTF-8 without NUL"
    if not isinstance(key, str):
        raise SpecError("a sample's key must be a str", expected=expected, got=type(key).__name__)
    try:
        encoded = key.encode()
    except UnicodeEncodeError as error:
        raise SpecError("a sample's key is not Unicode", expected=expected, got=repr(key)) from error
    if not 0 < len(encoded) <= KEY_BYTES or b"\0" in encoded:
        raise SpecError(
            "a sample's key cannot be stored", expected=expected, got=f"{key[:40]!r} ({len(encoded)} bytes)"
        )
    return encoded


def member_stem(key: str) -> str:
    """The member name of a key, less the extension: what WebDataset calls the key.

    Everything but `A-Z a-z 0-9 _ -` is percent-escaped, and also slashes at the ends and beside each other; so the
    first dot of a name begins the extension, and `urllib.parse.unquote` gives the key back. A name that a ustar header
    cannot hold becomes `%sha256-` and the key's SHA-256, which no escaped key looks like.
    """
    escaped = quote(key, safe="/").replace(".", "%2E").replace("~", "%7E")
    stem = re.sub(r"(?<![^/])/|/(?![^/])", "%2F", escaped)
    if _split(stem + ".json") is None or _split(stem + ".xxxx") is None:
        return "%sha256-" + hashlib.sha256(key_bytes(key)).hexdigest()
    return stem


def member(name: str, content: bytes) -> bytes:
    """One member: header, content, and zeros up to a multiple of 512 bytes.

    Raises:
        SpecError: The name does not fit a ustar header.
    """
    return header(name, len(content)) + content + bytes(padding(len(content)))


def padding(size: int) -> int:
    """Bytes of zeros after a content of `size` bytes."""
    return -size % BLOCK


def header(name: str, size: int) -> bytes:
    """A ustar header of 512 bytes (IEEE 1003.1, pax, "ustar Interchange Format")."""
    parts = _split(name)
    if parts is None:
        raise SpecError(
            "name is too long for a tar header", expected="100 bytes, or 155 + 100 around a slash", got=name
        )
    prefix, base = parts
    block = bytearray(BLOCK)
    for offset, value in (
        (0, base),
        (100, b"0000644\0"),  # mode
        (108, b"0000000\0"),  # uid
        (116, b"0000000\0"),  # gid
        (124, b"%011o\0" % size),
        (136, b"00000000000\0"),  # mtime
        (148, b" " * 8),  # the checksum counts as spaces
        (156, b"0"),  # a regular file
        (257, b"ustar\x0000"),
        (329, b"0000000\0"),  # devmajor
        (337, b"0000000\0"),  # devminor
        (345, prefix),
    ):
        block[offset : offset + len(value)] = value
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def parse_header(block: bytes) -> tuple[str, int] | None:
    """Name and content size of a header; None for the zeros at the end.

    Raises:
        CorruptionError: The header's checksum is wrong.
    """
    if block == bytes(len(block)):
        return None
    try:
        right = len(block) == BLOCK and sum(block) - sum(block[148:156]) + 8 * 32 == int(block[148:154], 8)
    except ValueError:
        right = False
    if not right:
        raise CorruptionError("damaged tar header", expected="512 bytes with their checksum", got=repr(block[:60]))
    prefix, base = (block[i:j].split(b"\0", 1)[0].decode() for i, j in ((345, 500), (0, 100)))
    return (f"{prefix}/{base}" if prefix else base), int(block[124:135], 8)


def _split(name: str) -> tuple[bytes, bytes] | None:
    """(prefix, name) of a ustar header, at the last slash that fits; None if none does."""
    encoded = name.encode()
    if len(encoded) <= _NAME_BYTES:
        return b"", encoded
    at = encoded.rfind(b"/", 0, _PREFIX_BYTES + 1)
    base = encoded[at + 1 :]
    return (encoded[:at], base) if at > 0 and len(base) <= _NAME_BYTES else None
