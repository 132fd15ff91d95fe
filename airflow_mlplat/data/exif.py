"""How a camera was held: the orientation in an image's EXIF data."""

from __future__ import annotations

import struct

UPRIGHT = 1
TRANSPOSE = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""Orientation (TIFF 6.0, tag 274) → Pillow's number of the turn or mirroring that makes the image upright."""

_TAG, _SHORT = 274, 3
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}


def orientation(exif: bytes) -> int:
    """The orientation, read here so that it is the same for all versions of Pillow.

    Args:
        exif: As it stands in a JPEG's APP1 segment, with or without its first six bytes.

    Returns:
        1 … 8; 1, upright, for data that cannot be read: damaged notes do not make an image unusable.
    """
    tiff = exif[6:] if exif.startswith(b"Exif\0\0") else exif
    order = _ORDERS.get(bytes(tiff[:4]))
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, at)
            if tag == _TAG:
                return value if kind == _SHORT and value in TRANSPOSE else UPRIGHT
    except struct.error:
        pass
    return UPRIGHT
