"""How a camera was held: the orientation in an image's EXIF data."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

UPRIGHT = 1
TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: image.swapaxes(0, 1)[:, ::-1],
    7: lambda image: image.swapaxes(0, 1)[::-1, ::-1],
    8: lambda image: image.swapaxes(0, 1)[::-1],
}
"""Orientation (TIFF 6.0, tag 274) → what makes an image (H, W, C) upright."""

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
                return value if kind == _SHORT and value in TURNS else UPRIGHT
    except struct.error:
        pass
    return UPRIGHT


def upright(image: np.ndarray, held: int) -> np.ndarray:
    """The image turned as its orientation says: uint8 (H, W, C), contiguous."""
    return image if held == UPRIGHT else np.ascontiguousarray(TURNS[held](image))
