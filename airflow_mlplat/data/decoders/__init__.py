"""From media bytes to all of an image's pixels, upright: one file per library, and which of them a name stands for.

A decoder is called with media bytes and channels (1 or 3) and returns uint8 (height, width, channels), contiguous; the
next call in the same thread may overwrite it. It raises DataError for what is not wholly an image. The rules are those
of `data.decode`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from airflow_mlplat.data.decoders import jpeg, npy, opencv, pillow

Decoder = Callable[[bytes, int], np.ndarray]


def exact(media: bytes, channels: int) -> np.ndarray:
    """What Pillow gives, by whatever is fastest of what is installed and gives the same pixels."""
    for read in (npy.read, jpeg.read, opencv.read_png):
        image = read(media, channels)
        if image is not None:
            return image
    return pillow.read(media, channels)


def fast(media: bytes, channels: int) -> np.ndarray:
    """JPEG with a faster transform and chroma enlarged without smoothing: some pixels differ by a few levels."""
    image = jpeg.read_fast(media, channels)
    return exact(media, channels) if image is None else image


def by_opencv(media: bytes, channels: int) -> np.ndarray:
    """JPEG and PNG by OpenCV."""
    image = opencv.read(media, channels)
    return exact(media, channels) if image is None else image


def by_pillow(media: bytes, channels: int) -> np.ndarray:
    """Everything but `.npy` by Pillow."""
    image = npy.read(media, channels)
    return pillow.read(media, channels) if image is None else image


DECODERS: dict[str, Decoder] = {"exact": exact, "fast": fast, "opencv": by_opencv, "pillow": by_pillow}
"""Name → decoder. All but `fast` give the same pixels."""
