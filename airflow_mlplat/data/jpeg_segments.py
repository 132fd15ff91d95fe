"""What a JPEG says of itself in the segments around its pixels (ITU-T T.81, annex B)."""

from __future__ import annotations

from collections.abc import Iterator

JPEG_MAGIC = b"\xff\xd8\xff"
END = 0xD9

_START, _SCAN, _APP1 = 0xD8, 0xDA, 0xE1
_NO_MARKERS = frozenset((0x00, 0x01, *range(0xD0, 0xD8)))
"""What follows 0xFF within coded data: stuffed zeros, restart marks and TEM (B.1.1)."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_NOT_PASSED = _NO_MARKERS | {_START, END, _SCAN, _APP1, 0xFF}
_EXIF = b"Exif\0\0"


def head(media: bytes) -> tuple[int, bytes]:
    """What lies before the first scan.

    Returns:
        (number of colours of the first frame, 0 if there is none; the EXIF data as Pillow gives them: those of all
        APP1 segments).
    """
    at, last, colours = 2, len(media) - 10, 0
    while at <= last and media[at] == 0xFF and media[at + 1] not in _NOT_PASSED:
        if media[at + 1] in _FRAMES:
            colours = colours or media[at + 9]
        at += 2 + (media[at + 2] << 8 | media[at + 3])
    if media[at : at + 2] == b"\xff\xda":  # most have no EXIF, and are told so in a fraction of what follows
        return colours, b""
    return _head(media)


def _head(media: bytes) -> tuple[int, bytes]:
    colours, found = 0, b""
    for marker, start, end in segments(media):
        if marker == _SCAN:
            break
        if marker in _FRAMES and end > start + 5:
            colours = colours or media[start + 5]
        if marker == _APP1 and media.startswith(_EXIF, start):
            found += media[start + len(_EXIF) if found else start : end]
    return colours, found


def frame(media: bytes) -> tuple[int, int, int]:
    """Height, width and number of colours of the first frame (B.2.2); zeros if there is none."""
    for marker, start, end in segments(media):
        if marker in _FRAMES and end > start + 5:
            height, width = (int.from_bytes(media[at : at + 2], "big") for at in (start + 1, start + 3))
            return height, width, media[start + 5]
    return 0, 0, 0


def segments(media: bytes) -> Iterator[tuple[int, int, int]]:
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
            if marker not in (_START, END):
                start, end = at + 2, at + int.from_bytes(media[at : at + 2], "big")
            yield marker, start, end
            at = end
        at = media.find(0xFF, at)
