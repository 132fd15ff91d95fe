"""PNG and JPEG by OpenCV, whose pixels are the others' too."""

from __future__ import annotations

from typing import Any

import numpy as np

from airflow_mlplat.data.complete import PNG_MAGIC, check_complete, png_chunks
from airflow_mlplat.data.decoders.size import check_size
from airflow_mlplat.data.exif import orientation, upright
from airflow_mlplat.data.jpeg_segments import JPEG_MAGIC, frame, head
from airflow_mlplat.data.opencv import installed_opencv, opencv

_GREY, _COLOURS, _BITS = 0, 2, 8
"""Colour types and bits that need no rule of ours (PNG specification, 11.2.2)."""

_SIZES = {
    b"IHDR": 13, b"PLTE": None, b"IDAT": None, b"IEND": 0, b"tEXt": None, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1,
    b"pHYs": 9, b"tIME": 7, b"bKGD": None,
}  # fmt: skip
"""Chunks of a plain PNG, and their sizes in bytes; None for any."""
_MOST_TEXT = 64 << 20
"""Bytes of text beyond which Pillow refuses a PNG."""


def read(media: bytes, channels: int) -> np.ndarray | None:
    """The image of a JPEG or an ordinary PNG; None if it is left to other decoders.

    Raises:
        ConfigError: OpenCV is not installed.
    """
    cv2 = opencv("decoder 'opencv'")
    if not media.startswith(JPEG_MAGIC):
        return read_png(media, channels)
    if channels == 1 or frame(media)[2] > 3:  # OpenCV has another luma, and turns inks into other colours
        return None
    check_complete(media)
    check_size(frame(media)[:2])
    image = _decoded(cv2, media, channels)
    return None if image is None else upright(image, orientation(head(media)[1]))


def read_png(media: bytes, channels: int) -> np.ndarray | None:
    """The image of a PNG of 8-bit grey or colours; None if the media are another, or OpenCV is not installed."""
    cv2 = installed_opencv()
    if cv2 is None or not media.startswith(PNG_MAGIC) or len(media) < 33:
        return None
    kind = media[25]
    if media[24] != _BITS or kind not in (_GREY, _COLOURS) or (kind == _COLOURS and channels == 1):
        return None
    check_complete(media)
    if not _is_plain(media, kind):
        return None
    check_size((int.from_bytes(media[20:24], "big"), int.from_bytes(media[16:20], "big")))
    return _decoded(cv2, media, channels)


def _is_plain(media: bytes, kind: int) -> bool:
    """Whether there is nothing in it that Pillow might refuse: profiles, compressed texts, odd sizes; nor a frame more,
    nor how the camera was held: OpenCV puts these into the image.
    """
    sizes = {**_SIZES, b"tRNS": 6 if kind == _COLOURS else 2}
    return len(media) <= _MOST_TEXT and all(
        name in sizes and sizes[name] in (None, end - start) for name, start, end in png_chunks(media)
    )


def _decoded(cv2: Any, media: bytes, channels: int) -> np.ndarray | None:
    how = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB
    image = cv2.imdecode(np.frombuffer(media, np.uint8), how | cv2.IMREAD_IGNORE_ORIENTATION)
    return image if image is None or channels == 3 else image[..., None]
