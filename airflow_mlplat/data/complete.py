"""Whether an image file is all there: decoders fill in what is missing, or do not look at checksums."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

from airflow_mlplat.data.jpeg_segments import END, JPEG_MAGIC, segments
from airflow_mlplat.errors import DataError

PNG_MAGIC, GIF_MAGIC = b"\x89PNG\r\n\x1a\n", b"GIF8"

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
    for kind, start, end in png_chunks(media):
        if zlib.crc32(media[start - 4 : end]) != int.from_bytes(media[end : end + 4], "big"):
            raise DataError(f"PNG is damaged: the chunk at byte {start - 8} has another CRC-32", got=repr(kind))


def png_chunks(media: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end) of each chunk's data, up to IEND.

    Raises:
        DataError: The file ends before.
    """
    at, kind = len(PNG_MAGIC), b""
    while kind != b"IEND":
        size, kind = int.from_bytes(media[at : at + 4], "big"), media[at + 4 : at + 8]
        end = at + 8 + size
        if len(media) < end + 4:
            raise DataError("PNG is cut off", expected="an IEND chunk", got=f"{len(media)} bytes without one")
        yield kind, at + 8, end
        at = end + 4


def _jpeg(media: bytes) -> None:
    """All segments up to EOI (ITU-T T.81, B.1.1.4); a thumbnail's own EOI lies within a segment."""
    if all(marker != END for marker, _, _ in segments(media)):
        raise DataError("JPEG is cut off", expected="an EOI marker", got=f"{len(media)} bytes without one")


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
