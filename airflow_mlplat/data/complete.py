"""Whether an image file is all there: decoders fill in what is missing, or do not look at checksums."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

from airflow_mlplat.errors import DataError

PNG_MAGIC, JPEG_MAGIC, GIF_MAGIC = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8"

_NO_MARKERS = frozenset((0x00, 0x01, *range(0xD0, 0xD8)))
"""What follows 0xFF within coded data: stuffed zeros, restart marks and TEM (ITU-T T.81, B.1.1)."""
_JPEG_START, _JPEG_END, _JPEG_SCAN, _JPEG_APP1 = 0xD8, 0xD9, 0xDA, 0xE1
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_NOT_PASSED = _NO_MARKERS | {_JPEG_START, _JPEG_END, _JPEG_SCAN, _JPEG_APP1, 0xFF}
_EXIF = b"Exif\0\0"
_GIF_IMAGE, _GIF_TRAILER = 0x2C, 0x3B
_GIF_BLOCKS = (_GIF_IMAGE, 0x21)  # an image, an extension


def check_complete(media: bytes) -> None:
    """Fail on a PNG, JPEG or GIF that was cut off, and on a PNG whose checksums are wrong.

    What follows an image's end is not looked at. Other formats are left to their decoders, which notice themselves.

    Args:
        media: A whole file.

    Raises:
        DataError: Says what is missing.
    """
    for magic, check in _CHECKS.items():
        if media.startswith(magic):
            check(media)


def _png(media: bytes) -> None:
    """All chunks up to IEND, with their CRC-32 (PNG specification, 5.3); Pillow skips those of the pixels."""
    at, kind = len(PNG_MAGIC), b""
    while kind != b"IEND":
        size, kind = int.from_bytes(media[at : at + 4], "big"), media[at + 4 : at + 8]
        end = at + 12 + size
        if len(media) < end:
            raise DataError("PNG is cut off", expected="an IEND chunk", got=f"{len(media)} bytes without one")
        if zlib.crc32(media[at + 4 : end - 4]) != int.from_bytes(media[end - 4 : end], "big"):
            raise DataError(f"PNG is damaged: the chunk at byte {at} has another CRC-32", got=repr(kind))
        at = end


def _jpeg(media: bytes) -> None:
    """All segments up to EOI (ITU-T T.81, B.1.1.4); a thumbnail's own EOI lies within a segment."""
    for marker, _, _ in _segments(media):
        if marker == _JPEG_END:
            return
    raise DataError("JPEG is cut off", expected="an EOI marker", got=f"{len(media)} bytes without one")


def jpeg_exif(media: bytes) -> bytes:
    """The EXIF data of a JPEG, as Pillow gives them: those of all its APP1 segments before the first scan."""
    at, last = 2, len(media) - 4
    while at <= last and media[at] == 0xFF and media[at + 1] not in _NOT_PASSED:
        at += 2 + (media[at + 2] << 8 | media[at + 3])
    if media[at : at + 2] == b"\xff\xda":  # most have none, and are told so in a fraction of what follows
        return b""
    found = b""
    for marker, start, end in _segments(media):
        if marker == _JPEG_SCAN:
            break
        if marker == _JPEG_APP1 and media.startswith(_EXIF, start):
            found += media[start + len(_EXIF) if found else start : end]
    return found


def jpeg_frame(media: bytes) -> tuple[int, int, int]:
    """Height, width and number of colours of a JPEG's first frame (ITU-T T.81, B.2.2); zeros if it has none."""
    for marker, start, end in _segments(media):
        if marker in _FRAMES and end > start + 5:
            height, width = (int.from_bytes(media[at : at + 2], "big") for at in (start + 1, start + 3))
            return height, width, media[start + 5]
    return 0, 0, 0


def _segments(media: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of each marker's parameters, in order; none of SOI and EOI."""
    at = media.find(0xFF)
    while 0 <= at < len(media) - 1:
        marker = media[at + 1]
        if marker == 0xFF:  # markers may be preceded by any number of these
            at += 1
            continue
        at += 2
        if marker not in _NO_MARKERS:
            start, end = at, at
            if marker not in (_JPEG_START, _JPEG_END):
                start, end = at + 2, at + int.from_bytes(media[at : at + 2], "big")
            yield marker, start, end
            at = end
        at = media.find(0xFF, at)


def _gif(media: bytes) -> None:
    """All blocks up to the trailer (GIF89a specification, 17 to 27)."""
    try:
        at = 13 + _gif_colours(media[10])
        while (kind := media[at]) != _GIF_TRAILER:
            if kind not in _GIF_BLOCKS:  # decoders skip it too
                at += 1
                continue
            at += 11 + _gif_colours(media[at + 9]) if kind == _GIF_IMAGE else 2
            while size := media[at]:
                at += 1 + size
            at += 1
    except IndexError:
        raise DataError("GIF is cut off", expected="a trailer", got=f"{len(media)} bytes without one") from None


def _gif_colours(flags: int) -> int:
    """Size in bytes of the colour table that follows a descriptor with these flags."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


_CHECKS: dict[bytes, Callable[[bytes], None]] = {PNG_MAGIC: _png, JPEG_MAGIC: _jpeg, GIF_MAGIC: _gif}
