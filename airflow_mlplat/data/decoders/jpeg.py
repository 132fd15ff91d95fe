"""JPEG by simplejpeg, which has a libjpeg-turbo of its own and leaves Python's lock while it decodes.

In libjpeg-turbo's accurate mode it gives Pillow's pixels. What it does not decode without a complaint is left to
Pillow, which has the last word on what is damaged; so are inks (CMYK), which Pillow turns into colours.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from airflow_mlplat.data.decoders.channels import with_channels
from airflow_mlplat.data.decoders.scratch import kept, scratch
from airflow_mlplat.data.decoders.size import check_size
from airflow_mlplat.data.exif import orientation, upright
from airflow_mlplat.data.jpeg_segments import JPEG_MAGIC, head
from airflow_mlplat.errors import ConfigError

_JFIF = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
_AT_ONCE = {(3, 1), (3, 3)}
"""Channels that are wanted, and colours of the file; inks are Pillow's."""
_SPACES = {"Gray": ("GRAY", 1), "YCbCr": ("RGB", 3)}
"""Colours in the file → colours to decode to, and how many."""


def read(media: bytes, channels: int) -> np.ndarray | None:
    """The image; None if it is left to Pillow."""
    simplejpeg = _simplejpeg()
    return None if simplejpeg is None else _read(simplejpeg, media, channels, fast=False)


def read_fast(media: bytes, channels: int) -> np.ndarray | None:
    """The image in the fast mode; None if it is left to other decoders.

    Raises:
        ConfigError: simplejpeg is not installed.
    """
    simplejpeg = _simplejpeg()
    if simplejpeg is None:
        raise ConfigError(
            "decoder 'fast' needs simplejpeg", fix="pip install 'airflow-mlplat[images]', or take decoder 'exact'"
        )
    return _read(simplejpeg, media, channels, fast=True)


def _read(simplejpeg: Any, media: bytes, channels: int, fast: bool) -> np.ndarray | None:
    if not media.startswith(JPEG_MAGIC):
        return None
    colours, exif = head(media)
    try:
        image = (
            _at_once(simplejpeg, media, fast) if (channels, colours) in _AT_ONCE and media.startswith(_JFIF) else None
        )
        if image is None:
            image = _looked_at(simplejpeg, media, fast)
    except ValueError:  # libjpeg-turbo complains
        return None
    return None if image is None else with_channels(upright(image, orientation(exif)), channels)


def _at_once(simplejpeg: Any, media: bytes, fast: bool) -> np.ndarray | None:
    """The colours of a JFIF: it has grey or YCbCr. None if it is too large for the memory that the thread has.

    simplejpeg's look at a header, which tells size and colours, takes a tenth of what is not decoding.
    """
    try:
        return simplejpeg.decode_jpeg(media, "RGB", fastdct=fast, fastupsample=fast, buffer=kept())
    except ValueError:
        return None


def _looked_at(simplejpeg: Any, media: bytes, fast: bool) -> np.ndarray | None:
    height, width, space, _ = simplejpeg.decode_jpeg_header(media)
    if space not in _SPACES:
        return None
    check_size((height, width))
    wanted, count = _SPACES[space]
    memory = scratch(height * width * count).reshape(height, width, count)
    return simplejpeg.decode_jpeg(media, wanted, fastdct=fast, fastupsample=fast, buffer=memory)


@lru_cache(maxsize=1)
def _simplejpeg() -> Any:
    try:
        import simplejpeg
    except ImportError:
        return None
    return simplejpeg
